//! AWS's own words, codes and locations, where they are known from its answers.

use asl_syntax::{Options, Severity, Source, create_error_message, load, validate};

/// The errors of a definition as AWS would list them, without the frame around them.
fn listed(text: &str) -> String {
    let loaded = load(&Source::new("m", text), &Options { lints: false, ..Options::default() });
    let message = create_error_message(&loaded.diagnostics);
    let inner = message.strip_prefix("Invalid State Machine Definition: '").and_then(|m| m.strip_suffix('\''));
    inner.expect("the frame").to_owned()
}

#[test]
fn transitions_and_ends() {
    for (states, wanted) in [
        (
            r#""A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}"#,
            "MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            r#""A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": {"Type": "Pass", "Next": "A"}"#,
            "MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            r#""A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": {"Type": "Pass", "End": true}"#,
            "MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C",
        ),
        (
            r#""A": {"Type": "Pass", "Next": "NOPE"}"#,
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next, MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            r#""A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": true, "Next": "X"}], "Default": "Y"}, "B": {"Type": "Succeed"}"#,
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/A/Choices[0]/Next, \
             MISSING_TRANSITION_TARGET: Missing 'Next' target: Y at /States/A/Default, \
             MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B",
        ),
        (
            r#""A": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "X"}], "End": true}"#,
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/A/Catch[0]/Next",
        ),
        (
            r#""A": {"Type": "Map", "ItemProcessor": {"StartAt": "W", "States": {"W": {"Type": "Succeed"}, "X": {"Type": "Succeed"}}}, "End": true}"#,
            "MISSING_TRANSITION_TARGET: State \"X\" is not reachable. at /States/A/ItemProcessor/States/X",
        ),
        (
            r#""A": {"Type": "Parallel", "Branches": [{"StartAt": "W", "States": {"W": {"Type": "Succeed"}, "X": {"Type": "Succeed"}}}], "End": true}"#,
            "MISSING_TRANSITION_TARGET: State \"X\" is not reachable. at /States/A/Branches[0]/States/X",
        ),
    ] {
        assert_eq!(listed(&format!(r#"{{"StartAt": "A", "States": {{{states}}}}}"#)), wanted, "{states}");
    }
    assert_eq!(
        listed(r#"{"StartAt": "NOPE", "States": {"A": {"Type": "Succeed"}}}"#),
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /StartAt"
    );
}

#[test]
fn fields() {
    const FAILED: &str = "SCHEMA_VALIDATION_FAILED: ";
    for (definition, wanted) in [
        ("{}", "These fields are required: [States, StartAt] at /"),
        (
            r#"{"StartAt": "X", "States": {"X": {"Type": "Parallel", "Branches": [], "End": true}}}"#,
            "Value cannot be empty at /States/X/Branches",
        ),
        (
            r#"{"StartAt": "X", "States": {"X": {"Type": "None", "End": true}}}"#,
            "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/X/Type",
        ),
        (
            r#"{"StartAt": "X", "States": {"X": {"Type": "Pass", "Output": 1, "End": true}}}"#,
            "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/X",
        ),
        (
            r#"{"QueryLanguage": "JSONata", "StartAt": "X", "States": {"X": {"Type": "Pass", "ResultPath": "$", "End": true}}}"#,
            "The QueryLanguage is set to 'JSONata', but field 'ResultPath' is only supported for the 'JSONPath' QueryLanguage at /States/X",
        ),
        (
            r#"{"StartAt": "X", "States": {"X": {"Type": "Pass", "QueryLanguage": 5, "End": true}}}"#,
            "Expected value of type [STRING] at /States/X/QueryLanguage",
        ),
        (
            r#"{"StartAt": "X", "States": {"X": {"Type": "Pass", "QueryLanguage": "jsonpath", "End": true}}}"#,
            "Value should be one of the following: [JSONPath, JSONata] at /States/X/QueryLanguage",
        ),
        (
            r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": {"QueryLanguage": "JSONata", "StartAt": "W", "States": {"W": {"Type": "Succeed"}}}, "End": true}}}"#,
            "Field 'QueryLanguage' is not supported at /States/M/ItemProcessor",
        ),
        (
            r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrencyPath": "$$.n", "ItemProcessor": {"StartAt": "W", "States": {"W": {"Type": "Succeed"}}}, "End": true}}}"#,
            "Value is not a Reference Path at /States/M/MaxConcurrencyPath",
        ),
    ] {
        assert_eq!(listed(definition), format!("{FAILED}{wanted}"), "{definition}");
    }
}

#[test]
fn texts_that_are_no_json() {
    let answer = |text: &str| {
        let loaded = load(&Source::new("m", text), &Options::default());
        validate(&loaded.diagnostics, Severity::Error, 0).to_value()
    };
    let place = r#"[Source: (String)"not a definition"; line: 1, column: 4]"#;
    let token = "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let found = answer("not a definition");
    assert_eq!(found["diagnostics"][0]["code"].as_str(), Some("INVALID_JSON_DESCRIPTION"));
    assert_eq!(found["diagnostics"][0]["message"].as_str(), Some(&*format!("{token}\n at {place}")));
    assert_eq!(found["diagnostics"][0]["location"].as_str(), Some(place));
    let empty = r#"{"result":"FAIL","diagnostics":[{"severity":"ERROR","code":"SCHEMA_VALIDATION_FAILED","message":"Definition must be a valid JSON object"}],"truncated":false}"#;
    assert_eq!(answer("").to_string(), empty);
}

#[test]
fn the_answer_of_validate_is_bounded_and_filtered() {
    let states: Vec<String> = (0..5)
        .map(|i| format!(r#""S{i}": {{"Type": "Pass", "Parameters": {{"a": "$.x"}}, "Nope": 1, "End": true}}"#))
        .collect();
    let text = format!(r#"{{"StartAt": "S0", "States": {{{}}}}}"#, states.join(","));
    let loaded = load(&Source::new("m", text), &Options { lints: false, ..Options::default() });
    let count = |severity, max| {
        let answer = validate(&loaded.diagnostics, severity, max);
        (answer.ok, answer.diagnostics.len(), answer.truncated)
    };
    assert_eq!(count(Severity::Error, 0), (false, 9, false));
    assert_eq!(count(Severity::Warning, 100), (false, 14, false));
    assert_eq!(count(Severity::Error, 3), (false, 3, true));
}
