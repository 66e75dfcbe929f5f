//! What an expression that failed, or gave nothing, found in place of what it looks for; for people.

use super::ast::{Expr, Kind, Op};
use super::{Expression, JsonataEnv, functions, lints, parser};
use crate::path::hint::{article, missing, step};
use asl_value::{Kind as Type, Value};
use std::borrow::Cow;

/// Functions that give a value where their argument has none.
const FORGIVING: [&str; 9] = ["exists", "boolean", "not", "count", "append", "merge", "type", "distinct", "zip"];

impl Expression {
    /// Why an evaluation gave nothing or failed: the first path from `$states` or a variable that leads nowhere, as far as its
    /// value is missed, with what is there (`` `$states.input` has no `ordr`: did you mean `$states.input.order`? ``); else the
    /// first operand or argument that is of another type than it must be. The text is parsed again: few want to know.
    pub fn hint(&self, env: &dyn JsonataEnv) -> Option<String> {
        let (expr, _) = parser::parse(self.text()).ok()?;
        let mut bound = Vec::new();
        lints::names(&expr, &mut bound);
        let mut look = Look { env, bound, gone: None, odd: None };
        look.node(&expr, true);
        look.gone.or(look.odd)
    }
}

struct Look<'a> {
    env: &'a dyn JsonataEnv,
    /// Names that the expression gives itself: what they are is not known here.
    bound: Vec<&'a str>,
    gone: Option<String>,
    odd: Option<String>,
}

/// Where a path of plain names leads.
enum Led {
    To(String, Value),
    Nowhere(String),
    Unknown,
}

impl<'a> Look<'a> {
    /// `missed`: where this part gives nothing, the whole gives nothing or fails.
    fn node(&mut self, expr: &'a Expr, missed: bool) {
        match &expr.kind {
            Kind::Path { .. } | Kind::Variable(_) => {
                if let (true, None, Led::Nowhere(what)) = (missed, &self.gone, self.walk(expr)) {
                    self.gone = Some(what);
                }
            }
            Kind::Binary(op, sides) => self.binary(*op, sides, missed),
            Kind::Call { procedure, args } => self.call(procedure, args, missed),
            // Whether a condition has a value decides, and fails nothing.
            Kind::Condition(parts) => {
                self.node(&parts.0, false);
                self.node(&parts.1, missed);
                parts.2.iter().for_each(|other| self.node(other, missed));
            }
            Kind::Block(parts) => {
                let last = parts.len().saturating_sub(1);
                parts.iter().enumerate().for_each(|(at, part)| {
                    self.node(part, missed && (at == last || matches!(part.kind, Kind::Bind(..))));
                });
            }
            Kind::Negate(_) | Kind::Bind(..) | Kind::Apply(_) => expr.parts(&mut |part| self.node(part, missed)),
            Kind::Array(_) | Kind::Object(_) => expr.parts(&mut |part| self.node(part, false)),
            // What is within is asked of items that are not known here.
            _ => {}
        }
    }

    fn binary(&mut self, op: Op, sides: &'a [Expr; 2], missed: bool) {
        let (numbers, ordered) = match op {
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo | Op::Range => (true, false),
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => (false, true),
            _ => (false, false),
        };
        for side in sides {
            self.node(side, missed && (numbers || ordered));
            let Led::To(place, value) = self.walk(side) else { continue };
            match value.kind() {
                Type::Number => {}
                Type::String if numbers => self
                    .note(|| format!("`{place}` is {}, not a number: $number({place}) makes one of it", shown(&value))),
                Type::String if ordered => {
                    let other = &sides[usize::from(std::ptr::eq(side, &raw const sides[0]))];
                    if self.type_of(other).is_some_and(|other| other != Type::String) {
                        self.note(|| {
                            format!("`{place}` is {}, and the other side of {} is not", shown(&value), op.text())
                        });
                    }
                }
                _ if numbers => self.note(|| format!("`{place}` is {}, not a number", article(&value))),
                _ if ordered => {
                    self.note(|| format!("`{place}` is {}: {} compares numbers or texts", article(&value), op.text()))
                }
                _ => {}
            }
        }
    }

    fn call(&mut self, procedure: &'a Expr, args: &'a [Option<Expr>], missed: bool) {
        let name = match &procedure.kind {
            Kind::Variable(name) if procedure.is_plain() && !self.bound.contains(&name.as_str()) => Some(name.as_str()),
            _ => None,
        };
        let missed = missed && !name.is_some_and(|name| FORGIVING.contains(&name));
        args.iter().flatten().for_each(|arg| self.node(arg, missed));
        let Some(name) = name else { return };
        let given: Vec<Led> = args.iter().map(|arg| arg.as_ref().map_or(Led::Unknown, |arg| self.walk(arg))).collect();
        let letters: Vec<char> = given
            .iter()
            .zip(args)
            .map(|(led, arg)| match (led, arg) {
                (Led::To(_, value), _) => letter(value),
                (Led::Unknown, Some(arg)) => lints::letter(arg),
                _ => '?',
            })
            .collect();
        let refused =
            functions::find(name).and_then(|found| found.signature()).and_then(|found| found.refuses(&letters));
        // Signatures take one value for an array of them.
        let adds = matches!(name, "sum" | "max" | "min" | "average");
        let refused = refused
            .or_else(|| matches!(given.first(), Some(Led::To(_, value)) if adds && !are_numbers(value)).then_some(0));
        if let Some(Led::To(place, value)) = refused.and_then(|at| given.get(at)) {
            self.note(|| format!("`{place}` is {}, which ${name} does not take", shown(value)));
        } else if let ("number", Some(Led::To(place, value))) = (name, given.first())
            && value.as_str().is_some_and(|text| text.trim().parse::<f64>().is_err())
        {
            self.note(|| format!("`{place}` is {}, which reads as no number", shown(value)));
        }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        self.odd.get_or_insert_with(what);
    }

    fn type_of(&self, expr: &Expr) -> Option<Type> {
        match (&expr.kind, self.walk(expr)) {
            (_, Led::To(_, value)) => Some(value.kind()),
            (Kind::Number(_), _) => Some(Type::Number),
            (Kind::String(_), _) => Some(Type::String),
            _ => None,
        }
    }

    /// Follows `$states.input.a.b` or `$variable.a.b`; a path of anything else is not followed.
    fn walk(&self, expr: &Expr) -> Led {
        let steps = match &expr.kind {
            Kind::Path { steps, .. } if expr.group.is_none() => &steps[..],
            Kind::Variable(_) => std::slice::from_ref(expr),
            _ => return Led::Unknown,
        };
        let [first, rest @ ..] = steps else { return Led::Unknown };
        let Kind::Variable(name) = &first.kind else { return Led::Unknown };
        if !first.is_plain() || name.is_empty() || name == "$" || self.bound.contains(&name.as_str()) {
            return Led::Unknown;
        }
        let mut place = format!("${name}");
        let root = match name.as_str() {
            "states" => Some(self.env.states()),
            _ if rest.is_empty() && functions::is_function(name) => return Led::Unknown,
            _ => self.env.variable(name),
        };
        let Some(mut at) = root else { return Led::Nowhere(format!("nothing is assigned to `{place}` here")) };
        for next in rest {
            let (Kind::Name(name), true) = (&next.kind, next.is_plain() || next.keep_array) else {
                return Led::Unknown;
            };
            match follow(&place, &at, name) {
                Ok(found) => at = found,
                Err(what) => return Led::Nowhere(what),
            }
            place += &step_of(name);
        }
        Led::To(place, at)
    }
}

/// A member of an object, or of each object of an array.
fn follow(place: &str, at: &Value, name: &str) -> Result<Value, String> {
    let items = match at {
        Value::Object(map) => return map.get(name).cloned().ok_or_else(|| missing(place, name, map)),
        Value::Array(items) => items,
        other => return Err(format!("`{place}` is {}, not an object", article(other))),
    };
    let found: Vec<Value> = items.iter().filter_map(|item| item.as_object()?.get(name).cloned()).collect();
    match (found.len(), items.iter().enumerate().find_map(|(at, item)| Some((at, item.as_object()?)))) {
        (1, _) => Ok(found.into_iter().next().unwrap_or_default()),
        (0, Some((at, map))) => Err(missing(&format!("{place}[{at}]"), name, map)),
        (0, None) if items.is_empty() => Err(format!("`{place}` is an empty array")),
        (0, None) => Err(format!("`{place}` is an array without objects")),
        _ => Ok(found.into()),
    }
}

/// A step as JSONata writes it.
fn step_of(name: &str) -> Cow<'static, str> {
    match step(name) {
        plain if plain.starts_with('.') && !name.contains('-') => plain.into(),
        _ => format!(".`{name}`").into(),
    }
}

/// `a text, "12 EUR"`: its type, and a short text itself.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.chars().count() <= 40 => format!("{}, {value}", article(value)),
        _ => article(value).to_owned(),
    }
}

fn are_numbers(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| item.kind() == Type::Number),
        other => other.kind() == Type::Number,
    }
}

fn letter(value: &Value) -> char {
    match value.kind() {
        Type::Null => 'l',
        Type::Boolean => 'b',
        Type::Number => 'n',
        Type::String => 's',
        Type::Array => 'a',
        Type::Object => 'o',
    }
}
