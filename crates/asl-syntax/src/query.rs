//! Fields in JSONata, and fields that are written in either language.

use asl_expr::jsonata::{EvaluationError, Expression, JsonataEnv, JsonataTemplate, Reference};
use asl_expr::{Path, Template};
use asl_value::Value;
use std::fmt;
use std::sync::Arc;

/// A field of a JSONata state: any JSON with `{% %}` in it, parsed, and its place in the state.
#[derive(Clone)]
pub struct Query {
    field: Arc<str>,
    written: Value,
    template: JsonataTemplate,
}

impl Query {
    /// Parses what is written in a field; `field` is its place in the state, such as `Catch[1]/Output`. `None` when one of
    /// the expressions cannot be parsed.
    pub(crate) fn parse(field: &str, written: Value) -> Option<Query> {
        let template = JsonataTemplate::parse(&written).ok()?;
        Some(Query { field: field.into(), written, template })
    }

    /// The place in the state: `Output`, `Choices[1]/Condition`.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The text of the expression, without `{% %}`, when the whole field is one.
    pub fn text(&self) -> Option<&str> {
        self.template.single().map(Expression::text)
    }

    /// The value. Parts without an expression are shared, not copied.
    ///
    /// # Errors
    /// The first expression that fails, with its place in the state and the cause in AWS's words.
    pub fn eval(&self, env: &dyn JsonataEnv) -> Result<Value, EvaluationError> {
        self.template.eval(&self.field, env)
    }

    /// The names of the variables it reads, as often as it does.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let references = self.template.expressions().flat_map(|(_, expression)| expression.references());
        references.filter_map(|reference| match reference {
            Reference::Variable(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The member `key` at the top, when it is written down and nothing in it is computed.
    pub fn literal(&self, key: &str) -> Option<&Value> {
        self.written.get(key).filter(|value| is_literal(value))
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.written)
    }
}

/// True for a text that is an expression.
pub(crate) fn is_expression(text: &str) -> bool {
    text.len() >= 4 && text.starts_with("{%") && text.ends_with("%}")
}

fn is_literal(value: &Value) -> bool {
    match value {
        Value::String(text) => !is_expression(text),
        Value::Array(items) => items.iter().all(is_literal),
        Value::Object(map) => map.values().all(is_literal),
        _ => true,
    }
}

/// A field that computes a value, in the language of its state: parameters, outputs, `Assign` and their like.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A payload template with `.$` keys.
    JsonPath(Template),
    /// Any JSON with `{% %}` in it.
    Jsonata(Query),
}

impl Payload {
    /// The member `key` at the top, when it is written down and not computed.
    pub fn literal(&self, key: &str) -> Option<&Value> {
        match self {
            Payload::JsonPath(template) => template.literal(key),
            Payload::Jsonata(query) => query.literal(key),
        }
    }

    /// The names of the members at the top; none where all of it is one expression.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Payload::JsonPath(template) => template.names().into_iter().map(|key| &**key).collect(),
            Payload::Jsonata(query) => {
                query.written.as_object().into_iter().flat_map(|o| o.keys()).map(|k| &**k).collect()
            }
        }
    }
}

/// What a Map maps: `ItemsPath` or `Items`.
#[derive(Clone, Debug)]
pub enum ItemsField {
    /// `ItemsPath`.
    Path(Path),
    /// `Items` of JSONata.
    Query(Query),
}
