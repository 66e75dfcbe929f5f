//! The rules of [`crate::contract`], checked on a store that is empty at first. Each rule has a name; a failure says which one is
//! broken and what was seen.

use crate::contract::{Changes, Done, Registered, Registration, Store, Worker, transact, transact_as};
use crate::error::StoreError;
use crate::history::{Page, Position};
use crate::record::{Append, Definition, ExecutionId, Filter, NewExecution, Record, StartedAs, Status};
use crate::signal::Verdict;
use crate::worker::{Claim, Except};
use asl_core::event::EventKind;
use asl_core::{Event, Execution, ExecutionType, Failure, Input, Outcome, TaskId};
use asl_expr::Timestamp;
use asl_value::Value;
use std::sync::Arc;

/// The rules that [`check`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// What was written is read back, and a description needs no history.
    ReadBack,
    /// An ARN is taken once.
    OneArn,
    /// Records continue each other, and nothing follows an end but a redrive.
    OneChain,
    /// Only the owner appends.
    OwnerOnly,
    /// A worker that others took over from writes nothing.
    Fence,
    /// What nobody runs is claimed by one worker.
    Claims,
    /// A signal is decided once, in the transaction that records it.
    Signals,
    /// An effect and its record happen both or neither.
    Effects,
    /// A page of a history is that part of the history.
    Pages,
    /// The feed tells of every record once, in order.
    Feed,
    /// A commit of anybody is a change.
    Changes,
    /// What is set aside is nobody's until it is taken back.
    Quarantine,
    /// Of several transactions that write an item, or count, none is lost.
    Locks,
    /// Receivers at once get different messages, and the messages of a group in order.
    Receivers,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 14] = [
        Rule::ReadBack,
        Rule::OneArn,
        Rule::OneChain,
        Rule::OwnerOnly,
        Rule::Fence,
        Rule::Claims,
        Rule::Signals,
        Rule::Effects,
        Rule::Pages,
        Rule::Feed,
        Rule::Changes,
        Rule::Quarantine,
        Rule::Locks,
        Rule::Receivers,
    ];
}

/// What a store did that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rule {rule:?} is broken: {what}")]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// What was seen.
    pub what: String,
}

/// One check of one rule.
pub(super) struct Check<'s> {
    rule: Rule,
    pub(super) store: &'s dyn Store,
}

pub(super) type Checked = Result<(), Breach>;

impl Check<'_> {
    pub(super) fn breach(&self, what: impl ToString) -> Breach {
        Breach { rule: self.rule, what: what.to_string() }
    }

    pub(super) fn ok<T>(&self, what: &str, result: Result<T, StoreError>) -> Result<T, Breach> {
        result.map_err(|error| self.breach(format!("{what} failed: {error}")))
    }

    pub(super) fn holds(&self, holds: bool, what: &str) -> Checked {
        if holds { Ok(()) } else { Err(self.breach(what)) }
    }

    fn refused<T>(&self, what: &str, result: Result<T, StoreError>, wanted: fn(&StoreError) -> bool) -> Checked {
        match result {
            Ok(_) => Err(self.breach(format!("{what} was not refused"))),
            Err(error) if wanted(&error) => Ok(()),
            Err(error) => Err(self.breach(format!("{what} was refused for another reason: {error}"))),
        }
    }

    pub(super) async fn join(&self) -> Result<Arc<dyn Worker>, Breach> {
        Ok(self.join_with(None).await?.worker)
    }

    async fn join_with(&self, first: Option<NewExecution>) -> Result<Registered, Breach> {
        let worker = Registration { what: "conformance".into(), process: 1, beat: 7, lease_ms: 30_000 };
        self.ok("to register a worker", self.store.register(worker, first).await)
    }

    /// Submits an execution.
    pub(super) async fn submitted(&self, name: &str) -> Result<ExecutionId, Breach> {
        self.ok("to submit", self.store.submit(execution(self.name(name))).await)
    }

    async fn started(&self, worker: &dyn Worker, name: &str) -> Result<ExecutionId, Breach> {
        self.ok("to create an execution", worker.create(execution(self.name(name))).await)
    }

    /// A name of this check's own, for all rules share a store.
    fn name(&self, name: &str) -> String {
        format!("{:?}-{name}", self.rule)
    }

    async fn events(&self, id: ExecutionId) -> Result<Vec<Event>, Breach> {
        let records = self.ok("to read records", self.store.records(id).await)?;
        Ok(records.into_iter().flat_map(|record| record.events).collect())
    }

    async fn run(&self) -> Checked {
        match self.rule {
            Rule::ReadBack => self.read_back().await,
            Rule::OneArn => self.one_arn().await,
            Rule::OneChain => self.one_chain().await,
            Rule::OwnerOnly => self.owner_only().await,
            Rule::Fence => self.fence().await,
            Rule::Claims => self.claims().await,
            Rule::Signals => self.signals().await,
            Rule::Effects => self.effects().await,
            Rule::Pages => self.pages().await,
            Rule::Feed => self.feed().await,
            Rule::Changes => self.changes().await,
            Rule::Quarantine => self.quarantine().await,
            Rule::Locks => self.locks().await,
            Rule::Receivers => self.receivers().await,
        }
    }

    async fn read_back(&self) -> Checked {
        let worker = self.join().await?;
        let new = execution(self.name("one"));
        let id = self.ok("to create", worker.create(new.clone()).await)?;
        self.ok("to append", worker.append(id, step(3, "x"), None, Vec::new()).await)?;
        let (record, outcome) = success(4, "out");
        self.ok("to end", worker.append(id, record.clone(), Some(&outcome), Vec::new()).await)?;
        let records = self.ok("to read records", self.store.records(id).await)?;
        let mut reader = self.ok("to read records in pieces", self.store.read_records(id).await)?;
        let mut pieces = Vec::new();
        loop {
            match self.ok("to read a piece", reader.next().await)? {
                piece if piece.is_empty() => break,
                piece => pieces.extend(piece),
            }
        }
        self.holds(records == pieces, "the records in pieces are others")?;
        self.holds(records == [new.record, step(3, "x"), record], "the records are not those that were written")?;
        let found = self.ok("to find it", self.store.execution(&new.execution.arn).await)?;
        let found = found.ok_or_else(|| self.breach("it is not found by its ARN"))?;
        let header = (found.id, found.status, found.last_event);
        self.holds(header == (id, Status::Succeeded, 4), "its header does not tell where it stands")?;
        let told = self.ok("to describe it", self.store.describe(id).await)?;
        let told = told.ok_or_else(|| self.breach("it has no description"))?;
        self.holds(told.input == new.execution.input_text, "its description has another input")?;
        self.holds(told.output == Some(Value::from("out")), "its description has another output")
    }

    async fn one_arn(&self) -> Checked {
        let taken = |error: &StoreError| matches!(error, StoreError::AlreadyExists { .. });
        let worker = self.join().await?;
        self.started(&*worker, "one").await?;
        self.refused("the same ARN", worker.create(execution(self.name("one"))).await, taken)?;
        self.refused("the same ARN, submitted", self.store.submit(execution(self.name("one"))).await, taken)?;
        let registered = self.join_with(Some(execution(self.name("one")))).await?;
        let first = registered.first.ok_or_else(|| self.breach("nothing was told of the first execution"))?;
        self.refused("the same ARN with a new worker", first, taken)?;
        self.started(&*registered.worker, "two").await.map(drop)
    }

    async fn one_chain(&self) -> Checked {
        let worker = self.join().await?;
        let id = self.started(&*worker, "one").await?;
        let order = |error: &StoreError| matches!(error, StoreError::OutOfOrder { .. });
        self.refused("a gap", worker.append(id, step(4, "x"), None, Vec::new()).await, order)?;
        self.refused("a repetition", worker.append(id, step(2, "x"), None, Vec::new()).await, order)?;
        let (record, outcome) = success(3, "out");
        self.ok("to end", worker.append(id, record, Some(&outcome), Vec::new()).await)?;
        let ended = |error: &StoreError| matches!(error, StoreError::Ended { .. });
        self.refused("a record after the end", worker.append(id, step(4, "x"), None, Vec::new()).await, ended)?;
        let numbers: Vec<u64> = self.events(id).await?.iter().map(|event| event.id).collect();
        self.holds(numbers == [1, 2, 3], "a record that was refused left something")
    }

    async fn owner_only(&self) -> Checked {
        let not_owner = |error: &StoreError| matches!(error, StoreError::NotOwner { .. });
        let (one, other) = (self.join().await?, self.join().await?);
        let id = self.started(&*one, "one").await?;
        self.refused("another worker's record", other.append(id, step(3, "x"), None, Vec::new()).await, not_owner)?;
        self.ok("to give it back", other.give_back(vec![id]).await)?;
        self.ok("the owner's record", one.append(id, step(3, "x"), None, Vec::new()).await)?;
        self.ok("to give it back", one.give_back(vec![id]).await)?;
        self.refused("a record of nobody's", one.append(id, step(4, "x"), None, Vec::new()).await, not_owner)
    }

    async fn fence(&self) -> Checked {
        let fenced = |error: &StoreError| matches!(error, StoreError::Fenced { .. });
        let (one, other) = (self.join().await?, self.join().await?);
        let id = self.started(&*one, "one").await?;
        let claim = Claim { gone: vec![one.id()], only: Some(id), limit: 1, ..Claim::default() };
        let claimed = self.ok("to take over", other.claim(claim).await)?;
        self.holds(claimed.len() == 1, "an execution of a worker that is gone was not taken over")?;
        self.refused("a record", one.append(id, step(3, "x"), None, Vec::new()).await, fenced)?;
        self.refused("a start", one.create(execution(self.name("two"))).await, fenced)?;
        self.refused("a renewal", one.renew(99).await, fenced)?;
        self.refused("a claim", one.claim(Claim { limit: 1, ..Claim::default() }).await, fenced)?;
        let effect = transact_as(&*one, |tx| {
            Box::pin(async move { Ok::<_, StoreError>((tx.next_number("fence").await?, None)) })
        });
        self.refused("an effect", effect.await, fenced)?;
        self.ok("the successor's record", other.append(id, step(3, "x"), None, Vec::new()).await)
    }

    async fn claims(&self) -> Checked {
        let (one, other) = (self.join().await?, self.join().await?);
        let id = self.ok("to submit", self.store.submit(execution(self.name("one"))).await)?;
        let except = Except { executions: vec![id], ..Except::default() };
        let only = |except: Except| Claim { only: Some(id), limit: 9, except, ..Claim::default() };
        let left = self.ok("to claim", one.claim(only(except)).await)?;
        self.holds(left.is_empty(), "what was left to others was taken")?;
        self.holds(
            self.ok("to ask", one.claimable(&Except::default(), 0).await)?,
            "what nobody runs is not claimable",
        )?;
        let mine = self.ok("to claim", one.claim(only(Except::default())).await)?;
        let again = self.ok("to claim", other.claim(only(Except::default())).await)?;
        self.holds(mine.len() == 1 && again.is_empty(), "two workers have it, or none")?;
        let own = self.ok("to ask for its own", one.claimed().await)?;
        self.holds(own.iter().any(|claimed| claimed.id == id), "it is not among the worker's own")?;
        self.ok("to release", one.release().await)?;
        let taken = self.ok("to claim", other.claim(only(Except::default())).await)?;
        self.holds(taken.len() == 1, "what a worker that ended had is not taken")?;
        self.claims_at_once().await
    }

    async fn signals(&self) -> Checked {
        let worker = self.join().await?;
        let id = self.started(&*worker, "one").await?;
        let beat = Input::TaskHeartbeat { task: TaskId(1) };
        let first = self.ok("to signal", self.store.signal(id, beat.clone(), 5).await)?;
        let second = self.ok("to signal", self.store.signal(id, beat, 6).await)?;
        let inbox = self.ok("to read the inbox", worker.inbox(10).await)?;
        self.holds(inbox.iter().map(|signal| signal.id).eq([first, second]), "the inbox is not what was sent")?;
        let taken = vec![Verdict { signal: first, taken: true }];
        let late = worker.append(id, step(9, "x"), None, taken.clone()).await;
        self.refused("a record out of order", late, |error| matches!(error, StoreError::OutOfOrder { .. }))?;
        let waits = self.ok("to ask", self.store.verdict(first).await)?;
        self.holds(waits.is_none(), "a record that was refused took a signal")?;
        self.ok("to append", worker.append(id, step(3, "x"), None, taken).await)?;
        self.ok("to discard", worker.discard(vec![second]).await)?;
        let verdicts =
            (self.ok("to ask", self.store.verdict(first).await)?, self.ok("to ask", self.store.verdict(second).await)?);
        self.holds(verdicts == (Some(true), Some(false)), "the senders are told something else")?;
        let left = self.ok("to read the inbox", self.store.signals(id, 10).await)?;
        self.holds(left.is_empty(), "a signal that was decided is still there")
    }

    async fn effects(&self) -> Checked {
        let worker = self.join().await?;
        let id = self.started(&*worker, "one").await?;
        let effect = |event: u64| {
            transact_as(&*worker, move |tx| {
                Box::pin(async move {
                    let number = tx.next_number("effects").await?;
                    let append = Append { execution: id, record: step(event, "x"), outcome: None };
                    Ok::<_, StoreError>((number, Some(append)))
                })
            })
        };
        self.refused("a record out of order", effect(9).await, |error| matches!(error, StoreError::OutOfOrder { .. }))?;
        let number = self.ok("an effect with its record", effect(3).await)?;
        self.holds(number == 1, "the effect of a record that was refused was kept")?;
        self.holds(self.events(id).await?.len() == 3, "the record of an effect is missing")?;
        let own = transact(self.store, |tx| {
            Box::pin(async move {
                tx.next_number("effects").await?;
                Err::<(), _>(StoreError::new("the work's own"))
            })
        });
        self.refused("work that fails", own.await, |error| matches!(error, StoreError::Service { .. }))?;
        let next = transact(self.store, |tx| Box::pin(async move { tx.next_number("effects").await }));
        self.holds(self.ok("an effect", next.await)? == 2, "the effect of work that failed was kept")
    }

    async fn pages(&self) -> Checked {
        let worker = self.join().await?;
        let id = self.started(&*worker, "one").await?;
        for event in 3..12 {
            // The same payload again and again: a page may show it without the record that has it.
            self.ok("to append", worker.append(id, step(event, "the same"), None, Vec::new()).await)?;
        }
        let all = self.events(id).await?;
        for reverse in [false, true] {
            let mut expected = all.clone();
            if reverse {
                expected.reverse();
            }
            for (from, limit) in [(0, 3), (4, 2), (8, 9), (10, 1), (11, 1)] {
                let after = (from > 0).then(|| expected[from - 1].id);
                let page = Page { reverse, after, limit: Some(limit) };
                let events = self.ok("to read a page", self.store.history(id, page).await)?;
                let wanted: Vec<Event> = expected.iter().skip(from).take(limit as usize).cloned().collect();
                self.holds(events == wanted, &format!("{page:?} shows {} events, not those", events.len()))?;
            }
        }
        Ok(())
    }

    async fn feed(&self) -> Checked {
        let worker = self.join().await?;
        let mut position = Position::default();
        loop {
            let entries = self.ok("to read the feed", self.store.records_after(position, 100).await)?;
            let Some(last) = entries.last() else { break };
            position = last.position;
        }
        let id = self.started(&*worker, "one").await?;
        self.ok("to append", worker.append(id, step(3, "x"), None, Vec::new()).await)?;
        let mut told = Vec::new();
        while let [entry] = self.ok("to read the feed", self.store.records_after(position, 1).await)?[..] {
            self.holds(entry.position > position, "the feed goes back")?;
            position = entry.position;
            told.push((entry.execution, entry.first_event, entry.event_count));
        }
        self.holds(told == [(id, 1, 2), (id, 3, 1)], "the feed does not tell of each record once")?;
        let end = self.ok("to ask for the feed's end", self.store.feed_end().await)?;
        self.holds(end == position, "the feed ends elsewhere than at its last record")?;
        self.feed_at_once(position).await
    }

    async fn changes(&self) -> Checked {
        let worker = self.join().await?;
        let mut changes: Box<dyn Changes> = self.ok("to watch", self.store.changes().await)?;
        self.ok("the first look", changes.changed().await)?;
        self.started(&*worker, "one").await?;
        self.ok("a look after a commit", changes.changed().await)
    }

    async fn quarantine(&self) -> Checked {
        let (one, other) = (self.join().await?, self.join().await?);
        let id = self.started(&*one, "one").await?;
        let others = self.ok("to set aside", other.set_aside(id, "not its own".into(), 9).await)?;
        self.holds(!others, "another worker's execution was set aside")?;
        self.holds(self.ok("to set aside", one.set_aside(id, "why".into(), 9).await)?, "its own was not set aside")?;
        let only = || Claim { only: Some(id), limit: 1, ..Claim::default() };
        let claimed = self.ok("to claim", other.claim(only()).await)?;
        self.holds(claimed.is_empty(), "what is set aside was claimed")?;
        self.holds(self.ok("to take back", self.store.take_back(id).await)?, "it was not taken back")?;
        let claimed = self.ok("to claim", other.claim(only()).await)?;
        self.holds(claimed.len() == 1, "what was taken back is not claimed")?;
        let failure = Failure::new("E", "c");
        self.holds(self.ok("to end", other.end_unread(id, failure, 9).await)?, "its own was not ended")?;
        let row = self.ok("to look", self.store.execution_numbered(id).await)?;
        let ended = row.is_some_and(|row| row.status == Status::Aborted && row.unread_end);
        self.holds(ended, "its header does not tell that it was ended unread")
    }
}

/// Checks all rules on a store; names the first that is broken.
///
/// # Errors
/// What was seen of the rule that is broken.
pub async fn check(store: &dyn Store) -> Result<(), Breach> {
    for rule in Rule::ALL {
        Check { rule, store }.run().await?;
    }
    Check { rule: Rule::ReadBack, store }.lists().await
}

impl Check<'_> {
    /// What the other checks left is listed, newest first.
    async fn lists(&self) -> Checked {
        let all = self.ok("to list", self.store.executions(&Filter::default()).await)?;
        self.holds(all.windows(2).all(|pair| pair[0].id > pair[1].id), "a list is not newest first")?;
        let counts = self.ok("to count", self.store.counts().await)?;
        let counted: u64 = counts.values().sum();
        self.holds(counted == all.len() as u64, "the counts are not those of the list")?;
        self.named().await?;
        let done = self.store.inspect(Box::new(Nothing)).await;
        self.holds(self.ok("to inspect", done)? == Done::Undone, "work that asked to be undone was not")
    }
}

impl Check<'_> {
    /// What a caller named is read back, and lists find it.
    async fn named(&self) -> Checked {
        let as_named = |version, alias: Option<&str>| StartedAs {
            version,
            alias: alias.map(str::to_owned),
            revision_id: Some("r".to_owned()),
            trace_header: Some("Root=1;\"quoted\"".to_owned()),
            task: Some("key".to_owned()),
        };
        for (name, named) in [("first", as_named(Some(7), None)), ("second", as_named(Some(7), Some("prod")))] {
            let new = NewExecution { started_as: Some(named.clone()), ..execution(self.name(name)) };
            let id = self.ok("to submit", self.store.submit(new).await)?;
            let row = self.ok("to read a header", self.store.execution_numbered(id).await)?;
            let read = row.and_then(|row| row.started_as);
            self.holds(read == Some(named), "what a caller named is not what is read")?;
        }
        let count = async |filter: Filter| Ok(self.ok("to list", self.store.executions(&filter).await)?.len());
        let of_version = count(Filter { version: Some(7), ..Filter::default() }).await?;
        let of_alias = count(Filter { alias: Some("prod".to_owned()), ..Filter::default() }).await?;
        let of_none = count(Filter { version: Some(8), ..Filter::default() }).await?;
        self.holds((of_version, of_alias, of_none) == (2, 1, 0), "a list by version or alias is not theirs")
    }
}

/// Work that does nothing and asks to be undone.
struct Nothing;

impl crate::contract::Work<()> for Nothing {
    fn attempt<'t>(
        &'t mut self,
        _: &'t mut (dyn crate::ServiceTx + 't),
    ) -> crate::contract::Pending<'t, Result<(), crate::Undo>> {
        Box::pin(async { Err(crate::Undo) })
    }
}

fn execution(name: String) -> NewExecution {
    let execution = Execution {
        arn: format!("arn:aws:states:us-east-1:123456789012:execution:suite:{name}").into(),
        name: name.into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:suite".into(),
        state_machine_name: "suite".into(),
        role_arn: "".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: 1,
        token_key: None,
        input_text: r#"{ "n": 1.50 }"#.into(),
        input: r#"{ "n": 1.50 }"#.parse().unwrap_or_default(),
    };
    let started = EventKind::ExecutionStarted { input: execution.input_text.clone(), role_arn: "".into() };
    let record = Record {
        now: Timestamp::from_millis(0),
        inputs: vec![Input::Start(Box::new(execution.clone()))],
        steps: 1,
        events: vec![event(1, started), event(2, EventKind::ExecutionSucceeded { output: Value::from("not yet") })],
    };
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
    let definition = Definition { hash: "suite".into(), name: "suite".into(), text: text.into() };
    NewExecution {
        definition: Arc::new(definition),
        execution: Arc::new(execution),
        record,
        outcome: None,
        started_as: None,
    }
}

fn event(id: u64, kind: EventKind) -> Event {
    Event { id, previous: id - 1, timestamp: Timestamp::from_millis(0), kind }
}

/// A record with one event. Stores look at numbers and payloads, not at what events mean.
fn step(id: u64, output: &str) -> Record {
    let inputs = vec![Input::TaskSucceeded { task: TaskId(id), output: Value::from(output) }];
    let kind = EventKind::ExecutionSucceeded { output: Value::from(output) };
    Record { now: Timestamp::from_millis(0), inputs, steps: 1, events: vec![event(id, kind)] }
}

/// A record that ends an execution.
fn success(id: u64, output: &str) -> (Record, Outcome) {
    (step(id, output), Outcome::Succeeded(Value::from(output)))
}
