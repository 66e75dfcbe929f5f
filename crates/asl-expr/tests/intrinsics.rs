//! The rules of the intrinsic functions, one case each: `intrinsics.json`.

use asl_expr::{Intrinsic, NoEnv};
use asl_value::Value;

#[test]
fn each_rule_holds() {
    let table: Value = include_str!("intrinsics.json").parse().unwrap();
    let cases = table["cases"].as_array().unwrap();
    assert!(cases.len() > 80);
    for case in cases {
        let text = case["call"].as_str().unwrap();
        let call = match (Intrinsic::parse(text), case.get("refused")) {
            (Ok(call), None) => call,
            (Err(e), Some(offset)) => {
                assert_eq!(Value::from(e.offset), *offset, "{case}: {e}");
                continue;
            }
            (got, _) => panic!("{got:?} for {case}"),
        };
        match (call.eval(&table["input"], &NoEnv), case.get("fails").and_then(Value::as_str)) {
            (Ok(value), None) => assert_eq!(Some(&value), case.get("gives"), "{case}"),
            (Err(e), Some(error)) => {
                assert_eq!(e.error, error, "{case}");
                assert!(e.cause.starts_with(&format!("The function '{text}' had the following error: ")), "{e}");
            }
            (got, _) => panic!("{got:?} for {case}"),
        }
    }
}

#[test]
fn causes_are_in_the_words_of_aws() {
    let input: Value = r#"{"other":1}"#.parse().unwrap();
    for (text, why) in [
        (
            "States.Format('{}', States.Format('{}',$.nope))",
            r#"The JsonPath argument for the field '$.nope' could not be found in the input '{"other":1}'"#,
        ),
        (
            "States.Array(1, $$.Nope.Deep)",
            r#"The JsonPath argument for the field '$.Nope.Deep' could not be found in the input '{"other":1}'"#,
        ),
        ("States.Array($.other[0])", "Filter: [0] can only be applied to arrays. Current context is: 1"),
        ("States.Format('{', 1)", "Invalid template in States.Format: matching '}' not found for '{'."),
        (r"States.Format('a \\{ b {}', 1)", "Invalid template in States.Format: matching '}' not found for '{'."),
        ("States.MathAdd(1)", "Invalid arguments in States.MathAdd: it takes 2 arguments, not 1"),
    ] {
        let e = Intrinsic::parse(text).unwrap().eval(&input, &NoEnv).unwrap_err();
        assert_eq!(e.cause, format!("The function '{text}' had the following error: {why}"));
    }
}

#[test]
fn texts_of_base64_and_hashes_are_limited() {
    for function in ["States.Base64Encode($)", "States.Base64Decode($)", "States.Hash($, 'MD5')"] {
        let call = Intrinsic::parse(function).unwrap();
        assert!(call.eval(&"é".repeat(10_000).into(), &NoEnv).is_ok());
        assert!(call.eval(&"e".repeat(10_001).into(), &NoEnv).is_err());
    }
}

#[test]
fn its_paths_are_known_at_any_depth() {
    let call = Intrinsic::parse("States.Format('{}', $.a, States.Array($x.b, $$.c), 1)").unwrap();
    assert_eq!(call.paths().map(|p| p.text()).collect::<Vec<_>>(), ["$.a", "$x.b", "$$.c"]);
}
