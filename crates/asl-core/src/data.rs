//! Data flow through a state: InputPath, Parameters, ResultSelector, ResultPath, OutputPath, Assign; in JSONata Arguments,
//! Output, Assign (spec: Data flow). What the languages differ in is here, and nowhere else.

use crate::context::{Context, Subject};
use crate::error::StateError;
use crate::event::EventKind;
use crate::input::Outcome;
use crate::machine::Machine;
use crate::probe::DataStage;
use crate::scope::{Phase, ScopeId};
use asl_expr::jsonata::EvaluationError;
use asl_expr::{Env, EvalError, Path, PathErrorKind};
use asl_syntax::model::{Language, Next, NumberField, PathField, Payload, Query, ResultPath, State};
use asl_value::{Map, Number, Value};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What a state assigns: names and values.
pub(crate) type Assigned = Vec<(Arc<str>, Value)>;

impl From<EvalError> for StateError {
    fn from(error: EvalError) -> StateError {
        StateError::named(error.error, error.cause).hint(error.hint)
    }
}

impl From<EvaluationError> for StateError {
    fn from(error: EvaluationError) -> StateError {
        StateError::query(Some(&error.location), error.cause).hint(error.hint)
    }
}

/// The value of a field in JSONata.
pub(crate) fn ask(query: &Query, env: &Context<'_>) -> Result<Value, StateError> {
    env.begin(query.field());
    Ok(query.eval(env)?)
}

/// The value of a field in either language; `input` is `$` of its paths.
pub(crate) fn fill(payload: &Payload, input: &Value, env: &Context<'_>) -> Result<Value, StateError> {
    match payload {
        Payload::JsonPath(template) => {
            let value = template.eval(input, env)?;
            env.made(input, &value);
            Ok(value)
        }
        Payload::Jsonata(query) => ask(query, env),
    }
}

/// The error of an expression whose value is of another type than its field takes.
pub(crate) fn unexpected(query: &Query, wanted: &str, value: &Value) -> StateError {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let (text, field) = (query.text().unwrap_or_default(), query.field());
    let cause = format!(
        "The JSONata expression '{text}' specified for the field '{field}' returned an unexpected result type. \
         Expected '{wanted}', but was '{is}' for value: {value}"
    );
    StateError::query(Some(field), cause)
}

/// The number of an expression.
pub(crate) fn ask_number(query: &Query, env: &Context<'_>) -> Result<f64, StateError> {
    let value = ask(query, env)?;
    value.as_number().map(Number::as_f64).ok_or_else(|| unexpected(query, "number", &value))
}

/// The most seconds a field may come to; a definition may not write more either.
pub(crate) const MAX_SECONDS: f64 = 99_999_999.0;

/// The whole number of an expression: a fraction is dropped (AWS). AWS's words for a number that is too large are not
/// known; ours are those for one that is too small.
pub(crate) fn ask_integer(query: &Query, env: &Context<'_>, range: RangeInclusive<f64>) -> Result<f64, StateError> {
    let number = ask_number(query, env)?.trunc();
    let (bound, value) = match () {
        () if range.contains(&number) => return Ok(number),
        () if number > *range.end() => ("maximum", *range.end()),
        () => ("minimum", *range.start()),
    };
    let (text, field) = (query.text().unwrap_or_default(), query.field());
    let cause = format!(
        "The JSONata expression '{text}' specified for the field '{field}' returned {number}, \
         but the {bound} value is {value}"
    );
    Err(StateError::query(Some(field), cause))
}

/// Evaluates a path outside of templates; a miss is `States.Runtime`.
pub(crate) fn eval_path(path: &Path, input: &Value, env: &dyn Env) -> Result<Value, StateError> {
    path.eval(input, env).map_err(|e| {
        let error = if e.kind == PathErrorKind::TooLarge { "States.DataLimitExceeded" } else { "States.Runtime" };
        StateError::named(error, format!("Invalid path '{}' : {}", path.text_in_document(), e.message))
            .hint(path.hint(input, env))
    })
}

/// `InputPath`, `OutputPath`. Most states have neither: then it is what it was, owned or borrowed.
pub(crate) fn apply<'v>(field: &PathField, input: Cow<'v, Value>, env: &dyn Env) -> Result<Cow<'v, Value>, StateError> {
    Ok(match field {
        PathField::All => input,
        PathField::Nothing => Cow::Owned(Value::empty_object()),
        PathField::Path(path) => Cow::Owned(eval_path(path, &input, env)?),
    })
}

/// `ResultPath`: puts a result into the raw input.
pub(crate) fn place(path: &ResultPath, input: &Value, result: Value) -> Result<Value, StateError> {
    match path {
        ResultPath::Replace => Ok(result),
        ResultPath::Discard => Ok(input.clone()),
        ResultPath::At { text, steps } => {
            let mut output = input.clone();
            output.set_path(steps, result).map_err(|_| {
                let cause = format!("Unable to apply ResultPath '{text}' to input {input}");
                StateError::named("States.ResultPathMatchFailure", cause)
            })?;
            Ok(output)
        }
    }
}

/// A `…Seconds` field; `invalid` words the error of a value that is no such number.
pub(crate) fn number(
    field: &NumberField,
    input: &Value,
    env: &Context<'_>,
    invalid: impl FnOnce(&Path, &Value) -> StateError,
) -> Result<f64, StateError> {
    match field {
        NumberField::Literal(n) => Ok(*n),
        NumberField::Path(path) => {
            let value = eval_path(path, input, env)?;
            value.as_number().map(Number::as_f64).ok_or_else(|| invalid(path, &value))
        }
        NumberField::Query(query) => ask_integer(query, env, 1.0..=MAX_SECONDS),
    }
}

impl Machine {
    /// The effective input: the raw input through `InputPath`.
    pub(crate) fn effective_input(&self, id: ScopeId, state: &State) -> Result<Cow<'_, Value>, StateError> {
        let input = apply(&state.input_path, Cow::Borrowed(&self.scopes.get(id).input), &Context::new(self, id))?;
        if state.language == Language::JsonPath {
            self.see(id, DataStage::AfterInputPath, || input.clone().into_owned());
        }
        Ok(input)
    }

    /// Leaves the state with a result: ResultSelector, ResultPath, OutputPath, or Output; and Assign, whose `$` is the raw
    /// result.
    pub(crate) fn finish_state(&mut self, id: ScopeId, state: &State, result: Value) {
        let assigned = self.assign(id, state.assign.as_ref(), Subject::Result(&result));
        let output = assigned.and_then(|a| Ok((self.output(id, state, result)?, a)));
        match output {
            Ok((output, assigned)) => self.exit(id, state, output, assigned, state.next),
            Err(error) => self.recover(id, error),
        }
    }

    fn output(&self, id: ScopeId, state: &State, result: Value) -> Result<Value, StateError> {
        if let Some(query) = &state.output {
            return ask(query, &Context::new(self, id).about(Subject::Result(&result)));
        }
        let env = Context::new(self, id);
        let selected = match &state.result_selector {
            Some(selector) => {
                let selected = selector.eval(&result, &env)?;
                env.made(&result, &selected);
                selected
            }
            None => result,
        };
        let shown = state.language == Language::JsonPath;
        if shown {
            self.see(id, DataStage::AfterResultSelector, || selected.clone());
        }
        let placed = place(&state.result_path, &self.scopes.get(id).input, selected)?;
        if shown {
            self.see(id, DataStage::AfterResultPath, || placed.clone());
        }
        apply(&state.output_path, Cow::Owned(placed), &env).map(Cow::into_owned)
    }

    /// Notes what `Parameters` or `Arguments` made.
    pub(crate) fn see_parameters(&self, id: ScopeId, state: &State, made: &Value) {
        match state.language {
            Language::JsonPath => self.see(id, DataStage::AfterParameters, || made.clone()),
            Language::Jsonata if state.parameters.is_some() => self.see(id, DataStage::AfterArguments, || made.clone()),
            Language::Jsonata => {}
        }
    }

    /// The right-hand sides of an `Assign`, all from the values at state entry.
    pub(crate) fn assign(
        &self,
        id: ScopeId,
        assign: Option<&Payload>,
        subject: Subject<'_>,
    ) -> Result<Assigned, StateError> {
        let Some(payload) = assign else { return Ok(Vec::new()) };
        let values = fill(payload, subject.value(), &Context::new(self, id).about(subject))?;
        if !self.fits(&values) {
            let name = &Machine::state_of(&self.definition, self.scopes.get(id)).name;
            return Err(StateError::data_limit(name, "assigned", "variables"));
        }
        Ok(values.as_object().map(Map::iter).into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    /// Leaves the state with its output. Over the payload limit it fails the execution: no catcher sees that.
    pub(crate) fn exit(&mut self, id: ScopeId, state: &State, output: Value, assigned: Assigned, next: Next) {
        let too_large = || StateError::data_limit(&state.name, "returned", "a result");
        if let Err(error) = self.check_size(&output, too_large) {
            let last = self.scopes.get(id).last;
            return self.end(Outcome::Failed(error.failure), last);
        }
        let (name, state_type) = (state.name.clone(), state.state_type());
        if !assigned.is_empty() {
            self.scopes.get_mut(id).variables.extend(assigned.iter().cloned());
        }
        self.emit_in(id, EventKind::StateExited { state: state_type, name, output: output.clone(), assigned });
        let scope = self.scopes.get_mut(id);
        match next {
            Next::State(target) => {
                scope.state = target;
                scope.input = output;
                scope.phase = Phase::Enter;
                self.wake(id);
            }
            Next::End | Next::None => self.flow_done(id, output),
        }
    }

    /// A flow reached its end: the execution, a branch or an iteration is done.
    fn flow_done(&mut self, id: ScopeId, output: Value) {
        let scope = self.scopes.get(id);
        match scope.parent {
            None => {
                let last = scope.last;
                self.end(Outcome::Succeeded(output), last);
            }
            Some((parent, index)) => self.child_done(parent, id, index, output),
        }
    }
}
