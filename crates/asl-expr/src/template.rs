//! Payload templates: `Parameters`, `ItemSelector`, `ResultSelector`, `Assign` and their like.

use crate::budget::Budget;
use crate::path::Rows;
use crate::{Env, EvalError, Intrinsic, Path, PathErrorKind, SyntaxError};
use asl_value::{Key, Map, Value};

/// What a template field whose key ends in `.$` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// `$.a`, `$$.Execution.Id`, `$variable`
    Path(Path),
    /// `States.Format('{}', $.a)`
    Intrinsic(Intrinsic),
}

impl Expr {
    /// Parses the text of an expression: a path when it begins with `$`, else the call of an intrinsic function.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
        if text.trim_start().starts_with('$') {
            return Ok(Expr::Path(Path::parse(text)?));
        }
        Intrinsic::parse(text).map(Expr::Intrinsic)
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        match self {
            Expr::Path(path) => path.text(),
            Expr::Intrinsic(call) => call.text(),
        }
    }

    /// The paths in it.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Expr::Path(path) => vec![path],
            Expr::Intrinsic(call) => call.paths().collect(),
        }
    }

    /// Its value. `field` is the name of the field that holds it, for the message: `value.$`, `CausePath`.
    ///
    /// # Errors
    /// States.Runtime for a path that leads nowhere (`The JSONPath '$.x' specified for the field 'value.$' could not be
    /// found in the input '{}'`), and what [`Intrinsic::eval`] says. A path whose last step is an index past the end of an
    /// array gives null, as on AWS; so does each element of an array that such an index is asked of.
    pub fn eval(&self, field: &str, input: &Value, env: &dyn Env) -> Result<Value, EvalError> {
        Budget::of(env, |budget| self.fill(field, input, env, budget))
    }

    fn fill(&self, field: &str, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, EvalError> {
        let value = match self {
            Expr::Intrinsic(call) => call.eval_within(input, env, budget)?,
            Expr::Path(path) => eval_path(path, field, input, env, budget)?,
        };
        budget.value(&value).map_err(|exceeded| exceeded.of_field(field))?;
        Ok(value)
    }
}

fn eval_path(path: &Path, field: &str, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, EvalError> {
    let document = path.document(env, budget)?;
    let document = document.as_ref().unwrap_or(input);
    path.apply(document, Rows::Kept, budget).or_else(|e| match e.kind {
        PathErrorKind::NotFound if path.ends_past_array(document) => Ok(Value::Null),
        PathErrorKind::NotFound => Err(EvalError::runtime(format!(
            "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{document}'",
            path.text_in_document()
        ))
        .hint(path.hint(input, env))),
        _ => Err(e.into()),
    })
}

/// How deep arrays and objects of a template may be nested: filling it recurses by level.
const MAX_TEMPLATE_DEPTH: usize = 256;

/// A parsed payload template. Parts without an expression are kept as one shared value.
#[derive(Clone, Debug)]
pub struct Template(Node);

#[derive(Clone, Debug)]
enum Node {
    Constant(Value),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

#[derive(Clone, Debug)]
enum Member {
    Plain {
        key: Key,
        value: Node,
    },
    /// `field` is the key as written, `key` without its `.$`.
    Computed {
        field: Key,
        key: Key,
        expr: Expr,
    },
}

/// One step to a place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateStep {
    /// The member of an object, by its key as written.
    Key(Key),
    /// The element of an array.
    Index(usize),
}

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Where the field is; its key is the last step.
    pub at: Vec<TemplateStep>,
    /// What is wrong, in AWS's words: `The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function
    /// call`.
    pub message: String,
    /// What the parser found, when the text of an expression is at fault.
    pub detail: Option<SyntaxError>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// All mistakes: texts under `.$` keys that are no expressions, and keys that appear both with and without `.$`.
    pub fn parse(value: &Value) -> Result<Template, Vec<TemplateError>> {
        let mut parser = Parser { at: Vec::new(), mistakes: Vec::new() };
        let node = parser.node(value);
        if parser.mistakes.is_empty() { Ok(Template(node)) } else { Err(parser.mistakes) }
    }

    /// Fills the template. A template without expressions is returned as it is, without a copy.
    ///
    /// # Errors
    /// The first expression that fails, in the order of the text; see [`Expr::eval`]. A value that would take more than
    /// [`crate::MAX_BYTES`], each part as often as it is used, is `States.DataLimitExceeded`.
    pub fn eval(&self, input: &Value, env: &dyn Env) -> Result<Value, EvalError> {
        match &self.0 {
            Node::Constant(value) => Ok(value.clone()),
            node => Budget::of(env, |budget| node.eval("", input, env, budget)),
        }
    }

    /// Every path in it, in the order of the text: for "which variables does this state read".
    pub fn paths(&self) -> Vec<&Path> {
        let mut out = Vec::new();
        self.0.collect_paths(&mut out);
        out
    }

    /// The member `key` at the top of the template, when it is written down and not computed.
    pub fn literal(&self, key: &str) -> Option<&Value> {
        match &self.0 {
            Node::Constant(value) => value.get(key),
            Node::Array(_) => None,
            Node::Object(members) => members.iter().find_map(|member| match member {
                Member::Plain { key: k, value: Node::Constant(value) } if &**k == key => Some(value),
                _ => None,
            }),
        }
    }

    /// The names of the members at the top of the template, a computed one without its `.$`.
    pub fn names(&self) -> Vec<&Key> {
        match &self.0 {
            Node::Constant(value) => value.as_object().into_iter().flat_map(|o| o.keys()).collect(),
            Node::Array(_) => vec![],
            Node::Object(members) => {
                let key = |member| match member {
                    &Member::Plain { ref key, .. } | &Member::Computed { ref key, .. } => key,
                };
                members.iter().map(key).collect()
            }
        }
    }

    /// True when nothing in it is computed.
    pub fn is_constant(&self) -> bool {
        matches!(self.0, Node::Constant(_))
    }
}

struct Parser {
    at: Vec<TemplateStep>,
    mistakes: Vec<TemplateError>,
}

impl Parser {
    fn node(&mut self, value: &Value) -> Node {
        match value {
            nested @ (Value::Array(_) | Value::Object(_)) if self.at.len() >= MAX_TEMPLATE_DEPTH => {
                let message = format!("A template can not be nested deeper than {MAX_TEMPLATE_DEPTH} levels");
                self.mistakes.push(TemplateError { at: self.at.clone(), message, detail: None });
                Node::Constant(nested.clone())
            }
            Value::Array(items) => {
                let nodes: Vec<Node> =
                    items.iter().enumerate().map(|(i, v)| self.inside(TemplateStep::Index(i), v)).collect();
                if nodes.iter().all(|n| matches!(n, Node::Constant(_))) {
                    Node::Constant(value.clone())
                } else {
                    Node::Array(nodes)
                }
            }
            Value::Object(map) => {
                let members: Vec<Member> = map.iter().filter_map(|(key, value)| self.member(map, key, value)).collect();
                let constant = |m: &Member| matches!(m, Member::Plain { value: Node::Constant(_), .. });
                if members.iter().all(constant) { Node::Constant(value.clone()) } else { Node::Object(members) }
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

    fn member(&mut self, map: &Map, field: &Key, value: &Value) -> Option<Member> {
        let Some(key) = field.strip_suffix(".$") else {
            return Some(Member::Plain {
                key: field.clone(),
                value: self.inside(TemplateStep::Key(field.clone()), value),
            });
        };
        if map.contains_key(key) {
            self.mistake(field, format!("The fields '{key}' and '{field}' can not both be present"), None);
        }
        let detail = match value.as_str().map(Expr::parse) {
            Some(Ok(expr)) => return Some(Member::Computed { field: field.clone(), key: key.into(), expr }),
            Some(Err(e)) => Some(e),
            None => None,
        };
        let message =
            format!("The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call");
        self.mistake(field, message, detail);
        None
    }

    fn mistake(&mut self, field: &Key, message: String, detail: Option<SyntaxError>) {
        let mut at = self.at.clone();
        at.push(TemplateStep::Key(field.clone()));
        self.mistakes.push(TemplateError { at, message, detail });
    }
}

impl Node {
    /// `field` is the key that it stands under, for the message.
    fn eval(&self, field: &str, input: &Value, env: &dyn Env, budget: &Budget) -> Result<Value, EvalError> {
        let count = match self {
            Node::Constant(_) => 0,
            Node::Array(nodes) => nodes.len(),
            Node::Object(members) => members.len(),
        };
        budget.items(count).map_err(|exceeded| exceeded.of_field(field))?;
        match self {
            Node::Constant(value) => {
                budget.value(value).map_err(|exceeded| exceeded.of_field(field))?;
                Ok(value.clone())
            }
            Node::Array(nodes) => nodes.iter().map(|node| node.eval(field, input, env, budget)).collect(),
            Node::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for member in members {
                    let (key, value) = match member {
                        Member::Plain { key, value } => (key, value.eval(key, input, env, budget)?),
                        Member::Computed { field, key, expr } => (key, expr.fill(field, input, env, budget)?),
                    };
                    map.insert(key.clone(), value);
                }
                Ok(map.into())
            }
        }
    }

    fn collect_paths<'a>(&'a self, out: &mut Vec<&'a Path>) {
        match self {
            Node::Constant(_) => {}
            Node::Array(nodes) => nodes.iter().for_each(|node| node.collect_paths(out)),
            Node::Object(members) => members.iter().for_each(|member| match member {
                Member::Plain { value, .. } => value.collect_paths(out),
                Member::Computed { expr, .. } => out.extend(expr.paths()),
            }),
        }
    }
}
