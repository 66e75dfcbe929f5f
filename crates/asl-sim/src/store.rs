//! A model of the journal: what was committed, and nothing else.

use crate::sim::Ask;
use asl_core::{Command, Execution, Input, Machine, Outcome, TaskId};
use asl_store::{Record, SignalId, Verdict};
use asl_syntax::model::Definition;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of an execution in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exec(pub usize);

/// An execution as it is stored.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it runs.
    pub definition: Arc<Definition>,
    /// Who it is.
    pub execution: Execution,
    /// Its records.
    pub records: Vec<Record>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The number of its last event.
    pub last_event: u64,
    /// How often its process died since its last record, as far as it may be to blame.
    pub deaths: u32,
    /// Nobody runs it.
    pub set_aside: bool,
    /// From when on it is tried again, while it is set aside.
    pub again_ms: i64,
}

/// A signal in the inbox of an execution, and which client left it there.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) exec: Exec,
    pub(crate) input: Input,
    pub(crate) ask: Ask,
}

/// What is on disk.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// The worker that is in force: whatever another one writes is refused.
    pub(crate) in_force: u64,
    /// Signals that no record has yet.
    pub(crate) inbox: BTreeMap<SignalId, Left>,
    signals: i64,
    /// What became of signals since it was last asked: who left them, and whether a record has them.
    pub(crate) verdicts: Vec<(Ask, bool)>,
    rows: Vec<Row>,
    by_arn: BTreeMap<Arc<str>, Exec>,
    /// What the process has on trial.
    pub(crate) on_trial: Vec<Exec>,
    /// How often each embedded task had its effect. Committed with the record that says so.
    pub(crate) effects: BTreeMap<(Exec, TaskId), u64>,
}

impl Store {
    /// All executions, in the order they were created.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One execution.
    pub fn row(&self, exec: Exec) -> &Row {
        &self.rows[exec.0]
    }

    /// The execution with this ARN.
    pub fn find(&self, arn: &str) -> Option<Exec> {
        self.by_arn.get(arn).copied()
    }

    /// Those that have not ended.
    pub(crate) fn open(&self) -> Vec<Exec> {
        let open = self.rows.iter().enumerate().filter(|(_, row)| row.outcome.is_none());
        open.map(|(n, _)| Exec(n)).collect()
    }

    /// What the store knows of an execution besides its history.
    pub(crate) fn row_mut(&mut self, exec: Exec) -> &mut Row {
        &mut self.rows[exec.0]
    }

    /// A new execution with its first record. Whoever calls has looked whether its ARN is free.
    pub(crate) fn create(
        &mut self,
        definition: Arc<Definition>,
        execution: Execution,
        record: Record,
        outcome: Option<Outcome>,
    ) -> Result<Exec, String> {
        let exec = Exec(self.rows.len());
        self.by_arn.insert(execution.arn.clone(), exec);
        self.rows.push(Row {
            definition,
            execution,
            records: Vec::new(),
            outcome: None,
            last_event: 0,
            deaths: 0,
            set_aside: false,
            again_ms: 0,
        });
        self.append(exec, record, outcome)?;
        Ok(exec)
    }

    /// Leaves a signal. False when the execution has ended.
    pub(crate) fn signal(&mut self, exec: Exec, input: Input, ask: Ask) -> bool {
        if self.row(exec).outcome.is_some() {
            return false;
        }
        self.signals += 1;
        self.inbox.insert(SignalId(self.signals), Left { exec, input, ask });
        true
    }

    /// The signals that wait for an execution, oldest first.
    pub(crate) fn signals(&self, exec: Exec) -> Vec<(SignalId, Input)> {
        let of = self.inbox.iter().filter(|(_, left)| left.exec == exec);
        of.map(|(id, left)| (*id, left.input.clone())).collect()
    }

    /// It is decided what becomes of signals: with the record that takes them in, or without one.
    pub(crate) fn decide(&mut self, verdicts: &[Verdict]) {
        for Verdict { signal, taken } in verdicts {
            if let Some(left) = self.inbox.remove(signal) {
                self.verdicts.push((left.ask, *taken));
            }
        }
    }

    /// A further record; refused when it does not continue the history, as by the journal.
    pub(crate) fn append(&mut self, exec: Exec, record: Record, outcome: Option<Outcome>) -> Result<(), String> {
        let row = &mut self.rows[exec.0];
        if row.outcome.is_some() {
            return Err(format!("{exec:?} has ended"));
        }
        for event in &record.events {
            if event.id != row.last_event + 1 {
                return Err(format!("{exec:?}: event {} does not follow {}", event.id, row.last_event));
            }
            row.last_event = event.id;
        }
        row.records.push(record);
        row.deaths = 0;
        row.outcome = outcome;
        if row.outcome.is_some() {
            let left: Vec<Verdict> =
                self.signals(exec).into_iter().map(|(signal, _)| Verdict { signal, taken: false }).collect();
            self.decide(&left);
        }
        Ok(())
    }
}

/// The machine of an execution from its records, with every command it gave on the way: what the engine's recovery and
/// replay do.
///
/// # Errors
/// The first record that does not replay, and what is different.
pub fn rebuild(row: &Row) -> Result<(Machine, Vec<Command>), String> {
    let arn = &row.execution.arn;
    let mut machine = Machine::new(row.definition.clone());
    let mut commands = Vec::new();
    for (n, record) in (1..).zip(&row.records) {
        for input in &record.inputs {
            let taken = machine.handle(input.clone(), record.now);
            taken.map_err(|rejected| format!("record {n} of {arn} holds an input that is not taken: {rejected}"))?;
        }
        machine.run(record.now, record.steps);
        let effects = machine.take_effects();
        if effects.events != record.events {
            return Err(format!(
                "record {n} of {arn} does not replay:\n  recorded {:?}\n  replayed {:?}",
                record.events, effects.events
            ));
        }
        commands.extend(effects.commands);
    }
    Ok((machine, commands))
}
