//! The official suite of JSONata 2.0.6, run where its file is at hand: `shared/conformance/jsonata` next to the workspace's
//! folder. `jsonata_floor.json` is what must pass: a case may only join the known failures with a reason.
#![allow(clippy::disallowed_methods, reason = "the cases are files; the crate itself does no I/O")]

use asl_expr::jsonata::{Bounds, Expression, JsonataEnv};
use asl_value::Value;
use std::collections::BTreeMap;
use std::path::Path;

struct Bindings(Value);

impl JsonataEnv for Bindings {
    fn states(&self) -> Value {
        self.0["states"].clone()
    }
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
    fn random(&self) -> u64 {
        0x9E37_79B9_7F4A_7C15
    }
    fn now_ms(&self) -> i64 {
        // A case compares the clock with a time of day read from text, whose date the evaluator fills in.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |since| since.as_millis() as i64)
    }
}

/// What a case gives: a value, nothing, or the code of an error.
fn outcome(case: &Value) -> Result<Option<Value>, String> {
    let text = case["expr"].as_str().unwrap_or_default();
    let expression = Expression::parse(text).map_err(|e| e.to_string())?;
    let mut bounds = Bounds::LANGUAGE;
    if let Some(depth) = case["depth"].as_i64() {
        bounds.depth = depth as usize;
    }
    if let Some(limit) = case["timelimit"].as_i64() {
        bounds.work = limit as usize * 100_000;
    }
    let env = Bindings(case["bindings"].clone());
    expression.eval_on(case.get("data"), &env, &bounds).map_err(|e| e.text)
}

fn verdict(case: &Value) -> Result<(), String> {
    let code = case["code"].as_str().or_else(|| case["error"]["code"].as_str());
    match (outcome(case), code) {
        (Err(text), Some("U1001")) if text.contains("Stack overflow") || text.contains("timeout") => Ok(()),
        (Err(text), Some(code)) if text.starts_with(code) => Ok(()),
        (Err(text), Some(code)) => Err(format!("expected {code}, got {text}")),
        (Ok(value), Some(code)) => Err(format!("expected {code}, got {value:?}")),
        (Err(text), None) => Err(text),
        (Ok(None), None) if case.get("result").is_none() => Ok(()),
        (Ok(Some(value)), None) if case.get("result").is_some_and(|expected| same(expected, &value, case)) => Ok(()),
        (Ok(value), None) => Err(format!("expected {:?}, got {value:?}", case.get("result").map(Value::to_string))),
    }
}

/// Equal, in any order where the case says so, and up to the last bits of a double.
fn same(expected: &Value, value: &Value, case: &Value) -> bool {
    if case["unordered"].as_bool() == Some(true)
        && let (Some(a), Some(b)) = (expected.as_array(), value.as_array())
    {
        return a.len() == b.len() && a.iter().all(|item| b.contains(item));
    }
    match (expected, value) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64(), b.as_f64());
            a == b || (a - b).abs() <= a.abs() * 1e-14
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b, case))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b, case)))
        }
        _ => expected == value,
    }
}

#[test]
fn the_official_suite_passes_but_for_the_listed_cases() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = here.join("../../../shared/conformance/jsonata/suite-2.0.6.jsonl");
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: the suite is not at {}", file.display());
        return;
    };
    let floor: Value = std::fs::read_to_string(here.join("tests/jsonata_floor.json")).unwrap().parse().unwrap();
    let known = floor["known_failures"].as_object().unwrap();
    let cases: Vec<Value> = text.lines().map(|line| line.parse().unwrap()).collect();
    let mut failed = BTreeMap::new();
    for case in &cases {
        if let Err(reason) = verdict(case) {
            failed.insert(case["id"].as_str().unwrap_or_default(), (reason, case["expr"].to_string()));
        }
    }
    let passed = (cases.len() - failed.len()) as i64;
    println!("{passed} of {} cases pass", cases.len());
    failed.iter().for_each(|(id, (reason, expr))| println!("{id}: {reason}\n    {expr}"));
    let unlisted: Vec<_> = failed.iter().filter(|(id, _)| known.get(id).is_none()).collect();
    assert!(unlisted.is_empty(), "these cases fail and are not listed: {unlisted:#?}");
    assert!(passed >= floor["passed"].as_i64().unwrap(), "{passed} pass, the floor is {}", floor["passed"]);
}
