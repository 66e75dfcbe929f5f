//! What holds for every text: loading ends, never panics, points into the text, and gives a definition exactly when there is
//! no error.

use asl_syntax::{Format, Kind, Options, Rule, Severity, Source, load, plain_text, validate};
use asl_value::{Map, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A definition with a bit of everything.
const EVERYTHING: &str = r#"{
  "Comment": "ünïcode", "StartAt": "Pass", "TimeoutSeconds": 60, "Version": "1.0", "QueryLanguage": "JSONPath",
  "States": {
    "Pass": {"Type": "Pass", "InputPath": null, "Parameters": {"a.$": "$.x", "b": [{"c.$": "States.Format('{}', $$.Execution.Id)"}]},
      "Result": [1], "ResultPath": "$.r[0].s", "OutputPath": "$", "Assign": {"v.$": "$.x"}, "Next": "Task"},
    "Task": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f", "Payload.$": "$v"},
      "TimeoutSeconds": 20, "HeartbeatSecondsPath": "$.h", "Credentials": {"RoleArn.$": "$.role"}, "ResultSelector": {"p.$": "$.Payload"},
      "Retry": [{"ErrorEquals": ["A", "B"], "IntervalSeconds": 2, "MaxAttempts": 0, "BackoffRate": 1.5, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"},
                {"ErrorEquals": ["States.ALL"]}],
      "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Assign": {"e.$": "$.Cause"}, "Next": "Fail"}], "Next": "Choice"},
    "Choice": {"Type": "Choice", "Default": "Wait", "Choices": [
      {"Not": {"And": [{"Variable": "$.x", "IsPresent": true}, {"Or": [{"Variable": "$v", "StringEqualsPath": "$.y"}]}]}, "Next": "Map"},
      {"Variable": "$.t", "TimestampLessThan": "2026-03-14T01:59:00Z", "Next": "Parallel", "Assign": {"w": 1}}]},
    "Wait": {"Type": "Wait", "SecondsPath": "$.s", "Next": "End"},
    "Map": {"Type": "Map", "ItemsPath": "$.items", "MaxConcurrencyPath": "$.m", "Label": "m", "ToleratedFailurePercentage": 1.5,
      "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "MaxItems": 5},
                     "Parameters": {"Bucket": "b", "Key": "k"}},
      "ItemBatcher": {"MaxItemsPerBatch": 3, "BatchInput": {"x.$": "$.x"}}, "ItemSelector": {"i.$": "$$.Map.Item.Value"},
      "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}, "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"}},
      "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "End": true}}},
      "Next": "End"},
    "Parallel": {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}], "Next": "End"},
    "Fail": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "States.JsonToString($v)"},
    "End": {"Type": "Succeed", "OutputPath": "$.x"}
  }
}"#;

const WORDS: &[&str] = &[
    "StartAt",
    "States",
    "Type",
    "Pass",
    "Task",
    "Choice",
    "Map",
    "Parallel",
    "Fail",
    "Wait",
    "Next",
    "End",
    "Choices",
    "Default",
    "Retry",
    "Catch",
    "ErrorEquals",
    "States.ALL",
    "Resource",
    "arn:aws:states:::sqs:sendMessage.sync",
    "ItemProcessor",
    "Iterator",
    "ProcessorConfig",
    "Mode",
    "DISTRIBUTED",
    "Branches",
    "Variable",
    "And",
    "Or",
    "Not",
    "IsNull",
    "StringEquals",
    "Parameters",
    "a.$",
    "a",
    "$.a",
    "$$",
    "$v",
    "$..x",
    "$[?(@.a)]",
    "States.Format('{}', 1)",
    "QueryLanguage",
    "JSONata",
    "{% $x %}",
    "{% $states.result.a & '\u{fc}' %}",
    "{% a + ) %}",
    "{% $$ %}",
    "Output",
    "Arguments",
    "Items",
    "Condition",
    "Assign",
    "x.y",
    "Seconds",
    "Timestamp",
    "Label",
    "TimeoutSeconds",
    "Credentials",
    "",
    "ü",
];

fn json() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(WORDS);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-10.0..10.0f64).prop_map(Value::from),
        word().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..6).prop_map(|m| m.into_iter().collect::<Map>().into()),
        ]
    })
}

/// `value` with the node of number `at` (counted from the root, modulo how many there are) replaced.
fn replaced(value: &Value, at: &mut usize, new: &Option<Value>) -> Option<Value> {
    if *at == 0 {
        *at = usize::MAX;
        return new.clone();
    }
    *at = at.wrapping_sub(1);
    Some(match value {
        Value::Array(items) => items.iter().filter_map(|item| replaced(item, at, new)).collect(),
        Value::Object(map) => map.iter().filter_map(|(k, v)| Some((k.clone(), replaced(v, at, new)?))).collect(),
        scalar => scalar.clone(),
    })
}

fn check(text: &str) {
    for format in [Format::Json, Format::Yaml] {
        for kind in [Kind::Standard, Kind::Express] {
            let source = Source::new("law", text);
            let loaded = load(&source, &Options { kind, format, ..Options::default() });
            let refused = loaded.diagnostics.iter().any(|d| d.is_error());
            assert_eq!(loaded.definition.is_none(), refused, "{}", plain_text(&source, &loaded.diagnostics));
            for diagnostic in &loaded.diagnostics {
                let spans = diagnostic.span.iter().chain(diagnostic.labels.iter().map(|(span, _)| span));
                for span in spans {
                    assert!(text.get(span.start..span.end).is_some(), "{diagnostic:?}");
                }
            }
        }
    }
}

#[test]
fn the_definition_with_everything_is_accepted() {
    let source = Source::new("everything", EVERYTHING);
    let loaded = load(&source, &Options::default());
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(loaded.definition.unwrap().flows.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_json_is_judged(value in json()) {
        check(&value.to_string());
    }

    #[test]
    fn any_text_is_judged(text in ".{0,200}") {
        check(&text);
    }

    #[test]
    fn any_damaged_definition_is_judged(at in 0usize..220, new in prop::option::of(json())) {
        let value: Value = EVERYTHING.parse().unwrap();
        if let Some(damaged) = replaced(&value, &mut { at }, &new) {
            check(&damaged.to_string());
        }
    }

    #[test]
    fn any_cut_definition_is_judged(cut in 0usize..EVERYTHING.len(), skip in 0usize..40) {
        let after: String = EVERYTHING.chars().skip(cut + skip).collect();
        check(&(EVERYTHING.chars().take(cut).collect::<String>() + &after));
    }

    #[test]
    fn substituted_places_lead_into_the_original(value in "[a-z\"\\\\]{0,9}", key in "[a-zA-Z0-9]{1,12}") {
        let text = EVERYTHING.replace("\"Pass\"", &format!("\"${{{key}}}\"")).replace("60", &format!("${{{key}}}"));
        let source = Source::with_substitutions("law", text.as_str(), &BTreeMap::from([(key, value)])).unwrap();
        for diagnostic in load(&source, &Options::default()).diagnostics {
            if let Some(span) = diagnostic.span {
                prop_assert!(text.get(span.start..span.end).is_some());
            }
        }
    }
}

fn nested_maps(levels: usize) -> String {
    let mut text = r#"{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}"#.to_owned();
    for level in 0..levels {
        text = format!(
            r#"{{"StartAt": "M{level}", "States": {{"M{level}": {{"Type": "Map", "End": true, "ItemProcessor": {text}}}}}}}"#
        );
    }
    text
}

fn rules(text: &str) -> Vec<Rule> {
    load(&Source::new("deep", text), &Options::default()).diagnostics.iter().map(|d| d.rule).collect()
}

/// A definition with something in the middle.
fn with(state: &str) -> String {
    format!(r#"{{"StartAt": "S", "States": {{"S": {state}, "E": {{"Type": "Succeed"}}}}}}"#)
}

fn nested(levels: usize, open: &str, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(levels), close.repeat(levels))
}

/// On a stack half as large as the threads of other programs have.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn deep_nesting_is_bounded() {
    on_a_small_stack(|| {
        assert_eq!(rules(&nested_maps(asl_syntax::MAX_STATE_DEPTH)), []);
        assert_eq!(rules(&nested_maps(asl_syntax::MAX_STATE_DEPTH + 1)), [Rule::TooDeep]);
        assert_eq!(rules(&"[".repeat(1_000_000)), [Rule::TooDeep]);
        for (levels, refused) in [(200, false), (500, true), (30_000, true)] {
            let test = r#"{"Variable": "$.x", "IsNull": true}"#;
            for (open, close) in [(r#"{"Not": "#, "}"), (r#"{"And": ["#, "]}"), (r#"{"Or": ["#, "]}")] {
                // In JSON a level of And and Or is two.
                let levels = if open.ends_with('[') { levels / 2 } else { levels };
                let condition = nested(levels, open, test, close);
                let choice = format!(
                    r#"{{"Type": "Choice", "Default": "E", "Choices": [{}, "Next": "E"}}]}}"#,
                    &condition[..condition.len() - 1]
                );
                assert_eq!(
                    rules(&with(&choice)),
                    if refused { vec![Rule::TooDeep] } else { vec![] },
                    "{levels} {open}"
                );
            }
            for value in [nested(levels, "[", "1", "]"), nested(levels, r#"{"a": "#, r#"{"b.$": "$"}"#, "}")] {
                for field in ["Parameters", "Result", "Assign", "ResultSelector", "Comment"] {
                    let state = format!(r#"{{"Type": "Pass", "{field}": {value}, "Next": "E"}}"#);
                    assert_eq!(rules(&with(&state)).contains(&Rule::TooDeep), refused, "{field}");
                }
                let state =
                    format!(r#"{{"Type": "Pass", "QueryLanguage": "JSONata", "Output": {value}, "Next": "E"}}"#);
                assert_eq!(rules(&with(&state)).contains(&Rule::TooDeep), refused);
            }
        }
    });
}

/// What a text in a definition may say at any length.
#[test]
fn long_and_deep_texts_of_expressions_are_judged_on_a_small_stack() {
    on_a_small_stack(|| {
        for levels in [100, 4_000, 27_000] {
            for text in [
                format!("$.{}", vec!["a"; levels].join(".")),
                format!("${}", nested(levels, "[?(@.a", "", " == 1)]")),
                format!("$[?({})]", vec!["@.a"; levels].join(" || ")),
                nested(levels, "States.Array(", "1", ")"),
                format!("States.Array({})", vec!["1"; levels].join(", ")),
            ] {
                let text = Value::from(text);
                for state in [
                    format!(r#"{{"Type": "Pass", "InputPath": {text}, "Parameters": {{"a.$": {text}}}, "Next": "E"}}"#),
                    format!(r#"{{"Type": "Fail", "Error": {text}, "CausePath": {text}}}"#),
                    format!(r#"{{"Type": "Pass", "Result": {text}, "Comment": {text}, "Next": "E"}}"#),
                    format!(r#"{{"Type": {text}, {text}: {text}}}"#),
                    format!(
                        r#"{{"Type": "Choice", "Choices": [{{"Variable": {text}, "StringMatches": {text}, "Next": "E"}}]}}"#
                    ),
                ] {
                    let _ = load(&Source::new("long", with(&state)), &Options::default());
                }
            }
        }
        let yaml = Options { format: Format::Yaml, ..Options::default() };
        for text in [
            "[".repeat(900_000),
            "{a: ".repeat(200_000),
            "- ".repeat(400_000),
            (0..1_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
            nested(900_000, "(", "", ")"),
            "? ".repeat(400_000),
            "&a ".repeat(300_000),
            "!!str ".repeat(150_000),
        ] {
            assert!(load(&Source::new("deep", text), &yaml).definition.is_none());
        }
    });
}

fn large(count: usize, state: impl Fn(usize) -> String) -> String {
    let states: Vec<String> = (0..count).map(state).collect();
    format!(r#"{{"StartAt": "State number 1", "States": {{{}}}}}"#, states.join(","))
}

/// Each of these takes time and memory in proportion to its length; what is shown is bounded.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn large_definitions_with_many_mistakes_are_judged() {
    let began = std::time::Instant::now();
    let name = "n".repeat(400_000);
    let branch = r#"{"StartAt": "Same", "States": {"Same": {"Type": "Succeed"}}}"#;
    let fields =
        |count: usize, field: &str| -> String { (0..count).map(|i| format!(r#""{field} {i}": 1, "#)).collect() };
    let dollars: String = (0..20_000).map(|i| format!(r#""k{i}.$": "$.x[", "k{i}": 1, "#)).collect();
    let retries: Vec<String> = (0..5_000).map(|_| r#"{"ErrorEquals": ["A", "States.Nope"]}"#.to_owned()).collect();
    for (text, errors, warnings) in [
        (
            large(8000, |i| {
                format!(
                    r#""State number {i}": {{"Type": "Pass", "Nxet": "State numbr {i}", "Next": "Stat number {i}"}}"#
                )
            }),
            16_000,
            0,
        ),
        (
            with(&format!(r#"{{"Type": "Parallel", "Next": "E", "Branches": [{}]}}"#, vec![branch; 4000].join(", "))),
            3_999,
            0,
        ),
        (with(&format!(r#"{{{}"Type": "Pass", "Next": "E"}}"#, fields(30_000, "field"))), 30_000, 0),
        (with(&format!(r#"{{"Type": "Pass", "Next": "E", "Parameters": {{{dollars}"z": 1}}}}"#)), 40_000, 0),
        (
            with(&format!(r#"{{"Type": "Pass", "Next": "E", "Parameters": {{"{name}": {{{dollars}"z": 1}}}}}}"#)),
            40_000,
            0,
        ),
        (with(&format!(r#"{{"Type": "Pass", "Next": "E", "Assign": {{{}"z": 1}}}}"#, fields(30_000, "v."))), 30_000, 1),
        (
            with(&format!(
                r#"{{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f", "Next": "E", "Retry": [{}]}}"#,
                retries.join(", ")
            )),
            0,
            14_998,
        ),
        (large(20_000, |i| format!(r#""State number {i}": {{"Type": "Succeed"}}"#)), 19_999, 0),
    ] {
        let source = Source::new("large", text);
        let loaded = load(&source, &Options::default());
        let shown: String = source.text().chars().take(150).collect();
        assert!(loaded.definition.is_none() == (errors > 0), "{shown}");
        assert_eq!((loaded.count(Severity::Error), loaded.count(Severity::Warning)), (errors, warnings), "{shown}");
        assert!(loaded.diagnostics.len() <= 2_000);
        let memory: usize = loaded.diagnostics.iter().map(|d| d.location.as_ref().map_or(0, String::len)).sum();
        assert!(memory < 16 << 20, "{shown}: {memory}");
        let told = plain_text(&source, &loaded.diagnostics);
        assert!(told.matches("\n    help: ").count() <= asl_syntax::MAX_SHOWN && told.contains("\nand "), "{shown}");
        assert!(validate(&loaded.diagnostics, Severity::Warning, 100).truncated, "{shown}");
    }
    // A build without optimisation on a busy machine; where the time grew with the square it was minutes.
    assert!(began.elapsed() < std::time::Duration::from_secs(60), "{:?}", began.elapsed());
    let large = load(&Source::new("large", " ".repeat(2_000_000) + "{}"), &Options::default());
    assert_eq!(large.diagnostics[0].rule, Rule::TooLarge);
}
