#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod common;
use asl_render::*;
use std::fmt::Write;
fn next(i: usize, n: usize) -> String {
    if i + 1 < n { format!("s{}", i + 1) } else { "last".into() }
}
fn chain(states: usize, each: impl Fn(usize) -> String) -> String {
    let mut out = String::from(r#"{"StartAt": "s0", "States": {"#);
    for i in 0..states {
        write!(out, r#""s{i}": {},"#, each(i)).unwrap();
    }
    out + r#""last": {"Type": "Succeed"}}}"#
}
#[test]
fn time() {
    let pass = |i| format!(r#"{{"Type": "Pass", "Next": "{}"}}"#, next(i, 5000));
    let catchall = |i: usize| {
        format!(
            r#"{{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {{"FunctionName": "f"}}, "Catch": [{{"ErrorEquals": ["E"], "Next": "last"}}], "Next": "{}"}}"#,
            next(i, 4000)
        )
    };
    let tangle = |i: usize| {
        let far = (i * 7919 + 13) % 4000;
        format!(
            r#"{{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {{"FunctionName": "f"}}, "Catch": [{{"ErrorEquals": ["E"], "Next": "s{far}"}}], "Next": "{}"}}"#,
            next(i, 4000)
        )
    };
    let choices = |i: usize| {
        let r = |k: usize| {
            format!(r#"{{"Variable": "$.x", "NumericEquals": {k}, "Next": "s{}"}}"#, (i * 31 + k * 97) % 1500)
        };
        format!(r#"{{"Type": "Choice", "Choices": [{},{},{}], "Default": "{}"}}"#, r(1), r(2), r(3), next(i, 1500))
    };
    let fork = |i: usize| match i {
        0 => {
            let rule = |n: usize| format!(r#"{{"Variable": "$.x", "NumericEquals": {n}, "Next": "s{n}"}}"#);
            format!(r#"{{"Type": "Choice", "Choices": [{}]}}"#, (1..=5000).map(rule).collect::<Vec<_>>().join(","))
        }
        _ => r#"{"Type": "Pass", "Next": "last"}"#.into(),
    };
    for (w, j) in [
        ("chain", chain(5000, pass)),
        ("catchall", chain(4000, catchall)),
        ("tangle", chain(4000, tangle)),
        ("choices", chain(1500, choices)),
        ("fork", chain(5001, fork)),
    ] {
        let d = common::definition(&j);
        let t = std::time::Instant::now();
        let g = layout(&d);
        let a = t.elapsed();
        let s = svg(&g, None).len();
        let x = text(&g, None, &TextOptions { width: usize::MAX, ..Default::default() }).len();
        println!(
            "{w}: layout {a:?} all {:?} svg {s} text {x} {}x{} jumps {}",
            t.elapsed(),
            g.width,
            g.height,
            g.nodes.iter().filter(|n| matches!(n.kind, NodeKind::Jump(_))).count()
        );
    }
}
#[test]
fn conformance() {
    // for trying out only
    let mut n = 0;
    for name in ["scenarios", "error_handling", "services", "base"] {
        let Ok(text_) = std::fs::read_to_string(format!("/work/shared/conformance/cases/{name}.jsonl")) else {
            continue;
        };
        for line in text_.lines() {
            let v = asl_value::parse(line).unwrap();
            let Some(def) = v.get("definition") else { continue };
            let def = match def.as_str() {
                Some(s) => s.to_owned(),
                None => def.to_string(),
            };
            let l = asl_syntax::load(&asl_syntax::Source::new("t", def), &asl_syntax::Options::default());
            let Some(d) = l.definition else { continue };
            if d.states.len() < 9 {
                continue;
            }
            n += 1;
            let g = layout(&d);
            std::fs::write(format!("/tmp/conf/{name}-{n}-{}.svg", d.states.len()), svg(&g, None)).unwrap();
        }
    }
    println!("{n}");
}
