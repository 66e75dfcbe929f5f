//! `asl-conformance`: speaks the conformance checker's engine protocol with the real machine.
//!
//! `asl-conformance run-case FILE` prints the engine's answer to one case as a JSON object,
//! `asl-conformance run-batch LISTFILE` one a line for each path in the list. Time is virtual, and the case's recorded
//! task results stand in for the services; nothing here knows any case.

mod api;
mod bucket;
mod client;
mod dated;
mod execution;
mod handlers;
mod mocks;
mod test_state;
mod validation;
mod world;
mod world_server;

use asl_value::{Map, Value};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let answered = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run-case", file] => run_file(file).map(|answer| println!("{answer}")),
        ["run-batch", list] => run_batch(list),
        _ => Err("usage: asl-conformance run-case FILE | run-batch LISTFILE".to_owned()),
    };
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("asl-conformance: {message}");
            ExitCode::from(2)
        }
    }
}

fn run_batch(list: &str) -> Result<(), String> {
    let paths = std::fs::read_to_string(list).map_err(|e| format!("{list}: {e}"))?;
    for path in paths.lines().filter(|l| !l.trim().is_empty()) {
        println!("{}", run_file(path.trim())?);
    }
    Ok(())
}

fn run_file(path: &str) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let case: Value = text.parse().map_err(|e| format!("{path}: {e}"))?;
    Ok(answer(&case))
}

/// The engine's answer to a case; what it cannot do it says by name.
fn answer(case: &Value) -> Value {
    let answered = match case["kind"].as_str() {
        Some("execution") => execution::run(case),
        Some("validation") => Ok(validation::run(case)),
        Some("test_state") => test_state::run(case),
        Some("api") => api::run(case),
        kind => Err(format!("cases of kind {} are not supported yet", kind.unwrap_or("(none)"))),
    };
    answered.unwrap_or_else(|why| Value::from(Map::from_iter([("unsupported", why)])))
}

/// The definition's text: the case holds an object, or a string where it is not one.
fn definition_text(case: &Value) -> String {
    let definition = &case["definition"];
    definition.as_str().map_or_else(|| definition.to_string(), str::to_owned)
}
