//! What must hold at the end, whatever happened.

use crate::sim::{Ask, Sim};
use crate::store::{Exec, Row, rebuild};
use asl_core::{Command, Input, Machine, MapCommand, Outcome, TaskCall, TaskId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a history asked for, by the machine's own word.
#[derive(Default)]
struct Asked {
    calls: BTreeMap<TaskId, TaskCall>,
    /// ARNs of children.
    children: BTreeMap<(u64, u64), Arc<str>>,
}

/// Checks everything; what does not hold is added to what is broken.
pub(crate) fn at_the_end(sim: &mut Sim<'_>) {
    if !sim.broken.is_empty() {
        return;
    }
    let mut broken = Vec::new();
    acknowledged(sim, &mut broken);
    for (n, row) in sim.store.rows().iter().enumerate() {
        let exec = Exec(n);
        history(row, &mut broken);
        budget(sim, row, &mut broken);
        match replayed(row) {
            Ok(asked) => {
                calls(sim, exec, row, &asked, &mut broken);
                children(sim, row, &asked, &mut broken);
                effects(sim, exec, row, &asked, &mut broken);
            }
            Err(why) => broken.push(why),
        }
    }
    for what in broken {
        sim.break_rule(what);
    }
}

/// What was acknowledged is there.
fn acknowledged(sim: &Sim<'_>, broken: &mut Vec<String>) {
    for n in 0..sim.scenario.executions.len() {
        if !sim.acknowledged.contains(&Ask::Start(n)) {
            broken.push(format!("the start of execution {n} was never acknowledged"));
        }
    }
    for ask in sim.asking.iter().filter(|ask| !matches!(ask, Ask::Start(_))) {
        broken.push(format!("{ask:?} was never answered"));
    }
    for (id, left) in &sim.store.inbox {
        broken.push(format!("{id:?} of {:?} lies in the inbox for ever", left.ask));
    }
    let mut taken: BTreeMap<(Exec, TaskId), Vec<usize>> = BTreeMap::new();
    for ask in &sim.acknowledged {
        if let Ask::Token(exec, task, k) = ask
            && !matches!(sim.world.said[&(*exec, *task)][*k].input, Input::TaskHeartbeat { .. })
        {
            taken.entry((*exec, *task)).or_default().push(*k);
        }
    }
    for ((exec, task), answers) in taken.iter().filter(|(_, answers)| answers.len() > 1) {
        broken.push(format!("{task:?} of {exec:?} was answered {answers:?}, and each was told that it was taken"));
    }
    for ask in &sim.acknowledged {
        let arn_of = |n: usize| sim.store.find(&sim.scenario.executions[n].arn);
        let there = match ask {
            Ask::Start(n) => arn_of(*n).is_some(),
            Ask::Stop(n) => arn_of(*n).is_some_and(|exec| has(sim.store.row(exec), |i| matches!(i, Input::Stop(_)))),
            Ask::Token(exec, task, k) => {
                let said = &sim.world.said[&(*exec, *task)][*k].input;
                has(sim.store.row(*exec), |input| input == said)
            }
        };
        if !there {
            broken.push(format!("{ask:?} was acknowledged, and is lost"));
        }
    }
}

fn has(row: &Row, is: impl Fn(&Input) -> bool) -> bool {
    row.records.iter().flat_map(|record| &record.inputs).any(is)
}

/// It ends, once; its events are numbered without gaps; time does not run back; no task is answered twice.
fn history(row: &Row, broken: &mut Vec<String>) {
    let arn = &row.execution.arn;
    if row.outcome.is_none() {
        broken.push(format!("{arn} has not ended"));
    }
    let events: Vec<_> = row.records.iter().flat_map(|record| &record.events).collect();
    for (id, event) in (1..).zip(&events) {
        if event.id != id || event.previous >= id {
            broken.push(format!("{arn}: event {id} is numbered {}, after {}", event.id, event.previous));
        }
    }
    if events.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        broken.push(format!("{arn}: time runs back"));
    }
    let ends = events.iter().filter(|event| event.kind.ends_execution()).count();
    if ends != 1 || !events.last().is_some_and(|event| event.kind.ends_execution()) {
        broken.push(format!("{arn}: {ends} events end it, and there must be one, the last"));
    }
    let mut answers = BTreeMap::new();
    for input in row.records.iter().flat_map(|record| &record.inputs) {
        if let Input::TaskSucceeded { task, .. } | Input::TaskFailed { task, .. } = input {
            *answers.entry(*task).or_insert(0) += 1;
        }
    }
    if let Some((task, times)) = answers.iter().find(|(_, times)| **times > 1) {
        broken.push(format!("{arn}: {task:?} was answered {times} times"));
    }
}

/// No record goes on though its budget was used up before its last step.
fn budget(sim: &Sim<'_>, row: &Row, broken: &mut Vec<String>) {
    let mut machine = Machine::new(row.definition.clone());
    for (n, record) in (1..).zip(&row.records) {
        for input in &record.inputs {
            // What is not taken is told by the replay.
            let _ = machine.handle(input.clone(), record.now);
        }
        let before = machine.run(record.now, record.steps.saturating_sub(1));
        let is_over = before.work >= sim.budget.work || before.bytes >= sim.budget.bytes;
        if before.steps > 0 && (is_over || before.steps >= sim.budget.steps) {
            broken.push(format!("record {n} of {} goes on past its budget: {before:?}", row.execution.arn));
        }
        machine.run(record.now, record.steps - before.steps);
        machine.take_effects();
    }
}

/// From zero the records give the same events and the same end.
fn replayed(row: &Row) -> Result<Asked, String> {
    let (machine, commands) = rebuild(row)?;
    if machine.outcome() != row.outcome.as_ref() {
        return Err(format!(
            "{} ended with {:?}, and its replay with {:?}",
            row.execution.arn,
            row.outcome,
            machine.outcome()
        ));
    }
    let mut asked = Asked::default();
    for command in commands {
        match command {
            Command::RunTask(call) => drop(asked.calls.insert(call.id, *call)),
            Command::Map(MapCommand::Start(call)) => {
                asked.children.insert((call.run.0, call.child), call.execution.arn.clone());
            }
            _ => {}
        }
    }
    Ok(asked)
}

/// Nobody was asked for anything that the history did not ask for.
fn calls(sim: &Sim<'_>, exec: Exec, row: &Row, asked: &Asked, broken: &mut Vec<String>) {
    for ((of, task), handed) in &sim.world.handed {
        let same = |call: &TaskCall| call.parameters == handed.call.parameters && call.token == handed.call.token;
        if *of == exec && !asked.calls.get(task).is_some_and(same) {
            broken.push(format!("{task:?} was handed out, but not by the history of {}", row.execution.arn));
        }
    }
}

/// A parent has heard of its children what they themselves have written.
fn children(sim: &Sim<'_>, row: &Row, asked: &Asked, broken: &mut Vec<String>) {
    for input in row.records.iter().flat_map(|record| &record.inputs) {
        let Input::ChildDone { run, child, outcome } = input else { continue };
        let arn = asked.children.get(&(run.0, *child));
        let written: Option<&Outcome> =
            arn.and_then(|arn| sim.store.find(arn)).and_then(|exec| sim.store.row(exec).outcome.as_ref());
        if written != Some(outcome) {
            broken.push(format!("{} heard that child {child} ended otherwise than it did", row.execution.arn));
        }
    }
}

/// An embedded task whose success is recorded had its effect once; any other had none.
fn effects(sim: &Sim<'_>, exec: Exec, row: &Row, asked: &Asked, broken: &mut Vec<String>) {
    for (task, call) in &asked.calls {
        if !crate::world::is_embedded(call) {
            continue;
        }
        let callback = crate::world::waits_for_token(call);
        let recorded = has(row, |input| match input {
            Input::TaskSubmitted { task: of, .. } => of == task && callback,
            Input::TaskSucceeded { task: of, .. } => of == task && !callback,
            _ => false,
        });
        let times = sim.store.effects.get(&(exec, *task)).copied().unwrap_or(0);
        if times != u64::from(recorded) {
            let arn = &row.execution.arn;
            broken.push(format!("{arn}: {task:?} had its effect {times} times; recorded: {recorded}"));
        }
    }
}
