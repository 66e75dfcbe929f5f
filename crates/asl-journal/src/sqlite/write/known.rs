//! What the writer remembers between transactions, so that it need not look it up.

use crate::Claimed;
use crate::JournalError;
use crate::encoding::codec::{Row, encode};
use crate::encoding::payloads::{Mark, Numbering, Tails};
use crate::encoding::ready::Ready;
use crate::{Append, ExecutionId, WorkerId};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// For how many executions it is remembered where their histories end; for others it is looked up.
const REMEMBERED: usize = 8192;
/// How many definitions are remembered to be stored.
const DEFINITIONS: usize = 1024;

/// What is committed, or will be with the open transaction.
pub(crate) struct Known {
    executions: HashMap<ExecutionId, Remembered>,
    /// Those that the open transaction writes.
    touched: Vec<ExecutionId>,
    /// Those of them whose last record the table `latest` does not have yet.
    unlisted: Vec<ExecutionId>,
    tails: Tails,
    definitions: HashSet<Arc<str>>,
    /// Workers that may write, looked up in the open transaction.
    in_force: HashSet<WorkerId>,
    /// SQLite's `data_version`: another one means that another process wrote.
    data_version: i64,
    /// The number of the group: a clock for forgetting.
    group: u64,
}

/// The last record of an execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) position: i64,
    pub(crate) number: i64,
}

/// Where an execution's history ends.
pub(crate) struct Remembered {
    mark: Mark,
    /// None before its first record is written.
    last: Option<Last>,
    /// The position of its first record, before `latest` has it.
    first: Option<i64>,
    /// The position that the table `latest` has for it; none if it is not there yet.
    listed: Option<i64>,
    /// During a transaction that writes records of it.
    numbering: Option<Numbering>,
    ended: bool,
    owner: Option<WorkerId>,
    group: u64,
}

impl Remembered {
    pub(crate) fn new(numbering: Numbering, last: Option<Last>, ended: bool, owner: Option<WorkerId>) -> Remembered {
        let (mark, listed) = (numbering.mark(), last.map(|last| last.position));
        Remembered { mark, last, first: None, listed, numbering: Some(numbering), ended, owner, group: 0 }
    }

    /// The row of the next record: the one that is ready, if it goes on from the very records that are here.
    fn row(&mut self, append: &Append, ready: Option<Ready>, tails: &Tails) -> Result<Row, JournalError> {
        if let Some(ready) = ready.filter(|ready| ready.goes_on == self.mark) {
            self.mark = ready.numbering.mark();
            self.numbering = Some(ready.numbering);
            return Ok(ready.row);
        }
        let left = self.numbering.take().or_else(|| tails.take(append.execution));
        let left = left.filter(|left| left.mark() == self.mark);
        let mut numbering = left.unwrap_or_else(|| self.mark.renumber());
        let row = encode(&append.record, append.execution, &mut numbering);
        self.mark = numbering.mark();
        self.numbering = Some(numbering);
        row
    }
}

impl Known {
    pub(crate) fn new(tails: Tails) -> Known {
        Known {
            executions: HashMap::new(),
            touched: Vec::new(),
            unlisted: Vec::new(),
            tails,
            definitions: HashSet::new(),
            in_force: HashSet::new(),
            data_version: 0,
            group: 0,
        }
    }

    pub(crate) fn begin_group(&mut self, data_version: i64) {
        if data_version != self.data_version {
            self.clear();
        }
        self.data_version = data_version;
        self.group += 1;
        self.in_force.clear();
    }

    pub(crate) fn in_force(&self, worker: WorkerId) -> bool {
        self.in_force.contains(&worker)
    }

    pub(crate) fn found_in_force(&mut self, worker: WorkerId) {
        self.in_force.insert(worker);
    }

    /// Some worker is gone: all have to be looked up again.
    pub(crate) fn forget_force(&mut self) {
        self.in_force.clear();
    }

    /// True for a definition that is not known to be stored; it will be.
    pub(crate) fn is_new(&mut self, definition: &Arc<str>) -> bool {
        self.definitions.insert(definition.clone())
    }

    /// Executions change hands.
    pub(crate) fn own(&mut self, worker: WorkerId, executions: &[Claimed]) {
        for claimed in executions {
            if let Some(remembered) = self.executions.get_mut(&claimed.id) {
                remembered.owner = Some(worker);
            }
        }
    }

    /// Executions are nobody's.
    pub(crate) fn disown(&mut self, executions: &[ExecutionId]) {
        for execution in executions {
            if let Some(remembered) = self.executions.get_mut(execution) {
                remembered.owner = None;
            }
        }
    }

    /// An execution is looked up again. What the open transaction has of it must be written.
    pub(crate) fn forget(&mut self, execution: ExecutionId) {
        self.executions.remove(&execution);
    }

    /// After a failure, or when somebody else wrote: all is looked up again.
    pub(crate) fn clear(&mut self) {
        self.in_force.clear();
        self.executions.clear();
        self.touched.clear();
        self.unlisted.clear();
        self.definitions.clear();
    }

    /// True when it need not be looked up: the open transaction writes it already (what that adds is not to be seen yet), or
    /// what is remembered is that of this owner.
    pub(crate) fn knows(&self, execution: ExecutionId, owner: WorkerId) -> bool {
        let known = self.executions.get(&execution);
        known.is_some_and(|known| known.group == self.group || known.owner == Some(owner))
    }

    pub(crate) fn remember(&mut self, execution: ExecutionId, remembered: Remembered) {
        self.touched.push(execution);
        self.executions.insert(execution, Remembered { group: self.group, ..remembered });
    }

    /// The row of the next record of an execution that is remembered.
    pub(crate) fn next_row(
        &mut self,
        append: &Append,
        ready: Option<Ready>,
        owner: WorkerId,
    ) -> Result<Row, JournalError> {
        let execution = append.execution;
        let known = self.executions.get_mut(&execution).ok_or(JournalError::NoSuchExecution { execution })?;
        let redrives = append.record.redrives();
        if known.ended && !redrives {
            return Err(JournalError::Ended { execution });
        }
        if known.owner != Some(owner) && !known.ended {
            return Err(JournalError::NotOwner { execution });
        }
        self.touched.push(execution);
        known.group = self.group;
        let row = known.row(append, ready, &self.tails)?;
        known.ended = append.outcome.is_some();
        if redrives {
            known.owner = Some(owner);
        }
        Ok(row)
    }

    /// The last record of an execution that is remembered, with those of the open transaction.
    pub(crate) fn last(&self, execution: ExecutionId) -> Option<Last> {
        self.executions.get(&execution).and_then(|known| known.last)
    }

    /// A record is in the table `journal`: it is the last of its execution.
    pub(crate) fn wrote(&mut self, execution: ExecutionId, last: Last) {
        if let Some(known) = self.executions.get_mut(&execution) {
            if known.last.is_none() {
                known.first = Some(last.position);
            }
            known.last = Some(last);
            self.unlisted.push(execution);
        }
    }

    /// Writes down in the table `latest` which records are the last. It fails where that does not have the record that was
    /// the last before: the execution would get a second end.
    pub(crate) fn write_latest(&mut self, conn: &Connection) -> Result<(), rusqlite::Error> {
        let mut insert =
            conn.prepare_cached("INSERT INTO latest (execution, position, number, first) VALUES (?, ?, ?, ?)")?;
        let update = "UPDATE latest SET position = ?2, number = ?3, deaths = 0 WHERE execution = ?1 AND position = ?4";
        let mut update = conn.prepare_cached(update)?;
        for execution in self.unlisted.drain(..) {
            let Some(known) = self.executions.get_mut(&execution) else { continue };
            // It may have been written more than once since.
            let Some(Last { position, number }) = known.last.filter(|last| known.listed != Some(last.position)) else {
                continue;
            };
            let changed = match known.listed.replace(position) {
                None => insert.execute((execution.0, position, number, known.first))?,
                Some(listed) => update.execute((execution.0, position, number, listed))?,
            };
            if changed != 1 {
                return Err(rusqlite::Error::StatementChangedRows(changed));
            }
        }
        Ok(())
    }

    /// After a commit: lets the next records be encoded where they are made, and forgets what has ended, and of too many
    /// executions those that were idle longest.
    pub(crate) fn committed(&mut self) {
        let Known { executions, touched, tails, .. } = self;
        tails.put(touched.drain(..).filter_map(|execution| {
            let remembered = executions.get_mut(&execution)?;
            if remembered.ended {
                executions.remove(&execution);
                return None;
            }
            Some((execution, remembered.numbering.take()?))
        }));
        if self.executions.len() > REMEMBERED {
            let mut groups: Vec<u64> = self.executions.values().map(|remembered| remembered.group).collect();
            let middle = groups.len() / 2;
            let oldest = *groups.select_nth_unstable(middle).1;
            self.executions.retain(|_, remembered| remembered.group > oldest);
        }
        if self.definitions.len() > DEFINITIONS {
            self.definitions.clear();
        }
    }
}
