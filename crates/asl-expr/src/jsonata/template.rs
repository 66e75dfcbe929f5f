//! JSON with `{% %}` strings at any depth: `Output`, `Arguments`, `Assign` and their like.

use super::{Expression, JsonataEnv, JsonataError, JsonataSyntaxError};
use crate::TemplateStep;
use asl_value::{Key, Map, Value};
use std::fmt::Write as _;

/// A parsed template. Parts without an expression are kept as one shared value.
#[derive(Clone, Debug)]
pub struct JsonataTemplate {
    root: Node,
    /// Every expression with its path below the field, in the order of the text.
    expressions: Vec<(String, Expression)>,
}

#[derive(Clone, Debug)]
enum Node {
    Constant(Value),
    /// The position in `JsonataTemplate::expressions`.
    Computed(usize),
    Array(Vec<Node>),
    Object(Vec<(Key, Node)>),
}

/// What is wrong with a string of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonataTemplateErrorKind {
    /// Only one of `{%` and `%}`.
    Delimiters,
    /// No JSONata between them.
    Syntax,
}

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonataTemplateError {
    /// Where the string is.
    pub at: Vec<TemplateStep>,
    /// What kind of mistake it is.
    pub kind: JsonataTemplateErrorKind,
    /// What is wrong, for people.
    pub message: String,
    /// What the parser found, for [`JsonataTemplateErrorKind::Syntax`]; its offset counts from the start of the expression.
    pub detail: Option<JsonataSyntaxError>,
    /// Where the expression starts in the string, in bytes: past `{%` and blanks.
    pub start: usize,
}

/// A template that could not be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct EvaluationError {
    /// The field with the path below it, `Output/a/b[0]`.
    pub location: String,
    /// AWS's text, without the prefix that names the state: `The JSONata expression '$x' specified for the field 'Output'
    /// returned nothing (undefined).`
    pub cause: String,
    /// What was there instead, for people; no part of AWS's text.
    pub hint: Option<String>,
}

impl JsonataTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// All mistakes, in the order of the text.
    pub fn parse(value: &Value) -> Result<JsonataTemplate, Vec<JsonataTemplateError>> {
        let mut parser = Parser { at: Vec::new(), expressions: Vec::new(), mistakes: Vec::new() };
        let root = parser.node(value);
        if parser.mistakes.is_empty() {
            Ok(JsonataTemplate { root, expressions: parser.expressions })
        } else {
            Err(parser.mistakes)
        }
    }

    /// Every expression with its path below the field (`""`, `/a/b[0]`), in the order of the text.
    pub fn expressions(&self) -> impl Iterator<Item = (&str, &Expression)> {
        self.expressions.iter().map(|(path, expression)| (path.as_str(), expression))
    }

    /// The whole template, when nothing in it is computed.
    pub fn constant(&self) -> Option<&Value> {
        if let Node::Constant(value) = &self.root { Some(value) } else { None }
    }

    /// The expression, when the template is nothing but one.
    pub fn single(&self) -> Option<&Expression> {
        if let Node::Computed(index) = self.root { self.expressions.get(index).map(|(_, e)| e) } else { None }
    }

    /// Fills the template. `field` is the path of the field in the state (`Output`, `Catch[0]/Output`), for the messages.
    /// A template without expressions is returned as it is, without a copy.
    ///
    /// # Errors
    /// The first expression that fails, gives nothing, or gives what is no JSON.
    pub fn eval(&self, field: &str, env: &dyn JsonataEnv) -> Result<Value, EvaluationError> {
        self.fill(&self.root, field, env)
    }

    fn fill(&self, node: &Node, field: &str, env: &dyn JsonataEnv) -> Result<Value, EvaluationError> {
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Computed(index) => {
                let (path, expression) = &self.expressions[*index];
                evaluate(expression, field, path, env)
            }
            Node::Array(nodes) => nodes.iter().map(|node| self.fill(node, field, env)).collect(),
            Node::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for (key, node) in members {
                    map.insert(key.clone(), self.fill(node, field, env)?);
                }
                Ok(map.into())
            }
        }
    }
}

fn evaluate(expression: &Expression, field: &str, path: &str, env: &dyn JsonataEnv) -> Result<Value, EvaluationError> {
    let found = expression.eval(env);
    // An evaluation that ran into a bound is not looked at any longer.
    let hint = match &found {
        Ok(Some(_)) | Err(JsonataError { coded: false, .. }) => None,
        Ok(None) | Err(_) => expression.hint(env),
    };
    let tail = match found {
        Ok(Some(value)) => return Ok(value),
        Ok(None) => "returned nothing (undefined).".to_owned(),
        Err(JsonataError { unsupported_result: true, .. }) => "returned an unsupported result type.".to_owned(),
        Err(JsonataError { text, coded: true, .. }) => format!("threw an error during evaluation. {text}"),
        Err(JsonataError { text, .. }) => format!("threw an error during evaluation: {text}"),
    };
    let location = format!("{field}{path}");
    let cause = format!("The JSONata expression '{}' specified for the field '{location}' {tail}", expression.text());
    Err(EvaluationError { location, cause, hint })
}

struct Parser {
    at: Vec<TemplateStep>,
    expressions: Vec<(String, Expression)>,
    mistakes: Vec<JsonataTemplateError>,
}

impl Parser {
    fn node(&mut self, value: &Value) -> Node {
        match value {
            Value::String(text) => self.text(text).unwrap_or_else(|| Node::Constant(value.clone())),
            Value::Array(items) => {
                let nodes: Vec<Node> =
                    items.iter().enumerate().map(|(i, v)| self.inside(TemplateStep::Index(i), v)).collect();
                let constant = nodes.iter().all(|node| matches!(node, Node::Constant(_)));
                if constant { Node::Constant(value.clone()) } else { Node::Array(nodes) }
            }
            Value::Object(map) => {
                let members: Vec<(Key, Node)> =
                    map.iter().map(|(k, v)| (k.clone(), self.inside(TemplateStep::Key(k.clone()), v))).collect();
                let constant = members.iter().all(|(_, node)| matches!(node, Node::Constant(_)));
                if constant { Node::Constant(value.clone()) } else { Node::Object(members) }
            }
            scalar => Node::Constant(scalar.clone()),
        }
    }

    fn inside(&mut self, step: TemplateStep, value: &Value) -> Node {
        self.at.push(step);
        let node = self.node(value);
        self.at.pop();
        node
    }

    /// The expression a string holds; `None` for plain text, and after a mistake.
    fn text(&mut self, text: &str) -> Option<Node> {
        // With blanks outside it is plain text (recorded AWS behaviour).
        let opened = text.starts_with("{%");
        let closed = text.ends_with("%}");
        if !opened && !closed {
            return None;
        }
        let inner = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
        let Some(inner) = inner else {
            let message = "A JSONata expression begins with '{%' and ends with '%}', without anything outside of them";
            self.mistake(JsonataTemplateErrorKind::Delimiters, message.to_owned(), None, 0);
            return None;
        };
        match Expression::parse(inner.trim()) {
            Ok(expression) => {
                self.expressions.push((path_text(&self.at), expression));
                Some(Node::Computed(self.expressions.len() - 1))
            }
            Err(e) => {
                let start = 2 + inner.len() - inner.trim_start().len();
                self.mistake(JsonataTemplateErrorKind::Syntax, e.to_string(), Some(e), start);
                None
            }
        }
    }

    fn mistake(
        &mut self,
        kind: JsonataTemplateErrorKind,
        message: String,
        detail: Option<JsonataSyntaxError>,
        start: usize,
    ) {
        self.mistakes.push(JsonataTemplateError { at: self.at.clone(), kind, message, detail, start });
    }
}

/// `/` before each key, `[i]` for each index.
fn path_text(at: &[TemplateStep]) -> String {
    let mut text = String::new();
    for step in at {
        let _ = match step {
            TemplateStep::Key(key) => write!(text, "/{key}"),
            TemplateStep::Index(index) => write!(text, "[{index}]"),
        };
    }
    text
}
