//! A store in memory that keeps the contract, and on demand breaks one rule of it: proof that the suite finds what is broken.
//!
//! It is written for the freedom that the contract gives: transactions run beside each other on copies of the services, and one
//! that others were quicker than is tried again.

use super::store::Rule;
use crate::contract::{Changes, Done, Registered, Registration, Store, Work, Worker};
use crate::error::StoreError;
use crate::history::{Description, FeedEntry, Page, Position, Recorded, Records};
use crate::memory::MemoryStore;
use crate::record::{Append, Definition, ExecutionId, ExecutionRow, Filter, NewExecution, Record, Status, WorkerId};
use crate::signal::{Signal, SignalId, Verdict};
use crate::worker::{Claim, Claimed, Except, WorkerRow};
use asl_core::{Event, EventKind, Failure, Input, Outcome, TokenKey};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

type Result<T> = std::result::Result<T, StoreError>;

/// A store in memory. Clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    state: Arc<Mutex<State>>,
    broken: Option<Rule>,
}

#[derive(Debug, Default)]
struct State {
    services: MemoryStore,
    executions: Vec<Kept>,
    definitions: BTreeMap<Arc<str>, Definition>,
    signals: Vec<Signal>,
    sent: i64,
    verdicts: BTreeMap<SignalId, bool>,
    workers: Vec<WorkerRow>,
    feed: Vec<FeedEntry>,
    commits: u64,
    waiting: Vec<Waker>,
}

#[derive(Debug)]
struct Kept {
    row: ExecutionRow,
    token_key: Option<TokenKey>,
    input: Arc<str>,
    records: Vec<Record>,
}

impl State {
    fn kept(&mut self, execution: ExecutionId) -> Result<&mut Kept> {
        let at = usize::try_from(execution.0 - 1).ok();
        at.and_then(|at| self.executions.get_mut(at)).ok_or(StoreError::NoSuchExecution { execution })
    }

    fn tell(&mut self, execution: ExecutionId, record: &Record, first_event: u64) {
        let position = Position(self.feed.len() as i64 + 1);
        let event_count = record.events.len() as u64;
        self.feed.push(FeedEntry { position, execution, first_event, event_count });
    }

    fn committed(&mut self) {
        self.commits += 1;
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn is_gone(&self, worker: WorkerId) -> bool {
        self.workers.iter().any(|row| row.id == worker && row.gone)
    }
}

fn end(row: &mut ExecutionRow, outcome: &Outcome, record: &Record) {
    row.status = outcome.status().parse().unwrap_or(Status::Failed);
    row.stopped = Some(record.now);
    if let Outcome::Failed(failure) | Outcome::TimedOut(failure) | Outcome::Aborted(failure) = outcome {
        row.error = failure.error.as_deref().map(str::to_owned);
        row.cause = failure.cause.as_deref().map(str::to_owned);
    }
}

impl InMemory {
    /// A store that breaks one rule.
    pub fn breaking(rule: Rule) -> InMemory {
        InMemory { broken: Some(rule), ..InMemory::default() }
    }

    fn keeps(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fence(&self, state: &State, worker: WorkerId) -> Result<()> {
        let in_force = state.workers.iter().any(|row| row.id == worker && !row.gone);
        if in_force || !self.keeps(Rule::Fence) { Ok(()) } else { Err(StoreError::Fenced { worker }) }
    }

    fn create(&self, state: &mut State, new: NewExecution, owner: Option<WorkerId>) -> Result<ExecutionId> {
        let NewExecution { definition, execution, record, outcome, started_as } = new;
        if self.keeps(Rule::OneArn) && state.executions.iter().any(|kept| *kept.row.arn == *execution.arn) {
            return Err(StoreError::AlreadyExists { arn: execution.arn.clone() });
        }
        let id = ExecutionId(state.executions.len() as i64 + 1);
        let mut row = ExecutionRow {
            id,
            arn: execution.arn.to_string(),
            name: execution.name.to_string(),
            state_machine: execution.state_machine_name.to_string(),
            state_machine_arn: execution.state_machine_arn.to_string(),
            definition: definition.hash.to_string(),
            status: Status::Running,
            started: record.now,
            stopped: None,
            error: None,
            cause: None,
            last_event: record.events.len() as u64,
            owner,
            set_aside: None,
            tried_again: None,
            deaths: 0,
            unread_end: false,
            redrive_count: 0,
            redriven: None,
            started_as,
        };
        if let Some(outcome) = &outcome {
            end(&mut row, outcome, &record);
        }
        state.definitions.insert(definition.hash.clone(), (*definition).clone());
        state.tell(id, &record, 1);
        let (token_key, input) = (execution.token_key.clone(), execution.input_text.clone());
        state.executions.push(Kept { row, token_key, input, records: vec![record] });
        state.committed();
        Ok(id)
    }

    fn append(&self, state: &mut State, append: Append, taken: Vec<Verdict>, worker: WorkerId) -> Result<()> {
        self.fence(state, worker)?;
        let Append { execution, record, outcome } = append;
        let row = state.kept(execution)?.row.clone();
        let ended = row.status != Status::Running;
        if self.keeps(Rule::OneChain) && ended && !record.redrives() {
            return Err(StoreError::Ended { execution });
        }
        if self.keeps(Rule::OwnerOnly) && !ended && row.owner != Some(worker) {
            return Err(StoreError::NotOwner { execution });
        }
        let wrong = record.events.iter().zip(row.last_event + 1..).find(|(event, expected)| event.id != *expected);
        if let Some((event, expected)) = wrong.filter(|_| self.keeps(Rule::OneChain)) {
            return Err(StoreError::OutOfOrder { execution, expected, found: event.id });
        }
        if self.keeps(Rule::Feed) {
            state.tell(execution, &record, row.last_event + 1);
        }
        let kept = state.kept(execution)?;
        kept.row.last_event += record.events.len() as u64;
        kept.row.deaths = 0;
        if record.redrives() {
            kept.row.status = Status::Running;
            kept.row.owner = Some(worker);
            kept.row.redrive_count += 1;
            kept.row.redriven = Some(record.now);
        }
        if let Some(outcome) = &outcome {
            end(&mut kept.row, outcome, &record);
        }
        kept.records.push(record);
        for Verdict { signal: id, taken } in taken {
            state.signals.retain(|signal| signal.id != id);
            if self.keeps(Rule::Signals) {
                state.verdicts.insert(id, taken);
            }
        }
        state.committed();
        Ok(())
    }

    /// Whether what others wrote meanwhile makes a transaction run again.
    fn ran_into(&self, now: &MemoryStore, base: &MemoryStore) -> bool {
        match self.broken {
            Some(Rule::Locks) => !now.has_same_messages(base),
            Some(Rule::Receivers) => !now.has_same_items(base),
            _ => true,
        }
    }

    /// Runs work on a copy, until nobody else has written the services meanwhile.
    async fn attempt<R>(
        &self,
        mut work: Box<dyn Work<R>>,
        with: impl Fn(&mut State, R) -> Result<()> + Send + Sync,
    ) -> Result<Done>
    where
        R: Send,
    {
        loop {
            let (mut copy, seen) = {
                let state = self.state();
                (state.services.clone(), state.commits)
            };
            let base = copy.clone();
            let mut tx = copy.begin();
            let Ok(result) = work.attempt(&mut tx).await else { return Ok(Done::Undone) };
            tx.commit();
            let mut state = self.state();
            if state.commits != seen && self.ran_into(&state.services, &base) {
                continue;
            }
            let done = with(&mut state, result);
            if done.is_ok() || !self.keeps(Rule::Effects) {
                state.services = copy;
                state.committed();
            }
            return done.map(|()| Done::Committed);
        }
    }
}

#[async_trait]
impl Store for InMemory {
    fn name(&self) -> String {
        ":memory:".to_owned()
    }

    fn in_this_process_only(&self) -> bool {
        true
    }

    fn may_repeat(&self) -> bool {
        true
    }

    async fn executions(&self, filter: &Filter) -> Result<Vec<ExecutionRow>> {
        let wanted = |row: &&ExecutionRow| {
            filter.status.is_none_or(|status| row.status == status)
                && filter.before.is_none_or(|before| row.id < before)
                && filter
                    .version
                    .is_none_or(|version| row.started_as.as_ref().is_some_and(|named| named.version == Some(version)))
                && filter.alias.as_ref().is_none_or(|alias| {
                    row.started_as.as_ref().is_some_and(|named| named.alias.as_ref() == Some(alias))
                })
                && filter.name_prefix.as_ref().is_none_or(|prefix| row.name.starts_with(prefix.as_str()))
        };
        let state = self.state();
        let rows = state.executions.iter().rev().map(|kept| &kept.row).filter(wanted);
        Ok(rows.take(filter.limit.map_or(usize::MAX, |limit| limit as usize)).cloned().collect())
    }

    async fn execution(&self, arn_or_name: &str) -> Result<Option<ExecutionRow>> {
        let state = self.state();
        let found = state.executions.iter().find(|kept| kept.row.arn == arn_or_name || kept.row.name == arn_or_name);
        Ok(found.map(|kept| kept.row.clone()))
    }

    async fn execution_numbered(&self, execution: ExecutionId) -> Result<Option<ExecutionRow>> {
        Ok(self.state().kept(execution).ok().map(|kept| kept.row.clone()))
    }

    async fn describe(&self, execution: ExecutionId) -> Result<Option<Description>> {
        let mut state = self.state();
        let Ok(kept) = state.kept(execution) else { return Ok(None) };
        let last = kept.records.last().and_then(|record| record.events.last());
        let output = last.and_then(|event| match &event.kind {
            EventKind::ExecutionSucceeded { output } => Some(output.clone()),
            _ => None,
        });
        let output = output.filter(|_| kept.row.status == Status::Succeeded && self.keeps(Rule::ReadBack));
        Ok(Some(Description { row: kept.row.clone(), input: kept.input.clone(), output }))
    }

    async fn counts(&self) -> Result<BTreeMap<Status, u64>> {
        let mut counts = BTreeMap::new();
        for kept in &self.state().executions {
            *counts.entry(kept.row.status).or_default() += 1;
        }
        Ok(counts)
    }

    async fn records(&self, execution: ExecutionId) -> Result<Vec<Record>> {
        Ok(self.state().kept(execution).map(|kept| kept.records.clone()).unwrap_or_default())
    }

    async fn history(&self, execution: ExecutionId, page: Page) -> Result<Vec<Event>> {
        let records = self.records(execution).await?;
        let mut events: Vec<Event> = records.into_iter().flat_map(|record| record.events).collect();
        if page.reverse {
            events.reverse();
        }
        let after = page.after.filter(|_| self.keeps(Rule::Pages));
        let behind = |event: &Event| after.is_none_or(|n| if page.reverse { event.id < n } else { event.id > n });
        let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
        Ok(events.into_iter().filter(behind).take(limit).collect())
    }

    async fn recorded(&self, executions: &[ExecutionId], signals: u32) -> Result<Vec<Recorded>> {
        let mut state = self.state();
        let (mut left, mut all) = (signals as usize, Vec::new());
        for id in executions {
            let signals = state.signals.iter().filter(|signal| signal.execution == *id).take(left);
            let signals: Vec<Signal> = signals.cloned().collect();
            let Ok(kept) = state.kept(*id) else { continue };
            left -= signals.len();
            all.push(Recorded { row: kept.row.clone(), records: Ok(Records::Whole(kept.records.clone())), signals });
        }
        Ok(all)
    }

    async fn records_after(&self, position: Position, limit: u32) -> Result<Vec<FeedEntry>> {
        let state = self.state();
        Ok(state.feed.iter().filter(|entry| entry.position > position).take(limit as usize).copied().collect())
    }

    async fn feed_end(&self) -> Result<Position> {
        Ok(self.state().feed.last().map_or(Position::default(), |entry| entry.position))
    }

    async fn submit(&self, new: NewExecution) -> Result<ExecutionId> {
        self.create(&mut self.state(), new, None)
    }

    async fn definition(&self, hash: &str) -> Result<Option<Definition>> {
        Ok(self.state().definitions.get(hash).cloned())
    }

    async fn token_key(&self, execution: ExecutionId) -> Result<Option<TokenKey>> {
        Ok(self.state().kept(execution).ok().and_then(|kept| kept.token_key.clone()))
    }

    async fn signal(&self, execution: ExecutionId, input: Input, _: i64) -> Result<SignalId> {
        let mut state = self.state();
        match state.kept(execution) {
            Ok(kept) if kept.row.status == Status::Running => {}
            _ => return Err(StoreError::Ended { execution }),
        }
        state.sent += 1;
        let id = SignalId(state.sent);
        state.signals.push(Signal { id, execution, input });
        state.committed();
        Ok(id)
    }

    async fn verdict(&self, signal: SignalId) -> Result<Option<bool>> {
        Ok(self.state().verdicts.get(&signal).copied())
    }

    async fn signals(&self, execution: ExecutionId, limit: u32) -> Result<Vec<Signal>> {
        let state = self.state();
        let of = state.signals.iter().filter(|signal| signal.execution == execution);
        Ok(of.take(limit as usize).cloned().collect())
    }

    async fn register(&self, worker: Registration, first: Option<NewExecution>) -> Result<Registered> {
        let mut state = self.state();
        let id = WorkerId(state.workers.len() as i64 + 1);
        let Registration { what, process, beat, lease_ms } = worker;
        state.workers.push(WorkerRow { id, what, process, lock: None, beat, lease_ms, gone: false });
        state.committed();
        let first = first.map(|new| self.create(&mut state, new, Some(id)));
        Ok(Registered { worker: Arc::new(InMemoryWorker { store: self.clone(), id }), first })
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>> {
        Ok(self.state().workers.clone())
    }

    async fn workloads(&self) -> Result<BTreeMap<WorkerId, u64>> {
        let mut loads = BTreeMap::new();
        let state = self.state();
        let open = state.executions.iter().filter(|kept| kept.row.status == Status::Running);
        open.filter_map(|kept| kept.row.owner).for_each(|owner| *loads.entry(owner).or_default() += 1);
        Ok(loads)
    }

    async fn gone(&self) -> Result<Vec<WorkerId>> {
        Ok(Vec::new())
    }

    async fn take_back(&self, execution: ExecutionId) -> Result<bool> {
        let mut state = self.state();
        let row = &mut state.kept(execution)?.row;
        row.tried_again = None;
        let taken = row.set_aside.take().is_some();
        state.committed();
        Ok(taken)
    }

    async fn inspect(&self, mut work: Box<dyn Work<()>>) -> Result<Done> {
        let mut copy = self.state().services.clone();
        let looked = work.attempt(&mut copy.begin()).await;
        Ok(looked.map_or(Done::Undone, |()| Done::Committed))
    }

    async fn transact(&self, work: Box<dyn Work<()>>) -> Result<Done> {
        self.attempt(work, |_, ()| Ok(())).await
    }

    async fn changes(&self) -> Result<Box<dyn Changes>> {
        Ok(Box::new(Watch { store: self.clone(), seen: None }))
    }

    async fn close(&self) {}
}

#[derive(Debug)]
struct InMemoryWorker {
    store: InMemory,
    id: WorkerId,
}

impl InMemoryWorker {
    fn own<T>(&self, execution: ExecutionId, change: impl FnOnce(&mut ExecutionRow) -> T) -> Result<Option<T>> {
        let mut state = self.store.state();
        self.store.fence(&state, self.id)?;
        let kept = state.kept(execution)?;
        let is_own = kept.row.owner == Some(self.id) && kept.row.status == Status::Running;
        let changed = is_own.then(|| change(&mut kept.row));
        state.committed();
        Ok(changed)
    }

    fn free(&self, state: &State, row: &ExecutionRow, except: &Except, again_ms: Option<i64>) -> bool {
        let is_again = row.tried_again.is_some_and(|at| again_ms.is_some_and(|now| at.millis() <= now));
        let is_left = row.owner.is_none_or(|owner| state.is_gone(owner)) || !self.store.keeps(Rule::Claims);
        let is_kept = row.set_aside.is_none() || is_again || !self.store.keeps(Rule::Quarantine);
        let is_left_to_others = except.executions.contains(&row.id)
            || except.definitions.iter().any(|definition| **definition == *row.definition);
        row.status == Status::Running && is_left && is_kept && !is_left_to_others
    }
}

fn claimed(row: &ExecutionRow) -> Claimed {
    Claimed {
        id: row.id,
        arn: row.arn.as_str().into(),
        definition: row.definition.as_str().into(),
        deaths: row.deaths,
        again: row.set_aside.is_some(),
    }
}

#[async_trait]
impl Worker for InMemoryWorker {
    fn id(&self) -> WorkerId {
        self.id
    }

    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn create(&self, new: NewExecution) -> Result<ExecutionId> {
        let mut state = self.store.state();
        self.store.fence(&state, self.id)?;
        self.store.create(&mut state, new, Some(self.id))
    }

    async fn append(
        &self,
        execution: ExecutionId,
        record: Record,
        outcome: Option<&Outcome>,
        taken: Vec<Verdict>,
    ) -> Result<()> {
        let append = Append { execution, record, outcome: outcome.cloned() };
        self.store.append(&mut self.store.state(), append, taken, self.id)
    }

    async fn transact(&self, work: Box<dyn Work<Option<Append>>>) -> Result<Done> {
        let with = |state: &mut State, append: Option<Append>| match append {
            None => self.store.fence(state, self.id),
            Some(append) => self.store.append(state, append, Vec::new(), self.id),
        };
        self.store.attempt(work, with).await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>> {
        let mut state = self.store.state();
        self.store.fence(&state, self.id)?;
        for row in &mut state.workers {
            row.gone |= claim.gone.contains(&row.id) && row.id != self.id;
        }
        let rows = state.executions.iter().map(|kept| &kept.row);
        let wanted = rows.filter(|row| claim.only.is_none_or(|only| row.id == only));
        let free =
            wanted.filter(|row| self.free(&state, row, &claim.except, claim.again_ms)).take(claim.limit as usize);
        let taken: Vec<Claimed> = free.map(claimed).collect();
        for claimed in &taken {
            let row = &mut state.kept(claimed.id)?.row;
            (row.owner, row.set_aside, row.tried_again) = (Some(self.id), None, None);
        }
        state.committed();
        Ok(taken)
    }

    async fn claimable(&self, except: &Except, again_ms: i64) -> Result<bool> {
        let state = self.store.state();
        Ok(state.executions.iter().any(|kept| self.free(&state, &kept.row, except, Some(again_ms))))
    }

    async fn claimed(&self) -> Result<Vec<Claimed>> {
        let state = self.store.state();
        let own = |row: &&ExecutionRow| row.owner == Some(self.id) && row.status == Status::Running;
        Ok(state.executions.iter().map(|kept| &kept.row).filter(own).map(claimed).collect())
    }

    async fn give_back(&self, executions: Vec<ExecutionId>) -> Result<()> {
        executions.into_iter().try_for_each(|id| self.own(id, |row| row.owner = None).map(drop))
    }

    async fn renew(&self, beat: i64) -> Result<()> {
        let mut state = self.store.state();
        self.store.fence(&state, self.id)?;
        let row = state.workers.iter_mut().find(|row| row.id == self.id);
        row.into_iter().for_each(|row| row.beat = beat.max(row.beat + 1));
        state.committed();
        Ok(())
    }

    async fn release(&self) -> Result<()> {
        let mut state = self.store.state();
        state.workers.iter_mut().filter(|row| row.id == self.id).for_each(|row| row.gone = true);
        state.committed();
        Ok(())
    }

    async fn inbox(&self, limit: u32) -> Result<Vec<Signal>> {
        let own: Vec<ExecutionId> = self.claimed().await?.into_iter().map(|claimed| claimed.id).collect();
        let state = self.store.state();
        let waiting = state.signals.iter().filter(|signal| own.contains(&signal.execution));
        Ok(waiting.take(limit as usize).cloned().collect())
    }

    async fn discard(&self, signals: Vec<SignalId>) -> Result<()> {
        let mut state = self.store.state();
        self.store.fence(&state, self.id)?;
        state.signals.retain(|signal| !signals.contains(&signal.id));
        state.verdicts.extend(signals.into_iter().map(|signal| (signal, false)));
        state.committed();
        Ok(())
    }

    async fn set_aside(&self, execution: ExecutionId, why: String, again_ms: i64) -> Result<bool> {
        let aside = |row: &mut ExecutionRow| {
            (row.owner, row.set_aside) = (None, Some(why));
            row.tried_again = Some(asl_expr::Timestamp::from_millis(again_ms));
        };
        Ok(self.own(execution, aside)?.is_some())
    }

    async fn end_unread(&self, execution: ExecutionId, failure: Failure, now_ms: i64) -> Result<bool> {
        let end = |row: &mut ExecutionRow| {
            (row.status, row.unread_end) = (Status::Aborted, true);
            row.stopped = Some(asl_expr::Timestamp::from_millis(now_ms));
            row.error = failure.error.as_deref().map(str::to_owned);
            row.cause = failure.cause.as_deref().map(str::to_owned);
        };
        Ok(self.own(execution, end)?.is_some())
    }

    async fn on_trial(&self, _: Vec<ExecutionId>) -> Result<()> {
        self.store.fence(&self.store.state(), self.id)
    }
}

struct Watch {
    store: InMemory,
    seen: Option<u64>,
}

#[async_trait]
impl Changes for Watch {
    async fn changed(&mut self) -> Result<()> {
        let Watch { store, seen } = self;
        poll_fn(|context| {
            let mut state = store.state();
            let is_news = seen.is_none() || (store.keeps(Rule::Changes) && *seen != Some(state.commits));
            if is_news {
                *seen = Some(state.commits);
                return Poll::Ready(Ok(()));
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::{Breach, check};
    use super::*;
    use crate::contract::transact;
    use std::pin::pin;
    use std::task::Context;

    /// Runs what needs no other thread; `None` where it waits for ever.
    fn block_on<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        (0..10_000).find_map(|_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        })
    }

    #[test]
    fn a_store_in_memory_keeps_the_contract() {
        assert_eq!(block_on(check(&InMemory::default())), Some(Ok(())));
    }

    #[test]
    fn the_suite_finds_each_broken_rule_and_names_it() {
        for rule in Rule::ALL {
            match block_on(check(&InMemory::breaking(rule))) {
                Some(Err(Breach { rule: found, .. })) => assert_eq!(found, rule),
                // A change that is never told: the suite waits for it.
                None => assert_eq!(rule, Rule::Changes),
                Some(Ok(())) => panic!("the suite does not find that {rule:?} is broken"),
            }
        }
    }

    /// Two transactions are open at once: the one that is late is run again on what the other left.
    #[test]
    fn a_transaction_that_ran_into_another_is_tried_again() {
        let store = InMemory::default();
        let (other, mut attempts) = (store.clone(), 0);
        let numbers = transact(&store, move |tx| {
            attempts += 1;
            let (other, attempt) = (other.clone(), attempts);
            Box::pin(async move {
                let number = tx.next_number("n").await?;
                if attempt == 1 {
                    let quicker = transact(&other, |tx| Box::pin(async move { tx.next_number("n").await }));
                    assert_eq!(quicker.await?, 1);
                }
                Ok::<_, StoreError>((attempt, number))
            })
        });
        assert_eq!(block_on(numbers), Some(Ok((2, 2))));
    }
}
