//! Parameters, checked against the model before anything is sent.

use crate::blob;
use crate::model::{Location, Member, Operation, Service, Shape, Structure, Type};
use crate::time::Timestamp;
use asl_value::{Map, Number, Value};

/// As many complaints as one answer has at most.
const MOST: usize = 10;

/// Checks the parameters of an operation, and makes of them what is sent: numbers and booleans that came as texts are
/// numbers and booleans, an object where a text belongs is its JSON text, nulls are left out, and an idempotency token that
/// is missing is `token`.
///
/// # Errors
/// What is wrong, in AWS's words where those are known: `The field "X" is not supported by Step Functions`,
/// `The field 'X' is required but was missing`, `The value for the field 'X' must be a STRING`.
pub fn check(service: &Service, operation: &Operation, parameters: &Value, token: &str) -> Result<Value, Vec<String>> {
    let mut check = Check { service, token, complaints: vec![] };
    let Some(input) = service.input(operation) else {
        // An operation that takes nothing.
        for key in parameters.as_object().into_iter().flat_map(Map::keys) {
            check.unknown(key);
        }
        return check.ends(Value::empty_object());
    };
    let parameters = if parameters.is_null() { &Value::empty_object() } else { parameters };
    let made = check.structure(input, parameters, "Parameters");
    check.ends(made)
}

/// The names of the parameters that an operation does not have, in AWS's words; a template's `.$` is left away.
pub fn unknown<'a>(service: &Service, operation: &Operation, keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    let input = service.input(operation);
    let known = |key: &str| input.and_then(|i| find(service, i, key.trim_end_matches(".$"))).is_some();
    let unknown = keys.filter(|key| !known(key));
    unknown.map(not_supported).collect()
}

fn not_supported(key: &str) -> String {
    format!("The field \"{key}\" is not supported by Step Functions")
}

/// The member that a parameter's name means. An attribute value of DynamoDB may have its name on the wire too, `BOOL` for
/// `Bool`: definitions that were written for the optimized integration have it.
fn find<'a>(service: &Service, structure: &'a Structure, key: &str) -> Option<&'a Member> {
    let wire = || structure.by_name(key).filter(|_| &*service.endpoint_prefix == "dynamodb");
    structure.by_key(key).or_else(wire)
}

struct Check<'a> {
    service: &'a Service,
    token: &'a str,
    complaints: Vec<String>,
}

impl Check<'_> {
    fn ends(self, made: Value) -> Result<Value, Vec<String>> {
        if self.complaints.is_empty() { Ok(made) } else { Err(self.complaints) }
    }

    fn complain(&mut self, complaint: String) {
        if self.complaints.len() < MOST {
            self.complaints.push(complaint);
        }
    }

    fn unknown(&mut self, key: &str) {
        self.complain(not_supported(key));
    }

    fn must_be(&mut self, field: &str, what: &str) -> Value {
        self.complain(format!("The value for the field '{field}' must be {what}"));
        Value::Null
    }

    fn structure(&mut self, structure: &Structure, value: &Value, field: &str) -> Value {
        let Some(given) = value.as_object() else { return self.must_be(field, "a JSON object") };
        let mut made = Map::with_capacity(given.len());
        for (key, value) in given {
            match find(self.service, structure, key) {
                None => self.unknown(key),
                Some(_) if value.is_null() => {}
                Some(member) => {
                    let value = self.value(member.ty, value, &member.key);
                    self.place(member, &value);
                    made.insert(member.key.clone(), value);
                }
            }
        }
        for member in &structure.members {
            if member.token && !made.contains_key(&member.key) {
                made.insert(member.key.clone(), self.token);
            } else if member.required && !made.contains_key(&member.key) {
                self.complain(format!("The field '{}' is required but was missing", member.key));
            }
        }
        Value::from(made)
    }

    /// What a place asks of a value beyond its type.
    fn place(&mut self, member: &Member, value: &Value) {
        let text = value.as_str().unwrap_or("-");
        match member.location {
            Location::Uri if text.is_empty() => {
                self.complain(format!("The value for the field '{}' cannot be empty", member.key))
            }
            // What carries a request would follow such a part, and leave it out.
            Location::Uri if text.split('/').any(|part| matches!(part, "." | "..")) => {
                self.complain(format!(
                    "The value for the field '{}' must not have . or .. as a part of a path",
                    member.key
                ));
            }
            Location::Header if text.contains(['\r', '\n', '\0']) => {
                self.complain(format!("The value for the field '{}' must not have line breaks", member.key));
            }
            _ => {}
        }
    }

    fn value(&mut self, ty: Type, value: &Value, field: &str) -> Value {
        match ty {
            Type::String | Type::JsonText => match value {
                Value::String(_) => value.clone(),
                Value::Object(_) | Value::Array(_) => Value::from(value.to_string()),
                _ => self.must_be(field, "a STRING"),
            },
            Type::Integer => self.integer(value, field, i64::from(i32::MIN)..=i64::from(i32::MAX), "an INTEGER"),
            Type::Long => self.integer(value, field, i64::MIN..=i64::MAX, "a LONG"),
            Type::Float | Type::Double => self.number(value, field),
            Type::Boolean => match value {
                Value::Bool(_) => value.clone(),
                Value::String(text) if text.eq_ignore_ascii_case("true") => Value::from(true),
                Value::String(text) if text.eq_ignore_ascii_case("false") => Value::from(false),
                _ => self.must_be(field, "a BOOLEAN"),
            },
            Type::Timestamp(_) => match Timestamp::of(value) {
                Some(_) => value.clone(),
                None => self.must_be(field, "a TIMESTAMP in ISO 8601"),
            },
            Type::Blob | Type::Streaming | Type::Document => value.clone(),
            Type::EventStream => self.must_be(field, "left out: streams of events are not supported"),
            Type::Shape(_) => self.compound(ty, value, field),
        }
    }

    fn compound(&mut self, ty: Type, value: &Value, field: &str) -> Value {
        let service = self.service;
        match service.shape(ty) {
            Some(Shape::Structure(structure)) => self.structure(structure, value, field),
            Some(Shape::List { item, .. }) => match value.as_array() {
                Some(items) => {
                    items.iter().map(|i| if i.is_null() { Value::Null } else { self.value(*item, i, field) }).collect()
                }
                None => self.must_be(field, "an ARRAY"),
            },
            Some(Shape::Map { value: of, .. }) => match value.as_object() {
                Some(entries) => {
                    let entries = entries.iter().filter(|(_, v)| !v.is_null());
                    Value::from(entries.map(|(k, v)| (k.clone(), self.value(*of, v, field))).collect::<Map>())
                }
                None => self.must_be(field, "a JSON object"),
            },
            None => Value::Null,
        }
    }

    fn integer(&mut self, value: &Value, field: &str, range: std::ops::RangeInclusive<i64>, what: &str) -> Value {
        let number = match value {
            Value::Number(number) => whole(number),
            Value::String(text) => Number::parse(text.trim()).as_ref().and_then(whole),
            _ => None,
        };
        match number.filter(|n| range.contains(n)) {
            Some(number) => Value::from(number),
            None => self.must_be(field, what),
        }
    }

    fn number(&mut self, value: &Value, field: &str) -> Value {
        match value {
            Value::Number(_) => value.clone(),
            Value::String(text) if matches!(&**text, "NaN" | "Infinity" | "-Infinity") => value.clone(),
            Value::String(text) => match Number::parse(text.trim()) {
                Some(number) => Value::from(number),
                None => self.must_be(field, "a DOUBLE"),
            },
            _ => self.must_be(field, "a DOUBLE"),
        }
    }
}

/// An integer, also one that is written `5.0` as JSONPath functions and JSONata give it.
fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64();
    number.as_i64().or_else(|| (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64))
}

/// The text of a scalar where protocols write texts: forms, XML, paths, queries and headers.
pub(crate) fn scalar_text(ty: Type, value: &Value, format: crate::model::TimeFormat) -> String {
    match ty {
        Type::Timestamp(own) => match Timestamp::of(value) {
            Some(at) => at.text(own.unwrap_or(format)),
            None => String::new(),
        },
        Type::Blob | Type::Streaming => blob::to_base64(&blob::of_value(value)),
        _ => match value {
            Value::String(text) => text.to_string(),
            other => other.to_string(),
        },
    }
}
