//! What a shell and the protocol say to each other.

use super::flight::Work;
use asl_core::{Budget, Event, Input, MapCommand, Note, Outcome, TaskCall, TaskId};
use asl_expr::Timestamp;
use asl_store::{Record, SignalId, Verdict};

/// How a call of a task is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Inside the store's transaction: its effect is committed with the record that has its answer.
    Transactional,
    /// Outside, with an idempotency key: it may be made again after a crash.
    Remote,
    /// Outside; what is started goes on by itself and is followed to its end, by the next owner if this one hands over.
    Job,
}

/// What the protocol asks about calls.
pub trait Integrations {
    /// How a call is made.
    fn mode(&self, call: &TaskCall) -> Mode;
    /// Whether a call whose start was answered already is made again when the execution is taken up: a job that has to be watched.
    fn again(&self, call: &TaskCall) -> bool;
    /// True when remote calls run inside this process, so that one that ends the process is the execution's doing.
    fn run_here(&self) -> bool;
}

/// What the protocol knows of its surroundings when it decides.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The clock. It may be set back; the machine's own time is not.
    pub now: Timestamp,
    /// The process ends what is in flight, and begins nothing.
    pub draining: bool,
    /// Others wait for a permit to be in memory.
    pub pressed: bool,
    /// An execution that waits may leave memory: not where time is skipped, a wait is over at once there.
    pub evicts: bool,
    /// What a record may cost.
    pub record: Budget,
    /// What runs calls.
    pub integrations: &'a dyn Integrations,
}

/// An input from outside, and who is told what becomes of it. `C` is how a caller is told.
#[derive(Clone, Debug)]
pub struct Arrived<C> {
    /// What it says.
    pub input: Input,
    /// Where it came from.
    pub from: From<C>,
}

/// Where a signal came from.
#[derive(Clone, Debug)]
pub enum From<C> {
    /// A caller in this process.
    Caller(C),
    /// The inbox, which it leaves when it is recorded or refused.
    Inbox(SignalId),
}

/// What work of this execution says: an input for its machine, and whether the work is over with that.
#[derive(Clone, Debug)]
pub struct News {
    /// The input, if it has one.
    pub input: Option<Input>,
    /// What is over.
    pub over: Option<Work>,
}

/// A thing to do.
#[derive(Debug)]
pub enum Todo<C> {
    /// Write down that this execution is on trial: what it does next may end the process.
    StandTrial,
    /// It is not on trial any more.
    Cleared,
    /// Run the machine ([`machine_mut`](super::Protocol::machine_mut)) at this time, for at most this budget.
    Run {
        /// The time of the record.
        now: Timestamp,
        /// What the run may cost.
        budget: Budget,
    },
    /// Commit this record, with the verdicts on the signals that it took in.
    Write(Box<Write>),
    /// Refuse signals of the inbox; there is nothing to record.
    Discard(Vec<SignalId>),
    /// Make this call inside the store's transaction, and commit it with the record of its answer ([`answer`](super::Recording::answer)).
    Transact(Box<TaskCall>),
    /// Rebuild the machine from the records: what came since can never be written.
    Rebuild,
    /// Show what was committed to those who watch.
    Show(Box<Shown>),
    /// Make a call.
    Call(Box<TaskCall>),
    /// Give a call up.
    Cancel(TaskId),
    /// Do what a map run asks for.
    Map(Box<MapCommand>),
    /// Tell a caller what became of a signal: true when it is recorded, false when it came too late.
    Tell(C, bool),
    /// Nothing is to be done before something comes, or this time.
    Wait {
        /// When to call [`next`](super::Protocol::next) again at the latest.
        until: Option<Timestamp>,
    },
    /// Take it out of memory, unless something has come meanwhile; it is due at this time.
    Evict {
        /// When it is to be taken up again, if no signal comes before.
        due: Option<Timestamp>,
    },
    /// It has ended, and that is committed.
    Finish(Outcome),
    /// The process drains, and nothing of this execution is in flight: others go on with it.
    HandOver,
}

/// What is to be committed.
#[derive(Debug)]
pub struct Write {
    /// The record.
    pub record: Record,
    /// How the execution ends with it.
    pub outcome: Option<Outcome>,
    /// What becomes of signals of the inbox.
    pub taken: Vec<Verdict>,
}

/// What was committed.
#[derive(Debug)]
pub struct Shown {
    /// The time of the record.
    pub now: Timestamp,
    /// Its events.
    pub events: Vec<Event>,
    /// What the events do not say.
    pub notes: Vec<Note>,
}
