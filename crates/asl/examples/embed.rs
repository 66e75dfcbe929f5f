//! Embeds the engine: a state machine that calls a Rust function, over a SQLite database in memory.
//!
//!     cargo run -p asl --example embed

use asl::{Engine, Failure, Journal, Outcome, StateMachine, Value};

const GREETING: &str = r#"{
  "StartAt": "Greet",
  "States": {
    "Greet": {
      "Type": "Task",
      "Resource": "arn:aws:lambda:us-east-1:000000000000:function:Greet",
      "Retry": [{ "ErrorEquals": ["Busy"], "IntervalSeconds": 1 }],
      "End": true
    }
  }
}"#;

/// An ordinary async function: an event in, a result or an error by name out.
async fn greet(event: Value) -> Result<Value, Failure> {
    let name = event["name"].as_str().ok_or_else(|| Failure::new("NoName", "the event has no name"))?;
    Ok(Value::from(format!("Hello, {name}!")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder(Journal::in_memory().await?).function("Greet", greet).build();
    let machine = StateMachine::from_json("greeting", GREETING)?;

    let started = engine.start(machine.execution(r#"{"name": "Ann"}"#)).await?;
    match engine.wait(&started.arn).await? {
        Outcome::Succeeded(output) => println!("{} said {output}", started.name),
        other => println!("{} ended as {}", started.name, other.status()),
    }
    for event in engine.history(&started.arn).await? {
        println!("{:>3}  {}", event.id, event.type_name());
    }
    engine.shutdown().await?;
    Ok(())
}
