//! PostgreSQL far away, and behind a pooler: how many round trips a record costs, and that nothing is lost or doubled.
#![cfg(feature = "postgres")]

mod common;

use asl_journal::{Append, ExecutionId, JournalError, PgStore, Status};
use asl_store::contract::transact_as;
use asl_store::{Registration, Store, Worker};
use asl_value::Value;
use common::{last, new_execution, postgres, step};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn join(store: &PgStore) -> Arc<dyn Worker> {
    let registration = Registration { what: "test".into(), process: std::process::id(), beat: 1, lease_ms: 30_000 };
    store.register(registration, None).await.unwrap().worker
}

/// A way to the server that takes its time, and counts how often somebody waited for an answer.
struct Way {
    at: String,
    /// Of a round trip; microseconds.
    delay_us: Arc<AtomicU64>,
    trips: Arc<AtomicUsize>,
}

impl Way {
    async fn to(server: String) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let (delay_us, trips) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let way = Way { at, delay_us: delay_us.clone(), trips: trips.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                let server = TcpStream::connect(&server).await.unwrap();
                server.set_nodelay(true).unwrap();
                let (delay_us, trips) = (delay_us.clone(), trips.clone());
                tokio::spawn(async move {
                    let _ = carry(client, server, &delay_us, &trips).await;
                });
            }
        });
        way
    }
}

/// Each direction takes half of the time. A trip begins where the client speaks after the server has.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    delay_us: &AtomicU64,
    trips: &AtomicUsize,
) -> std::io::Result<()> {
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut answered = true;
    loop {
        let half = Duration::from_micros(delay_us.load(Ordering::Relaxed) / 2);
        tokio::select! {
            read = client.read(&mut up) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                if std::mem::replace(&mut answered, false) {
                    trips.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(half).await;
                }
                server.write_all(&up[..n]).await?;
            }
            read = server.read(&mut down) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                if !std::mem::replace(&mut answered, true) {
                    tokio::time::sleep(half).await;
                }
                client.write_all(&down[..n]).await?;
            }
        }
    }
}

/// One execution of three records, as the engine would write it.
async fn write(worker: &dyn Worker, name: &str) -> ExecutionId {
    let id = worker.create(new_execution(name)).await.unwrap();
    worker.append(id, step(3, Value::from("x")), None, Vec::new()).await.unwrap();
    let (record, outcome) = last(4);
    worker.append(id, record, Some(&outcome), Vec::new()).await.unwrap();
    id
}

/// Many write at once; everything is there once. Returns how many records were written.
async fn write_many(store: &PgStore, worker: &Arc<dyn Worker>, name: &str, writers: usize, each: usize) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..writers {
        let (worker, name) = (worker.clone(), format!("{name}-{n}"));
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for m in 0..each {
                ids.push(write(&*worker, &format!("{name}-{m}")).await);
            }
            ids
        });
    }
    let ids = tasks.join_all().await.into_iter().flatten();
    for records in futures_util::future::join_all(ids.map(|id| store.records(id))).await {
        let records = records.unwrap();
        let events = records.iter().flat_map(|record| record.events.iter().map(|event| event.id));
        assert!(events.eq(1..=4), "a record is missing or there twice");
    }
    writers * each * 3
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_costs_one_round_trip_and_many_share_it_however_long_it_takes() {
    let Some(place) = postgres::place("trips") else { return };
    let way = Way::to(place.server()).await;
    let store = PgStore::open(&place.at(&way.at)).await.unwrap();
    let worker = join(&store).await;
    // Both writers have prepared their statements.
    let mut all = write_many(&store, &worker, "warm", 64, 4).await;
    for n in 0..4 {
        write(&*worker, &format!("warm{n}")).await;
        all += 3;
    }
    let lone = |n: u32| {
        let (worker, way) = (&worker, &way);
        async move {
            let before = way.trips.load(Ordering::Relaxed);
            write(&**worker, &format!("lone{n}")).await;
            way.trips.load(Ordering::Relaxed) - before
        }
    };
    // What looks at the server meanwhile (locks of workers) is not ours: the best of a few.
    let mut fewest = usize::MAX;
    for n in 0..5 {
        fewest = fewest.min(lone(n).await);
        all += 3;
    }
    assert_eq!(fewest, 3, "round trips of a start and two records, one after the other");
    for delay_us in [0, 1_000, 10_000, 100_000] {
        way.delay_us.store(delay_us, Ordering::Relaxed);
        let (groups, trips) = (store.commits(), way.trips.load(Ordering::Relaxed));
        let began = std::time::Instant::now();
        let records = write_many(&store, &worker, &format!("far{delay_us}"), 64, 4).await;
        let (groups, trips) = (store.commits() - groups, way.trips.load(Ordering::Relaxed) - trips);
        println!(
            "{delay_us} us: {records} records in {groups} groups, {trips} trips with reading, {:?}",
            began.elapsed()
        );
        // Two writers take turns, so each has half of what 64 callers have in flight.
        assert!(groups as usize * 4 < records, "{groups} groups for {records} records");
        all += records;
    }
    assert_eq!(store.counts().await.unwrap()[&Status::Failed], all as u64 / 3);
    assert_eq!(store.integrity().await.unwrap(), Vec::<String>::new());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_gives_each_transaction_another_session_is_enough() {
    let Some(_) = postgres::place("pooler") else { return };
    let Some(server) = postgres::Server::start() else { return };
    let Some(pooler) = server.pooler() else { return };
    let url = format!("{pooler}?pooler=transaction");
    let (store, other) = (PgStore::open(&url).await.unwrap(), PgStore::open(&url).await.unwrap());
    let (worker, second) = (join(&store).await, join(&other).await);
    let (one, two) = tokio::join!(write_many(&store, &worker, "one", 16, 4), write_many(&other, &second, "two", 16, 4));
    for n in 0..10 {
        let id = worker.create(new_execution(&format!("e{n}"))).await.unwrap();
        let number = transact_as(&*worker, move |tx| {
            Box::pin(async move {
                let number = tx.next_number("effects").await?;
                let append = Append { execution: id, record: step(3, Value::from(number)), outcome: None };
                Ok::<_, JournalError>((number, Some(append)))
            })
        });
        assert_eq!(number.await.unwrap(), n + 1, "an effect was lost, or there twice");
    }
    assert_eq!(store.counts().await.unwrap()[&Status::Failed], (one + two) as u64 / 3);
    let open: Vec<ExecutionId> = worker.claimed().await.unwrap().into_iter().map(|claimed| claimed.id).collect();
    assert_eq!(open.len(), 10);
    worker.release().await.unwrap();
    let gone = other.gone().await.unwrap();
    let claim = asl_journal::Claim { gone, limit: 100, ..Default::default() };
    assert_eq!(second.claim(claim).await.unwrap().len(), 10, "what the first gave up goes on");
    assert_eq!(store.integrity().await.unwrap(), Vec::<String>::new());
}
