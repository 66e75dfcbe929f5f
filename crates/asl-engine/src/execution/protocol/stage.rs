//! Where the protocol of an execution is: the table at the top of [`super`] says what each stage waits for.

use asl_core::{Effects, Input, Step};
use asl_expr::Timestamp;
use asl_store::{SignalId, Verdict};

/// What a record takes in, and who wants to hear of it.
#[derive(Debug)]
pub(super) struct Taken<C> {
    pub(super) now: Timestamp,
    pub(super) inputs: Vec<Input>,
    pub(super) callers: Vec<(C, bool)>,
    pub(super) signals: Vec<Verdict>,
}

impl<C> Taken<C> {
    pub(super) fn nothing(now: Timestamp) -> Taken<C> {
        Taken { now, inputs: Vec::new(), callers: Vec::new(), signals: Vec::new() }
    }
}

/// A record that is committed, with what is to be done about it.
#[derive(Debug)]
pub(super) struct Committed<C> {
    pub(super) now: Timestamp,
    pub(super) effects: Effects,
    pub(super) step: Step,
    pub(super) callers: Vec<(C, bool)>,
}

#[derive(Debug)]
pub(super) enum Stage<C> {
    TakingUp,
    Redriving,
    Ready,
    Running(Taken<C>),
    Writing(Committed<C>, Vec<SignalId>),
    Transacting,
    Rebuilding,
    Acting(Committed<C>),
    Leaving,
    Over,
}

/// A suspect until its next record: whether its end of the process is written down as its doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    OnTrial,
    /// It waits for something outside this process.
    Waits,
}

impl<C> Stage<C> {
    /// For people.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Stage::TakingUp => "TakingUp",
            Stage::Redriving => "Redriving",
            Stage::Ready => "Ready",
            Stage::Running(_) => "Running",
            Stage::Writing(..) => "Writing",
            Stage::Transacting => "Transacting",
            Stage::Rebuilding => "Rebuilding",
            Stage::Acting(_) => "Acting",
            Stage::Leaving => "Leaving",
            Stage::Over => "Over",
        }
    }
}
