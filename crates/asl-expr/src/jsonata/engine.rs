//! The one place that knows the evaluator: parse, evaluate with bindings and bounds.

use super::references::{self, PlainPath, Reads, Reference};
use super::{JsonataEnv, JsonataError, JsonataSyntaxError, convert, functions, guard, messages, syntax};
use asl_value::Value;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Program {
    ast: AstNode,
    plain: Option<PlainPath>,
    reads: Reads,
}

impl Program {
    pub(super) fn parse(text: &str) -> Result<Program, JsonataSyntaxError> {
        let mut ast = syntax::parse(text)?;
        let plain = references::plain_path(&ast);
        let reads = references::reads(&ast);
        guard::install(&mut ast);
        Ok(Program { ast, plain, reads })
    }

    pub(super) fn references(&self) -> &[Reference] {
        &self.reads.references
    }

    pub(super) fn eval(&self, input: Option<&Value>, env: &dyn JsonataEnv) -> Result<Option<Value>, JsonataError> {
        if let Some(path) = &self.plain
            && let Some(found) = walk(path, env)
        {
            return Ok(found);
        }
        let mut context = Context::new();
        for (name, shape) in &self.reads.shapes {
            let value = if name == "states" { Some(env.states()) } else { env.variable(name) };
            if let Some(value) = value {
                context.bind(name.clone(), convert::shaped(&value, shape));
            }
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(guard::TIMEOUT_MS),
            max_stack_depth: Some(guard::DEPTH),
            max_sequence_length: Some(guard::SEQUENCE),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        functions::register(&mut evaluator, env);
        let input = input.map_or(JValue::Undefined, convert::to_engine);
        match evaluator.evaluate(&self.ast, &input) {
            Ok(value) => convert::from_engine(&value),
            Err(e) => Err(messages::runtime(e.message())),
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
