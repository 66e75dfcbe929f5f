//! Expressions that want all time and all memory: each ends soon with the documented error, and the process stays small.
//! `jsonata_hostile.json` has them, a line each: the expression, and what its outcome contains (one of several, by `|`).
#![allow(clippy::disallowed_methods, reason = "how long an evaluation takes, and in what process, is what is tested")]

use asl_expr::jsonata::{Bounds, Expression, JsonataEnv};
use asl_value::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// How much a process may grow over one that evaluates `1`.
const GROWTH_KB: u64 = 64 * 1024;

struct World;

impl JsonataEnv for World {
    fn states(&self) -> Value {
        Value::empty_object()
    }
    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }
    fn random(&self) -> u64 {
        42
    }
    fn now_ms(&self) -> i64 {
        0
    }
}

fn outcome(text: &str) -> String {
    // Without optimization the same work takes several times as long.
    let work = Bounds::AWS.work / if cfg!(debug_assertions) { 10 } else { 1 };
    let bounds = Bounds { work, ..Bounds::AWS };
    match Expression::parse(text).map(|expression| expression.eval_on(None, &World, &bounds)) {
        Err(e) => e.to_string(),
        Ok(Err(e)) => e.text,
        Ok(Ok(value)) => value.map_or("undefined".to_owned(), |value| value.to_string()),
    }
}

/// The most memory this process has had, in KiB; `None` where the system does not tell.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The time this thread has had on a processor; since `start` where the system does not tell.
fn worked(start: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_ascii_whitespace().next().and_then(|ns| ns.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// What the child process does: evaluates the expression it is given, and tells its peak.
#[test]
fn child() {
    let Ok(text) = std::env::var("ASL_HOSTILE") else { return };
    let start = Instant::now();
    let outcome = outcome(&text);
    println!("\nOUTCOME {:.200}", outcome.replace('\n', " "));
    println!("TOOK {}", worked(start).as_millis());
    println!("PEAK {}", peak_kb().unwrap_or(0));
}

/// The outcome, the time and the peak of an expression in a process of its own.
fn run(text: &str) -> (String, Duration, u64) {
    let me = std::env::current_exe().expect("a path");
    let child = Command::new(me).args(["child", "--exact", "--nocapture"]).env("ASL_HOSTILE", text).output();
    let output = String::from_utf8_lossy(&child.expect("it starts").stdout).into_owned();
    let part =
        |name: &str| output.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    let number = |name: &str| part(name).parse().unwrap_or(0);
    (part("OUTCOME"), Duration::from_millis(number("TOOK")), number("PEAK"))
}

#[test]
fn hostile_expressions_end_soon_and_stay_small() {
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 4_000 } else { 1_000 });
    let (_, _, base) = run("1");
    if base == 0 {
        println!("skipped: the system does not tell how much memory a process has");
    }
    let all: Value = include_str!("jsonata_hostile.json").parse().expect("JSON");
    let mut wrong = Vec::new();
    for row in all.as_array().expect("an array").iter() {
        let (text, expected) = (row[0].as_str().expect("a text"), row[1].as_str().expect("a text"));
        let (outcome, took, peak) = run(text);
        let grown = peak.saturating_sub(base);
        println!("{:5} ms {:6} KiB  {text:.70}  =>  {outcome:.60}", took.as_millis(), grown);
        let fits = !outcome.is_empty() && expected.split('|').any(|part| outcome.contains(part));
        if !fits || took > limit || grown > GROWTH_KB {
            wrong.push(format!("{text}: {outcome}, not {expected}; {took:?}, {grown} KiB"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn honest_expressions_do_not_come_near_the_bounds() {
    let row = |i: usize| format!(r#"{{"id":{i},"name":"item {i}","price":{}.5,"tags":["a","b"]}}"#, i % 97);
    let rows: Vec<String> = (0..4000).map(row).collect();
    let document: Value = format!("[{}]", rows.join(",")).parse().expect("JSON");
    assert!(document.measure().bytes > 230_000);
    let table = [
        ("$count($map($, function($v){ {'id': $v.id, 'sum': $v.price * 2, 'label': $v.name & '!'} }))", "4000"),
        ("$count($filter($, function($v, $i, $a){ $v.price > 10 and $contains($v.name, '1') }))", "1623"),
        ("$reduce([1..10000], function($a, $v){ $a + $v })", "50005000"),
        ("$length($reduce([1..2000], function($a, $v){ $a & $v }, ''))", "6893"),
        ("$sort([1..10000], function($a, $b){ $a < $b })[0]", "10000"),
        ("$count($^(>price, name))", "4000"),
        ("$count($[price > 5].{'n': $uppercase(name)})", "3790"),
        ("$length($string($))", "241361"),
        ("$sum(price)", "193149"),
        ("$count($keys(${name: price}))", "4000"),
        ("($f := function($n){ $n = 0 ? 0 : $f($n - 1) }; $f(10000))", "0"),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let expression = Expression::parse(text).expect("it parses");
        let got = |bounds: &Bounds| {
            let value = expression.eval_on(Some(&document), &World, bounds);
            value.map_or_else(|e| e.text, |value| value.map_or("undefined".to_owned(), |value| value.to_string()))
        };
        // A third of the work is enough, and the same however often it is done.
        let third = Bounds { work: Bounds::AWS.work / 3, ..Bounds::AWS };
        let outcome = got(&third);
        if outcome != expected || got(&third) != outcome {
            wrong.push(format!("{text}: {outcome:.100}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_work_of_an_expression_does_not_depend_on_the_machine() {
    // The least work that is enough is the same in every run.
    let expression =
        Expression::parse("$sum($map([1..1000], function($v){ $v * $length($string($v)) }))").expect("it parses");
    let enough = |work: usize| expression.eval_on(None, &World, &Bounds { work, ..Bounds::AWS }).is_ok();
    let least = |_| (0..1_000_000usize).collect::<Vec<_>>().partition_point(|work| !enough(*work));
    let (first, second) = (least(1), least(2));
    assert!(first == second && first > 1000 && first < 1_000_000, "{first} {second}");
}
