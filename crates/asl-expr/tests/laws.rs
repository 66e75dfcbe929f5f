//! Laws that hold for all texts and documents.

use asl_expr::{Expr, Intrinsic, NoEnv, Path, Template, Timestamp, string_matches};
use asl_value::{Step, Value};
use proptest::prelude::*;

fn document() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        prop_oneof![Just("a"), Just("1"), Just("null"), Just("")].prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("c d")]
}

fn path_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        ".a",
        ".b",
        "['a']",
        "['c d']",
        "['a','b']",
        "[0]",
        "[1]",
        "[-1]",
        "[0,1]",
        "[1:]",
        "[:2]",
        "[0:1]",
        "[*]",
        ".*",
        "..a",
        "..*",
        "..[0]",
        "[?(@.a)]",
        "[?(@.a == 1)]",
        "[?(@.b != 'a' || !@.a)]",
        "[(@.length-1)]",
        "[?(",
        ")]",
        "'",
        "[",
        "]",
        "$",
        "@",
        ".",
        " ",
        "\\",
        "/",
        "é",
        "&&",
        "=~",
        "States.Format(",
        "'{}'",
        ", ",
        ")",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("${}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_on_arbitrary_text(text in any::<String>()) {
        let _ = (Path::parse(&text), Path::compile(&text), Expr::parse(&text), Timestamp::parse(&text));
        let _ = (Intrinsic::parse(&format!("States.Array({text})")), string_matches(&text, &text));
    }

    #[test]
    fn nothing_panics_on_texts_that_look_like_paths(text in path_like(), doc in document()) {
        if let Ok(path) = Path::compile(&text) {
            let _ = path.eval(&doc, &NoEnv);
        }
        if let Ok(call) = Intrinsic::parse(&format!("States.Array({text}, '{text}')")) {
            let _ = call.eval(&doc, &NoEnv);
        }
    }

    #[test]
    fn mistakes_lie_inside_of_the_text(text in path_like()) {
        if let Err(e) = Path::parse(&text) {
            prop_assert!(text.is_char_boundary(e.offset) || e.offset == text.len());
        }
    }

    #[test]
    fn an_indefinite_path_gives_an_array(text in path_like(), doc in document()) {
        if let Ok(path) = Path::parse(&text) && let Ok(value) = path.eval(&doc, &NoEnv) {
            prop_assert!(path.is_definite() || value.as_array().is_some());
        }
    }

    #[test]
    fn what_is_put_at_a_reference_path_is_found_there(
        names in prop::collection::vec(name(), 0..4), mut doc in document(), new in document()
    ) {
        let text = names.iter().fold(String::from("$"), |path, name| format!("{path}['{name}']"));
        let path = Path::parse(&text).unwrap();
        let steps: Vec<Step> = names.iter().map(|name| Step::key(name)).collect();
        prop_assert_eq!(path.steps(), Some(&steps[..]));
        if doc.set_path(path.steps().unwrap(), new.clone()).is_ok() {
            prop_assert_eq!(path.eval(&doc, &NoEnv), Ok(new));
        }
    }

    #[test]
    fn a_template_without_expressions_is_itself(doc in document()) {
        let template = Template::parse(&doc).unwrap();
        prop_assert!(template.is_constant());
        prop_assert!(template.eval(&Value::Null, &NoEnv).unwrap().same_node(&doc));
    }

    #[test]
    fn timestamps_survive_being_written(ms in -62_000_000_000_000_i64..250_000_000_000_000) {
        let at = Timestamp::from_millis(ms);
        prop_assert_eq!(at.millis(), ms);
        prop_assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
        prop_assert_eq!(Timestamp::from_millis(0).checked_add_ms(ms), Some(at));
    }

    #[test]
    fn timestamps_are_ordered_as_their_millis(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
        prop_assert_eq!(Timestamp::from_millis(a).cmp(&Timestamp::from_millis(b)), a.cmp(&b));
    }

    #[test]
    fn an_escaped_text_matches_only_itself(text in "[ab*\\\\]{0,6}", other in "[ab*\\\\]{0,6}") {
        let pattern = text.replace('\\', "\\\\").replace('*', "\\*");
        prop_assert_eq!(string_matches(&pattern, &text), Ok(true));
        prop_assert_eq!(string_matches(&pattern, &other), Ok(text == other));
    }

    #[test]
    fn stars_match_what_a_regex_would(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
        let regex = regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).unwrap();
        prop_assert_eq!(string_matches(&pattern, &text), Ok(regex.is_match(&text)));
    }
}
