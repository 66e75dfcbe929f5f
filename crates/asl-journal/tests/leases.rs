//! Who may write: leases, the fence, and the inbox.

mod common;

use asl_core::{Failure, Input, TaskId};
use asl_journal::{Append, Claim, ExecutionId, Journal, JournalError, NewWorker, WorkerId};
use asl_value::Value;
use common::{ids, json, last, new_execution, open, step};
use futures_util::FutureExt;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn worker(lease_until_ms: i64) -> NewWorker {
    NewWorker { what: "test".into(), process: 1, lock: None, lease_until_ms, now_ms: 0, gone: Vec::new() }
}

async fn join(journal: &Journal, lease_until_ms: i64) -> (Journal, WorkerId) {
    let id = journal.register(worker(lease_until_ms)).await.unwrap();
    (journal.as_worker(id), id)
}

fn everything(now_ms: i64) -> Claim {
    Claim { now_ms, limit: 100, ..Claim::default() }
}

#[tokio::test]
async fn a_worker_that_is_gone_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    // Two handles that share nothing, as two processes do.
    let (first, _) = join(&open(&path).await, 100).await;
    let (second, _) = join(&open(&path).await, 1000).await;
    let id = first.create(new_execution("one")).await.unwrap();
    first.append(id, step(3, Value::Null), None).await.unwrap();
    assert_eq!(second.append(id, step(4, Value::Null), None).await.unwrap_err().to_string(), not_owner(id));
    assert!(!second.claimable(100).await.unwrap());
    assert_eq!(second.claim(everything(100)).await.unwrap(), [], "until the lease has run out");
    assert!(second.claimable(101).await.unwrap());
    let taken = second.claim(everything(101)).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [id]);

    let fenced = |error: JournalError| matches!(error, JournalError::Fenced { .. });
    assert!(fenced(first.append(id, step(4, Value::Null), None).await.unwrap_err()));
    assert!(fenced(first.create(new_execution("two")).await.unwrap_err()));
    assert!(fenced(first.renew(i64::MAX).await.unwrap_err()));
    assert!(fenced(first.claim(everything(0)).await.unwrap_err()));
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
    let (id, first) = journal.register_with(worker(1000), new_execution("one")).await.unwrap();
    assert_eq!(journal.commits(), 1);
    let owner = journal.as_worker(id);
    owner.append(first.unwrap(), step(3, Value::Null), None).await.unwrap();
    assert_eq!(owner.claimed().await.unwrap().len(), 1, "it is the worker's own");

    let (next, taken) = journal.register_with(worker(1000), new_execution("one")).await.unwrap();
    assert!(matches!(taken, Err(JournalError::AlreadyExists { .. })), "{taken:?}");
    journal.as_worker(next).create(new_execution("two")).await.unwrap();
}

fn not_owner(id: ExecutionId) -> String {
    format!("execution {id} belongs to another worker: nothing was written")
}

#[tokio::test]
async fn mail_waits_and_is_deleted_with_the_record_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (owner, _) = join(&open(&path).await, 1000).await;
    let sender = open(&path).await;
    let id = owner.create(new_execution("one")).await.unwrap();
    let exact = json(r#"{"n": 12345678901234567890123, "z": 1, "a": [1.50]}"#);
    let inputs = [
        Input::TaskSucceeded { task: TaskId(1), output: exact },
        Input::TaskHeartbeat { task: TaskId(2) },
        Input::Stop(Failure::new("Enough", "of \"it\"")),
    ];
    for input in &inputs {
        sender.post(id, input.clone(), 5).await.unwrap();
    }
    let mail = owner.mail(None, 10).await.unwrap();
    assert_eq!(mail.iter().map(|mail| mail.input.clone()).collect::<Vec<_>>(), inputs);
    assert_eq!(mail[0].input, inputs[0]);
    assert_eq!(owner.mail(None, 1).await.unwrap(), mail[..1]);
    assert_eq!(sender.mail(Some(id), 10).await.unwrap(), mail);
    assert_eq!(sender.mail(None, 10).await.unwrap(), [], "it is not the sender's");

    // A record that is refused leaves the mail where it is.
    owner.append_mail(id, step(7, Value::Null), None, vec![mail[0].id]).await.unwrap_err();
    assert_eq!(owner.mail(None, 10).await.unwrap().len(), 3);
    owner.append_mail(id, step(3, Value::Null), None, vec![mail[0].id]).await.unwrap();
    owner.discard(vec![mail[1].id]).await.unwrap();
    assert_eq!(owner.mail(None, 10).await.unwrap(), mail[2..]);
    let (record, outcome) = last(4);
    owner.append(id, record, Some(&outcome)).await.unwrap();
    assert_eq!(sender.mail(Some(id), 10).await.unwrap(), [], "nobody takes in what is left");
    for id in [id, ExecutionId(77)] {
        let refused = sender.post(id, inputs[1].clone(), 5).await.unwrap_err();
        assert!(matches!(refused, JournalError::Ended { .. }), "{refused}");
    }
}

#[tokio::test]
async fn an_inbox_has_a_bound() {
    let journal = Journal::in_memory().await.unwrap();
    let id = journal.create(new_execution("one")).await.unwrap();
    let posts = (0..1001).map(|_| journal.post(id, Input::TaskHeartbeat { task: TaskId(1) }, 0).boxed());
    let posted = futures_util::future::join_all(posts).await;
    assert_eq!(posted.iter().filter(|result| result.is_ok()).count(), 1000);
    assert!(posted.iter().any(|result| matches!(result, Err(JournalError::InboxFull { .. }))));
}

#[tokio::test]
async fn a_watcher_sees_every_commit_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (one, other) = (open(&path).await, open(&path).await);
    let mut watcher = one.watcher().await.unwrap().unwrap();
    assert!(watcher.changed().await.unwrap(), "the first time");
    assert!(!watcher.changed().await.unwrap());
    for (n, journal) in [&one, &other].into_iter().enumerate() {
        journal.create(new_execution(&format!("e{n}"))).await.unwrap();
        assert!(watcher.changed().await.unwrap());
        assert!(!watcher.changed().await.unwrap());
    }
    assert!(Journal::in_memory().await.unwrap().watcher().await.unwrap().is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Append(usize, usize),
    /// The first takes what is left of all whose lease has run out by then.
    Claim(usize, i64),
    Renew(usize, i64),
    Release(usize),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4usize).prop_map(Step::Create),
        (0..4usize, 0..6usize).prop_map(|(w, e)| Step::Append(w, e)),
        (0..4usize, 0..6usize).prop_map(|(w, e)| Step::Append(w, e)),
        (0..4usize, 0..100i64).prop_map(|(w, now)| Step::Claim(w, now)),
        (0..4usize, 0..100i64).prop_map(|(w, until)| Step::Renew(w, until)),
        (0..4usize).prop_map(Step::Release),
    ]
}

/// The rules, written down once more in a few lines.
#[derive(Default)]
struct Model {
    /// Of each worker: until when, and whether it is gone.
    workers: BTreeMap<usize, (i64, bool)>,
    owner: Vec<usize>,
    last_event: Vec<u64>,
}

impl Model {
    fn writes(&self, worker: usize) -> bool {
        !self.workers[&worker].1
    }
}

async fn obeys(steps: Vec<Step>) {
    let journal = Journal::in_memory().await.unwrap();
    let (mut handles, mut model, mut numbers) = (Vec::new(), Model::default(), Vec::new());
    for n in 0..4usize {
        handles.push(join(&journal, 10 * n as i64).await.0);
        model.workers.insert(n, (10 * n as i64, false));
    }
    for step_taken in steps {
        match step_taken {
            Step::Create(w) => {
                let made = handles[w].create(new_execution(&format!("e{}", numbers.len()))).await;
                assert_eq!(made.is_ok(), model.writes(w), "{made:?}");
                if let Ok(id) = made {
                    numbers.push(id);
                    model.owner.push(w);
                    model.last_event.push(2);
                }
            }
            Step::Append(w, e) if e < numbers.len() => {
                let next = model.last_event[e] + 1;
                let written = handles[w].append(numbers[e], step(next, Value::Null), None).await;
                let may = model.writes(w) && model.owner[e] == w;
                assert_eq!(written.is_ok(), may, "{w} on {e}: {written:?}");
                model.last_event[e] += u64::from(may);
            }
            Step::Append(..) => {}
            Step::Claim(w, now) => {
                let claimed = handles[w].claim(everything(now)).await;
                assert_eq!(claimed.is_ok(), model.writes(w), "{claimed:?}");
                let Ok(claimed) = claimed else { continue };
                for (other, (until, gone)) in &mut model.workers {
                    *gone |= *other != w && *until < now;
                }
                let orphans: Vec<usize> = (0..numbers.len()).filter(|e| model.workers[&model.owner[*e]].1).collect();
                orphans.iter().for_each(|e| model.owner[*e] = w);
                let wanted: Vec<ExecutionId> = orphans.into_iter().map(|e| numbers[e]).collect();
                assert_eq!(claimed.into_iter().map(|claimed| claimed.id).collect::<Vec<_>>(), wanted);
            }
            Step::Renew(w, until) => {
                let renewed = handles[w].renew(until).await;
                assert_eq!(renewed.is_ok(), model.writes(w));
                if renewed.is_ok() {
                    model.workers.insert(w, (until, false));
                }
            }
            Step::Release(w) => {
                handles[w].release().await.unwrap();
                model.workers.get_mut(&w).unwrap().1 = true;
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
