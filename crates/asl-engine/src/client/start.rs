//! The start of an execution: its name, its ARN, what it draws its chance from, and the first record.

use crate::client::Client;
use crate::error::EngineError;
use crate::execution::protocol::Recording;
use asl_core::{Execution, ExecutionType, Input, Machine, Outcome, Rerun, Step, TokenKey};
use asl_expr::Timestamp;
use asl_store::{Definition as Stored, NewExecution, StartedAs};
use asl_syntax::Definition;
use asl_value::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::watch;

/// How an execution ended, and when: the time of its last record, as its header has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
}

/// What the callers that wait for an execution are told; `None` while it has not ended.
pub(crate) type End = Option<Result<Ended, EngineError>>;

/// What to start.
#[derive(Clone, Debug)]
pub struct StartExecution<'a> {
    /// The state machine's definition.
    pub definition: Arc<Definition>,
    /// The state machine's name.
    pub state_machine: &'a str,
    /// The execution's name; a new UUID when left out.
    pub name: Option<&'a str>,
    /// The input, JSON text.
    pub input: &'a str,
}

/// What a catalogue knows of an execution that begins, beside what to start.
#[derive(Clone, Debug, Default)]
pub struct StartAs {
    /// The role of the state machine; one named after it when left out.
    pub role_arn: Option<Arc<str>>,
    /// Its state machine is an Express one: five minutes, and an ARN of that kind.
    pub express: bool,
    /// What the caller named.
    pub started_as: Option<StartedAs>,
}

impl StartAs {
    fn apply(&self, execution: &mut Execution) {
        if let Some(role) = &self.role_arn {
            execution.role_arn = role.clone();
        }
        if self.express {
            execution.execution_type = ExecutionType::Express;
            let arn = execution.arn.replacen(":execution:", ":express:", 1);
            execution.arn = format!("{arn}:{}", uuid::Uuid::new_v4()).into();
        }
    }
}

/// An execution that was started: it is in the journal and will end.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its ARN.
    pub arn: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// When it started, when it was started here.
    pub(crate) at: Option<Timestamp>,
    /// Where its end is told, when it was started here.
    pub(crate) end: Option<watch::Receiver<End>>,
}

impl Started {
    /// An execution that exists already. `wait_for` finds where its end is told.
    pub fn known(arn: &str, name: &str) -> Started {
        Started { arn: arn.into(), name: name.into(), at: None, end: None }
    }

    /// When it started, as its header says; `None` for one that another value or another process started.
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }
}

impl Client {
    /// What is to be started: named, and with a machine that has taken nothing in yet.
    pub(crate) fn prepare(
        &self,
        start: StartExecution<'_>,
        about: &StartAs,
    ) -> Result<(Execution, Stored, Machine), EngineError> {
        check_name("a state machine", start.state_machine)?;
        let name = start.name.map_or_else(|| new_name(self.clock.now()), str::to_owned);
        check_name("an execution", &name)?;
        let chance = self.seed.map_or_else(Chance::drawn, |seed| Chance::seeded(seed, &name));
        let mut execution = self.identify(&start, &name, chance)?;
        about.apply(&mut execution);
        let definition = stored(&start.definition, start.state_machine);
        Ok((execution, definition, Machine::new(start.definition)))
    }

    fn identify(&self, start: &StartExecution<'_>, name: &str, chance: Chance) -> Result<Execution, EngineError> {
        let input = parse_input(start.input)?;
        let machine = start.state_machine;
        let identity = &self.identity;
        Ok(Execution {
            arn: identity.arn("states", &format!("execution:{machine}:{name}")).into(),
            name: name.into(),
            state_machine_arn: identity.arn("states", &format!("stateMachine:{machine}")).into(),
            state_machine_name: machine.into(),
            role_arn: format!("arn:aws:iam::{}:role/{machine}", identity.account).into(),
            region: identity.region.as_str().into(),
            execution_type: ExecutionType::Standard,
            seed: chance.seed,
            token_key: Some(chance.token_key),
            input_text: start.input.into(),
            input,
        })
    }
}

/// An input, within AWS's limits and ours.
pub(crate) fn parse_input(text: &str) -> Result<Value, EngineError> {
    if text.len() > asl_core::PAYLOAD_LIMIT {
        return Err(EngineError::InputTooLarge { bytes: text.len() });
    }
    let input: Value = text.parse().map_err(EngineError::InvalidInput)?;
    if input.measure().depth > asl_core::DEPTH_LIMIT {
        return Err(EngineError::InputTooDeep);
    }
    Ok(input)
}

/// The first run of an execution, to be written.
pub(crate) fn begin(
    now: Timestamp,
    machine: &mut Machine,
    execution: Execution,
    definition: Stored,
    rerun: Option<Rerun>,
    run: impl FnOnce(&mut Machine) -> Step,
) -> Result<(NewExecution, Recording), EngineError> {
    let start = Input::Start(Box::new(execution.clone()));
    let taken = |_| EngineError::AlreadyExists { name: execution.name.to_string() };
    machine.handle(start.clone(), now).map_err(taken)?;
    let mut inputs = vec![start];
    if let Some(rerun) = rerun {
        let (execution, begins_at) = (execution.name.to_string(), Input::Rerun(Box::new(rerun)));
        let refused = |why: asl_core::Rejected| EngineError::NotRerun { execution, why: why.to_string() };
        machine.handle(begins_at.clone(), now).map_err(refused)?;
        inputs.push(begins_at);
    }
    let step = run(machine);
    let first = Recording::of(machine, now, inputs, step);
    let (record, outcome) = (first.record.clone(), machine.outcome().cloned());
    let new = NewExecution {
        definition: Arc::new(definition),
        execution: Arc::new(execution),
        record,
        outcome,
        started_as: None,
    };
    Ok((new, first))
}

/// What an execution draws from: what others may see of it, and its secret.
struct Chance {
    seed: u64,
    token_key: TokenKey,
}

impl Chance {
    /// Of the operating system: one does not follow from the other.
    fn drawn() -> Chance {
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        // Six bits of a UUID are not drawn; three of them have more than the key's 256.
        let drawn = (0..3).fold(Sha256::new(), |hash, _| hash.chain_update(uuid::Uuid::new_v4().as_bytes()));
        Chance { seed: high ^ low.rotate_left(32), token_key: TokenKey::new(drawn.finalize().into()) }
    }

    /// Of an execution of that name, where chance is to be the same in every run: no secret then.
    fn seeded(seed: u64, name: &str) -> Chance {
        let hash = Sha256::digest(name.as_bytes());
        let of_name = hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        let key = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(name);
        Chance { seed: asl_core::draw(seed, of_name, 0), token_key: TokenKey::new(key.finalize().into()) }
    }
}

pub(crate) fn stored(definition: &Definition, name: &str) -> Stored {
    let hash = Sha256::digest(definition.source.as_bytes());
    let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    Stored { hash: hash.into(), name: name.into(), text: definition.source.clone() }
}

/// A name for an execution that was given none: a UUID that begins with the time (version 7), so that names that are made one
/// after the other are neighbours in the database's indexes. Random ones would each change pages of their own.
fn new_name(now: Timestamp) -> String {
    let random = uuid::Uuid::new_v4().into_bytes();
    let bytes = std::array::from_fn(|n| random[n]);
    uuid::Builder::from_unix_timestamp_millis(now.millis().unsigned_abs(), &bytes).into_uuid().to_string()
}

/// AWS's rule for names (spec: Limits).
fn check_name(what: &'static str, name: &str) -> Result<(), EngineError> {
    let invalid = |why| Err(EngineError::InvalidName { what, name: name.to_owned(), why });
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    match name.chars().count() {
        0 => invalid("it is empty"),
        81.. => invalid("it has more than 80 characters"),
        _ if name.chars().any(forbidden) => {
            invalid("blanks, control characters and < > { } [ ] ? * \" # % \\ ^ | ~ ` $ & , ; : / cannot be part of it")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_made_are_in_the_order_of_time() {
        let names: Vec<String> = (0..5).map(|n| new_name(Timestamp::from_millis(1_767_225_600_000 + n))).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_ne!(new_name(Timestamp::default()), new_name(Timestamp::default()));
        assert!(names.iter().all(|name| name.len() == 36 && name.as_bytes()[14] == b'7'), "{names:?}");
    }
}
