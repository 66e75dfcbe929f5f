//! The one place that knows the evaluator: parse, evaluate with bindings and bounds.

use super::messages::Hints;
use super::references::{self, PlainPath, Reads, Reference};
use super::{Bounds, JsonataEnv, JsonataError, JsonataSyntaxError, convert, functions, guard, messages, syntax};
use asl_value::Value;
use jsonata_core::ast::{AstNode, BinaryOp};
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Program {
    ast: AstNode,
    plain: Option<PlainPath>,
    reads: Reads,
    hints: Hints,
    /// Whether it may ask for random bits.
    random: bool,
}

impl Program {
    pub(super) fn parse(text: &str) -> Result<Program, JsonataSyntaxError> {
        let mut ast = syntax::parse(text)?;
        let plain = references::plain_path(&ast);
        let reads = references::reads(&ast);
        let hints = hints(&ast);
        guard::install(&mut ast);
        let random = ["random", "uuid", "shuffle"].iter().any(|name| reads.shapes.contains_key(*name));
        Ok(Program { ast, plain, reads, hints, random })
    }

    pub(super) fn references(&self) -> &[Reference] {
        &self.reads.references
    }

    pub(super) fn eval(
        &self,
        input: Option<&Value>,
        env: &dyn JsonataEnv,
        bounds: &Bounds,
    ) -> Result<Option<Value>, JsonataError> {
        if let Some(path) = &self.plain
            && let Some(found) = walk(path, env)
        {
            return Ok(found);
        }
        let random = if self.random { env.random() } else { 0 };
        match self.try_eval(input, env, bounds, random) {
            // The evaluator's clock runs on while the thread does not: a busy machine must not make an error that a
            // replay does not make. Whoever really needs so long needs it twice.
            Err(error) if error == messages::timeout() => self.try_eval(input, env, bounds, random),
            result => result,
        }
    }

    fn try_eval(
        &self,
        input: Option<&Value>,
        env: &dyn JsonataEnv,
        bounds: &Bounds,
        random: u64,
    ) -> Result<Option<Value>, JsonataError> {
        let mut context = Context::new();
        for (name, shape) in &self.reads.shapes {
            let value = if name == "states" { Some(env.states()) } else { env.variable(name) };
            if let Some(value) = value {
                context.bind(name.clone(), convert::shaped(&value, shape));
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(bounds.time_ms),
            max_stack_depth: Some(bounds.depth),
            max_sequence_length: Some(bounds.items),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        functions::register(&mut evaluator, &functions::Shared::new(bounds, env, random));
        let input = input.map_or(JValue::Undefined, convert::to_engine);
        match evaluator.evaluate(&self.ast, &input) {
            Ok(value) => convert::from_engine(&value, bounds),
            Err(e) => {
                let operands = operands(&mut evaluator, &self.ast, &input, e.message());
                let hints = Hints { operands, ..self.hints.clone() };
                Err(messages::runtime(e.message(), bounds.depth, &hints))
            }
        }
    }
}

/// Walks a plain path on the shared value. `None` when an array is on the way, which the evaluator maps over.
fn walk(path: &PlainPath, env: &dyn JsonataEnv) -> Option<Option<Value>> {
    let root = if path.variable == "states" { Some(env.states()) } else { env.variable(&path.variable) };
    let Some(mut value) = root else { return Some(None) };
    for step in &path.steps {
        value = match &value {
            Value::Array(_) => return None,
            Value::Object(map) => match map.get(step) {
                Some(member) => member.clone(),
                None => return Some(None),
            },
            _ => return Some(None),
        };
    }
    Some(Some(value))
}

fn hints(ast: &AstNode) -> Hints {
    let mut hints = Hints::default();
    references::visit(ast, &mut |node| match node {
        AstNode::Function { name, .. } => hints.functions.push(name.clone()),
        AstNode::Binary { op, .. } => hints.comparisons.extend(symbol(*op)),
        _ => {}
    });
    hints
}

fn symbol(op: BinaryOp) -> Option<&'static str> {
    match op {
        BinaryOp::LessThan => Some("<"),
        BinaryOp::LessThanOrEqual => Some("<="),
        BinaryOp::GreaterThan => Some(">"),
        BinaryOp::GreaterThanOrEqual => Some(">="),
        _ => None,
    }
}

/// The operands of the comparison or negation that failed, which the evaluator does not tell: those of the first one
/// whose operands, plain enough to be asked for once more, do not fit it.
fn operands(
    evaluator: &mut Evaluator,
    ast: &AstNode,
    input: &JValue,
    error: &str,
) -> Option<(&'static str, String, String)> {
    if !["T2009", "T2010", "D1002"].iter().any(|code| error.starts_with(code)) {
        return None;
    }
    let mut value = |node: &AstNode| {
        let plain = guard::is_small(node) && !matches!(node, AstNode::Binary { .. } | AstNode::Unary { .. });
        let value = if plain { evaluator.evaluate(node, input).ok()? } else { return None };
        let json = value.to_json_string().ok().filter(|_| !value.is_undefined());
        json.map(|json| (value, json))
    };
    let mut found = None;
    references::visit(ast, &mut |node| {
        let pair = match node {
            _ if found.is_some() => return,
            AstNode::Binary { op, lhs, rhs } => symbol(*op).and_then(|op| Some((op, value(lhs)?, value(rhs)?))),
            AstNode::Unary { operand, .. } => value(operand).map(|operand| ("-", operand.clone(), operand)),
            _ => None,
        };
        found = pair.and_then(|(op, (left, left_json), (right, right_json))| {
            let fits = if op == "-" {
                left.is_number()
            } else {
                (left.is_number() && right.is_number()) || (left.is_string() && right.is_string())
            };
            (!fits && error.starts_with("D1002") == (op == "-")).then_some((op, left_json, right_json))
        });
    });
    found
}
