//! Wait: until a time, or for a while (spec: Wait).

use crate::context::Context;
use crate::data::{MAX_SECONDS, ask, ask_integer, unexpected};
use crate::error::StateError;
use crate::machine::Machine;
use crate::scope::{Phase, ScopeId};
use crate::timers::Timer;
use asl_expr::{Env, Path, Timestamp};
use asl_syntax::model::{Query, State, Wait};
use asl_value::{Number, Value};

/// The longest wait AWS takes: what 32 bits hold, 68 years (recorded: `Wait state delay is too long.` for a day more). The
/// execution times out long before, but at its own limit, not here.
const LIMIT_SECONDS: i64 = i32::MAX as i64;

pub(super) fn run(machine: &mut Machine, id: ScopeId, state: &State, wait: &Wait) -> Result<(), StateError> {
    let input = machine.effective_input(id, state)?;
    let env = Context::new(machine, id);
    let until = match wait {
        Wait::Seconds(seconds) => after(machine.now, i64::try_from(*seconds).unwrap_or(i64::MAX))?,
        Wait::SecondsPath(path) => after(machine.now, seconds(path, &input, &env)?)?,
        Wait::Timestamp(at) => at.whole_seconds(),
        Wait::TimestampPath(path) => timestamp(path, &input, &env)?.whole_seconds(),
        // Any number beyond the limit is too long.
        Wait::SecondsQuery(query) => after(machine.now, ask_integer(query, &env, 0.0..=MAX_SECONDS)? as i64)?,
        Wait::TimestampQuery(query) => asked_timestamp(query, &env)?.whole_seconds(),
    };
    if until > machine.now.plus_ms(LIMIT_SECONDS * 1000) {
        return Err(too_long());
    }
    machine.scopes.get_mut(id).phase = Phase::Answered(Ok(input.into_owned()));
    machine.set_timer(id, until, Timer::Wake(id));
    Ok(())
}

fn too_long() -> StateError {
    StateError::runtime("Wait state delay is too long.")
}

fn after(now: Timestamp, seconds: i64) -> Result<Timestamp, StateError> {
    if seconds > LIMIT_SECONDS { Err(too_long()) } else { Ok(now.plus_ms(seconds * 1000)) }
}

fn seconds(path: &Path, input: &Value, env: &dyn Env) -> Result<i64, StateError> {
    let text = path.text_in_document();
    let value = path.eval(input, env).map_err(|_| {
        StateError::runtime(format!("The SecondsPath parameter does not reference an input value: {text}"))
            .hint(path.hint(input, env))
    })?;
    match value.as_number() {
        Some(Number::Int(seconds)) if *seconds >= 0 => Ok(*seconds),
        Some(Number::Int(_)) => Err(StateError::runtime(format!(
            "The SecondsPath parameter references a negative value: {text} == {value}"
        ))),
        _ => Err(StateError::runtime(format!(
            "The SecondsPath parameter cannot be parsed as a long value: {text} == {}",
            plain(&value)
        ))),
    }
}

fn timestamp(path: &Path, input: &Value, env: &dyn Env) -> Result<Timestamp, StateError> {
    let text = path.text_in_document();
    let value = path.eval(input, env).map_err(|_| {
        StateError::runtime(format!("The TimestampPath parameter does not reference an input value: {text}"))
            .hint(path.hint(input, env))
    })?;
    value.as_str().and_then(|s| Timestamp::parse(s).ok()).ok_or_else(|| {
        StateError::runtime(format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: \
             {text} == {}",
            plain(&value)
        ))
    })
}

fn asked_timestamp(query: &Query, env: &Context<'_>) -> Result<Timestamp, StateError> {
    let value = ask(query, env)?;
    let text = value.as_str().ok_or_else(|| unexpected(query, "string", &value))?;
    Timestamp::parse(text).map_err(|_| {
        let cause = format!(
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
        );
        StateError::query(Some(query.field()), cause)
    })
}

/// A string without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
