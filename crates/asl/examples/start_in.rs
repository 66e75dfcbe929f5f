//! Starts an execution in a PostgreSQL transaction of the program's own: the order's row and its execution are there both, or neither.
//!
//!     cargo run -p asl --example start_in -- postgres://asl@localhost/shop

use asl::parts::sqlx::{self, Executor, PgPool};
use asl::{Database, Engine, JournalOptions, StateMachine, Value};

const DELIVER: &str = r#"{
  "StartAt": "Pack",
  "States": {
    "Pack": { "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Pack", "End": true }
  }
}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("which database? postgres://user@host/database")?;
    // The tables of the engine are in the schema `asl` of the same database.
    let store = Database::open(&url, JournalOptions::default()).await?;
    let pack = |order: Value| async move { Ok(Value::from(format!("packed {order}"))) };
    let engine = Engine::builder(store).function("Pack", pack).build();
    // What is committed is run by a worker: this process is one.
    engine.serve().await?;
    let machine = StateMachine::from_json("deliver", DELIVER)?;

    let pool = PgPool::connect(&url).await?;
    pool.execute(
        "CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL)",
    )
    .await?;
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders (what) VALUES ($1)").bind("a lamp").execute(&mut *transaction).await?;
    let started = engine.start_in(&mut transaction, machine.execution(r#"{"what": "a lamp"}"#)).await?;
    transaction.commit().await?;

    println!("{}: {:?}", started.name, engine.wait(&started.arn).await?);
    engine.shutdown().await?;
    Ok(())
}
