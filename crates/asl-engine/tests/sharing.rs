//! What engines that share a database owe each other: one answer to a token, one owner whatever the clocks say, and nothing
//! taken that cannot be run.

mod common;

use asl_core::{Execution, Failure, Input, Outcome};
use asl_engine::{
    Clock, Engine, EngineBuilder, EngineError, Notice, Observer, StartExecution, Started, Update, holders,
};
use asl_journal::{Journal, JournalError, Options as JournalOptions, Status};
use asl_syntax::{Definition, Options, Source, load};
use asl_task::function::Handler;
use asl_value::Value;
use common::{Home, on_every_store};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

on_every_store! {
    one_of_many_answers_is_taken_and_each_sender_knows_whose,
    an_answer_does_not_wait_for_room,
    a_token_does_not_follow_from_what_others_see,
}

const TOKEN: &str = r#""A": {"Type": "Task", "End": true, "TimeoutSeconds": 3000,
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "Work", "Payload": {"token.$": "$$.Task.Token"}}}"#;
const CALL: &str = r#""A": {"Type": "Task", "End": true,
    "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Work"}"#;

fn definition(states: &str) -> Arc<Definition> {
    let source = Source::new("test", format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#));
    let loaded = load(&source, &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

async fn builder(path: &Path) -> EngineBuilder {
    Engine::builder(open(path).await)
}

async fn on(home: &Home) -> EngineBuilder {
    Engine::builder(home.open().await.store())
}

async fn open(path: &Path) -> Journal {
    Journal::open(path, JournalOptions::default()).await.unwrap()
}

async fn start(engine: &Engine, states: &str, name: &str) -> Started {
    let (definition, name) = (definition(states), Some(name));
    engine.start(StartExecution { definition, state_machine: "test", name, input: "{}" }).await.unwrap()
}

/// A function that says when it is called, keeps the tokens it got, and answers at once or when it is told to.
#[derive(Clone, Default)]
struct Work {
    called: Arc<Notify>,
    open: Option<Arc<Notify>>,
    tokens: Arc<Mutex<Vec<String>>>,
    calls: Arc<Mutex<u32>>,
}

#[async_trait::async_trait]
impl Handler for Work {
    async fn handle(&self, event: Value, _: &str) -> Result<Value, Failure> {
        *self.calls.lock().unwrap() += 1;
        if let Some(token) = event["token"].as_str() {
            self.tokens.lock().unwrap().push(token.to_owned());
        }
        self.called.notify_one();
        if let Some(open) = &self.open {
            open.notified().await;
        }
        Ok(event)
    }
}

/// What an engine noticed.
#[derive(Default)]
struct Told(Mutex<Vec<Notice>>);

impl Observer for Told {
    fn observe(&self, _: &Update<'_>) {}

    fn notify(&self, notice: &Notice) {
        self.0.lock().unwrap().push(notice.clone());
    }
}

async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    for _ in 0..2000 {
        if ask().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what} did not happen");
}

/// SQL from outside, as a person with a client would write it.
fn sql(path: &Path, text: &str) {
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()\n";
    let done = std::process::Command::new("python3").args(["-c", script]).arg(path).arg(text).status().unwrap();
    assert!(done.success());
}

/// All of these answer one token at once, each with its number. One is told that it was taken; which.
async fn answer_at_once(engines: &[Engine], token: &str) -> u64 {
    let mut answers = tokio::task::JoinSet::new();
    for (n, engine) in (0_u64..).zip(engines) {
        let (engine, token) = (engine.clone(), token.to_owned());
        answers.spawn(async move { (n, engine.send_task_success(&token, Value::from(n)).await) });
    }
    let mut taken = Vec::new();
    while let Some(answer) = answers.join_next().await {
        match answer.unwrap() {
            (n, Ok(())) => taken.push(n),
            (_, Err(EngineError::TaskTimedOut)) => {}
            (n, Err(other)) => panic!("{n}: {other}"),
        }
    }
    assert_eq!(taken.len(), 1, "acknowledged: {taken:?}");
    taken[0]
}

async fn one_of_many_answers_is_taken_and_each_sender_knows_whose(home: Home) {
    let work = Work::default();
    let owner = on(&home).await.function("Work", work.clone()).build();
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(on(&home).await.client().build());
    }
    let same: Vec<Engine> = (0..6).map(|_| owner.clone()).collect();
    let mixed: Vec<Engine> = others.iter().chain([&owner, &owner]).cloned().collect();
    for (n, (engines, parked)) in
        [(&same, false), (&same, true), (&others, false), (&others, true), (&mixed, false), (&mixed, true)]
            .into_iter()
            .enumerate()
    {
        let started = start(&owner, TOKEN, &format!("e{n}")).await;
        work.called.notified().await;
        let token = work.tokens.lock().unwrap().pop().unwrap();
        until("the call's answer", async || owner.history(&started.arn).await.unwrap().len() >= 5).await;
        if parked {
            until("it to leave memory", async || owner.load() == (0, 1)).await;
        }
        others[0].send_task_heartbeat(&token).await.unwrap();
        owner.send_task_heartbeat(&token).await.unwrap();
        // What AWS would not take leaves the token good for another answer.
        let long = [
            owner.send_task_success(&token, Value::from("x".repeat(262_143))).await,
            others[0].send_task_failure(&token, Failure { error: Some("x".repeat(257).into()), cause: None }).await,
            owner.stop(&started.arn, Failure { error: None, cause: Some("x".repeat(32_769).into()) }).await,
        ];
        assert!(long.iter().all(|answer| matches!(answer, Err(EngineError::TooLong { .. }))), "{long:?}");
        let winner = answer_at_once(engines, &token).await;
        assert_eq!(owner.wait(&started.arn).await.unwrap(), Outcome::Succeeded(Value::from(winner)), "{n}");
        let late = others[1].send_task_failure(&token, Failure::default()).await;
        assert!(matches!(late, Err(EngineError::TaskTimedOut)), "{late:?}");
    }
    owner.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_needs_nobody_who_runs_the_execution() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let work = Work::default();
    let owner = builder(&path).await.function("Work", work.clone()).build();
    let mut arns = Vec::new();
    for name in ["taken", "late"] {
        let started = start(&owner, TOKEN, name).await;
        work.called.notified().await;
        until("the call's answer", async || owner.history(&started.arn).await.unwrap().len() >= 5).await;
        arns.push(started.arn);
    }
    let tokens = work.tokens.lock().unwrap().clone();
    owner.shutdown().await.unwrap();

    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(builder(&path).await.client().build());
    }
    // While it is set aside nobody takes an answer, and none is kept for later.
    sql(&path, "UPDATE execution SET owner = -1, set_aside = 'why', again_ms = 9e15 WHERE name = 'taken'");
    let refused = others[0].send_task_success(&tokens[0], Value::Null).await;
    assert!(matches!(refused, Err(EngineError::SetAside { .. })), "{refused:?}");
    for row in others[0].store().executions(&Default::default()).await.unwrap() {
        assert_eq!(others[0].store().signals(row.id, 10).await.unwrap(), []);
    }
    assert!(others[0].take_back(&arns[0]).await.unwrap());
    let winner = answer_at_once(&others, &tokens[0]).await;
    // The answer is recorded, and the execution is nobody's again.
    let row = others[0].store().execution(&arns[0]).await.unwrap().unwrap();
    assert_eq!((row.status, row.owner), (Status::Running, None));
    // The second one's task times out in 3000 seconds, and by this clock it is later.
    let later = Clock::skipping(Clock::real().now().plus_ms(3_600_000));
    let late = builder(&path).await.client().clock(later).build().send_task_success(&tokens[1], Value::Null).await;
    assert!(matches!(late, Err(EngineError::TaskTimedOut)), "{late:?}");

    let next = builder(&path).await.function("Work", work.clone()).build();
    next.resume().await.unwrap();
    assert_eq!(next.wait(&arns[0]).await.unwrap(), Outcome::Succeeded(Value::from(winner)));
    assert_eq!(next.wait(&arns[1]).await.unwrap().status(), "FAILED", "it timed out");
    assert_eq!(*work.calls.lock().unwrap(), 2, "no call was made again");
}

async fn an_answer_does_not_wait_for_room(home: Home) {
    let work = Work::default();
    let gate = Work { open: Some(Arc::default()), ..Work::default() };
    let owner = on(&home).await.function("Work", work.clone()).function("Gate", gate.clone()).max_active(1).build();
    let waits = start(&owner, TOKEN, "waits").await;
    work.called.notified().await;
    until("it to leave memory", async || owner.load() == (0, 1)).await;
    let busy = start(&owner, &CALL.replace("Work", "Gate"), "busy").await;
    gate.called.notified().await;
    let token = work.tokens.lock().unwrap().pop().unwrap();
    let began = std::time::Instant::now();
    on(&home).await.client().build().send_task_success(&token, Value::Null).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    owner.wait(&waits.arn).await.unwrap();
    gate.open.unwrap().notify_one();
    owner.wait(&busy.arn).await.unwrap();
}

async fn a_token_does_not_follow_from_what_others_see(home: Home) {
    let work = Work::default();
    let engine = on(&home).await.function("Work", work.clone()).build();
    let started = start(&engine, TOKEN, "one").await;
    work.called.notified().await;
    let genuine = work.tokens.lock().unwrap().pop().unwrap();
    let row = engine.store().execution(&started.arn).await.unwrap().unwrap();
    let records = engine.store().records(row.id).await.unwrap();
    let Input::Start(execution) = records[0].inputs[0].clone() else { panic!("{records:?}") };
    // The seed can be computed from a request id, and gave the tokens of earlier versions.
    let (_, task) = asl_core::read_task_token(&genuine).unwrap();
    let of_seed = asl_core::task_token(&Execution { token_key: None, ..*execution.clone() }, task);
    let flipped = genuine.replace(&genuine[1..5], if &genuine[1..5] == "0000" { "0001" } else { "0000" });
    for forged in [&*of_seed, &flipped, &genuine[..genuine.len() - 2], &genuine.to_uppercase()] {
        let refused = engine.send_task_success(forged, Value::Null).await;
        assert!(matches!(refused, Err(EngineError::InvalidToken)), "{forged}: {refused:?}");
    }
    // What two executions draw has nothing in common, and a replay draws the same.
    asl_engine::replay(engine.store(), &row).await.unwrap();
    engine.send_task_success(&genuine, Value::Null).await.unwrap();
    engine.wait(&started.arn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wall_clock_takes_an_execution_from_one_that_lives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let work = Work { open: Some(Arc::default()), ..Work::default() };
    let owner = builder(&path).await.function("Work", work.clone()).build();
    let started = start(&owner, CALL, "one").await;
    work.called.notified().await;
    let journal = open(&path).await;
    let other = Engine::builder(journal.clone()).function("Work", work.clone()).build();
    other.serve().await.unwrap();
    // The clock is set: by 25 seconds, by days, and back. By the clock the lease is over, or has not begun.
    for beat in ["lease_until_ms - 60000", "0", "-9000000000000", "9000000000000"] {
        sql(&path, &format!("UPDATE worker SET lease_until_ms = {beat} WHERE what = 'an engine'"));
        // It looks at least twice at that.
        let seen = journal.commits();
        other
            .submit(StartExecution {
                definition: definition(r#""A": {"Type": "Pass", "End": true}"#),
                state_machine: "test",
                name: None,
                input: "{}",
            })
            .await
            .unwrap();
        until("the other to take something on", async || journal.commits() >= seen + 3).await;
        let _ = other.resume().await.unwrap();
        assert_eq!(*work.calls.lock().unwrap(), 1, "the call was made again beside the one at work: {beat}");
        assert!(holders(other.store()).await.unwrap().iter().all(|holder| holder.alive));
    }
    work.open.unwrap().notify_one();
    assert_eq!(owner.wait(&started.arn).await.unwrap().status(), "SUCCEEDED");
    owner.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_silent_is_succeeded_when_it_was_watched_for_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let submitter = builder(&path).await.build();
    let pass = || definition(r#""A": {"Type": "Pass", "End": true}"#);
    let started =
        submitter.submit(StartExecution { definition: pass(), state_machine: "test", name: None, input: "{}" });
    let started = started.await.unwrap();
    // One that never renews, and whose lock nobody finds: it may live.
    let silent = asl_journal::NewWorker {
        what: "silent".into(),
        process: 1,
        lock: Some("a.db-worker-nowhere".into()),
        beat: i64::MAX,
        lease_ms: 2_000,
        gone: Vec::new(),
    };
    let journal = open(&path).await;
    let silent = journal.as_worker(journal.register(silent).await.unwrap());
    silent.claim(asl_journal::Claim { limit: 1, ..Default::default() }).await.unwrap();
    let other = builder(&path).await.lease(Duration::from_secs(2)).build();
    let began = std::time::Instant::now();
    other.serve().await.unwrap();
    assert_eq!(other.resume().await.unwrap(), Vec::<Arc<str>>::new(), "who has not watched it knows nothing");
    assert_eq!(other.wait(&started.arn).await.unwrap().status(), "SUCCEEDED");
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_found_under_each_name_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("asl.db"), folder.path().join("elsewhere/link.db"));
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    builder(&path).await.build().store().close().await;
    let work = Work { open: Some(Arc::default()), ..Work::default() };
    let owner = builder(&link).await.function("Work", work.clone()).build();
    let started = start(&owner, CALL, "one").await;
    work.called.notified().await;
    let other = builder(&path).await.function("Work", work.clone()).build();
    other.serve().await.unwrap();
    assert_eq!(other.resume().await.unwrap(), Vec::<Arc<str>>::new());
    assert_eq!(*work.calls.lock().unwrap(), 1);
    let locks = |of: &Path| {
        std::fs::read_dir(of)
            .unwrap()
            .flatten()
            .filter(|f| f.file_name().to_string_lossy().contains("-worker-"))
            .count()
    };
    assert_eq!((locks(folder.path()), locks(link.parent().unwrap())), (2, 0), "both are beside the file");
    work.open.unwrap().notify_one();
    owner.wait(&started.arn).await.unwrap();
    owner.shutdown().await.unwrap();
    drop(owner);
    // What a crash left behind is removed by who comes next, and what is held stays.
    for n in 0..5 {
        std::fs::write(folder.path().join(format!("asl.db-worker-{n}")), "").unwrap();
    }
    let third = builder(&path).await.build();
    third.serve().await.unwrap();
    until("the locks to be swept", async || locks(folder.path()) == 2).await;
    for engine in [other, third] {
        engine.shutdown().await.unwrap();
    }
    until("no lock to be left", async || locks(folder.path()) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_only_what_it_can_run_and_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let work = Work::default();
    let new = builder(&path).await.function("Work", work.clone()).build();
    let told = Arc::new(Told::default());
    let journal = open(&path).await;
    let old = Engine::builder(journal.clone()).observer(told.clone()).build();
    old.serve().await.unwrap();
    let submit = async |states: &str| {
        let start = StartExecution { definition: definition(states), state_machine: "test", name: None, input: "{}" };
        new.submit(start).await.unwrap().arn
    };
    let mut arns = vec![submit(CALL).await];
    until("a word about it", async || !told.0.lock().unwrap().is_empty()).await;
    let commits = journal.commits();
    // Among many that it cannot run it finds the one that it can.
    for _ in 0..20 {
        arns.push(submit(CALL).await);
    }
    let pass = submit(r#""A": {"Type": "Pass", "End": true}"#).await;
    assert_eq!(old.wait(&pass).await.unwrap().status(), "SUCCEEDED");
    assert!(old.resume().await.unwrap().is_empty());
    assert!(journal.commits() - commits < 12, "it asks again and again: {}", journal.commits() - commits);
    for arn in &arns {
        let row = old.store().execution(arn).await.unwrap().unwrap();
        assert_eq!((row.status, row.owner), (Status::Running, None));
    }
    assert_eq!(*work.calls.lock().unwrap(), 0);
    let notices = told.0.lock().unwrap().clone();
    assert_eq!(notices.len(), 1, "{notices:?}");
    let words = notices[0].to_string();
    assert!(
        words.contains("executions of `test` cannot run here, and are left to others") && words.contains("Work"),
        "{words}"
    );

    new.serve().await.unwrap();
    for arn in &arns {
        assert_eq!(old.wait(arn).await.unwrap().status(), "SUCCEEDED");
    }
    for engine in [old, new] {
        engine.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_loaded_is_told_and_given_back_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let submitter = builder(&path).await.build();
    let submit = async |name: &str| {
        let states = format!(r#""A": {{"Type": "Pass", "Comment": "{name}", "End": true}}"#);
        let start =
            StartExecution { definition: definition(&states), state_machine: name, name: Some(name), input: "{}" };
        submitter.submit(start).await.unwrap().arn
    };
    let (damaged, unknown, sound) = (submit("damaged").await, submit("unknown").await, submit("sound").await);
    sql(&path, "UPDATE journal SET body = replace(body, 'damaged', 'danaged') WHERE execution = 1");
    sql(&path, "UPDATE definition SET text = 'StartAt: [' WHERE name = 'unknown'");
    let told = Arc::new(Told::default());
    let journal = open(&path).await;
    let worker = Engine::builder(journal.clone()).observer(told.clone()).build();
    worker.serve().await.unwrap();
    assert_eq!(worker.wait(&sound).await.unwrap().status(), "SUCCEEDED");
    until("both to be told", async || told.0.lock().unwrap().len() == 2).await;
    let mut words: Vec<String> = told.0.lock().unwrap().iter().map(ToString::to_string).collect();
    words.sort();
    assert!(
        words[0].starts_with("executions of `unknown` cannot run here") && words[0].contains("does not load"),
        "{words:?}"
    );
    assert!(
        words[1].starts_with(&format!("the execution {damaged} cannot be loaded, and is left to others")),
        "{words:?}"
    );
    for arn in [&damaged, &unknown] {
        until("it to be nobody's", async || journal.execution(arn).await.unwrap().unwrap().owner.is_none()).await;
    }
    let commits = journal.commits();
    let another = submit("another").await;
    worker.wait(&another).await.unwrap();
    assert!(journal.commits() - commits < 6, "it is not claimed again");
    assert_eq!(told.0.lock().unwrap().len(), 2, "it is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_deleted_or_replaced_ends_the_engine_with_a_word() {
    for replaced in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asl.db");
        let engine = builder(&path).await.build();
        engine.serve().await.unwrap();
        std::fs::remove_file(&path).unwrap();
        if replaced {
            std::fs::write(&path, "").unwrap();
        }
        let began = std::time::Instant::now();
        let error = tokio::time::timeout(Duration::from_secs(5), engine.stopped()).await.unwrap();
        assert!(matches!(error, EngineError::Store(JournalError::Gone { .. })), "{error}");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let refused = engine.serve().await.unwrap_err().to_string();
        assert!(refused.contains("while it was in use"), "{refused}");
    }
}
