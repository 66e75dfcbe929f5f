//! The recorded answers of AWS: what it accepts, what it refuses and in which words. The recordings are not part of this
//! repository; without them these tests say so and pass.
#![allow(clippy::disallowed_methods, reason = "the test reads its cases from files")]

use asl_syntax::{
    Kind, Options, Severity, Source, create_error_message, load, plain_text, validate, variable_references,
};
use asl_value::Value;
use std::path::PathBuf;

fn cases(kind: &str) -> Vec<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/cases");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: there are no recordings at {}", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).expect("readable"));
    let lines: Vec<Value> =
        texts.flat_map(|t| t.lines().map(|l| l.parse().expect("JSON")).collect::<Vec<_>>()).collect();
    lines.into_iter().filter(|case: &Value| text(case, "kind") == kind).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn source(case: &Value) -> Source {
    let definition = &case["definition"];
    Source::new(text(case, "id"), definition.as_str().map_or_else(|| definition.to_string(), str::to_owned))
}

fn options(case: &Value) -> Options {
    let kind = if text(case, "type") == "EXPRESS" { Kind::Express } else { Kind::Standard };
    Options { kind, ..Options::default() }
}

#[test]
fn what_aws_ran_is_accepted() {
    let mut wrong = Vec::new();
    for case in cases("execution") {
        let source = source(&case);
        let loaded = load(&source, &options(&case));
        if loaded.diagnostics.iter().any(|d| d.is_error()) || loaded.definition.is_none() {
            wrong.push(format!("{}\n{}", source.name(), plain_text(&source, &loaded.diagnostics)));
        }
    }
    assert!(wrong.is_empty(), "{} refused:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_aws_refused_is_refused_in_its_words() {
    let mut wrong = Vec::new();
    for case in cases("validation") {
        let source = source(&case);
        let loaded = load(&source, &Options { lints: false, ..options(&case) });
        let expected = &case["expected"];
        let (found, wanted) = if text(&case, "operation") == "validate" {
            let answer = validate(&loaded.diagnostics, Severity::Error, 0).to_value();
            let pick = |v: &Value| format!("{} {}", v["result"], v["diagnostics"]);
            let same = answer["result"] == expected["result"] && answer["diagnostics"] == expected["diagnostics"];
            (if same { pick(expected) } else { pick(&answer) }, pick(expected))
        } else if text(&case["source"], "trust") == "emulator" {
            let refused = loaded.diagnostics.iter().any(|d| d.is_error());
            (format!("refused: {refused}"), format!("refused: {}", !text(expected, "code").is_empty()))
        } else {
            let message = create_error_message(&loaded.diagnostics);
            let wanted = text(expected, "message");
            (message.clone(), wanted[wanted.find("Invalid State Machine Definition").unwrap_or(0)..].to_owned())
        };
        if found != wanted {
            wrong.push(format!("{}\n  found  {found}\n  wanted {wanted}", source.name()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_variables_that_states_read_are_those_aws_names() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let cases = cases("api");
    for case in &cases {
        let steps = case["steps"].as_array().unwrap_or_default();
        let created = steps.iter().find(|step| text(step, "op") == "create_state_machine");
        let described = steps.iter().find(|step| text(step, "op") == "describe_state_machine");
        let (Some(created), Some(described)) = (created, described) else { continue };
        let source = Source::new(text(case, "id"), text(&created["params"], "definition"));
        let Some(definition) = load(&source, &Options::default()).definition else { continue };
        let response = described["expect"].as_object().and_then(|expect| expect.values().next());
        compared += 1;
        let wanted = response.and_then(|r| r.get("variableReferences")).cloned().unwrap_or(Value::empty_object());
        let names = |names: Vec<_>| Value::from(names.iter().map(Value::from).collect::<Vec<_>>());
        let found: Value = variable_references(&definition).into_iter().map(|(k, v)| (k, names(v))).collect();
        if found != wanted {
            wrong.push(format!("{}\n  found  {found}\n  wanted {wanted}\n {}", source.name(), source.text()));
        }
    }
    assert!(cases.is_empty() || compared > 20, "{compared} compared");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
