//! The numbers of a Map: literals, or paths to numbers or texts of numbers (recorded AWS behaviour: `"2"` will do).

use crate::context::Context;
use crate::data::{ask_integer, ask_number, eval_path};
use crate::error::StateError;
use crate::machine::Machine;
use crate::probe::DataStage;
use crate::scope::ScopeId;
use asl_syntax::model::{Distributed, NumberField};
use asl_value::{Number, Value};

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Float,
}

/// The number of a field of a Map; `name` is the `…Path` field, for the message.
pub(crate) fn number(
    field: &NumberField,
    name: &str,
    kind: Kind,
    input: &Value,
    env: &Context<'_>,
) -> Result<f64, StateError> {
    let path = match field {
        NumberField::Literal(literal) => return Ok(*literal),
        NumberField::Path(path) => path,
        NumberField::Query(query) if kind == Kind::Integer => return ask_integer(query, env, 0.0..=f64::INFINITY),
        NumberField::Query(query) => return ask_number(query, env),
    };
    let value = eval_path(path, input, env)?;
    let found = match &value {
        Value::String(text) => Number::parse(text.trim()),
        other => other.as_number().cloned(),
    };
    found.filter(|n| kind == Kind::Float || n.is_integer()).map(|n| n.as_f64()).ok_or_else(|| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let wanted = if kind == Kind::Float { "float" } else { "integer" };
        let text = path.text_in_document();
        StateError::runtime(format!(
            "The {name} field refers to value \"{shown}\" which is not a valid {wanted}: {text}"
        ))
    })
}

/// How many items may fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    count: Option<f64>,
    percentage: Option<f64>,
}

impl Tolerance {
    pub(super) fn of(distributed: &Distributed, input: &Value, env: &Context<'_>) -> Result<Tolerance, StateError> {
        let percentage = match &distributed.tolerated_failure_percentage {
            Some(field) => Some(number(field, "ToleratedFailurePercentagePath", Kind::Float, input, env)?),
            None => None,
        };
        if percentage.is_some_and(|p| !(0.0..=100.0).contains(&p)) {
            return Err(StateError::runtime("ToleratedFailurePercentage must be between 0 and 100."));
        }
        let count = match &distributed.tolerated_failure_count {
            Some(field) => Some(number(field, "ToleratedFailureCountPath", Kind::Integer, input, env)?),
            None => None,
        };
        if count.is_some_and(|c| c < 0.0) {
            return Err(StateError::runtime("ToleratedFailureCount cannot be negative."));
        }
        Ok(Tolerance { count, percentage })
    }

    /// Notes what is given.
    pub(super) fn see(&self, machine: &Machine, id: ScopeId) {
        let given =
            [(DataStage::ToleratedFailureCount, self.count), (DataStage::ToleratedFailurePercentage, self.percentage)];
        for (stage, number) in given {
            if let Some(number) = number {
                machine.see(id, stage, || Number::from_f64(number).map_or(Value::Null, Value::from));
            }
        }
    }

    /// True when so many failed items of a total are too many. Where neither is given the first is.
    pub(super) fn exceeded(&self, failed: u64, total: usize) -> bool {
        let (failed, total) = (failed as f64, total as f64);
        let over = |limit: Option<f64>, is: f64| limit.is_some_and(|limit| is > limit);
        match (self.count, self.percentage) {
            (None, None) => failed > 0.0,
            (count, percentage) => over(count, failed) || over(percentage, failed / total * 100.0),
        }
    }
}
