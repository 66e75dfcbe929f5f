//! What an execution has in flight. Nothing here looks at more than the one that it is asked about: a map run has a million.

use asl_core::{MapRunId, TaskId};
use std::collections::HashMap;

/// Work outside the machine that will say something, or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// A call.
    Call(TaskId),
    /// A child of a map run.
    Child(MapRunId, u64),
    /// Items are read, or results written.
    File(MapRunId),
}

/// What counts alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Call,
    /// A job whose start is answered: it goes on without this process.
    Job,
    Child,
    File,
}

const KINDS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    work: HashMap<Work, Kind>,
    counts: [usize; KINDS],
    /// How many entries were looked at.
    #[cfg(test)]
    pub(super) looked: usize,
}

impl InFlight {
    pub(super) fn insert(&mut self, work: Work) {
        let kind = match work {
            Work::Call(_) => Kind::Call,
            Work::Child(..) => Kind::Child,
            Work::File(_) => Kind::File,
        };
        self.set(work, kind);
    }

    /// A call was answered, and goes on as a job.
    pub(super) fn follows(&mut self, task: TaskId) {
        if self.work.contains_key(&Work::Call(task)) {
            self.set(Work::Call(task), Kind::Job);
        }
    }

    /// An entry is looked at: whatever goes through them says so for each.
    fn look(&mut self) {
        #[cfg(test)]
        {
            self.looked += 1;
        }
    }

    fn set(&mut self, work: Work, kind: Kind) {
        self.look();
        if let Some(before) = self.work.insert(work, kind) {
            self.counts[before as usize] -= 1;
        }
        self.counts[kind as usize] += 1;
    }

    /// False when it was not in flight.
    pub(super) fn remove(&mut self, work: Work) -> bool {
        self.look();
        let removed = self.work.remove(&work);
        if let Some(kind) = removed {
            self.counts[kind as usize] -= 1;
        }
        removed.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    fn has(&self, kind: Kind) -> bool {
        self.counts[kind as usize] > 0
    }

    /// True while a call is made whose end would be lost with this process.
    pub(super) fn calls(&self) -> bool {
        self.has(Kind::Call)
    }

    pub(super) fn files(&self) -> bool {
        self.has(Kind::File)
    }

    /// True while children, or files, are worked on.
    pub(super) fn maps(&self) -> bool {
        self.has(Kind::Child) || self.has(Kind::File)
    }
}
