//! Executions that wait are not kept in memory: a number and a deadline are, and the rest is rebuilt from the records
//! when the time has come or an input is there.

use crate::driver::Driver;
use crate::engine::{Engine, Inner, Phase};
use crate::error::EngineError;
use crate::letters::{From, Letter, MAIL};
use crate::replay::ReplayError;
use crate::{lease, replay};
use asl_core::Machine;
use asl_journal::{Claim, ExecutionId, Journal, Mail, Record, Recorded, Status};
use asl_syntax::Definition;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};

/// After a failure that may pass, an execution is tried again so much later; milliseconds.
const AGAIN_MS: i64 = 5_000;

/// How many executions are read at once.
const BATCH: usize = 64;

/// The longest sleep before the clock is looked at again: it may be set meanwhile.
const NAP: Duration = Duration::from_secs(60);

/// Brings executions back into memory when they are due, as long as there is room.
pub(crate) async fn run(inner: Weak<Inner>, due: Arc<Notify>, mut phase: watch::Receiver<Phase>) {
    loop {
        let Some(engine) = inner.upgrade() else { return };
        let next = engine.registry().next_due_ms();
        if next.is_some_and(|at| at <= lease::wall_ms()) {
            let permit = tokio::select! {
                permit = engine.slots.clone().acquire_owned() => permit,
                _ = phase.wait_for(|phase| !phase.takes_on()) => return,
            };
            // Places become free together, for executions are loaded together; whoever is about to leave his leaves it now.
            tokio::task::yield_now().await;
            let loads = engine.take_due(permit.ok());
            tokio::spawn(async move { engine.load_all(loads).await });
            continue;
        }
        drop(engine);
        tokio::select! {
            () = due.notified() => {}
            () = sleep_until_ms(next) => {}
            _ = phase.wait_for(|phase| !phase.takes_on()) => return,
        }
    }
}

/// Sleeps until a time, or long enough that the clock should be looked at again.
async fn sleep_until_ms(at_ms: Option<i64>) {
    let left = at_ms.map_or(i64::MAX, |at| at.saturating_sub(lease::wall_ms()));
    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(NAP)).await;
}

/// An execution on its way into memory.
struct Load {
    id: ExecutionId,
    /// Its place there.
    permit: Option<OwnedSemaphorePermit>,
    /// Inputs that are there already.
    letters: Vec<Letter>,
}

/// What is written down about it.
struct Read {
    journal: Journal,
    arn: Arc<str>,
    mail: Vec<Mail>,
    recorded: Result<(Arc<Definition>, Vec<Record>), ReplayError>,
}

impl Inner {
    /// Loads a parked execution for inputs that are there. False when it is on its way or in memory already.
    pub(crate) async fn load_with(self: &Arc<Inner>, id: ExecutionId, letters: Vec<Letter>) -> bool {
        if !self.registry().begin_load(id) {
            return false;
        }
        // An answer from outside does not wait for room: its task has waited long enough.
        let permit = self.slots.clone().try_acquire_owned().ok();
        self.load(Load { id, permit, letters }).await;
        true
    }

    /// Those that are due, as far as there is room and they are read at once; the first has its place already.
    fn take_due(&self, permit: Option<OwnedSemaphorePermit>) -> Vec<Load> {
        let mut loads: Vec<Load> = Vec::new();
        let mut permit = permit;
        while loads.len() < BATCH {
            let Some(id) = self.registry().take_due(lease::wall_ms()) else { break };
            loads.push(Load { id, permit: permit.take(), letters: Vec::new() });
            match self.slots.clone().try_acquire_owned() {
                Ok(next) => permit = Some(next),
                Err(_) => break,
            }
        }
        loads
    }

    /// Rebuilds executions and lets them go on, each on its own.
    async fn load_all(self: &Arc<Inner>, loads: Vec<Load>) {
        for (load, read) in self.read(loads).await {
            let inner = self.clone();
            tokio::spawn(async move { inner.go_on(load, read) });
        }
    }

    /// Rebuilds an execution and lets it go on.
    async fn load(self: &Arc<Inner>, load: Load) {
        for (load, read) in self.read(vec![load]).await {
            self.go_on(load, read);
        }
    }

    /// What is to go on, with all that is written down about it. What does not exist is forgotten.
    async fn read(self: &Arc<Inner>, loads: Vec<Load>) -> Vec<(Load, Read)> {
        let ids: Vec<ExecutionId> = loads.iter().map(|load| load.id).collect();
        let (journal, recorded) = match self.recorded(&ids).await {
            Ok(recorded) => recorded,
            Err(error) => {
                for id in ids {
                    self.not_read(id, error.clone()).await;
                }
                return Vec::new();
            }
        };
        let mut recorded: HashMap<ExecutionId, Recorded> =
            recorded.into_iter().map(|found| (found.row.id, found)).collect();
        let mut definitions: HashMap<String, Arc<Definition>> = HashMap::new();
        let mut read = Vec::new();
        for load in loads {
            // What belongs to somebody else by now is theirs to run.
            let own = recorded.remove(&load.id).filter(|found| found.row.owner == journal.writes_as());
            let Some(Recorded { row, records, mail }) = own else {
                self.registry().forget(load.id);
                continue;
            };
            let definition = match definitions.get(&row.definition) {
                Some(known) => Ok(known.clone()),
                None => replay::definition(&journal, &row).await.inspect(|read| {
                    definitions.insert(row.definition.clone(), read.clone());
                }),
            };
            let recorded = definition.and_then(|definition| Ok((definition, records?)));
            let arn = row.arn.as_str().into();
            read.push((load, Read { journal: journal.clone(), arn, mail, recorded }));
        }
        read
    }

    async fn not_read(&self, id: ExecutionId, error: EngineError) {
        if !error.passes()
            && let Ok(Some(row)) = self.journal.execution_numbered(id).await
        {
            self.registry().publish(&row.arn, Err(error.clone()));
        }
        self.not_loaded(id, error);
    }

    async fn recorded(self: &Arc<Inner>, ids: &[ExecutionId]) -> Result<(Journal, Vec<Recorded>), EngineError> {
        let journal = &self.own().await?.journal;
        Ok((journal.clone(), journal.recorded(ids, MAIL).await?))
    }

    /// Rebuilds the machine of an execution, which must be marked as on its way, and starts its driver.
    fn go_on(self: &Arc<Inner>, load: Load, read: Read) {
        let Load { id, permit, mut letters } = load;
        let Read { journal, arn, mail, recorded } = read;
        let rebuilt =
            recorded.and_then(|(definition, records)| replay::redo_all(Machine::new(definition), &records, &arn));
        let machine = match rebuilt {
            Ok((machine, _)) => machine,
            Err(error) => {
                let error = EngineError::from(Arc::new(error));
                if !error.passes() {
                    self.registry().publish(&arn, Err(error.clone()));
                }
                return self.not_loaded(id, error);
            }
        };
        if let Some(outcome) = machine.outcome() {
            let mut registry = self.registry();
            registry.forget(id);
            registry.publish(&arn, Ok(outcome.clone()));
            return;
        }
        if !self.registry().goes_on_loading(id, &arn) {
            return;
        }
        let handed: HashSet<_> = mail.iter().map(|mail| mail.id).collect();
        letters.extend(mail.into_iter().map(|mail| Letter { input: mail.input, from: From::Inbox(mail.id) }));
        let driver = Driver::resume(self.clone(), journal, machine, id, letters, permit);
        self.launch(&arn, driver, handed);
    }

    /// It could not be loaded, or its driver failed.
    pub(crate) fn not_loaded(&self, id: ExecutionId, error: EngineError) {
        if error.passes() {
            tracing::warn!(execution = %id, %error, "an execution is tried again in {AGAIN_MS} ms");
            self.registry().park(id, lease::wall_ms() + AGAIN_MS);
            self.due.notify_one();
        } else {
            self.leave_to_others(id, &error);
            self.registry().fail(id, error);
        }
    }

    /// A claim of at most so many executions, with the workers that are gone now.
    pub(crate) async fn claim(self: &Arc<Inner>, limit: u32) -> Result<Claim, EngineError> {
        let journal = &self.own().await?.journal;
        let gone = self.gone(journal).await?;
        Ok(Claim { gone, limit, ..Claim::default() })
    }

    /// Takes executions that are this worker's now: they come into memory as there is room.
    pub(crate) fn adopt(&self, ids: impl Iterator<Item = ExecutionId>) {
        let mut registry = self.registry();
        for id in ids {
            if registry.can_be_adopted(id) {
                registry.park(id, i64::MIN);
            }
        }
        drop(registry);
        self.due.notify_one();
    }
}

impl Engine {
    /// Goes on with one execution, if nobody does. In vain when another process runs it.
    pub(crate) async fn resume_one(&self, id: ExecutionId) -> Result<(), EngineError> {
        let inner = &self.inner;
        if let Some(crate::registry::Held::Running(_) | crate::registry::Held::Loading) = inner.registry().get(id) {
            return Ok(());
        }
        let journal = &inner.own().await?.journal;
        let row = journal.execution_numbered(id).await?;
        let Some(row) = row.filter(|row| row.status == Status::Running) else { return Ok(()) };
        if row.owner != journal.writes_as() {
            let claim = Claim { only: Some(id), ..inner.claim(1).await? };
            if journal.claim(claim).await?.is_empty() {
                return Ok(());
            }
        }
        // Its parent has room, and waits for it.
        if inner.registry().begin_load(id) {
            inner.load(Load { id, permit: None, letters: Vec::new() }).await;
        }
        Ok(())
    }
}
