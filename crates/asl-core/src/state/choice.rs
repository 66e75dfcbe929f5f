//! Choice: the first rule that holds says where to go (spec: Choice).

use crate::context::{Context, Subject};
use crate::data::{apply, ask, unexpected};
use crate::error::StateError;
use crate::machine::{Machine, Note};
use crate::scope::ScopeId;
use asl_expr::{Env, Path, Timestamp, string_matches};
use asl_syntax::model::{Choice, Class, Condition, Next, Operand, Operator, Relation, State, Test};
use asl_value::Value;
use std::cell::Cell;
use std::cmp::Ordering;

pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, choice: &Choice) -> Result<(), StateError> {
    let input = machine.effective_input(id, state)?;
    let env = Context::new(machine, id);
    let work = Cell::new(MAX_WORK);
    let mut taken = None;
    for (at, rule) in choice.rules.iter().enumerate() {
        if holds(&rule.condition, &input, &env, &work)? {
            taken = Some((at, rule));
            break;
        }
    }
    let (target, assign, output) = match (taken, choice.default) {
        (Some((_, rule)), _) => (rule.next, rule.assign.as_ref(), rule.output.as_ref()),
        (None, Some(default)) => (default, state.assign.as_ref(), state.output.as_ref()),
        (None, None) => {
            let cause = "Failed to transition out of the state. The state does not point to a next state.";
            return Err(StateError::runtime(cause));
        }
    };
    let assigned = machine.assign(id, assign, Subject::Input(&input))?;
    let output = match output {
        Some(query) => ask(query, &env)?,
        None => apply(&state.output_path, input, &env)?.into_owned(),
    };
    machine.note(Note::Chose { state: state.name.clone(), rule: taken.map(|(at, _)| at) });
    machine.exit(id, state, output, assigned, Next::State(target));
    Ok(())
}

/// How much work all conditions of a Choice may be together, in the units of [`Env::worked`]: done within a second.
const MAX_WORK: u64 = 50_000_000;
const TOO_MUCH: &str = "The conditions of the Choice state take too many steps.";
/// How many bytes are compared in a unit of work.
const UNIT_BYTES: u64 = 16;

/// The environment of a condition: what it takes comes off what is left to all of them.
struct Metered<'e> {
    env: &'e Context<'e>,
    left: &'e Cell<u64>,
}

impl Metered<'_> {
    fn take(&self, units: u64) {
        self.left.set(self.left.get().saturating_sub(units));
    }

    /// A value is looked at.
    fn compared(&self, value: &Value) {
        let bytes = value.as_str().map_or(0, str::len) as u64;
        self.take(1 + bytes / UNIT_BYTES);
    }
}

impl Env for Metered<'_> {
    fn context(&self) -> Value {
        Env::context(self.env)
    }

    fn variable(&self, name: &str) -> Option<Value> {
        Env::variable(self.env, name)
    }

    fn random(&self) -> u64 {
        Env::random(self.env)
    }

    fn worked(&self, units: u64) {
        self.take(units);
        Env::worked(self.env, units);
    }
}

fn holds(condition: &Condition, input: &Value, env: &Context<'_>, work: &Cell<u64>) -> Result<bool, StateError> {
    match condition {
        Condition::And(all) => {
            for one in all {
                if !holds(one, input, env, work)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Or(any) => {
            for one in any {
                if holds(one, input, env, work)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(inner) => Ok(!holds(inner, input, env, work)?),
        Condition::Test { variable, operator } => test(variable, operator, input, &Metered { env, left: work }),
        Condition::Literal(holds) => Ok(*holds),
        Condition::Query(query) => {
            if work.get() == 0 {
                return Err(StateError::query(Some(query.field()), TOO_MUCH));
            }
            let before = env.spent();
            let value = ask(query, env);
            work.set(work.get().saturating_sub(env.spent() - before));
            let value = value?;
            value.as_bool().ok_or_else(|| unexpected(query, "boolean", &value))
        }
    }
}

fn test(variable: &Path, operator: &Operator, input: &Value, env: &Metered<'_>) -> Result<bool, StateError> {
    if env.left.get() == 0 {
        return Err(StateError::runtime(TOO_MUCH));
    }
    let found = variable.eval(input, env);
    if let Operator::Is(Test::Present, expected) = operator {
        return Ok(found.is_ok() == *expected);
    }
    let value = found.map_err(|_| {
        let text = variable.text_in_document();
        StateError::runtime(format!(
            "Invalid path '{text}': The choice state's condition path references an invalid value."
        ))
        .hint(variable.hint(input, env))
    })?;
    env.compared(&value);
    match operator {
        Operator::Is(kind, expected) => Ok(is(*kind, &value) == *expected),
        Operator::StringMatches(pattern) => match value.as_str() {
            Some(text) => string_matches(pattern, text).map_err(|e| StateError::runtime(e.to_string())),
            None => Ok(false),
        },
        Operator::Compare { class, relation, operand } => {
            let right = match operand {
                Operand::Literal(literal) => literal.clone(),
                Operand::Path(path) => crate::data::eval_path(path, input, env)?,
            };
            env.compared(&right);
            Ok(compare(*class, &value, &right).is_some_and(|order| satisfies(*relation, order)))
        }
    }
}

fn is(kind: Test, value: &Value) -> bool {
    match kind {
        Test::Present => true,
        Test::Null => value.is_null(),
        Test::Numeric => value.as_number().is_some(),
        Test::String => value.as_str().is_some(),
        Test::Boolean => value.as_bool().is_some(),
        Test::Timestamp => value.as_str().is_some_and(|s| Timestamp::parse(s).is_ok()),
    }
}

/// The order of two values of a class; `None` when one of them is of another, which no relation satisfies.
fn compare(class: Class, left: &Value, right: &Value) -> Option<Ordering> {
    match class {
        // Java compares UTF-16 code units.
        Class::String => Some(left.as_str()?.encode_utf16().cmp(right.as_str()?.encode_utf16())),
        Class::Numeric => Some(left.as_number()?.compare(right.as_number()?)),
        Class::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
        Class::Timestamp => Some(Timestamp::parse(left.as_str()?).ok()?.cmp(&Timestamp::parse(right.as_str()?).ok()?)),
    }
}

fn satisfies(relation: Relation, order: Ordering) -> bool {
    match relation {
        Relation::Equals => order.is_eq(),
        Relation::LessThan => order.is_lt(),
        Relation::GreaterThan => order.is_gt(),
        Relation::LessThanEquals => order.is_le(),
        Relation::GreaterThanEquals => order.is_ge(),
    }
}
