//! PostgreSQL under faults: connections cut between commit and answer, backends ended, workers killed, the server itself killed. Counted
//! is what was acknowledged and is lost, what is there twice, and what was refused though nothing is wrong with it.
#![cfg(feature = "postgres")]

mod common;

use asl_journal::{Append, Claim, ExecutionId, JournalError, PgStore, Purge, Status};
use asl_store::contract::{transact, transact_as};
use asl_store::{Registration, Store, Worker};
use asl_value::Value;
use common::{NOW_MS, last, new_execution, postgres, step};
use sqlx::{Executor, Row};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn registration() -> Registration {
    Registration { what: "test".into(), process: std::process::id(), beat: 1, lease_ms: 30_000 }
}

async fn join(store: &PgStore) -> Arc<dyn Worker> {
    store.register(registration(), None).await.unwrap().worker
}

async fn ids(store: &PgStore, id: ExecutionId) -> Vec<u64> {
    let records = store.records(id).await.unwrap();
    records.iter().flat_map(|record| record.events.iter().map(|event| event.id)).collect()
}

/// Forwards connections, and on demand takes the next answer of the server and shuts the connection instead of forwarding it.
struct Proxy {
    at: String,
    /// Where new connections go; one that finds nobody there is shut.
    server: Arc<Mutex<String>>,
    cut: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(server: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let (cut, cuts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let server = Arc::new(Mutex::new(server));
        let proxy = Proxy { at, server: server.clone(), cut: cut.clone(), cuts: cuts.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let now = server.lock().unwrap().clone();
                let Ok(server) = TcpStream::connect(&now).await else { continue };
                let (cut, cuts) = (cut.clone(), cuts.clone());
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
                    let down = async {
                        let mut bytes = vec![0; 64 * 1024];
                        loop {
                            let n = from_server.read(&mut bytes).await?;
                            if n == 0 {
                                return Ok(());
                            }
                            if cut.swap(false, Ordering::SeqCst) {
                                cuts.fetch_add(1, Ordering::SeqCst);
                                return Ok(());
                            }
                            to_client.write_all(&bytes[..n]).await?;
                        }
                    };
                    let ended: std::io::Result<()> = tokio::select! { ended = up => ended, ended = down => ended };
                    drop(ended);
                });
            }
        });
        proxy
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_between_commit_and_answer_loses_and_doubles_nothing() {
    let Some(place) = postgres::place("cut") else { return };
    let proxy = Proxy::start(place.server()).await;
    let store = PgStore::open(&place.at(&proxy.at)).await.unwrap();
    let worker = join(&store).await;
    let cut = || proxy.cut.store(true, Ordering::SeqCst);
    for n in 0..12 {
        cut();
        let id = worker.create(new_execution(&format!("e{n}"))).await.unwrap();
        cut();
        worker.append(id, step(3, Value::from(n)), None, Vec::new()).await.unwrap();
        cut();
        let number = transact_as(&*worker, move |tx| {
            Box::pin(async move {
                let number = tx.next_number("effects").await?;
                let append = Append { execution: id, record: step(4, Value::from(number)), outcome: None };
                Ok::<_, JournalError>((number, Some(append)))
            })
        });
        assert_eq!(number.await.unwrap(), i64::from(n) + 1, "an effect was lost, or there twice");
        cut();
        let (record, outcome) = last(5);
        worker.append(id, record, Some(&outcome), Vec::new()).await.unwrap();
        proxy.cut.store(false, Ordering::SeqCst);
        assert_eq!(ids(&store, id).await, [1, 2, 3, 4, 5]);
    }
    // At any answer of a transaction, its commit's among them.
    for n in 0..40_i64 {
        let store = store.clone();
        let one =
            tokio::spawn(
                async move { transact(&store, |tx| Box::pin(async move { tx.next_number("cut").await })).await },
            );
        for _ in 0..n % 8 {
            tokio::task::yield_now().await;
        }
        cut();
        assert_eq!(one.await.unwrap().unwrap(), n + 1);
    }
    assert!(proxy.cuts.load(Ordering::SeqCst) > 40, "connections were cut: {:?}", proxy.cuts);
}

/// Writes executions of three records until told to stop; returns those that were acknowledged, with how many events.
async fn write(worker: Arc<dyn Worker>, name: String, stop: Arc<AtomicBool>) -> Vec<(ExecutionId, u64)> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let id = worker.create(new_execution(&format!("{name}-{n}"))).await.unwrap();
        worker.append(id, step(3, Value::from("x")), None, Vec::new()).await.unwrap();
        let (record, outcome) = last(4);
        worker.append(id, record, Some(&outcome), Vec::new()).await.unwrap();
        acknowledged.push((id, 4));
    }
    acknowledged
}

/// Many write while something is done to the server; afterwards everything that was acknowledged is there once.
async fn survives(store: &PgStore, harm: impl Future<Output = ()>) {
    let worker = join(store).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8).map(|n| tokio::spawn(write(worker.clone(), format!("w{n}"), stop.clone()))).collect();
    harm.await;
    stop.store(true, Ordering::SeqCst);
    let mut all = 0;
    for writer in writers {
        for (id, events) in writer.await.unwrap() {
            assert!(ids(store, id).await.into_iter().eq(1..=events));
            all += 1;
        }
    }
    assert!(all > 20, "{all} executions were written");
    assert_eq!(store.counts().await.unwrap()[&Status::Failed], all, "one is there that nobody was told of, or twice");
    assert_eq!(store.integrity().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_that_are_ended_lose_and_double_nothing() {
    let Some(place) = postgres::place("ended") else { return };
    let store = PgStore::open(&place.url()).await.unwrap();
    let mut conn = place.connection().await;
    // Those of this test alone: a statement of its schema was their last.
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%{}%'",
        place.schema()
    );
    let mut ended = 0;
    let harm = async {
        for _ in 0..40 {
            let row = conn.fetch_one(sqlx::AssertSqlSafe(end.clone())).await.unwrap();
            ended += row.get::<i64, _>(0);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    survives(&store, harm).await;
    assert!(ended > 20, "{ended} backends were ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_nothing_that_was_acknowledged() {
    let Some(_) = postgres::place("killed") else { return };
    let Some(server) = postgres::Server::start() else { return };
    let store = PgStore::open(&server.url).await.unwrap();
    survives(&store, async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.restart();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    })
    .await;
    store.close().await;
}

/// A primary is killed with all it has under way, its synchronous standby is promoted, and the name that clients know leads there.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_promoted_has_all_that_was_acknowledged() {
    let Some(_) = postgres::place("promoted") else { return };
    let Some(server) = postgres::Server::start() else { return };
    let (first, second) = tokio::task::block_in_place(|| server.standby());
    let proxy = Proxy::start(first.clone()).await;
    let store = PgStore::open(&server.url.replace(&first, &proxy.at)).await.unwrap();
    survives(&store, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| server.fail_over());
        *proxy.server.lock().unwrap() = second;
        tokio::time::sleep(Duration::from_millis(500)).await;
    })
    .await;
    store.close().await;
}

/// The process of a worker is killed; another sees that, and takes its executions over.
#[tokio::test(flavor = "multi_thread")]
async fn executions_of_a_worker_that_is_killed_go_on_soon() {
    let Some(place) = postgres::place("worker") else { return };
    let store = PgStore::open(&place.url()).await.unwrap();
    let worker = join(&store).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "works_until_it_is_killed", "--ignored", "--nocapture"])
        .env("ASL_TEST_PLACE", place.url())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    let mut line = String::new();
    while acknowledged.len() < 150 {
        line.clear();
        std::io::BufRead::read_line(&mut told, &mut line).unwrap();
        acknowledged.extend(line.strip_prefix("has ").map(|id| ExecutionId(id.trim().parse().unwrap())));
    }
    assert!(store.gone().await.unwrap().is_empty(), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = std::time::Instant::now();
    let mut taken = Vec::new();
    while !acknowledged.iter().all(|id| taken.contains(id)) {
        assert!(killed.elapsed() < Duration::from_secs(5), "{} of {} after 5 s", taken.len(), acknowledged.len());
        let gone = store.gone().await.unwrap();
        let claimed = worker.claim(Claim { gone, limit: 1000, ..Claim::default() }).await.unwrap();
        assert!(claimed.len() <= 100, "a claim leaves some to others");
        taken.extend(claimed.into_iter().map(|claimed| claimed.id));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.append(acknowledged[0], step(3, Value::Null), None, Vec::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by executions_of_a_worker_that_is_killed_go_on_soon, as a process that is killed"]
async fn works_until_it_is_killed() {
    let store = PgStore::open(&std::env::var("ASL_TEST_PLACE").unwrap()).await.unwrap();
    let worker = join(&store).await;
    for n in 0.. {
        let id = worker.create(new_execution(&format!("e{n}"))).await.unwrap();
        use std::io::Write;
        writeln!(std::io::stdout(), "has {}", id.0).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_schemas_and_versions_are_refused_and_nothing_is_changed() {
    let Some(place) = postgres::place("versions") else { return };
    let mut conn = place.connection().await;
    let missing = PgStore::open_read_only(&place.url()).await.unwrap_err();
    assert!(matches!(missing, JournalError::Missing { .. }), "{missing}");
    conn.execute(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {0}; CREATE TABLE {0}.theirs ()", place.schema())))
        .await
        .unwrap();
    for opened in [PgStore::open(&place.url()).await, PgStore::open_read_only(&place.url()).await] {
        assert!(matches!(opened, Err(JournalError::Foreign { .. })));
    }
    conn.execute("DROP TABLE theirs").await.unwrap();
    // Many at once make one.
    let opened = futures_util::future::join_all((0..8).map(|_| async { PgStore::open(&place.url()).await })).await;
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    conn.execute("UPDATE store SET version = 99").await.unwrap();
    let newer = PgStore::open(&place.url()).await.unwrap_err();
    assert!(matches!(newer, JournalError::Newer { found: 99, .. }), "{newer}");
    let nowhere = PgStore::open("postgres://asl:secret@127.0.0.1:1/asl").await.unwrap_err().to_string();
    assert!(
        nowhere.contains("postgres://asl@127.0.0.1:1/asl cannot be reached") && !nowhere.contains("secret"),
        "{nowhere}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_long_ago_is_deleted_with_its_records() {
    let Some(place) = postgres::place("purge") else { return };
    let store = PgStore::open(&place.url()).await.unwrap();
    let worker = join(&store).await;
    for n in 0..450 {
        let id = worker.create(new_execution(&format!("e{n}"))).await.unwrap();
        if n > 0 {
            let (record, outcome) = last(3);
            worker.append(id, record, Some(&outcome), Vec::new()).await.unwrap();
        }
    }
    let ended_before = asl_expr::Timestamp::from_millis(NOW_MS + 60_000);
    let purge = Purge { ended_before, status: None, state_machine: Some("fare".into()) };
    assert_eq!(store.purgeable(&purge).await.unwrap(), 449);
    assert_eq!(store.purge(&purge).await.unwrap(), 449);
    let row = place.connection().await.fetch_one("SELECT count(*) FROM journal").await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 1, "the one that runs has its record");
    assert_eq!(store.integrity().await.unwrap(), Vec::<String>::new());
}

/// An open transaction that has written holds the feed back, and nothing else; when it ends the feed goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stays_open_stops_no_writer() {
    let Some(place) = postgres::place("idle") else { return };
    let store = PgStore::open(&place.url()).await.unwrap();
    let worker = join(&store).await;
    let mut idle = place.connection().await;
    idle.execute("BEGIN; INSERT INTO counter VALUES ('idle', 1)").await.unwrap();
    let id = worker.create(new_execution("one")).await.unwrap();
    worker.append(id, step(3, Value::Null), None, Vec::new()).await.unwrap();
    assert_eq!(store.records_after(Default::default(), 9).await.unwrap().len(), 0);
    assert_eq!(ids(&store, id).await, [1, 2, 3]);
    idle.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.records_after(Default::default(), 9).await.unwrap().len(), 2);
}
