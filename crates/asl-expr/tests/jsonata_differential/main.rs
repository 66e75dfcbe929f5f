//! The engine against the reference implementation, the npm package `jsonata` 2.0.6, over thousands of generated expressions.
//!
//!     npm install --prefix target/jsonata-2.0.6 jsonata@2.0.6
//!     cargo test -p asl-expr --test jsonata_differential
//!
//! The package is looked for in `target/jsonata-2.0.6` of the workspace, or where `ASL_JSONATA_REFERENCE` says
//! (`.../node_modules/jsonata`). Without it, or without `node`, the test says that it is skipped, unless `ASL_NO_SKIP` is set.
//! `ASL_JSONATA_CASES` and `ASL_JSONATA_SEED` ask for more, and for others: 20,000 of each seed, from that one on. What differs is
//! printed as lines of `found.jsonl`, which keeps what was found once; those lines are checked without the package.
//! `ASL_JSONATA_SHOW` prints also what differs as listed.
//!
//!     ASL_JSONATA_CASES=1000000 cargo test --release -p asl-expr --test jsonata_differential -- --nocapture
#![allow(
    clippy::disallowed_methods,
    reason = "a test that starts another implementation; the crate itself does no I/O"
)]

mod generate;
mod known;

use asl_expr::jsonata::{Bounds, Expression, JsonataEnv};
use asl_value::Value;
use generate::Generator;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// 2018-04-09T13:07:34.123Z.
const NOW_MS: i64 = 1_523_279_254_123;
/// So many cases come of one seed.
const BATCH: u64 = 20_000;

struct World;

impl JsonataEnv for World {
    fn states(&self) -> Value {
        Value::Null
    }
    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }
    fn random(&self) -> u64 {
        42
    }
    fn now_ms(&self) -> i64 {
        NOW_MS
    }
}

/// What an expression came to, as text: a value, `undefined`, `unsupported`, or `CODE: message`.
fn here(text: &str, document: &Value) -> String {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(e) => return e.to_string(),
    };
    let bounds = Bounds { work: 10_000_000, ..Bounds::LANGUAGE };
    match expression.eval_on(Some(document), &World, &bounds) {
        Ok(None) => "undefined".to_owned(),
        Ok(Some(value)) => value.to_string(),
        Err(e) if e.unsupported_result => "unsupported".to_owned(),
        Err(e) => e.text,
    }
}

/// The same of the reference.
fn there(answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    if let Some(value) = answer.get("v") {
        value.to_string()
    } else if answer.get("c").is_some() {
        format!("{}: {}", text("c"), text("m"))
    } else if answer.get("j").is_some() {
        format!("JavaScript: {}", text("j"))
    } else if answer.get("u").is_some() {
        "unsupported".to_owned()
    } else {
        "undefined".to_owned()
    }
}

/// Equal, numbers up to the last bits of a double.
fn same(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<Value>(), b.parse::<Value>()), (Ok(a), Ok(b)) if same_value(&a, &b))
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64(), b.as_f64());
            a == b || (a - b).abs() <= a.abs() * 1e-14
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same_value(a, b))
        }
        // JavaScript puts keys that are numbers before all others.
        (Value::Object(a), Value::Object(b)) if a.keys().any(|key| key.starts_with(|c: char| c.is_ascii_digit())) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same_value(a, b)))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|((k, a), (l, b))| k == l && same_value(a, b))
        }
        _ => a == b,
    }
}

/// Where the package is; `None` with the reason when it is not.
fn package() -> Result<PathBuf, String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var("ASL_JSONATA_REFERENCE")
        .map_or_else(|_| workspace.join("target/jsonata-2.0.6/node_modules/jsonata"), PathBuf::from);
    let about = std::fs::read_to_string(folder.join("package.json")).map_err(|_| {
        format!("jsonata 2.0.6 is not at {}: npm install --prefix target/jsonata-2.0.6 jsonata@2.0.6", folder.display())
    })?;
    let about: Value = about.parse().map_err(|e| format!("{}: {e}", folder.display()))?;
    if about["version"].as_str() != Some("2.0.6") {
        return Err(format!("{} is jsonata {}, not 2.0.6", folder.display(), about["version"]));
    }
    match Command::new("node").arg("--version").output() {
        Ok(_) => folder.canonicalize().map_err(|e| e.to_string()),
        Err(e) => Err(format!("node does not start: {e}")),
    }
}

/// What the reference says to each case. Where it does not come to an end it is asked the next in another process.
fn ask(package: &Path, documents: &Value, cases: &[(String, usize)]) -> Vec<String> {
    let mut answers = Vec::new();
    while answers.len() < cases.len() {
        let left = cases.len() - answers.len();
        let more = ask_one_process(package, documents, &cases[answers.len()..]);
        let ended = more.len() == left;
        answers.extend(more);
        if !ended {
            answers.push("JavaScript: it does not come to an end".to_owned());
        }
    }
    answers
}

/// The answers of one process, until one takes too long.
fn ask_one_process(package: &Path, documents: &Value, cases: &[(String, usize)]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jsonata_differential/reference.js");
    let mut child = Command::new("node")
        .arg(script)
        .arg(package)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines =
        Value::from_iter([("documents", documents.clone()), ("now", Value::from(NOW_MS))]).to_string() + "\n";
    for (text, document) in cases {
        let line = Value::from_iter([("e", Value::from(text.as_str())), ("d", Value::from(*document as i64))]);
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || output.lines().try_for_each(|line| sender.send(line)));
    let mut answers = Vec::new();
    while answers.len() < cases.len() {
        let Ok(line) = receiver.recv_timeout(Duration::from_secs(60)) else {
            break;
        };
        // A process that has no memory left may end in the middle of a line.
        let Some(answer) = line.ok().and_then(|line| line.parse().ok()) else { break };
        answers.push(there(&answer));
    }
    if answers.len() < cases.len() {
        _ = child.kill();
    }
    let complete = answers.len() == cases.len();
    drop(receiver);
    _ = reader.join().expect("no panic");
    let written = writer.join().expect("no panic");
    let status = child.wait().expect("it ends");
    assert!(!complete || (written.is_ok() && status.success()), "node reads all of it, and ends well");
    answers
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn the_reference_agrees_but_for_the_listed_differences() {
    let package = match package() {
        Ok(package) => package,
        Err(reason) if std::env::var("ASL_NO_SKIP").is_ok() => panic!("{reason}"),
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let known = known::load();
    let documents: Value = generate::DOCUMENTS.parse().expect("the documents are JSON");
    let (count, first) = (number("ASL_JSONATA_CASES", BATCH), number("ASL_JSONATA_SEED", 1));
    let show = std::env::var("ASL_JSONATA_SHOW").is_ok();
    let mut unlisted = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (batch, before) in (0..count).step_by(BATCH as usize).enumerate() {
        let seed = first + batch as u64;
        let mut generator = Generator::new(seed);
        let mut cases: Vec<(String, usize)> = known.iter().map(|rule| (rule.example.clone(), 0)).collect();
        cases.extend((0..BATCH.min(count - before)).map(|_| generator.case()));
        let answers = ask(&package, &documents, &cases);
        assert_eq!(answers.len(), cases.len());
        let mut differ = 0;
        for ((text, document), theirs) in cases.iter().zip(&answers) {
            let ours = here(text, &documents[*document]);
            if same(&ours, theirs) {
                continue;
            }
            differ += 1;
            match known.iter().find(|rule| rule.covers(text, *document, theirs, &ours)) {
                Some(rule) => {
                    *seen.entry(&rule.name).or_default() += 1;
                    if show {
                        println!(
                            "{}: {text} over {document}\n    there: {theirs:.300}\n    here: {ours:.300}",
                            rule.name
                        );
                    }
                }
                None => {
                    let found = Value::from_iter([
                        ("seed", Value::from(seed as i64)),
                        ("expression", Value::from(text.as_str())),
                        ("document", Value::from(*document as i64)),
                        ("reference", Value::from(theirs.as_str())),
                    ]);
                    println!("{found}\n    here: {ours:.300}");
                    unlisted.push(format!("{found}\n    here: {ours:.300}"));
                }
            }
        }
        println!("seed {seed}: {} cases, {} agree, {differ} differ", cases.len(), cases.len() - differ);
    }
    println!("differ as listed: {seen:?}");
    assert!(unlisted.is_empty(), "{} differences are not listed:\n{}", unlisted.len(), unlisted.join("\n"));
    let gone: Vec<&str> = known.iter().map(|rule| rule.name.as_str()).filter(|name| !seen.contains_key(name)).collect();
    assert!(gone.is_empty(), "these differences are gone, take them off the list: {gone:?}");
}

#[test]
fn what_was_found_before_agrees() {
    let documents: Value = generate::DOCUMENTS.parse().expect("the documents are JSON");
    let mut wrong = Vec::new();
    for line in include_str!("found.jsonl").lines() {
        let found: Value = line.parse().expect("a line is JSON");
        let text = |name: &str| found[name].as_str().expect("a text");
        let document = found["document"].as_i64().expect("a number") as usize;
        let ours = here(text("expression"), &documents[document]);
        if !same(&ours, text("reference")) {
            wrong.push(format!("{line}\n    here: {ours:.300}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
