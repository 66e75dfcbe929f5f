//! A start in a transaction of the embedder's: a row of its own and the execution are there both, or neither.

mod common;

use asl_core::Outcome;
use asl_engine::{Engine, EngineError, StartExecution, replay};
use asl_journal::{Filter, sqlx};
use asl_syntax::{Definition, Options, Source, load};
use asl_value::Value;
use common::Home;
use sqlx::{Connection, Executor, PgConnection, PgPool, Row};
use std::sync::Arc;
use std::time::Duration;

fn pass() -> Arc<Definition> {
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;
    load(&Source::new("test", text), &Options::default()).definition.unwrap()
}

fn order<'a>(definition: &Arc<Definition>, name: &'a str) -> StartExecution<'a> {
    StartExecution { definition: definition.clone(), state_machine: "orders", name: Some(name), input: "7" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_and_its_execution_are_there_both_or_neither() {
    let Some(home) = Home::postgres("a row and its execution") else { return };
    let pool = PgPool::connect(&home.server()).await.unwrap();
    let table = format!("orders_{}", std::process::id());
    let run = async |sql: &str| {
        let mut conn = pool.acquire().await.unwrap();
        conn.execute(sqlx::AssertSqlSafe(sql.replace('@', &table))).await.unwrap();
    };
    run("CREATE TABLE @ (name text PRIMARY KEY)").await;
    let insert = || sqlx::AssertSqlSafe(format!("INSERT INTO {table} VALUES ($1)"));
    let engine = Engine::builder(home.open().await.store()).build();
    let worker = Engine::builder(home.open().await.store()).build();
    worker.serve().await.unwrap();
    let pass = pass();

    // Rolled back, by a call and because it was dropped: neither is there.
    for name in ["undone", "dropped"] {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query(insert()).bind(name).execute(&mut *tx).await.unwrap();
        engine.start_in(&mut tx, order(&pass, name)).await.unwrap();
        match name {
            "undone" => tx.rollback().await.unwrap(),
            _ => drop(tx),
        }
    }
    assert!(engine.store().executions(&Filter::default()).await.unwrap().is_empty());

    // Committed: both are, and a worker runs it. Before the commit nobody saw it.
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(insert()).bind("done").execute(&mut *tx).await.unwrap();
    let started = engine.start_in(&mut tx, order(&pass, "done")).await.unwrap();
    let twice = engine.start_in(&mut tx, order(&pass, "done")).await;
    assert!(matches!(twice, Err(EngineError::AlreadyExists { .. })), "{twice:?}");
    // The transaction goes on after a refusal, through the connection below it, and takes several.
    for name in ["second", "third"] {
        engine.start_in::<PgConnection>(&mut tx, order(&pass, name)).await.unwrap();
    }
    assert!(engine.store().execution(&started.arn).await.unwrap().is_none());
    tx.commit().await.unwrap();
    for name in ["done", "second", "third"] {
        let ended = tokio::time::timeout(Duration::from_secs(30), engine.wait(name)).await.expect("it ends");
        assert_eq!(ended.unwrap(), Outcome::Succeeded(Value::from(7)));
        let row = engine.store().execution(name).await.unwrap().unwrap();
        replay(engine.store(), &row).await.unwrap();
    }
    let mut conn = PgConnection::connect(&home.server()).await.unwrap();
    let count = conn.fetch_one(sqlx::AssertSqlSafe(format!("SELECT count(*), min(name) FROM {table}"))).await.unwrap();
    assert_eq!((count.get::<i64, _>(0), count.get::<String, _>(1)), (1, "done".to_owned()));

    let refused = engine.start_in(&mut 7, order(&pass, "other")).await.unwrap_err().to_string();
    assert!(refused.contains("was given something else"), "{refused}");
    worker.shutdown().await.unwrap();
    run("DROP TABLE @").await;
}

#[tokio::test]
async fn a_store_without_transactions_of_callers_says_so() {
    let engine = Engine::builder(Home::sqlite().open().await.store()).build();
    let refused = engine.start_in(&mut (), order(&pass(), "one")).await.unwrap_err().to_string();
    assert!(refused.contains("only a store on PostgreSQL does"), "{refused}");
}
