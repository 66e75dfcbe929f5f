//! What a definition becomes: names resolved, defaults filled in, paths parsed.

use asl_syntax::model::*;
use asl_syntax::{Definition, Options, Pattern, ResourceKind, Source, load, plain_text, variable_references};
use std::sync::Arc;

fn definition(states: &str) -> Arc<Definition> {
    let text = format!(r#"{{"Comment": "c", "TimeoutSeconds": 60, "StartAt": "A", "States": {{{states}}}}}"#);
    let source = Source::new("m", text);
    let loaded = load(&source, &Options { lints: false, ..Options::default() });
    loaded.definition.unwrap_or_else(|| panic!("{}", plain_text(&source, &loaded.diagnostics)))
}

fn state<'d>(definition: &'d Definition, name: &str) -> &'d State {
    definition.state(definition.find(name).expect("the state"))
}

#[test]
fn states_get_ids_by_flow() {
    let d = definition(
        r#""A": {"Type": "Map", "Next": "B", "ItemProcessor": {"StartAt": "A2", "States": {
             "A1": {"Type": "Succeed"}, "A2": {"Type": "Pass", "Next": "A1"}}}},
           "B": {"Type": "Parallel", "End": true, "Branches": [
             {"StartAt": "B1", "States": {"B1": {"Type": "Fail"}}}, {"StartAt": "B2", "States": {"B2": {"Type": "Succeed"}}}]}"#,
    );
    assert_eq!((d.comment.as_deref(), d.timeout_seconds), (Some("c"), Some(60)));
    let names = |ids: &[StateId]| ids.iter().map(|id| d.state(*id).name.to_string()).collect::<Vec<_>>().join(" ");
    let flows: Vec<String> = d
        .flows
        .iter()
        .map(|flow| {
            let owner = flow.owner.map_or("-", |id| &d.state(id).name);
            format!("{owner}: {} from {}", names(&flow.states), d.state(flow.start_at).name)
        })
        .collect();
    assert_eq!(flows, ["-: A B from A", "A: A1 A2 from A2", "B: B1 from B1", "B: B2 from B2"]);
    for (i, flow) in d.flows.iter().enumerate() {
        assert!(flow.states.iter().all(|id| d.state(*id).flow == FlowId(i as u32)));
    }
    assert_eq!(state(&d, "A").next, Next::State(d.find("B").unwrap()));
    assert_eq!((state(&d, "B").next, state(&d, "A1").next, state(&d, "B1").next), (Next::End, Next::End, Next::None));
    let StateKind::Parallel(parallel) = &state(&d, "B").kind else { panic!() };
    assert_eq!(parallel.branches, [FlowId(2), FlowId(3)]);
}

#[test]
fn tasks_have_their_defaults() {
    let d = definition(
        r#""A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSecondsPath": "$.t", "HeartbeatSeconds": 5,
             "ResultPath": "$.a[0]['b c']", "InputPath": null, "OutputPath": "$", "End": true,
             "Retry": [{"ErrorEquals": ["X"]}, {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 0, "BackoffRate": 1, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}],
             "Catch": [{"ErrorEquals": ["X", "Y"], "ResultPath": null, "Next": "B"}]},
           "B": {"Type": "Fail", "Error": "E", "CausePath": "States.Format('{}', $.x)"}"#,
    );
    let a = state(&d, "A");
    let StateKind::Task(task) = &a.kind else { panic!() };
    let ResourceKind::Service { service, action, sdk: false, pattern } = &task.resource.kind else { panic!() };
    assert_eq!((&**service, &**action, *pattern), ("sqs", "sendMessage", Pattern::WaitForTaskToken));
    assert!(matches!(&task.timeout, Some(NumberField::Path(path)) if path.text() == "$.t"));
    assert!(matches!(task.heartbeat, Some(NumberField::Literal(5.0))));
    assert!(matches!((&a.input_path, &a.output_path), (PathField::Nothing, PathField::All)));
    let ResultPath::At { text, steps } = &a.result_path else { panic!() };
    assert_eq!((&**text, steps.len()), ("$.a[0]['b c']", 3));
    let retry: Vec<_> = a
        .retry()
        .iter()
        .map(|r| (r.interval_seconds, r.max_attempts, r.backoff_rate, r.max_delay_seconds, r.full_jitter))
        .collect();
    assert_eq!(retry, [(1, 3, 2.0, None, false), (2, 0, 1.0, Some(9), true)]);
    let [catcher] = a.catch() else { panic!() };
    assert_eq!((catcher.next, &catcher.result_path), (d.find("B").unwrap(), &ResultPath::Discard));
    let StateKind::Fail { error, cause } = &state(&d, "B").kind else { panic!() };
    assert!(matches!(error, Some(TextField::Literal(text)) if &**text == "E"));
    assert!(matches!(cause, Some(TextField::Computed { text, .. }) if text.starts_with("States.Format")));
}

#[test]
fn choices_become_trees() {
    let d = definition(
        r#""A": {"Type": "Choice", "Default": "B", "Choices": [
             {"Not": {"And": [{"Variable": "$.x", "IsPresent": false}, {"Or": [{"Variable": "$v", "NumericLessThanEqualsPath": "$$.n"}]}]}, "Next": "B"},
             {"Variable": "$.s", "StringMatches": "a*", "Next": "B", "Assign": {"v": 1}},
             {"Variable": "$.b", "BooleanEquals": true, "Next": "B"}]},
           "B": {"Type": "Succeed"}"#,
    );
    let StateKind::Choice(choice) = &state(&d, "A").kind else { panic!() };
    assert_eq!((choice.default, choice.rules.len()), (d.find("B"), 3));
    let Condition::Not(inner) = &choice.rules[0].condition else { panic!() };
    let Condition::And(parts) = &**inner else { panic!() };
    assert!(matches!(&parts[0], Condition::Test { operator: Operator::Is(Test::Present, false), .. }));
    let Condition::Or(parts) = &parts[1] else { panic!() };
    let Condition::Test { variable, operator: Operator::Compare { class, relation, operand: Operand::Path(path) } } =
        &parts[0]
    else {
        panic!()
    };
    assert_eq!((variable.text(), path.text()), ("$v", "$$.n"));
    assert_eq!((*class, *relation), (Class::Numeric, Relation::LessThanEquals));
    assert!(
        matches!(&choice.rules[1].condition, Condition::Test { operator: Operator::StringMatches(text), .. } if &**text == "a*")
    );
    assert!(choice.rules[1].assign.is_some() && choice.rules[2].assign.is_none());
}

#[test]
fn maps_know_how_they_run() {
    let d = definition(
        r#""A": {"Type": "Map", "ItemsPath": "$$.Execution.Input.items", "MaxConcurrency": 3, "Parameters": {"x.$": "$"}, "Next": "B",
             "Iterator": {"StartAt": "A1", "States": {"A1": {"Type": "Succeed"}}}},
           "B": {"Type": "Map", "End": true, "Label": "l", "ToleratedFailurePercentagePath": "$.p", "ItemBatcher": {"MaxItemsPerBatch": 2},
             "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2", "ReaderConfig": {"MaxItemsPath": "$.m", "Transformation": "NONE"}},
             "ResultWriter": {"WriterConfig": {"OutputType": "JSON"}},
             "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": "B1", "States": {"B1": {"Type": "Succeed"}}}}"#,
    );
    let StateKind::Map(inline) = &state(&d, "A").kind else { panic!() };
    assert!(inline.distributed.is_none() && inline.item_selector.is_some() && state(&d, "A").parameters.is_none());
    assert_eq!(inline.item_selector_field, "Parameters");
    assert!(matches!(inline.max_concurrency, Some(NumberField::Literal(3.0))));
    let StateKind::Map(map) = &state(&d, "B").kind else { panic!() };
    let distributed = map.distributed.as_ref().expect("distributed");
    assert_eq!((distributed.express, distributed.label.as_deref()), (true, Some("l")));
    let reader = distributed.reader.as_ref().expect("a reader");
    assert_eq!(reader.config.to_string(), r#"{"Transformation":"NONE"}"#);
    assert!(matches!(&reader.max_items, Some(NumberField::Path(path)) if path.text() == "$.m"));
    let writer = distributed.writer.as_ref().expect("a writer");
    assert!(writer.resource.is_none() && writer.config.is_some());
}

#[test]
fn waits_are_of_four_kinds() {
    let d = definition(
        r#""A": {"Type": "Wait", "Seconds": 0, "Next": "B"}, "B": {"Type": "Wait", "Timestamp": "2026-03-14T01:59:00+02:00", "Next": "C"},
           "C": {"Type": "Wait", "SecondsPath": "$.s", "Next": "D"}, "D": {"Type": "Wait", "TimestampPath": "$.t", "End": true}"#,
    );
    let wait = |name: &str| match &state(&d, name).kind {
        StateKind::Wait(wait) => wait.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(wait("A"), Wait::Seconds(0)));
    assert!(matches!(wait("B"), Wait::Timestamp(_)));
    assert!(matches!(wait("C"), Wait::SecondsPath(path) if path.text() == "$.s"));
    assert!(matches!(wait("D"), Wait::TimestampPath(path) if path.text() == "$.t"));
}

#[test]
fn fields_in_jsonata_know_their_place_and_what_they_read() {
    let d = definition(
        r#""A": {"QueryLanguage": "JSONata", "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "B",
             "Arguments": {"FunctionName": "f", "Payload": {"x": "{% $inner.a + $sum($list) %}"}},
             "TimeoutSeconds": "{% $limit %}", "Output": "{%  $states.result  %}",
             "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"why": "{% $states.errorOutput & $old %}"}, "Next": "B"}]},
           "B": {"QueryLanguage": "JSONata", "Type": "Map", "Items": "{% $list %}", "End": true,
             "ItemBatcher": {"MaxItemsPerBatch": "{% $limit %}"},
             "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
               "StartAt": "C", "States": {"C": {"Type": "Succeed"}}}}"#,
    );
    let a = state(&d, "A");
    assert_eq!((a.language, state(&d, "C").language), (Language::Jsonata, Language::JsonPath));
    let arguments = a.parameters.as_ref().unwrap();
    assert_eq!(arguments.literal("FunctionName").and_then(|f| f.as_str()), Some("f"));
    assert_eq!(arguments.literal("Payload"), None);
    let output = a.output.as_ref().unwrap();
    assert_eq!((output.field(), output.text()), ("Output", Some("$states.result")));
    let StateKind::Task(task) = &a.kind else { panic!() };
    assert!(matches!(&task.timeout, Some(NumberField::Query(query)) if query.field() == "TimeoutSeconds"));
    let Some(Payload::Jsonata(assign)) = &task.catch[0].assign else { panic!() };
    assert_eq!((assign.field(), assign.text()), ("Catch[0]/Assign", None));
    let StateKind::Map(map) = &state(&d, "B").kind else { panic!() };
    assert!(matches!(&map.items, Some(ItemsField::Query(query)) if query.text() == Some("$list")));
    let batcher = map.distributed.as_ref().unwrap().batcher.as_ref().unwrap();
    let Some(NumberField::Query(most)) = &batcher.max_items else { panic!() };
    assert_eq!(most.field(), "ItemBatcher/MaxItemsPerBatch");
    let read: Vec<String> =
        variable_references(&d).iter().map(|(state, names)| format!("{state}: {}", names.join(" "))).collect();
    assert_eq!(read, ["A: inner limit list old", "B: limit list"]);
}
