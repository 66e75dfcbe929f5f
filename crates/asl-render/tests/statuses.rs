//! What became of each state, told from the history of executions of a small machine.

mod common;

use asl_render::{Status, statuses};
use common::{Answer, definition, run};

/// A is retried once and caught, P runs B and, in a Map over two items, C; then D.
const MACHINE: &str = r#"{"StartAt": "A", "States": {
  "A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "ResultPath": null,
    "Retry": [{"ErrorEquals": ["Again"], "MaxAttempts": 1}], "Catch": [{"ErrorEquals": ["Bad"], "Next": "D"}], "Next": "P"},
  "P": {"Type": "Parallel", "ResultPath": null, "Retry": [{"ErrorEquals": ["Anew"]}],
    "Catch": [{"ErrorEquals": ["Bad"], "ResultPath": null, "Next": "D"}], "Next": "D", "Branches": [
    {"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "End": true}}},
    {"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "ItemsPath": "$.items", "End": true, "ItemProcessor": {"StartAt": "C", "States": {
      "C": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "Catch": [{"ErrorEquals": ["Mild"], "Next": "E"}], "End": true},
      "E": {"Type": "Pass", "End": true}}}}}}]},
  "D": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "ResultPath": "$.d.e", "End": true}}}"#;

/// What each call of a state answers, in turn: an error, `-` for nothing ever, or, when there are no more, an output.
type Script = &'static [(&'static str, &'static [&'static str])];

fn told(script: Script, stop: bool) -> String {
    let definition = definition(MACHINE);
    let mut calls = std::collections::BTreeMap::new();
    let events = run(&definition, r#"{"items": [1, 2]}"#, stop, |call| {
        let nth: &mut usize = calls.entry(call.state.clone()).or_default();
        *nth += 1;
        let answers = script.iter().find(|(state, _)| *state == &*call.state).map_or(&[][..], |(_, answers)| *answers);
        match answers.get(*nth - 1) {
            Some(&"-") => Answer::Never,
            Some(&"") | None => Answer::Output(asl_value::Value::empty_object()),
            Some(error) => Answer::Failure(error),
        }
    });
    let statuses = statuses(&definition, &events);
    let names = ["A", "P", "B", "M", "C", "E", "D"];
    let signs = names.map(|name| statuses.of(definition.find(name).unwrap()).glyph(true).to_string());
    signs.join("")
}

#[test]
fn every_status() {
    // The states in the order A P B M C E D.
    let cases: [(&str, Script, bool, &str); 13] = [
        ("all is well", &[], false, "✓✓✓✓✓·✓"),
        ("a retry is no failure", &[("A", &["Again"])], false, "✓✓✓✓✓·✓"),
        ("caught", &[("A", &["Bad"])], false, "↩·····✓"),
        ("a failure that nobody takes", &[("A", &["Ugly"])], false, "✗······"),
        ("in progress", &[("A", &["-"])], false, "…······"),
        ("stopped", &[("A", &["-"])], true, "⊘······"),
        ("branches in progress", &[("B", &["-"]), ("C", &["-"])], false, "✓…………··"),
        ("stopped in branches", &[("B", &["-"]), ("C", &["", "-"])], true, "✓⊘⊘⊘⊘··"),
        ("a branch fails, the other is given up", &[("B", &["-"]), ("C", &["", "Bad"])], false, "✓↩⊘✗✗·✓"),
        ("of iterations the worst counts", &[("C", &["Mild", ""])], false, "✓✓✓✓↩✓✓"),
        ("a failure inside ends all", &[("B", &["-"]), ("C", &["Ugly"])], false, "✓✗⊘✗✗··"),
        ("after a retry of the whole the last run counts", &[("B", &["Anew"]), ("C", &["-"])], false, "✓✓✓✓✓·✓"),
        ("the last state fails", &[("D", &["Bad"])], false, "✓✓✓✓✓·✗"),
    ];
    for (what, script, stop, expected) in cases {
        assert_eq!(told(script, stop), expected, "{what}");
    }
}

/// Every status has a name and signs of its own.
#[test]
fn signs_differ() {
    for unicode in [true, false] {
        let signs: std::collections::BTreeSet<char> = Status::ALL.iter().map(|s| s.glyph(unicode)).collect();
        assert_eq!(signs.len(), Status::ALL.len());
    }
}
