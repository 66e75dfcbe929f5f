//! What a function sees of the engine's environment, and which interpreter it gets.

use std::collections::BTreeMap;

use asl_function::{Code, FunctionSpec};
use serde_json::json;

use crate::harness::{Harness, executable};

#[tokio::test]
async fn variables_of_the_shell_can_be_kept_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = vec!["python3".to_owned(), "-c".into(), "import json, os; print(json.dumps(dict(os.environ)))".into()];
    let mut spec = FunctionSpec::new("F", Code::Command { words, folder: folder.path().to_owned() });
    spec.environment.insert("OWN".into(), "1".into());
    let seen = |spec| async { Harness::new(spec).invoke(json!({})).await.expect("variables") };
    // Cargo sets this for tests, as a shell sets credentials.
    const INHERITED: &str = "CARGO_PKG_NAME";
    assert_eq!(seen(spec.clone()).await[INHERITED], "asl-function");
    spec.inherit_environment = false;
    let seen = seen(spec).await;
    let seen: BTreeMap<String, String> = serde_json::from_value(seen).expect("an object of texts");
    assert_eq!(seen.get("OWN").map(String::as_str), Some("1"));
    assert!(seen.contains_key("PATH") && seen.contains_key("AWS_REGION"), "{seen:?}");
    let kept: Vec<&String> = seen.keys().filter(|name| name.starts_with("CARGO") || *name == "HOME").collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[tokio::test]
async fn a_virtual_environment_brings_its_interpreter() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = executable(
        folder.path(),
        "f.py",
        "import os, sys\ndef f(e, c):\n    return [os.environ['VIA'], os.environ['VIRTUAL_ENV']]\n",
    );
    let bin = folder.path().join(".venv/bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    executable(&bin, "python3", "#!/bin/sh\nVIA=venv exec python3 \"$@\"\n");
    let mut spec = FunctionSpec::new("F", Code::Python { file, handler: "f".into() });
    spec.virtual_env = Some(folder.path().join(".venv"));
    let expected = json!(["venv", folder.path().join(".venv")]);
    assert_eq!(Harness::new(spec).invoke(json!({})).await, Ok(expected));
}

#[tokio::test]
async fn a_missing_package_is_told_with_the_command_that_installs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = executable(folder.path(), "f.py", "import no_such_package\n");
    executable(folder.path(), "requirements.txt", "no-such-package\n");
    let mut spec = FunctionSpec::new("F", Code::Python { file, handler: "f".into() });
    spec.inherit_environment = false;
    let functions = Harness::new(spec);
    assert_eq!(functions.invoke(json!({})).await.expect_err("no package").error, "Runtime.ImportModuleError");
    let told = functions.texts(asl_function::LogStream::Stderr);
    assert!(told.iter().any(|line| line.contains(".venv/bin/pip install -r ")), "{told:?}");
}
