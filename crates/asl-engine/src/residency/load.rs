//! Executions that wait are not kept in memory: a number and a deadline are, and the rest is rebuilt from the records
//! when the time has come or an input is there.

use crate::client::answer::SIGNALS;
use crate::client::start::Ended;
use crate::clock::wall_ms;
use crate::engine::{Engine, Inner};
use crate::error::EngineError;
use crate::execution::Caller;
use crate::execution::Driver;
use crate::execution::protocol::{Arrived, From, Protocol};
use crate::memory::Share;
use crate::notice::Notice;
use crate::phase::Phase;
use crate::replay::ReplayError;
use crate::residency::admission::Admission;
use crate::residency::{Due, Residence};
use crate::{pace, replay};
use asl_core::Machine;
use asl_store::{Claim, Claimed, ExecutionId, ExecutionRow, Recorded, Records, Signal, Status, Worker};
use asl_syntax::Definition;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};

/// After a failure that may pass, an execution is tried again so much later; milliseconds.
const AGAIN_MS: i64 = 5_000;

/// Records of no more steps are replayed where they were read.
const QUICK_STEPS: u64 = 200;

/// How many executions are read at once.
const BATCH: usize = 64;

/// The longest sleep before the clock is looked at again: it may be set meanwhile.
const NAP: Duration = Duration::from_secs(60);

/// Brings executions back into memory when they are due, as long as there is room.
pub(crate) async fn run(inner: Weak<Inner>, due: Arc<Notify>, mut phase: watch::Receiver<Phase>) {
    loop {
        let Some(engine) = inner.upgrade() else { return };
        let next = engine.residency().next_due();
        if left(next).is_zero() {
            let permit = tokio::select! {
                permit = engine.admissions.slots.clone().acquire_owned() => permit,
                _ = phase.wait_for(|phase| !phase.takes_on()) => return,
            };
            let share = tokio::select! {
                share = engine.admissions.memory.enter(0) => share,
                _ = phase.wait_for(|phase| !phase.takes_on()) => return,
            };
            // Permits become free together, for executions are loaded together: an execution that is about to leave memory leaves it now.
            tokio::task::yield_now().await;
            let loads = engine.take_due(permit.ok(), share);
            tokio::spawn(async move { engine.load_all(loads).await });
            continue;
        }
        drop(engine);
        tokio::select! {
            () = due.notified() => {}
            () = tokio::time::sleep(left(next).min(NAP)) => {}
            _ = phase.wait_for(|phase| !phase.takes_on()) => return,
        }
    }
}

/// How long it is until something is due.
fn left(due: Due) -> Duration {
    match due {
        Due::Now => Duration::ZERO,
        Due::At(at_ms) => Duration::from_millis(u64::try_from(at_ms.saturating_sub(wall_ms())).unwrap_or(0)),
        Due::Never => NAP,
    }
}

/// An execution on its way into memory.
pub(crate) struct Load {
    id: ExecutionId,
    /// What it takes there.
    admission: Admission,
    /// Inputs that are there already.
    signals: Vec<Arrived<Caller>>,
    on_trial: bool,
}

/// What is written down about it.
struct Read {
    worker: Arc<dyn Worker>,
    row: ExecutionRow,
    waiting: Vec<Signal>,
    recorded: Result<(Arc<Definition>, Records), ReplayError>,
}

impl Inner {
    /// Loads an evicted execution for inputs that are there. False when it is on its way or in memory already.
    pub(crate) async fn load_with(self: &Arc<Inner>, id: ExecutionId, signals: Vec<Arrived<Caller>>) -> bool {
        if !self.residency().begin_load(id) {
            return false;
        }
        // An answer from outside does not wait for room: its task has waited long enough.
        let admission = self.admissions.enter_now();
        self.load(Load { id, admission, signals, on_trial: false }).await;
        true
    }

    /// A suspect that is to be tried; none when it is on its way already.
    pub(crate) fn begin_trial(&self, id: ExecutionId) -> Option<Load> {
        if !self.residency().begin_load(id) {
            return None;
        }
        let admission = self.admissions.enter_now();
        Some(Load { id, admission, signals: Vec::new(), on_trial: true })
    }

    /// Those that are due, as far as there is room and they are read at once; the first has its permit already.
    fn take_due(&self, permit: Option<OwnedSemaphorePermit>, share: Share) -> Vec<Load> {
        let mut loads: Vec<Load> = Vec::new();
        let (mut permit, mut share) = (permit, Some(share));
        while loads.len() < BATCH && (share.is_some() || self.admissions.memory.has_room()) {
            let Some(id) = self.residency().take_due(wall_ms()) else { break };
            let share = share.take().unwrap_or_else(|| self.admissions.memory.enter_now());
            loads.push(Load {
                id,
                admission: Admission { permit: permit.take(), share },
                signals: Vec::new(),
                on_trial: false,
            });
            match self.admissions.slots.clone().try_acquire_owned() {
                Ok(next) => permit = Some(next),
                Err(_) => break,
            }
        }
        loads
    }

    /// Rebuilds executions and lets them go on, each on its own.
    pub(crate) async fn load_all(self: &Arc<Inner>, loads: Vec<Load>) {
        for (load, read) in self.read(loads).await {
            let inner = self.clone();
            tokio::spawn(async move { inner.go_on(load, read).await });
        }
    }

    /// Rebuilds an execution and lets it go on.
    async fn load(self: &Arc<Inner>, load: Load) {
        for (load, read) in self.read(vec![load]).await {
            self.go_on(load, read).await;
        }
    }

    /// What is to go on, with all that is written down about it. What does not exist is forgotten.
    async fn read(self: &Arc<Inner>, loads: Vec<Load>) -> Vec<(Load, Read)> {
        let ids: Vec<ExecutionId> = loads.iter().map(|load| load.id).collect();
        let (worker, recorded) = match self.recorded(&ids).await {
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
            let own = recorded.remove(&load.id).filter(|found| found.row.owner == Some(worker.id()));
            let Some(Recorded { row, records, signals: waiting }) = own else {
                self.residency().forget(load.id);
                self.settled(load.id);
                continue;
            };
            let definition = match definitions.get(&row.definition) {
                Some(known) => Ok(known.clone()),
                None => replay::definition(worker.store(), &row).await.inspect(|read| {
                    definitions.insert(row.definition.clone(), read.clone());
                }),
            };
            let recorded = definition.and_then(|definition| Ok((definition, records?)));
            read.push((load, Read { worker: worker.clone(), row, waiting, recorded }));
        }
        read
    }

    async fn not_read(self: &Arc<Inner>, id: ExecutionId, error: EngineError) {
        let row = if error.passes() { None } else { self.store.execution_numbered(id).await.ok().flatten() };
        let arn = row.map_or_else(|| id.to_string(), |row| row.arn);
        self.not_loaded(id, &arn, error);
    }

    async fn recorded(self: &Arc<Inner>, ids: &[ExecutionId]) -> Result<(Arc<dyn Worker>, Vec<Recorded>), EngineError> {
        let worker = &self.leased().await?.worker;
        Ok((worker.clone(), worker.store().recorded(ids, SIGNALS).await?))
    }

    /// Rebuilds the machine of an execution, which must be marked as on its way, and starts its driver.
    async fn go_on(self: &Arc<Inner>, load: Load, read: Read) {
        let Load { id, mut admission, mut signals, on_trial } = load;
        let Read { worker, row, waiting, recorded } = read;
        let (arn, deaths): (Arc<str>, _) = (row.arn.as_str().into(), row.deaths);
        let machine = match self.redo(recorded, &row).await {
            Ok(machine) => machine,
            Err(EngineError::ShutDown) => return,
            Err(error) => return self.not_loaded(id, &arn, error),
        };
        if let Some(outcome) = machine.outcome() {
            let mut residency = self.residency();
            residency.forget(id);
            residency.publish(&arn, Ok(Ended { outcome: outcome.clone(), at: machine.now() }));
            drop(residency);
            return self.settled(id);
        }
        if !self.residency().goes_on_loading(id, &arn) {
            return self.settled(id);
        }
        admission.share.set(machine.held_bytes(), false);
        let handed: HashSet<_> = waiting.iter().map(|signal| signal.id).collect();
        signals.extend(waiting.into_iter().map(|Signal { id, input, .. }| Arrived { input, from: From::Inbox(id) }));
        let mut protocol = Protocol::resumed(machine);
        signals.into_iter().for_each(|arrived| protocol.signal(arrived));
        let protocol = if deaths > 0 { protocol.suspected(on_trial) } else { protocol };
        let driver = Driver::resume(self.clone(), worker, protocol, id, admission);
        self.launch(&arn, driver, handed);
    }

    /// The machine of what is written down; off the threads that answer where there is much of it, and in pieces, one execution
    /// after the other, where it is more than is read together.
    async fn redo(
        &self,
        recorded: Result<(Arc<Definition>, Records), ReplayError>,
        row: &ExecutionRow,
    ) -> Result<Machine, EngineError> {
        let (definition, records) = recorded.map_err(Arc::new)?;
        let records = match records {
            Records::Whole(records) => records,
            Records::Long => {
                let _alone = self.admissions.alone().await?;
                return self.client.rebuild_with(definition, row, None).await;
            }
        };
        let (steps, arn) = (records.iter().map(|record| u64::from(record.steps)).sum::<u64>(), row.arn.as_str().into());
        let redo = move || replay::redo_all(Machine::new(definition), &records, &arn);
        let rebuilt = if steps <= QUICK_STEPS { redo() } else { pace::aside(&self.client.heavy, redo).await? };
        Ok(rebuilt.map_err(Arc::new)?.0)
    }

    /// It could not be loaded, or its driver failed.
    pub(crate) fn not_loaded(self: &Arc<Inner>, id: ExecutionId, arn: &str, error: EngineError) {
        self.settled(id);
        let name = arn.rsplit(':').next().unwrap_or(arn).to_owned();
        if error.passes() {
            self.residency().evict(id, Due::At(wall_ms() + AGAIN_MS));
            self.due.notify_one();
            if let Some(others) = self.notices.again.admit() {
                self.notify(&Notice::TriedAgain { execution: name, error, after_ms: AGAIN_MS, others });
            }
            return;
        }
        self.leave_to_others(id, &error);
        let mut residency = self.residency();
        residency.publish(arn, Err(error.clone()));
        residency.fail(id, error);
    }

    /// A claim of at most so many executions, with the workers that are gone now.
    pub(crate) async fn claim(self: &Arc<Inner>, limit: u32) -> Result<Claim, EngineError> {
        let gone = self.leased().await?.worker.store().gone().await?;
        Ok(Claim { gone, limit, ..Claim::default() })
    }
}

impl Engine {
    /// Goes on with one execution that no living process runs. False when somebody runs it, it has ended, or it is set aside.
    ///
    /// # Errors
    /// When there is no such execution, or the journal cannot be read or written.
    pub async fn resume_only(&self, arn: &str) -> Result<bool, EngineError> {
        self.inner.still_works()?;
        let _hold = self.inner.clock.hold();
        let row = self.row(arn).await?;
        self.resume_one(row.id).await
    }

    /// Goes on with one execution, if nobody does. Returns whether this engine has it now, or had it until it ended: false when
    /// another process runs it, it has ended, or it is set aside.
    pub(crate) async fn resume_one(&self, id: ExecutionId) -> Result<bool, EngineError> {
        let inner = &self.inner;
        if let Some(Residence::Running(_) | Residence::Loading | Residence::Suspect) = inner.residency().get(id) {
            return Ok(true);
        }
        if let Some(Residence::Broken(_)) = inner.residency().get(id) {
            inner.residency().forget(id);
        }
        let worker = &inner.leased().await?.worker;
        let row = inner.store.execution_numbered(id).await?;
        let Some(row) = row.filter(|row| row.status == Status::Running) else { return Ok(false) };
        let mut deaths = row.deaths;
        if row.owner != Some(worker.id()) {
            // It is asked for: what could not be loaded before may be in order now.
            inner.left().ask_again(id);
            let claim = Claim { only: Some(id), ..inner.claim(1).await? };
            let claimed = inner.claim_fitting(worker, claim).await?;
            let Some(claimed) = claimed.first() else { return Ok(false) };
            deaths = claimed.deaths;
        }
        if deaths > 0 {
            let condemned = inner.adopt(&[Claimed {
                id,
                arn: row.arn.as_str().into(),
                definition: row.definition.as_str().into(),
                deaths,
                again: false,
            }]);
            let tried = condemned.is_empty();
            inner.clone().set_all_aside(condemned).await;
            return Ok(tried);
        }
        if inner.residency().begin_load(id) {
            let admission = inner.admissions.enter_within();
            inner.load(Load { id, admission, signals: Vec::new(), on_trial: false }).await;
        }
        Ok(true)
    }
}
