//! The answers of Jayway json-path 2.0.0, which lie beside the workspace and are no part of it. `JAYWAY_ANSWERS` can name
//! another folder of them.
#![allow(clippy::disallowed_methods, reason = "the cases are files; the crate itself does no I/O")]

use asl_expr::{NoEnv, Path, PathErrorKind};
use asl_value::Value;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/jsonpath")
}

#[test]
fn agrees_with_every_recorded_answer() {
    let folder = std::env::var_os("JAYWAY_ANSWERS").map_or_else(folder, PathBuf::from);
    let (Ok(cases), Ok(documents)) =
        (fs::read_to_string(folder.join("cases.jsonl")), fs::read_to_string(folder.join("documents.json")))
    else {
        println!("skipped: the answers of Jayway json-path, {}, not found", folder.display());
        return;
    };
    let documents: Value = documents.parse().unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in cases.lines() {
        let case: Value = line.parse().unwrap();
        count += 1;
        let document = match case.get("doc") {
            Some(inline) => inline.as_str().unwrap().parse().unwrap(),
            None => documents[case["document"].as_str().unwrap()].clone(),
        };
        if let Err(difference) = check(&case, &document) {
            wrong.push(format!("{} on {}: {difference}", case["path"], case.get("document").unwrap_or(&document)));
        }
    }
    println!("{count} answers, {} differ", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(case: &Value, document: &Value) -> Result<(), String> {
    let expected_error = case.get("error").and_then(Value::as_str);
    let message = case.get("message").and_then(Value::as_str).unwrap_or("null");
    // Texts that name a Java class, or are none, are Java's own.
    let plain = !["java.", "com.jayway", "is null\"", "Cannot invoke", "java/"].iter().any(|w| message.contains(w))
        && message != "null";
    let path = match Path::compile(case["path"].as_str().unwrap()) {
        Ok(path) => path,
        Err(_) if expected_error.is_some() && case.get("definite").is_none() => return Ok(()),
        Err(e) => return Err(format!("not parsed: {e}; expected {case}")),
    };
    if case.get("definite").is_some_and(|d| d.as_bool() != Some(path.is_definite())) || case.get("definite").is_none() {
        return Err(format!("definite is {}; expected {case}", path.is_definite()));
    }
    match (path.eval(document, &NoEnv), expected_error) {
        (Ok(value), None) if value == case["value"] => Ok(()),
        (Err(e), Some(name)) => {
            let kind = if name == "PathNotFoundException" { PathErrorKind::NotFound } else { PathErrorKind::Invalid };
            if e.kind != kind || (plain && e.message != message) {
                return Err(format!("{:?} {}; expected {name} {message}", e.kind, e.message));
            }
            Ok(())
        }
        (got, _) => Err(format!("got {got:?}; expected {case}")),
    }
}
