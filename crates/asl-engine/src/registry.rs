//! What this engine has in hand: executions at work, and those that wait, of which a number and a deadline are left.

use crate::error::EngineError;
use crate::letters::Letter;
use asl_core::Outcome;
use asl_journal::{ExecutionId, MailId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// How an execution ended; `None` while it has not.
pub(crate) type End = Option<Result<Outcome, EngineError>>;

/// Of this many entries for waiting callers, those that nobody waits for any more are removed.
const SWEEP: usize = 64;

/// Where an execution of this engine is.
pub(crate) enum Held {
    /// In the journal only, until its time comes or an input for it.
    Parked { due_ms: i64 },
    /// It may be what ended the process that had it before: in the journal only, until it is its turn to be tried.
    Suspect,
    /// On its way into memory.
    Loading,
    /// A driver has it.
    Running(Box<Active>),
    /// It cannot go on.
    Broken(Box<EngineError>),
}

/// How an execution at work can be reached.
pub(crate) struct Active {
    pub(crate) arn: Arc<str>,
    pub(crate) letters: mpsc::Sender<Letter>,
    /// Inputs of the inbox that its driver has got.
    pub(crate) handed: HashSet<MailId>,
}

#[derive(Default)]
pub(crate) struct Registry {
    held: HashMap<ExecutionId, Held>,
    /// The parked ones, by their deadlines.
    due: BTreeSet<(i64, ExecutionId)>,
    running: HashMap<Arc<str>, ExecutionId>,
    ends: HashMap<Arc<str>, watch::Sender<End>>,
    sweep_at: usize,
    /// Those that are being created: they are in the journal before a driver is here.
    starting: HashSet<Arc<str>>,
    /// How many are broken.
    broken: usize,
    /// How many are suspects.
    suspects: usize,
}

impl Registry {
    pub(crate) fn get(&self, id: ExecutionId) -> Option<&Held> {
        self.held.get(&id)
    }

    /// True when it is not in hand, or only because a failure kept it from going on that may be over.
    pub(crate) fn can_be_adopted(&self, id: ExecutionId) -> bool {
        match self.held.get(&id) {
            None => true,
            Some(Held::Broken(error)) => error.passes(),
            Some(_) => false,
        }
    }

    pub(crate) fn active(&mut self, id: ExecutionId) -> Option<&mut Active> {
        match self.held.get_mut(&id) {
            Some(Held::Running(active)) => Some(active),
            _ => None,
        }
    }

    /// Its number, if a driver of this engine has it.
    pub(crate) fn running(&self, arn: &str) -> Option<ExecutionId> {
        self.running.get(arn).copied()
    }

    /// How many are in memory, or on their way there.
    pub(crate) fn loaded(&self) -> usize {
        self.held.len() - self.due.len() - self.broken - self.suspects
    }

    /// How many this engine has, wherever they are; not those that cannot go on.
    pub(crate) fn held(&self) -> usize {
        self.held.len() - self.broken
    }

    /// How many wait in the journal.
    pub(crate) fn parked(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn run(&mut self, id: ExecutionId, active: Active) {
        self.forget(id);
        self.running.insert(active.arn.clone(), id);
        self.held.insert(id, Held::Running(Box::new(active)));
    }

    pub(crate) fn park(&mut self, id: ExecutionId, due_ms: i64) {
        self.forget(id);
        self.due.insert((due_ms, id));
        self.held.insert(id, Held::Parked { due_ms });
    }

    pub(crate) fn suspect(&mut self, id: ExecutionId) {
        self.forget(id);
        self.suspects += 1;
        self.held.insert(id, Held::Suspect);
    }

    pub(crate) fn is_suspect(&self, id: ExecutionId) -> bool {
        matches!(self.held.get(&id), Some(Held::Suspect))
    }

    pub(crate) fn fail(&mut self, id: ExecutionId, error: EngineError) {
        self.forget(id);
        self.broken += 1;
        self.held.insert(id, Held::Broken(Box::new(error)));
    }

    /// Marks a parked or unknown execution as on its way into memory; false when it is there already.
    pub(crate) fn begin_load(&mut self, id: ExecutionId) -> bool {
        if matches!(self.held.get(&id), Some(Held::Loading | Held::Running(_) | Held::Broken(_))) {
            return false;
        }
        self.forget(id);
        self.held.insert(id, Held::Loading);
        true
    }

    /// Announces that an execution is about to be in the journal and that a driver follows.
    pub(crate) fn announce(&mut self, arn: &Arc<str>) {
        self.starting.insert(arn.clone());
    }

    /// It has its driver now, or could not be created.
    pub(crate) fn announced(&mut self, arn: &str) {
        self.starting.remove(arn);
    }

    /// Whether what was begun to be loaded is to be loaded still: not when whoever created it runs it. Then the mark
    /// that it is on its way is gone.
    pub(crate) fn goes_on_loading(&mut self, id: ExecutionId, arn: &str) -> bool {
        let loading = matches!(self.held.get(&id), Some(Held::Loading));
        let starting = self.starting.contains(arn);
        if loading && starting {
            self.forget(id);
        }
        loading && !starting
    }

    /// When the next of the parked ones is due; epoch milliseconds.
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    /// How many of the parked ones are due, counted up to `most`.
    pub(crate) fn due_count(&self, now_ms: i64, most: usize) -> usize {
        self.due.iter().take(most).take_while(|(due_ms, _)| *due_ms <= now_ms).count()
    }

    /// The parked one that is due longest: it is on its way into memory now.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<ExecutionId> {
        let (due_ms, id) = *self.due.first()?;
        (due_ms <= now_ms && self.begin_load(id)).then_some(id)
    }

    pub(crate) fn forget(&mut self, id: ExecutionId) -> Option<Active> {
        match self.held.remove(&id) {
            Some(Held::Parked { due_ms }) => {
                self.due.remove(&(due_ms, id));
                None
            }
            Some(Held::Running(active)) => {
                self.running.remove(&active.arn);
                Some(*active)
            }
            Some(Held::Broken(_)) => {
                self.broken -= 1;
                None
            }
            Some(Held::Suspect) => {
                self.suspects -= 1;
                None
            }
            Some(Held::Loading) | None => None,
        }
    }

    /// Tells when the execution has ended, from now on.
    pub(crate) fn subscribe(&mut self, arn: &str) -> watch::Receiver<End> {
        if self.ends.len() >= self.sweep_at.max(SWEEP) {
            self.ends.retain(|_, end| end.receiver_count() > 0);
            self.sweep_at = 2 * self.ends.len();
        }
        self.ends.entry(arn.into()).or_insert_with(|| watch::channel(None).0).subscribe()
    }

    /// The same, if a driver of this engine has it.
    pub(crate) fn subscribe_running(&mut self, arn: &str) -> Option<watch::Receiver<End>> {
        self.running.contains_key(arn).then(|| self.subscribe(arn))
    }

    /// Tells everybody who waits for it.
    pub(crate) fn publish(&mut self, arn: &str, end: Result<Outcome, EngineError>) {
        if let Some(ends) = self.ends.remove(arn) {
            ends.send_replace(Some(end));
        }
    }
}
