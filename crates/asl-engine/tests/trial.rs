//! What would another definition have done? With the same one everything is the same; with others it is told what is not.

use asl_core::Outcome;
use asl_engine::{Fork, Trial, Verdict, try_kept};
use asl_journal::Kept;
use asl_syntax::{Definition, Options, Source, load};
use asl_value::{Step, Value};
use std::path::Path;
use std::sync::Arc;

fn kept(name: &str) -> Kept {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/histories/{name}.jsonl"));
    Kept::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn definition(text: &str) -> Arc<Definition> {
    let loaded = load(&Source::new("new", text), &Options::default());
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

/// The trial of a definition that differs in some members, by their paths; null removes one.
fn changed(name: &str, changes: &[(&str, &str)]) -> Trial {
    let kept = kept(name);
    let mut text: Value = kept.definition.parse().unwrap();
    for (path, value) in changes {
        let steps: Vec<Step> =
            path.split('/').map(|part| part.parse().map_or_else(|_| Step::key(part), Step::Index)).collect();
        text.set_path(&steps, value.parse().unwrap()).unwrap();
    }
    try_kept(&kept, definition(&text.to_string())).unwrap()
}

fn fork(was: Option<&str>, now: Option<&str>) -> Option<Fork> {
    Some(Fork { was: was.map(Into::into), now: now.map(Into::into) })
}

#[test]
fn the_same_definition_does_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories");
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        let kept = Kept::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let trial = try_kept(&kept, definition(&kept.definition)).unwrap();
        assert_eq!(trial.verdict, Verdict::Same, "{}: {trial:?}", file.display());
        assert_eq!(trial.recorded, trial.now, "{}", file.display());
        assert_eq!((trial.fork, trial.changed), (None, Vec::new()), "{}", file.display());
    }
}

#[test]
fn an_open_execution_is_the_same_as_far_as_it_goes() {
    for name in ["parallel", "callback", "waits", "children", "redriven", "retries"] {
        let whole = kept(name);
        for records in 1..whole.records.len() {
            let open = Kept { records: whole.records[..records].to_vec(), ..whole.clone() };
            let trial = try_kept(&open, definition(&whole.definition)).unwrap();
            assert_eq!((&trial.verdict, &trial.fork), (&Verdict::Same, &None), "{name} after {records}: {trial:?}");
        }
    }
}

#[test]
fn other_outputs_paths_and_ends_are_told() {
    let output = changed("waits", &[("States/Done", r#"{"Type": "Pass", "Result": 7, "End": true}"#)]);
    assert_eq!(output.verdict, Verdict::OtherPath, "a Pass of the same name is another place");
    let output = changed("retries", &[("States/Report/Parameters/error.$", r#""$.error.Cause""#)]);
    assert_eq!((output.verdict, output.fork), (Verdict::OtherOutput, None));

    let added =
        changed("waits", &[("States/Soon/Next", r#""More""#), ("States/More", r#"{"Type": "Pass", "Next": "Path"}"#)]);
    assert_eq!((added.verdict, added.fork), (Verdict::OtherPath, fork(Some("Path"), Some("More"))));
    let longer = changed("waits", &[("States/Soon/Seconds", "1000")]);
    assert_eq!(longer.verdict, Verdict::Same, "time costs nothing");
    assert!(matches!(longer.now, Some(Outcome::Succeeded(_))));

    let fails = changed("retries", &[("States/Call/Catch/0/ErrorEquals", r#"["Other"]"#)]);
    assert_eq!((fails.verdict, fails.fork), (Verdict::Fails, fork(Some("Report"), None)));
    let late = changed("waits", &[("TimeoutSeconds", "1"), ("States/Soon/Seconds", "5")]);
    assert_eq!(late.verdict, Verdict::Fails);
    assert_eq!(late.now.map(|outcome| outcome.status()), Some("TIMED_OUT"));
}

#[test]
fn calls_that_never_happened_are_named_and_others_compared() {
    // One retry more than was recorded.
    let more = changed(
        "retries",
        &[("States/Call/Retry/0/ErrorEquals", r#"["Busy", "Broken"]"#), ("States/Call/Retry/0/MaxAttempts", "3")],
    );
    let Verdict::Needs(needed) = more.verdict else { panic!("{more:?}") };
    assert_eq!((&*needed.state, needed.unanswered), ("Call", false));
    assert_eq!(needed.parameters, r#"{"FunctionName":"Remote","Payload":{"order":1}}"#.parse().unwrap());

    // Another resource is another call, another parameter is not.
    let other = changed(
        "retries",
        &[
            ("States/Call/Resource", r#""arn:aws:states:::sqs:sendMessage""#),
            ("States/Call/Parameters", r#"{"QueueUrl": "q", "MessageBody": "1"}"#),
        ],
    );
    assert!(matches!(other.verdict, Verdict::Needs(needed) if needed.resource.contains("sqs")));
    let parameters = changed("retries", &[("States/Call/Parameters/FunctionName", r#""Local""#)]);
    assert_eq!(parameters.verdict, Verdict::Same);
    assert_eq!(parameters.changed.len(), 3, "each attempt");
    assert_eq!(parameters.changed[0].differences[0].field, "FunctionName");
    assert_eq!(parameters.changed[0].differences[0].replayed, Some("Local".into()));

    // Without its timeout, the task that nobody answered waits for ever.
    let waits = changed("callback", &[("States/Nobody/TimeoutSeconds", "99999999")]);
    assert_ne!(waits.verdict, Verdict::Same, "{waits:?}");

    // A child with another input never ran.
    let child = changed("children", &[("States/Each/ItemSelector/greeting", r#""hi""#)]);
    let Verdict::Needs(needed) = child.verdict else { panic!("{child:?}") };
    assert_eq!((&*needed.state, &*needed.resource), ("Each", "child"));
    assert_eq!(needed.parameters, r#"{"n":1,"greeting":"hi"}"#.parse().unwrap());
}
