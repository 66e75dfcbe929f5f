//! Code that changes is loaded anew.

use std::path::Path;

use asl_function::{Code, FunctionSpec};
use serde_json::{Value, json};

use crate::harness::{Harness, executable};

/// Calls until the answer is another; the folder is not looked at all the time.
async fn until_changed(functions: &Harness, old: &Value) -> Value {
    for _ in 0..5_000 {
        let answer = functions.invoke(json!({})).await.expect("an answer");
        if answer != *old {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("it still answers {old}");
}

fn told(functions: &Harness, file: &Path) -> bool {
    let line = format!("asl: {} has changed: reloading the code", file.canonicalize().expect("a file").display());
    functions.lines().iter().any(|seen| seen.text == line)
}

#[tokio::test]
async fn a_worker_is_replaced_when_its_code_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| executable(folder.path(), name, text);
    let file = write("f.py", "import helper\ndef f(event, context):\n    return helper.value\n");
    let helper = write("helper.py", "value = 'one'\n");
    let functions = Harness::new(FunctionSpec::new("F", Code::Python { file: file.clone(), handler: "f".into() }));
    assert_eq!(functions.invoke(json!({})).await, Ok(json!("one")));
    write("helper.py", "value = 'second'\n");
    assert_eq!(until_changed(&functions, &json!("one")).await, json!("second"));
    assert!(told(&functions, &helper), "{:?}", functions.lines());
    // A handler that did not load gets another chance when it is mended.
    write("f.py", "def f(event, context):\n    return [\n");
    loop {
        match functions.invoke(json!({})).await {
            Ok(answer) => assert_eq!(answer, json!("second")),
            Err(failure) => break assert_eq!(failure.error, "Runtime.UserCodeSyntaxError"),
        }
    }
    write("f.py", "def f(event, context):\n    return 3\n");
    assert_eq!(functions.invoke(json!({})).await, Ok(json!(3)));
}
