//! Residency: which executions of this worker are in memory, on their way in or out, or in the store only.
//!
//! | residence | where it is | leaves it when | for |
//! | --- | --- | --- | --- |
//! | none | the store; another worker's, or nobody's | it is created here | `Running` |
//! | | | it is claimed | `Evicted`, due now; `Suspect` where an owner died |
//! | | | it is asked for, or answered | `Loading` |
//! | `Evicted` | the store; a number and a time are left | its time has come, or a signal | `Loading` |
//! | `Suspect` | the store, until it is its turn | its trial begins, or a signal | `Loading` |
//! | | | its owners died too often: it is set aside | none |
//! | `Loading` | on its way into memory | its machine is rebuilt | `Running`; none where it has ended, or is another's |
//! | | | the store fails for now | `Evicted`, due in a while |
//! | | | it cannot be read | `Broken` |
//! | `Running` | memory, with a driver | nothing is to be done for it | `Evicted`, until its deadline |
//! | | | it ends, or another takes over | none |
//! | | | its driver fails | `Evicted` where that passes, else `Broken` |
//! | `Broken` | the store; why it cannot go on is remembered | it is asked for once more | `Loading`, or none |
//!
//! Two that bring one execution into memory at once: [`Residency::begin_load`] lets one of them. An execution that leaves memory is
//! told from one that gets a signal by the lock of this table: its channel is closed under it, and what came is taken first.

pub(crate) mod admission;
pub(crate) mod load;
pub(crate) mod trial;

use crate::client::start::{End, Ended};
use crate::error::EngineError;
use crate::execution::Caller;
use crate::execution::protocol::Arrived;
use asl_store::{ExecutionId, SignalId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Of this many entries for waiting callers, those that nobody waits for any more are removed.
const SWEEP: usize = 64;

/// Where an execution of this engine is.
pub(crate) enum Residence {
    /// In the store only, until it is due or a signal comes for it.
    Evicted { due: Due },
    /// It may be what ended the process that had it before: in the store only, until it is its turn to be tried.
    Suspect,
    /// On its way into memory.
    Loading,
    /// A driver has it.
    Running(Box<Active>),
    /// It cannot go on.
    Broken(Box<EngineError>),
}

/// When an execution outside memory is to be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// As soon as there is room.
    Now,
    /// At this time; epoch milliseconds.
    At(i64),
    /// A signal alone takes it up.
    Never,
}

impl Due {
    fn has_come(self, now_ms: i64) -> bool {
        self <= Due::At(now_ms)
    }
}

/// How an execution at work can be reached.
pub(crate) struct Active {
    pub(crate) arn: Arc<str>,
    pub(crate) signals: mpsc::Sender<Arrived<Caller>>,
    /// Inputs of the inbox that its driver has got.
    pub(crate) handed: HashSet<SignalId>,
}

#[derive(Default)]
pub(crate) struct Residency {
    held: HashMap<ExecutionId, Residence>,
    /// The evicted ones, by when they are due.
    due: BTreeSet<(Due, ExecutionId)>,
    running: HashMap<Arc<str>, ExecutionId>,
    ends: HashMap<Arc<str>, watch::Sender<End>>,
    sweep_at: usize,
    /// Those that are being created: they are in the store before a driver is here.
    starting: HashSet<Arc<str>>,
    /// How many are broken.
    broken: usize,
    /// How many are suspects.
    suspects: usize,
}

impl Residency {
    pub(crate) fn get(&self, id: ExecutionId) -> Option<&Residence> {
        self.held.get(&id)
    }

    /// True when it is not in hand, or only because a failure kept it from going on that may be over.
    pub(crate) fn can_be_adopted(&self, id: ExecutionId) -> bool {
        match self.held.get(&id) {
            None => true,
            Some(Residence::Broken(error)) => error.passes(),
            Some(_) => false,
        }
    }

    pub(crate) fn active(&mut self, id: ExecutionId) -> Option<&mut Active> {
        match self.held.get_mut(&id) {
            Some(Residence::Running(active)) => Some(active),
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

    /// How many wait in the store.
    pub(crate) fn evicted(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn run(&mut self, id: ExecutionId, active: Active) {
        self.forget(id);
        self.running.insert(active.arn.clone(), id);
        self.held.insert(id, Residence::Running(Box::new(active)));
    }

    pub(crate) fn evict(&mut self, id: ExecutionId, due: Due) {
        self.forget(id);
        self.due.insert((due, id));
        self.held.insert(id, Residence::Evicted { due });
    }

    pub(crate) fn suspect(&mut self, id: ExecutionId) {
        self.forget(id);
        self.suspects += 1;
        self.held.insert(id, Residence::Suspect);
    }

    pub(crate) fn is_suspect(&self, id: ExecutionId) -> bool {
        matches!(self.held.get(&id), Some(Residence::Suspect))
    }

    pub(crate) fn fail(&mut self, id: ExecutionId, error: EngineError) {
        self.forget(id);
        self.broken += 1;
        self.held.insert(id, Residence::Broken(Box::new(error)));
    }

    /// Marks an evicted or unknown execution as on its way into memory; false when it is there already.
    pub(crate) fn begin_load(&mut self, id: ExecutionId) -> bool {
        if matches!(self.held.get(&id), Some(Residence::Loading | Residence::Running(_) | Residence::Broken(_))) {
            return false;
        }
        self.forget(id);
        self.held.insert(id, Residence::Loading);
        true
    }

    /// Announces that an execution is about to be in the journal and that a driver follows.
    pub(crate) fn announce(&mut self, arn: &Arc<str>) {
        self.starting.insert(arn.clone());
    }

    /// Whether an execution is being created here.
    pub(crate) fn is_starting(&self, arn: &str) -> bool {
        self.starting.contains(arn)
    }

    /// It has its driver now, or could not be created.
    pub(crate) fn announced(&mut self, arn: &str) {
        self.starting.remove(arn);
    }

    /// Whether what was begun to be loaded is to be loaded still: not when whoever created it runs it. Then the mark
    /// that it is on its way is gone.
    pub(crate) fn goes_on_loading(&mut self, id: ExecutionId, arn: &str) -> bool {
        let loading = matches!(self.held.get(&id), Some(Residence::Loading));
        let starting = self.starting.contains(arn);
        if loading && starting {
            self.forget(id);
        }
        loading && !starting
    }

    /// When the next of the evicted ones is due.
    pub(crate) fn next_due(&self) -> Due {
        self.due.first().map_or(Due::Never, |(due, _)| *due)
    }

    /// How many of the evicted ones are due, counted up to `most`.
    pub(crate) fn due_count(&self, now_ms: i64, most: usize) -> usize {
        self.due.iter().take(most).take_while(|(due, _)| due.has_come(now_ms)).count()
    }

    /// The evicted one that is due longest: it is on its way into memory now.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Option<ExecutionId> {
        let (due, id) = *self.due.first()?;
        (due.has_come(now_ms) && self.begin_load(id)).then_some(id)
    }

    pub(crate) fn forget(&mut self, id: ExecutionId) -> Option<Active> {
        match self.held.remove(&id) {
            Some(Residence::Evicted { due }) => {
                self.due.remove(&(due, id));
                None
            }
            Some(Residence::Running(active)) => {
                self.running.remove(&active.arn);
                Some(*active)
            }
            Some(Residence::Broken(_)) => {
                self.broken -= 1;
                None
            }
            Some(Residence::Suspect) => {
                self.suspects -= 1;
                None
            }
            Some(Residence::Loading) | None => None,
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
    pub(crate) fn publish(&mut self, arn: &str, end: Result<Ended, EngineError>) {
        if let Some(ends) = self.ends.remove(arn) {
            ends.send_replace(Some(end));
        }
    }
}
