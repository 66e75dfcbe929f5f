//! A bad declaration is found before anything runs, with the place and the remedy.

use std::sync::Arc;

use asl_function::{Code, FunctionSpec, Functions, Identity};

use crate::harness::{handlers, python};

fn refusal(specs: Vec<FunctionSpec>) -> String {
    match Functions::new(specs, Arc::new(|_| {}), Identity::default()) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string().replace(&format!("{}/", handlers().display()), ""),
    }
}

#[test]
fn bad_declarations_are_refused_in_words() {
    let with = |change: fn(&mut FunctionSpec)| {
        let mut spec = python("cases.py", "echo");
        change(&mut spec);
        spec
    };
    let url = |url: &str| FunctionSpec::new("F", Code::Url { url: url.to_owned() });
    let provided = |file: &str| FunctionSpec::new("F", Code::Provided { executable: handlers().join(file) });
    let node = |file: &str, handler: &str| {
        FunctionSpec::new("F", Code::Node { file: handlers().join(file), handler: handler.to_owned() })
    };
    let cases = [
        (python("no_such.py", "f"), "function `F`: no_such.py cannot be read (No such file"),
        (provided("no_such"), "function `F`: no_such cannot be read (No such file"),
        (provided("cases.py"), "function `F`: cases.py is not an executable file; build it, or `chmod +x` it"),
        (python("cases.js", "f"), "function `F`: cases.js must be a file ending in .py, with no other dot"),
        (python("cases.py", ""), "function `F`: handler `` must be the name of a function in the file"),
        (python("cases.py", "cases.echo"), "function `F`: handler `cases.echo` must be the name of a function"),
        (python("", "echo"), "function `F`: handler `echo` must be `module.function`"),
        (python("", "cases."), "function `F`: handler `cases.` must be `module.function`"),
        (python("", "../handlers/cases.echo"), "function `F`: handler `../handlers/cases.echo` must be `module"),
        (python("", "no_such.echo"), "function `F`: no_such.py does not exist, but the handler names it"),
        (with(|spec| spec.name = "a b".into()), "function name `a b` must be 1 to 64 letters"),
        (with(|spec| spec.name = String::new()), "function name `` must be 1 to 64 letters"),
        (with(|spec| spec.timeout_ms = 0), "function `F`: timeout_ms is 0, but must be 1 to 900000"),
        (with(|spec| spec.timeout_ms = 900_001), "function `F`: timeout_ms is 900001, but must be 1 to"),
        (with(|spec| spec.init_timeout_ms = 0), "function `F`: init_timeout_ms is 0, but must be 1 to 900000"),
        (with(|spec| spec.concurrency = 0), "function `F`: concurrency is 0, but must be 1 to 1000"),
        (
            with(|spec| spec.task_root = Some(handlers().join("nested"))),
            "function `F`: nested is the task root, but cases.py does not lie in it",
        ),
        (url("not a url"), "function `F`: url `not a url` is not a URL"),
        (url("ftp://example.com"), "function `F`: url `ftp://example.com` must begin with http:// or https://"),
    ];
    for (spec, expected) in cases {
        let label = format!("{spec:?}");
        let refusal = refusal(vec![spec]);
        assert!(refusal.starts_with(expected), "{label}\n  {refusal}");
    }
    let twice = refusal(vec![python("cases.py", "echo"), python("cases.py", "large")]);
    assert!(twice.starts_with("function `F` is declared twice"), "{twice}");
    // Whether or not there is a node on this machine.
    let absent = refusal(vec![node("no_such.js", "f")]);
    assert!(absent.starts_with("function `F`: no_such.js cannot be read"), "{absent}");
}

#[test]
fn good_declarations_are_accepted_outside_of_any_runtime() {
    let urls = ["http://localhost:9000/2015-03-31/functions/function/invocations", "http://example.com/f?x=1"];
    let mut specs: Vec<FunctionSpec> = urls
        .iter()
        .enumerate()
        .map(|(at, url)| FunctionSpec::new(format!("U{at}"), Code::Url { url: (*url).to_owned() }))
        .collect();
    specs.push(python("cases.py", "echo"));
    assert_eq!(refusal(specs), "accepted");
}

/// Run in a process of its own: `PATH` belongs to the whole process.
#[test]
fn a_missing_interpreter_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "specs::declares_without_interpreters", "--ignored", "--nocapture"])
        .env("PATH", folder.path())
        .output()
        .expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by a_missing_interpreter_is_named, with an empty PATH"]
fn declares_without_interpreters() {
    let remedy = "which is not on PATH; install it or add its folder to PATH";
    assert_eq!(refusal(vec![python("cases.py", "echo")]), format!("function `F` needs `python3`, {remedy}"));
    let code = Code::Node { file: handlers().join("cases.js"), handler: "echo".into() };
    assert_eq!(refusal(vec![FunctionSpec::new("F", code)]), format!("function `F` needs `node`, {remedy}"));
}
