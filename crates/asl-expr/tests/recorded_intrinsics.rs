//! What AWS answered to the intrinsic functions of small Pass states. The recordings lie beside the workspace and are no
//! part of it.
#![allow(clippy::disallowed_methods, reason = "the cases are files; the crate itself does no I/O")]

use asl_expr::{Env, Template};
use asl_value::Value;
use std::{fs, path};

struct Recorded {
    input: Value,
}

impl Env for Recorded {
    fn context(&self) -> Value {
        let context: Value =
            r#"{"Execution": {"Name": "run"}, "StateMachine": {"Name": "name", "Id": "arn"}}"#.parse().unwrap();
        let mut context = context;
        context
            .set_path(&[asl_value::Step::key("Execution"), asl_value::Step::key("Input")], self.input.clone())
            .unwrap();
        context
    }

    fn variable(&self, _: &str) -> Option<Value> {
        None
    }

    fn random(&self) -> u64 {
        42
    }
}

#[test]
fn agrees_with_the_recordings() {
    let file =
        path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/cases/intrinsic_functions.jsonl");
    let Ok(cases) = fs::read_to_string(&file) else {
        println!("skipped: the recordings, {}, not found", file.display());
        return;
    };
    let mut compared = 0;
    for line in cases.lines() {
        let case: Value = line.parse().unwrap();
        let definition = &case["definition"];
        let state = definition["States"].get(definition["StartAt"].as_str().unwrap()).unwrap();
        let Some(parameters) = state.get("Parameters") else { continue };
        let env = Recorded { input: case["input"].clone() };
        let filled = Template::parse(parameters).unwrap().eval(&case["input"], &env).unwrap();
        let expected = &case["expected"]["output"];
        // Names of the run and random values are placeholders in the recordings.
        let text = expected.to_string();
        if !["idx>", "RandomNumberGenerated", "generated-uuid"].iter().any(|mark| text.contains(mark)) {
            assert_eq!(filled, *expected, "{}", case["id"]);
            compared += 1;
        }
    }
    println!("{compared} recordings agree");
    assert!(compared > 0);
}
