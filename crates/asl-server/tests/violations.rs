//! For every member of every operation: a missing, a too long, a too short, a wrong and an unknown value gets AWS's answer. The
//! requests and the answers follow from the table of the API.

mod common;

use asl::{Map, Value};
use asl_server::wire::{Member, Shape, Span, table};
use common::Place;

/// A value that breaks no constraint of a shape.
fn good(shape: &Shape) -> Value {
    match shape {
        Shape::String(span, pattern) => {
            let length = span.min.unwrap_or(1).max(1) as usize;
            Value::from(if pattern.is_some() { "a".repeat(length.max(2)) } else { "a".repeat(length) })
        }
        Shape::Enum(values) => values[0].into(),
        Shape::Integer(span) | Shape::Long(span) | Shape::Float(span) => Value::from(span.min.unwrap_or(0)),
        Shape::Boolean => true.into(),
        Shape::Timestamp => Value::from(0),
        Shape::List(span, of) => Value::from(vec![good(of); span.min.unwrap_or(1).max(1) as usize]),
        Shape::Map(of) => Map::from_iter([("a", good(of))]).into(),
        Shape::Structure(name) => full(&table().structures[name]).into(),
        Shape::Any => Value::Null,
    }
}

/// A request with all its members.
fn full(members: &[Member]) -> Map {
    members.iter().map(|member| (member.name, good(&member.shape))).collect()
}

/// What is wrong with a value, and what is told of it: `Member must ...`, or the words of the reader.
enum Wrong {
    Constraint(String, String),
    Type(String),
}

fn bad_values(shape: &Shape) -> Vec<(Value, Wrong)> {
    let constraint = |value: Value, must: String| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (value, Wrong::Constraint(shown, must))
    };
    let kind = |value: Value, told: &str| (value, Wrong::Type(told.to_owned()));
    let wrong_structure = "Start of structure or map found where not expected";
    let mut all = Vec::new();
    match shape {
        Shape::String(Span { min, max }, pattern) => {
            if let Some(min) = min.filter(|min| *min > 0 && pattern.is_none()) {
                let must = format!("have length greater than or equal to {min}");
                all.push(constraint("a".repeat(min as usize - 1).into(), must));
            }
            if let Some(max) = max {
                let must = format!("have length less than or equal to {max}");
                all.push(constraint("a".repeat(*max as usize + 1).into(), must));
            }
            if let Some(pattern) = pattern {
                all.push(constraint("é é".into(), format!("satisfy regular expression pattern: {pattern}")));
            }
            all.push(kind(7.into(), "NUMBER_VALUE cannot be converted to String"));
            all.push(kind(7.5.into(), "DECIMAL_VALUE cannot be converted to String"));
            all.push(kind(true.into(), "TRUE_VALUE cannot be converted to String"));
            all.push(kind(Value::empty_array(), "Unrecognized collection type class java.lang.String"));
            all.push(kind(Value::empty_object(), wrong_structure));
        }
        Shape::Enum(values) => {
            all.push(constraint("nothing".into(), format!("satisfy enum value set: [{}]", values.join(", "))));
            let lower = values[0].to_lowercase();
            all.push(constraint(lower.into(), format!("satisfy enum value set: [{}]", values.join(", "))));
            all.push(kind(7.into(), "NUMBER_VALUE cannot be converted to String"));
        }
        Shape::Integer(span) | Shape::Long(span) | Shape::Float(span) => {
            if let Some(min) = span.min {
                all.push(constraint((min - 1).into(), format!("have value greater than or equal to {min}")));
            }
            if let Some(max) = span.max {
                all.push(constraint((max + 1).into(), format!("have value less than or equal to {max}")));
            }
            let java = match shape {
                Shape::Integer(_) => "Integer",
                Shape::Long(_) => "Long",
                _ => "Float",
            };
            all.push(kind("7".into(), &format!("STRING_VALUE cannot be converted to {java}")));
            all.push(kind(false.into(), &format!("FALSE_VALUE cannot be converted to {java}")));
            all.push(kind(Value::empty_object(), wrong_structure));
        }
        Shape::Boolean => {
            all.push(kind("true".into(), "Unexpected token received from parser"));
            all.push(kind(1.into(), "NUMBER_VALUE cannot be converted to Boolean"));
            all.push(kind(Value::empty_array(), "Unrecognized collection type class java.lang.Boolean"));
        }
        Shape::List(..) => {
            all.push(kind("a".into(), "Unexpected field type"));
            all.push(kind(Value::empty_object(), wrong_structure));
        }
        Shape::Structure(name) => {
            all.push(kind("a".into(), "Unexpected field type"));
            let class = format!("Unrecognized collection type class com.amazonaws.swf.service.v2.model.{name}");
            all.push(kind(Value::empty_array(), &class));
        }
        Shape::Timestamp | Shape::Map(_) | Shape::Any => {}
    }
    all
}

/// Each request that breaks one rule, with the whole refusal.
fn broken(members: &[Member]) -> Vec<(Map, String)> {
    let mut all = Vec::new();
    places(members, "", &|inner| inner.into(), &mut all);
    all
}

type Wrap<'w> = &'w dyn Fn(Map) -> Value;

fn places(members: &[Member], path: &str, wrap: Wrap<'_>, all: &mut Vec<(Map, String)>) {
    let whole = |inner: Map| wrap(inner).as_object().cloned().expect("a request is an object");
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        let told = |shown: &str, path: &str, must: &str| {
            format!(
                "ValidationException: 1 validation error detected: Value {shown} at '{path}' failed to satisfy constraint: Member must {must}"
            )
        };
        if member.required {
            let mut without = full(members);
            without.remove(member.name);
            all.push((whole(without), told("null", &path, "not be null")));
            let mut null = full(members);
            null.insert(member.name, Value::Null);
            all.push((whole(null), told("null", &path, "not be null")));
        }
        for (value, wrong) in bad_values(&member.shape) {
            let mut request = full(members);
            request.insert(member.name, value);
            let refusal = match wrong {
                Wrong::Constraint(shown, must) => told(&format!("'{shown}'"), &path, &must),
                Wrong::Type(told) => format!("SerializationException: {told}"),
            };
            all.push((whole(request), refusal));
        }
        match &member.shape {
            Shape::Structure(name) => {
                let inside = |inner: Map| {
                    let mut outer = full(members);
                    outer.insert(member.name, inner);
                    wrap(outer)
                };
                places(&table().structures[name], &path, &inside, all);
            }
            Shape::List(_, of) => {
                if let Shape::Structure(name) = &**of {
                    let inside = |inner: Map| {
                        let mut outer = full(members);
                        outer.insert(member.name, Value::from(vec![Value::from(inner)]));
                        wrap(outer)
                    };
                    places(&table().structures[name], &format!("{path}.1.member"), &inside, all);
                }
                for (value, wrong) in bad_values(of) {
                    let mut request = full(members);
                    request.insert(member.name, Value::from(vec![value]));
                    let refusal = match wrong {
                        Wrong::Constraint(shown, must) => {
                            told(&format!("'{shown}'"), &format!("{path}.1.member"), &must)
                        }
                        Wrong::Type(told) => format!("SerializationException: {told}"),
                    };
                    all.push((whole(request), refusal));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_violation_gets_the_answer_of_aws() {
    let place = Place::new();
    let mut client = place.client();
    let mut count = 0;
    for (operation, facts) in &table().operations {
        for (request, refusal) in broken(&facts.input) {
            let text = Value::from(request).to_string();
            let reply = client.call(operation, &text);
            count += 1;
            let shown = &text[..text.len().min(300)];
            assert_eq!(reply.status, 400, "{operation} {shown}");
            assert!(reply.refusal() == refusal, "{operation} {shown}\n{:.500}\n{:.500}", reply.refusal(), refusal);
            let kind = reply.body["__type"].as_str().unwrap();
            let namespace =
                if refusal.starts_with('V') { "com.amazon.coral.validate#" } else { "com.amazon.coral.service#" };
            assert!(kind.starts_with(namespace), "{kind}");
        }
    }
    assert!(count > 500, "{count} requests");
}

/// All violations of a request are told at once, in the order of the model.
#[test]
fn violations_are_told_together() {
    let place = Place::new();
    let told = place.client().refused("CreateStateMachine", r#"{"name": "", "type": "FAST", "tags": [{"key": ""}]}"#);
    let parts: Vec<&str> = told.split("; ").map(|part| part.split(" at ").nth(1).unwrap_or_default()).collect();
    let places: Vec<&str> = parts.iter().map(|part| part.split('\'').nth(1).unwrap_or_default()).collect();
    assert!(told.starts_with("ValidationException: 5 validation errors detected: "), "{told}");
    assert_eq!(places, ["name", "definition", "roleArn", "type", "tags.1.member.key"]);
}
