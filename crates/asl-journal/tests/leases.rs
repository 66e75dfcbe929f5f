//! Who may write: leases, the fence, and the inbox.

mod common;

use asl_core::{Failure, Input, TaskId};
use asl_journal::{Append, Claim, Except, ExecutionId, Journal, JournalError, JournalWorker, Verdict, WorkerId};
use asl_value::Value;
use common::{ids, json, last, new_execution, new_worker, step};
use futures_util::FutureExt;
use proptest::prelude::*;
use std::collections::BTreeMap;

async fn join(journal: &Journal) -> (JournalWorker, WorkerId) {
    let id = journal.register(new_worker()).await.unwrap();
    (journal.as_worker(id), id)
}

fn everything(gone: &[WorkerId]) -> Claim {
    Claim { gone: gone.to_vec(), limit: 100, ..Claim::default() }
}

#[tokio::test]
async fn a_worker_that_is_gone_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    // Two handles that share nothing, as two processes do.
    let (first, number) = join(&common::try_open(&path).await.unwrap()).await;
    let (second, _) = join(&common::try_open(&path).await.unwrap()).await;
    let id = first.create(new_execution("one")).await.unwrap();
    first.append(id, step(3, Value::Null), None).await.unwrap();
    assert_eq!(second.append(id, step(4, Value::Null), None).await.unwrap_err().to_string(), not_owner(id));
    assert!(!second.claimable(&Except::default(), 0).await.unwrap());
    assert_eq!(second.claim(everything(&[])).await.unwrap(), [], "no time makes it anybody else's");
    let taken = second.claim(everything(&[number])).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [id]);

    let fenced = |error: JournalError| matches!(error, JournalError::Fenced { .. });
    assert!(fenced(first.append(id, step(4, Value::Null), None).await.unwrap_err()));
    assert!(fenced(first.create(new_execution("two")).await.unwrap_err()));
    assert!(fenced(first.renew(i64::MAX).await.unwrap_err()));
    assert!(fenced(first.claim(everything(&[])).await.unwrap_err()));
    let effect = first.transact(move |tx| {
        Box::pin(async move {
            tx.next_number("effects").await.map_err(|_| JournalError::Closed)?;
            Ok::<_, JournalError>(((), Some(Append { execution: id, record: step(4, Value::Null), outcome: None })))
        })
    });
    assert!(fenced(effect.await.unwrap_err()));
    assert_eq!(ids(&second, id).await, [1, 2, 3]);
    assert!(second.execution("two").await.unwrap().is_none());
    let undone = second.transact(|tx| {
        Box::pin(async move { Ok((tx.next_number("effects").await.map_err(|_| JournalError::Closed)?, None)) })
    });
    assert_eq!(undone.await.unwrap_or_else(|e: JournalError| panic!("{e}")), 1, "its effect was undone");
    second.append(id, step(4, Value::Null), None).await.unwrap();
    let (record, outcome) = last(5);
    second.append(id, record, Some(&outcome)).await.unwrap();
    assert_eq!(second.workers().await.unwrap().len(), 1, "a worker that is gone and has nothing is forgotten");
}

#[tokio::test]
async fn a_worker_and_its_first_execution_share_a_commit() {
    let journal = Journal::in_memory().await.unwrap();
    let (id, first) = journal.register_with(new_worker(), new_execution("one")).await.unwrap();
    assert_eq!(journal.commits(), 1);
    let owner = journal.as_worker(id);
    owner.append(first.unwrap(), step(3, Value::Null), None).await.unwrap();
    assert_eq!(owner.claimed().await.unwrap().len(), 1, "it is the worker's own");

    let (next, taken) = journal.register_with(new_worker(), new_execution("one")).await.unwrap();
    assert!(matches!(taken, Err(JournalError::AlreadyExists { .. })), "{taken:?}");
    journal.as_worker(next).create(new_execution("two")).await.unwrap();
}

fn not_owner(id: ExecutionId) -> String {
    format!("execution {id} belongs to another worker: nothing was written")
}

#[tokio::test]
async fn a_signal_waits_and_is_deleted_with_the_record_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (owner, _) = join(&common::try_open(&path).await.unwrap()).await;
    let sender = common::try_open(&path).await.unwrap();
    let id = owner.create(new_execution("one")).await.unwrap();
    let exact = json(r#"{"n": 12345678901234567890123, "z": 1, "a": [1.50]}"#);
    let inputs = [
        Input::TaskSucceeded { task: TaskId(1), output: exact },
        Input::TaskHeartbeat { task: TaskId(2) },
        Input::Stop(Failure::new("Enough", "of \"it\"")),
    ];
    for input in &inputs {
        sender.leave(id, input.clone(), 5).await.unwrap();
    }
    let signals = owner.signals(None, 10).await.unwrap();
    assert_eq!(signals.iter().map(|signal| signal.input.clone()).collect::<Vec<_>>(), inputs);
    assert_eq!(signals[0].input, inputs[0]);
    assert_eq!(owner.signals(None, 1).await.unwrap(), signals[..1]);
    assert_eq!(sender.signals_of(id, 10).await.unwrap(), signals);
    let (stranger, _) = join(&sender).await;
    assert_eq!(stranger.signals(None, 10).await.unwrap(), [], "it is not another worker's");
    stranger.discard(vec![signals[0].id]).await.unwrap();
    assert_eq!(owner.signals(None, 10).await.unwrap().len(), 3, "another worker refuses nothing of it");

    // A record that is refused leaves the signals where they are.
    owner.append_taking(id, step(7, Value::Null), None, taken(&signals[..1])).await.unwrap_err();
    assert_eq!(owner.signals(None, 10).await.unwrap().len(), 3);
    owner.append_taking(id, step(3, Value::Null), None, taken(&signals[..1])).await.unwrap();
    owner.discard(vec![signals[1].id]).await.unwrap();
    assert_eq!(owner.signals(None, 10).await.unwrap(), signals[2..]);
    assert_eq!(sender.verdict(signals[0].id).await.unwrap(), Some(true), "it is recorded");
    assert_eq!(sender.verdict(signals[1].id).await.unwrap(), Some(false), "it was refused");
    assert_eq!(sender.verdict(signals[2].id).await.unwrap(), None, "it waits");
    // One is taken by the record that ends the execution, and the one behind it is not.
    let last_one = sender.leave(id, Input::TaskSucceeded { task: TaskId(1), output: Value::Null }, 6).await.unwrap();
    let (record, outcome) = last(4);
    owner.append_taking(id, record, Some(&outcome), taken(&signals[2..])).await.unwrap();
    assert_eq!(sender.verdict(signals[2].id).await.unwrap(), Some(true));
    assert_eq!(sender.verdict(last_one).await.unwrap(), Some(false));
    assert_eq!(sender.signals_of(id, 10).await.unwrap(), [], "nobody takes in what is left");
    for id in [id, ExecutionId(77)] {
        let refused = sender.leave(id, inputs[1].clone(), 5).await.unwrap_err();
        assert!(matches!(refused, JournalError::Ended { .. }), "{refused}");
    }
}

fn taken(signals: &[asl_journal::Signal]) -> Vec<Verdict> {
    signals.iter().map(|signal| Verdict { signal: signal.id, taken: true }).collect()
}

#[tokio::test]
async fn what_a_worker_gives_back_anybody_can_take_but_who_leaves_it() {
    let journal = Journal::in_memory().await.unwrap();
    let ((one, _), (other, _)) = (join(&journal).await, join(&journal).await);
    let id = one.create(new_execution("one")).await.unwrap();
    other.give_back(vec![id]).await.unwrap();
    one.append(id, step(3, Value::Null), None).await.unwrap();
    one.give_back(vec![id]).await.unwrap();
    let refused = one.append(id, step(4, Value::Null), None).await.unwrap_err();
    assert_eq!(refused.to_string(), not_owner(id));
    let definition = one.execution("one").await.unwrap().unwrap().definition;
    let excepts = [
        Except { executions: vec![id], ..Except::default() },
        Except { definitions: vec!["other \"".into(), definition.as_str().into()], ..Except::default() },
    ];
    for except in excepts {
        assert!(!one.claimable(&except, 0).await.unwrap());
        assert_eq!(one.claim(Claim { except, ..everything(&[]) }).await.unwrap(), []);
    }
    assert!(other.claimable(&Except::default(), 0).await.unwrap());
    let claimed = other.claim(everything(&[])).await.unwrap();
    assert_eq!((claimed[0].id, &*claimed[0].definition), (id, definition.as_str()));
    other.append(id, step(4, Value::Null), None).await.unwrap();
}

#[tokio::test]
async fn every_renewal_is_another_beat() {
    let journal = Journal::in_memory().await.unwrap();
    let (one, _) = join(&journal).await;
    let mut seen = vec![7];
    // The wall clock that a beat is made of stands still, and is set back by years.
    for beat in [100, 100, 100, -5, 0, 101] {
        one.renew(beat).await.unwrap();
        seen.push(journal.workers().await.unwrap()[0].beat);
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
}

#[tokio::test]
async fn an_inbox_has_a_bound() {
    let journal = common::memory().await;
    let id = journal.create(new_execution("one")).await.unwrap();
    let posts = (0..1001).map(|_| journal.leave(id, Input::TaskHeartbeat { task: TaskId(1) }, 0).boxed());
    let posted = futures_util::future::join_all(posts).await;
    assert_eq!(posted.iter().filter(|result| result.is_ok()).count(), 1000);
    assert!(posted.iter().any(|result| matches!(result, Err(JournalError::InboxFull { .. }))));
}

#[tokio::test]
async fn a_watcher_sees_every_commit_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (one, other) = (common::open(&path).await, common::open(&path).await);
    let mut watcher = one.watcher().await.unwrap();
    assert!(watcher.changed().await.unwrap(), "the first time");
    assert!(!watcher.changed().await.unwrap());
    for (n, journal) in [&one, &other].into_iter().enumerate() {
        journal.create(new_execution(&format!("e{n}"))).await.unwrap();
        assert!(watcher.changed().await.unwrap());
        assert!(!watcher.changed().await.unwrap());
    }
    // In memory it is the commits of this journal.
    let journal = common::memory().await;
    let mut watcher = journal.watcher().await.unwrap();
    assert!(watcher.changed().await.unwrap() && !watcher.changed().await.unwrap());
    journal.create(new_execution("one")).await.unwrap();
    assert!(watcher.changed().await.unwrap() && !watcher.changed().await.unwrap());
}

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Append(usize, usize),
    /// The first takes what is left of the others that are known to be gone: bits.
    Claim(usize, u8),
    GiveBack(usize, usize),
    Renew(usize, i64),
    Release(usize),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4usize).prop_map(Step::Create),
        (0..4usize, 0..6usize).prop_map(|(w, e)| Step::Append(w, e)),
        (0..4usize, 0..6usize).prop_map(|(w, e)| Step::Append(w, e)),
        (0..4usize, 0..16u8).prop_map(|(w, gone)| Step::Claim(w, gone & (gone >> 1))),
        (0..4usize, 0..6usize).prop_map(|(w, e)| Step::GiveBack(w, e)),
        (0..4usize, 0..100i64).prop_map(|(w, until)| Step::Renew(w, until)),
        (0..4usize).prop_map(Step::Release),
    ]
}

/// The rules, written down once more in a few lines.
#[derive(Default)]
struct Model {
    /// Of each worker: whether it is gone.
    workers: BTreeMap<usize, bool>,
    owner: Vec<Option<usize>>,
    last_event: Vec<u64>,
}

impl Model {
    fn writes(&self, worker: usize) -> bool {
        !self.workers[&worker]
    }
}

async fn obeys(steps: Vec<Step>) {
    let journal = Journal::in_memory().await.unwrap();
    let (mut handles, mut model, mut numbers) = (Vec::new(), Model::default(), Vec::new());
    for n in 0..4usize {
        handles.push(join(&journal).await);
        model.workers.insert(n, false);
    }
    for step_taken in steps {
        match step_taken {
            Step::Create(w) => {
                let made = handles[w].0.create(new_execution(&format!("e{}", numbers.len()))).await;
                assert_eq!(made.is_ok(), model.writes(w), "{made:?}");
                if let Ok(id) = made {
                    numbers.push(id);
                    model.owner.push(Some(w));
                    model.last_event.push(2);
                }
            }
            Step::Append(w, e) if e < numbers.len() => {
                let next = model.last_event[e] + 1;
                let written = handles[w].0.append(numbers[e], step(next, Value::Null), None).await;
                let may = model.writes(w) && model.owner[e] == Some(w);
                assert_eq!(written.is_ok(), may, "{w} on {e}: {written:?}");
                model.last_event[e] += u64::from(may);
            }
            Step::Append(..) => {}
            Step::GiveBack(w, e) => {
                let Some(id) = numbers.get(e) else { continue };
                let given = handles[w].0.give_back(vec![*id]).await;
                assert_eq!(given.is_ok(), model.writes(w), "{given:?}");
                if given.is_ok() && model.owner[e] == Some(w) {
                    model.owner[e] = None;
                }
            }
            Step::Claim(w, bits) => {
                let gone: Vec<usize> = (0..4).filter(|n| bits >> n & 1 == 1 && *n != w).collect();
                let numbers_of: Vec<WorkerId> = gone.iter().map(|n| handles[*n].1).collect();
                let claimed = handles[w].0.claim(everything(&numbers_of)).await;
                assert_eq!(claimed.is_ok(), model.writes(w), "{claimed:?}");
                let Ok(claimed) = claimed else { continue };
                model.workers.extend(gone.iter().map(|n| (*n, true)));
                let is_left = |e: &usize| model.owner[*e].is_none_or(|owner| model.workers[&owner]);
                let orphans: Vec<usize> = (0..numbers.len()).filter(is_left).collect();
                orphans.iter().for_each(|e| model.owner[*e] = Some(w));
                let wanted: Vec<ExecutionId> = orphans.into_iter().map(|e| numbers[e]).collect();
                assert_eq!(claimed.into_iter().map(|claimed| claimed.id).collect::<Vec<_>>(), wanted);
            }
            Step::Renew(w, until) => {
                let renewed = handles[w].0.renew(until).await;
                assert_eq!(renewed.is_ok(), model.writes(w));
            }
            Step::Release(w) => {
                handles[w].0.release().await.unwrap();
                model.workers.insert(w, true);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Of all workers that ever ran an execution, only its owner writes it, and a worker that is gone writes nothing.
    #[test]
    fn only_the_owner_writes(steps in prop::collection::vec(a_step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(obeys(steps));
    }
}

/// Only a worker has a call that appends; see also the example of `JournalWorker`, which must not compile.
#[tokio::test]
async fn nobody_appends_to_an_execution_that_nobody_owns() {
    let journal = Journal::in_memory().await.unwrap();
    let (one, number) = join(&journal).await;
    let id = one.create(new_execution("one")).await.unwrap();
    one.give_back(vec![id]).await.unwrap();
    let (other, _) = join(&journal).await;
    for worker in [&one, &other] {
        let refused = worker.append(id, step(3, Value::Null), None).await.unwrap_err();
        assert_eq!(refused.to_string(), not_owner(id));
        let with_effect = worker.transact(move |tx| {
            Box::pin(async move {
                tx.next_number("effects").await?;
                Ok::<_, JournalError>(((), Some(Append { execution: id, record: step(3, Value::Null), outcome: None })))
            })
        });
        assert_eq!(with_effect.await.unwrap_err().to_string(), not_owner(id));
    }
    // A number that no worker has writes nothing either.
    let nobody = journal.as_worker(WorkerId(number.0 + 77));
    assert!(matches!(nobody.append(id, step(3, Value::Null), None).await, Err(JournalError::Fenced { .. })));
    assert!(matches!(nobody.create(new_execution("two")).await, Err(JournalError::Fenced { .. })));
    assert_eq!(ids(&journal, id).await, [1, 2]);
    let undone = journal.transact(|tx| Box::pin(async move { tx.next_number("effects").await }));
    assert_eq!(undone.await.unwrap(), 1, "the effects were undone");
}

#[tokio::test]
async fn what_is_set_aside_is_claimed_when_its_time_has_come() {
    let journal = Journal::in_memory().await.unwrap();
    let ((one, _), (other, _)) = (join(&journal).await, join(&journal).await);
    let id = one.create(new_execution("one")).await.unwrap();
    assert!(one.set_aside(id, "it is poison".to_owned(), 1_000).await.unwrap());
    let row = journal.execution_numbered(id).await.unwrap().unwrap();
    assert_eq!((row.owner, row.tried_again.map(|at| at.millis())), (None, Some(1_000)));
    let at = |again_ms| Claim { again_ms, ..everything(&[]) };
    for (again_ms, asked) in [(999, Some(999)), (999, None)] {
        assert!(!other.claimable(&Except::default(), again_ms).await.unwrap());
        assert_eq!(other.claim(at(asked)).await.unwrap(), []);
    }
    let left = Except { executions: vec![id], ..Except::default() };
    assert!(!other.claimable(&left, 1_000).await.unwrap());
    assert!(other.claimable(&Except::default(), 1_000).await.unwrap());
    let claimed = other.claim(at(Some(1_000))).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| (claimed.id, claimed.again)).collect::<Vec<_>>(), [(id, true)]);
    let row = journal.execution_numbered(id).await.unwrap().unwrap();
    assert_eq!((row.set_aside, row.tried_again), (None, None));
    other.append(id, step(3, Value::Null), None).await.unwrap();
}
