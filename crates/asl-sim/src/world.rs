//! What is outside: functions, workers, services, holders of task tokens. What they say depends on the seed, the
//! execution and the task alone, so it is the same however often they are asked.

use crate::Dice;
use crate::store::Exec;
use asl_core::{Failure, Input, TaskCall, TaskId, draw};
use asl_syntax::{Pattern, ResourceKind};
use asl_value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Something the world says of a task.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// How long after the call; milliseconds.
    pub(crate) after_ms: i64,
    pub(crate) input: Input,
    /// By somebody who holds the task's token, and not as the answer of the call.
    pub(crate) by_token: bool,
}

/// A task that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    pub(crate) call: TaskCall,
    /// Its idempotency key.
    pub(crate) key: u64,
    /// How often.
    pub(crate) times: u32,
    /// By which driver last.
    pub(crate) driver: u64,
}

/// What the world knows.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) handed: BTreeMap<(Exec, TaskId), Handed>,
    /// What was and will be said of a task, numbered.
    pub(crate) said: BTreeMap<(Exec, TaskId), Vec<Said>>,
    /// Tasks whose final answer is committed: nobody may be asked again.
    pub(crate) settled: BTreeSet<(Exec, TaskId)>,
}

/// Whether the engine runs this task inside the journal's transaction.
pub(crate) fn is_embedded(call: &TaskCall) -> bool {
    match &call.resource.kind {
        ResourceKind::Service { service, pattern, .. } => {
            matches!(&**service, "dynamodb" | "sqs") && !matches!(pattern, Pattern::Sync | Pattern::Sync2)
        }
        _ => false,
    }
}

/// Whether it is over, but for its token, when its call is answered.
pub(crate) fn waits_for_token(call: &TaskCall) -> bool {
    call.resource.pattern() == Pattern::WaitForTaskToken
}

fn dice(seed: u64, execution_seed: u64, task: TaskId) -> Dice {
    Dice::seeded(draw(seed ^ execution_seed, task.0, 0))
}

/// What an embedded service says when the effect has happened `count` times now; `Err` when it refuses and nothing
/// happens.
pub(crate) fn embedded(seed: u64, execution_seed: u64, task: TaskId) -> Result<(), Failure> {
    let refused = dice(seed, execution_seed, task).percent(12);
    if refused { Err(Failure::new("E1", "the condition does not hold")) } else { Ok(()) }
}

/// What is said of a call, in the order of time.
pub(crate) fn plan(seed: u64, execution_seed: u64, call: &TaskCall) -> Vec<Said> {
    let mut dice = dice(seed, execution_seed, call.id);
    let mut said = Vec::new();
    if is_embedded(call) {
        // The transaction answers the call.
    } else if matches!(call.resource.kind, ResourceKind::Activity { .. }) {
        return activity(&mut dice, call);
    } else {
        answer(&mut dice, call, &mut said);
    }
    if waits_for_token(call) {
        by_token(&mut dice, call, &mut said);
    }
    said
}

fn later(dice: &mut Dice, most_s: u64) -> i64 {
    (dice.below(most_s) * 1000 + dice.below(1000)) as i64
}

fn say(said: &mut Vec<Said>, after_ms: i64, input: Input) {
    said.push(Said { after_ms, input, by_token: false });
}

/// The answer of a function's call, or of a job.
fn answer(dice: &mut Dice, call: &TaskCall, said: &mut Vec<Said>) {
    let task = call.id;
    let at = later(dice, 4);
    let limited = call.timeout_seconds.is_some();
    let job = matches!(call.resource.pattern(), Pattern::Sync | Pattern::Sync2);
    let output = Value::from(dice.below(1000));
    if dice.percent(15) {
        return say(said, at, Input::TaskFailed { task, failure: Failure::new("E1", "no") });
    }
    if dice.percent(6) {
        return say(said, at, Input::TaskFailed { task, failure: Failure::default() });
    }
    // Nobody answers, and the timeout does; or the answer comes after it.
    if limited && dice.percent(8) {
        return;
    }
    let at = if limited && dice.percent(8) { at + 9000 } else { at };
    if waits_for_token(call) {
        return say(said, at, Input::TaskSubmitted { task, output });
    }
    if !job {
        say(said, at, Input::TaskSucceeded { task, output: output.clone() });
        // Somebody says it twice, or says something else.
        if dice.percent(10) {
            say(said, at + later(dice, 3), Input::TaskSucceeded { task, output });
        }
        return;
    }
    say(said, at, Input::TaskSubmitted { task, output: output.clone() });
    beats(dice, call, at, false, said);
    let end = at + later(dice, 5);
    if dice.percent(20) {
        say(said, end, Input::TaskFailed { task, failure: Failure::new("E1", "the job failed") });
    } else {
        say(said, end, Input::TaskSucceeded { task, output });
    }
}

/// Heartbeats for ten seconds; some are lost.
fn beats(dice: &mut Dice, call: &TaskCall, from_ms: i64, by_token: bool, said: &mut Vec<Said>) {
    if call.heartbeat_seconds.is_none() {
        return;
    }
    for n in 1..12 {
        if !dice.percent(8) {
            said.push(Said { after_ms: from_ms + n * 900, input: Input::TaskHeartbeat { task: call.id }, by_token });
        }
    }
}

/// The holder of a token: keeps the task alive, answers, sometimes twice and differently.
fn by_token(dice: &mut Dice, call: &TaskCall, said: &mut Vec<Said>) {
    let task = call.id;
    let limited = call.timeout_seconds.is_some();
    beats(dice, call, 0, true, said);
    if limited && dice.percent(12) {
        return;
    }
    let most_s = if limited && dice.percent(10) { 15 } else { 6 };
    let at = later(dice, most_s);
    let success = Input::TaskSucceeded { task, output: Value::from(dice.below(1000)) };
    let failure = Input::TaskFailed { task, failure: Failure::new("E1", "said no") };
    let (input, other) = if dice.percent(25) { (failure, success) } else { (success, failure) };
    if dice.percent(25) {
        let again = if dice.percent(50) { input.clone() } else { other };
        // Some answer at the same moment.
        let gap_ms = later(dice, 2);
        let gap_ms = if gap_ms % 3 == 0 { 0 } else { gap_ms };
        said.push(Said { after_ms: at + gap_ms, input: again, by_token: true });
    }
    said.push(Said { after_ms: at, input, by_token: true });
}

/// An activity's queue and its worker.
fn activity(dice: &mut Dice, call: &TaskCall) -> Vec<Said> {
    let task = call.id;
    let mut said = Vec::new();
    if dice.percent(3) {
        say(&mut said, 0, Input::TaskRejected { task, cause: "there is no such activity".into() });
        return said;
    }
    say(&mut said, 0, Input::TaskScheduled { task });
    let start = later(dice, 3);
    say(&mut said, start, Input::TaskStarted { task, worker: Some("w".into()) });
    if call.timeout_seconds.is_some() && dice.percent(12) {
        return said;
    }
    beats(dice, call, start, false, &mut said);
    let at = start + later(dice, 6);
    if dice.percent(20) {
        say(&mut said, at, Input::TaskFailed { task, failure: Failure::new("E1", "no") });
    } else {
        say(&mut said, at, Input::TaskSucceeded { task, output: Value::from(dice.below(1000)) });
    }
    said
}
