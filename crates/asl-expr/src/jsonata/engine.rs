//! The one place that knows the evaluator: parse, evaluate with bindings and bounds.

use super::guard::Host;
use super::messages::Hints;
use super::references::{self, PlainPath, Reads, Reference};
use super::{Bounds, JsonataEnv, JsonataError, JsonataSyntaxError, convert, functions, guard, messages, syntax};
use asl_value::Value;
use jsonata_core::ast::{AstNode, BinaryOp};
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;
use std::sync::Arc;

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Program {
    ast: AstNode,
    plain: Option<PlainPath>,
    reads: Reads,
    hints: Hints,
    /// The functions it calls.
    hosts: Arc<[(String, Host)]>,
    /// Whether it may ask for random bits.
    random: bool,
}

impl Program {
    pub(super) fn parse(text: &str) -> Result<Program, JsonataSyntaxError> {
        let mut ast = syntax::parse(text)?;
        let plain = references::plain_path(&ast);
        let reads = references::reads(&ast);
        let hints = hints(&ast);
        let hosts = guard::install(&mut ast).into();
        let random = ["random", "uuid", "shuffle"].iter().any(|name| reads.shapes.contains_key(*name));
        Ok(Program { ast, plain, reads, hints, hosts, random })
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
        let mut context = Context::new();
        for (name, shape) in &self.reads.shapes {
            let value = if name == "states" { Some(env.states()) } else { env.variable(name) };
            if let Some(value) = value {
                context.bind(name.clone(), convert::shaped(&value, shape));
            }
        }
        for (name, function) in guard::bindings(&self.hosts) {
            match context.lookup(&name).cloned() {
                // A variable shadows the function.
                Some(variable) => context.bind(function, variable),
                None if function.starts_with('&') => {}
                None => context.bind(name, JValue::builtin(function)),
            }
        }
        let options = EvaluatorOptions {
            max_stack_depth: Some(bounds.depth + guard::ADDED_DEPTH),
            max_sequence_length: Some(bounds.items),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        let shared = functions::Shared::new(bounds, env, self.random);
        functions::register(&mut evaluator, &shared, &self.hosts);
        let input = input.map_or(JValue::Undefined, convert::to_engine);
        match evaluator.evaluate(&self.ast, &input) {
            Ok(value) => convert::from_engine(&value, bounds),
            Err(e) => Err(messages::runtime(e.message(), bounds.depth, &self.hints)),
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

/// What the expression has of what the evaluator's texts leave out.
fn hints(ast: &AstNode) -> Hints {
    let mut hints = Hints::default();
    references::visit(ast, &mut |node| match node {
        AstNode::Function { name, .. } => hints.functions.push(name.clone()),
        AstNode::Binary { op: BinaryOp::ChainPipe, rhs, .. } => {
            hints.functions.extend(if let AstNode::Variable(name) = &**rhs { Some(name.clone()) } else { None });
        }
        _ => {}
    });
    hints
}
