//! A JSONPath (first line) and a document to apply it to (the rest; a fixed one when that is no JSON).
#![no_main]

use asl_expr::{Path, Root};
use asl_fuzz::{World, document, parts, reads_back};
use asl_value::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let [path, json] = parts(text);
    let input: Value = json.parse().unwrap_or_else(|_| document());
    let world = World(input.clone());
    for parsed in [Path::parse(path), Path::compile(path)] {
        match parsed {
            Ok(parsed) => apply(&parsed, &input, &world),
            Err(e) => assert!(path.is_char_boundary(e.offset), "{e:?}"),
        }
    }
});

fn apply(path: &Path, input: &Value, world: &World) {
    let found = path.eval(input, world);
    assert_eq!(path.eval(input, world), found);
    match &found {
        Ok(value) => {
            assert!(path.is_definite() || value.as_array().is_some(), "many matches make an array");
            reads_back(value);
        }
        Err(e) => assert!(!e.message.is_empty()),
    }
    let (Some(steps), Root::Input) = (path.steps(), path.root()) else { return };
    assert!(path.is_definite() && path.is_reference());
    let (mut changed, new) = (input.clone(), Value::from("new"));
    match changed.set_path(steps, new.clone()) {
        Ok(()) => assert_eq!(path.eval(&changed, world), Ok(new), "what is put there is found there"),
        Err(_) => assert_eq!(&changed, input, "a write that fails changes nothing"),
    }
}
