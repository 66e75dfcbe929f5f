//! From SQLite to PostgreSQL and back: histories to the byte, and executions go on where they were.
#![cfg(feature = "postgres")]

mod common;

use asl_core::{Input, Outcome, TaskId};
use asl_journal::{Claim, Database, Filter, Options, Status};
use asl_store::contract::transact;
use asl_store::{ItemKey, Message, Registration};
use asl_value::Value;
use common::{last, new_execution, new_of, postgres, step};

fn registration() -> Registration {
    Registration { what: "test".into(), process: 1, beat: 1, lease_ms: 30_000 }
}

async fn texts(database: &Database) -> Vec<String> {
    let mut texts = Vec::new();
    for row in database.executions(&Filter::default()).await.unwrap() {
        texts.push(format!("{row:?}\n{}", database.keep(&row).await.unwrap()));
    }
    texts
}

async fn fill(database: &Database) {
    let worker = database.register(registration(), None).await.unwrap().worker;
    let waits = worker.create(new_execution("waits")).await.unwrap();
    worker.append(waits, step(3, Value::from("é \u{0} \u{1F600}")), None, Vec::new()).await.unwrap();
    database.signal(waits, Input::TaskHeartbeat { task: TaskId(1) }, 5).await.unwrap();
    for n in 0..600 {
        let id = worker.create(new_of(&format!("e{n}"), "fare", r#"  {"n": 1.50} "#)).await.unwrap();
        if n % 3 == 0 {
            let (record, outcome) = last(3);
            worker.append(id, record, Some(&outcome), Vec::new()).await.unwrap();
        }
    }
    transact(&**database, |tx| {
        Box::pin(async move {
            let key = ItemKey { hash: "k".into(), range: "r".into() };
            tx.put_item("t", &key, &Value::from("v")).await?;
            tx.next_number("n").await?;
            let message = Message {
                position: 0,
                queue: "q".into(),
                id: "m".into(),
                group_id: Some("g".into()),
                dedup_id: None,
                body: "b\u{0}\u{1}\u{1}\u{2}".into(),
                attributes: Value::empty_object(),
                source: None,
                sent_at_ms: 1,
                visible_at_ms: 2,
                first_received_at_ms: None,
                receive_count: 3,
                receipt: Some("r".into()),
            };
            tx.insert_message(&message).await.map(drop)
        })
    })
    .await
    .unwrap();
    let told = database.move_to(database).await.unwrap_err().to_string();
    assert!(told.contains("is at work: `test`"), "{told}");
    worker.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_are_moved_to_the_byte_and_back() {
    let Some(place) = postgres::place("moving") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let first = Database::open(&file("a.db"), Options::default()).await.unwrap();
    fill(&first).await;
    let server = Database::open(&place.url(), Options::default()).await.unwrap();
    let moved = first.move_to(&server).await.unwrap();
    assert_eq!((moved.executions, moved.records), (601, 802));
    let back = Database::open(&file("b.db"), Options::default()).await.unwrap();
    assert_eq!(server.move_to(&back).await.unwrap(), moved);
    // The owner is nobody in either.
    let owned = |text: String| text.replace("owner: Some(WorkerId(1))", "owner: None");
    let (a, b, c) = (texts(&first).await, texts(&server).await, texts(&back).await);
    assert!(a.into_iter().map(owned).eq(b.iter().cloned()), "what is on the server is not what was in the file");
    assert_eq!(b, c, "what came back is not what was on the server");
    let told = first.move_to(&server).await.unwrap_err().to_string();
    assert!(told.contains("is not empty"), "{told}");
    // It goes on there: the signal waits, the chain continues, numbers are new ones, the feed is read on.
    for database in [&server, &back] {
        let feed = database.records_after(Default::default(), 1000).await.unwrap();
        assert_eq!(feed.len(), 802);
        let bodies = transact(&**database, |tx| Box::pin(async move { tx.messages("q", 0, 9).await }));
        let bodies: Vec<String> = bodies.await.unwrap().into_iter().map(|message| message.body).collect();
        assert_eq!(bodies, ["b\u{0}\u{1}\u{1}\u{2}"], "U+0000, which the server's text cannot hold, has come along");
        let worker = database.register(registration(), None).await.unwrap().worker;
        let waits = database.execution("waits").await.unwrap().unwrap().id;
        let claim = Claim { only: Some(waits), limit: 1, ..Claim::default() };
        assert_eq!(worker.claim(claim).await.unwrap().len(), 1);
        assert_eq!(worker.inbox(9).await.unwrap().len(), 1);
        let (record, _) = last(4);
        worker.append(waits, record, Some(&Outcome::Succeeded(Value::Null)), Vec::new()).await.unwrap();
        let new = worker.create(new_execution("new")).await.unwrap();
        assert_eq!(new.0, 602);
        let further = database.records_after(feed[801].position, 9).await.unwrap();
        assert_eq!(further.iter().map(|entry| entry.execution).collect::<Vec<_>>(), [waits, new]);
        assert_eq!(database.counts().await.unwrap()[&Status::Failed], 200);
        assert_eq!(database.integrity().await.unwrap(), Vec::<String>::new());
        database.close().await;
    }
}
