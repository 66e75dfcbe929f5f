//! The rules of the path dialect, one case each: `paths.json`.

use asl_expr::{Env, NoEnv, Path, PathErrorKind, Root};
use asl_value::{Step, Value};

#[test]
fn each_rule_holds() {
    let table: Value = include_str!("paths.json").parse().unwrap();
    let cases = table["cases"].as_array().unwrap();
    assert!(cases.len() > 80);
    for case in cases {
        let text = case["path"].as_str().unwrap();
        let document = &table["documents"][case["on"].as_str().unwrap()];
        match (Path::compile(text), case.get("refused")) {
            (Ok(path), None) => check(&path, document, case),
            (Err(e), Some(_)) => assert!(e.offset <= text.len(), "{case}"),
            (got, _) => panic!("{got:?} for {case}"),
        }
    }
}

fn check(path: &Path, document: &Value, case: &Value) {
    assert_eq!(Some(path.is_definite()), case["definite"].as_bool(), "{case}");
    match path.eval(document, &NoEnv) {
        Ok(value) => assert_eq!(Some(&value), case.get("gives"), "{case}"),
        Err(e) => {
            assert_eq!(Some(&*e.message), case["fails"].as_str(), "{case}");
            let kind =
                if case["missing"] == Value::from(true) { PathErrorKind::NotFound } else { PathErrorKind::Invalid };
            assert_eq!(e.kind, kind, "{case}");
        }
    }
}

struct World;

impl Env for World {
    fn context(&self) -> Value {
        r#"{"State": {"Name": "S"}}"#.parse().unwrap()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        (name == "größe_1").then(|| r#"{"x": [5]}"#.parse().unwrap())
    }

    fn random(&self) -> u64 {
        0
    }
}

#[test]
fn paths_start_at_the_input_the_context_or_a_variable() {
    let eval = |text: &str| Path::parse(text).unwrap().eval(&Value::from(1), &World);
    assert_eq!(eval("$"), Ok(Value::from(1)));
    assert_eq!(eval("$$.State.Name"), Ok(Value::from("S")));
    assert_eq!(eval("$größe_1.x[0]"), Ok(Value::from(5)));
    assert_eq!(eval("$größe_1['x'][*]"), Ok(vec![Value::from(5)].into()));
    assert_eq!(Path::parse("$größe_1").unwrap().root(), &Root::Variable("größe_1".into()));
    let missing = eval("$other.x").unwrap_err();
    assert_eq!(missing.kind, PathErrorKind::UnknownVariable);
    assert_eq!(eval("$größe_1.y").unwrap_err().message, "No results for path: $['y']");
}

#[test]
fn paths_of_definitions_begin_with_a_dollar() {
    for text in ["", "order", "@.order", "$-x", "$ .a", "$.a b", "$x y"] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn mistakes_are_found_where_they_are() {
    for (text, offset) in
        [("$.a b", 3), ("  $.a[", 5), ("$$.a.b[x]", 6), ("$name[?(@.a", 5), ("$[[?(@.a", 8), ("$.a[99999999999]", 3)]
    {
        let e = Path::parse(text).unwrap_err();
        assert!((offset..=text.len()).contains(&e.offset), "{text}: {e}");
    }
}

#[test]
fn mistakes_after_a_bare_name_are_found_where_they_are() {
    for text in ["a[x]", "[é[?(@.a", "a.b c", "  a["] {
        let offset = |text: &str| Path::compile(text).unwrap_err().offset;
        assert_eq!(offset(text) + 2, offset(&format!("$.{text}").replace("$.  ", "  $.")), "{text}");
    }
}

#[test]
fn reference_paths_know_their_steps() {
    let path = Path::parse("$.a['b c'][2]").unwrap();
    assert_eq!(path.steps(), Some(&[Step::key("a"), Step::key("b c"), Step::Index(2)][..]));
    for text in ["$.a[-1]", "$.a[*]", "$..a", "$.a[0,1]", "$.a[1:]", "$['a','b']", "$.a[?(@.b)]", "$[(@.length-1)]"] {
        assert!(!Path::parse(text).unwrap().is_reference(), "{text}");
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::from(1), |inner, i| match i % 2 {
        0 => vec![inner].into(),
        _ => Value::from_iter([("a", inner)]),
    })
}

#[test]
fn the_deepest_document_can_be_walked() {
    let deep = nested(asl_value::MAX_DEPTH);
    for (text, count) in [("$..*", 512), ("$..a", 256), ("$..[?(@.a)]", 256), ("$..[0]", 256)] {
        let found = Path::parse(text).unwrap().eval(&deep, &NoEnv).unwrap();
        assert_eq!(found.as_array().unwrap().len(), count, "{text}");
    }
    let straight = format!("${}", ".a[0]".repeat(256));
    assert_eq!(Path::parse(&straight).unwrap().eval(&deep, &NoEnv), Ok(Value::from(1)));
}

#[test]
fn a_path_that_would_visit_too_much_fails() {
    for text in ["$..*..*..*..*", "$..*..*..*..nope"] {
        let e = Path::parse(text).unwrap().eval(&nested(400), &NoEnv).unwrap_err();
        assert_eq!(
            (e.kind, &*e.message),
            (PathErrorKind::Invalid, "The path visits more than 4000000 values"),
            "{text}"
        );
    }
}

#[test]
fn long_paths_and_filters_are_refused() {
    for text in [format!("${}", ".a".repeat(513)), format!("$[?(@.a{})]", "||@.a".repeat(300))] {
        assert!(Path::parse(&text).is_err());
    }
}

#[test]
fn a_path_that_leads_nowhere_says_what_is_there() {
    let input: Value = r#"{"order": {"lines": [1, 2], "it's": {}, "n": 1}, "": 0}"#.parse().unwrap();
    for (path, hint) in [
        ("$.order.lins", "`$.order` has no `lins`: did you mean `$.order.lines`?"),
        ("$.order.its", "`$.order` has no `its`: did you mean `$.order['it's']`?"),
        ("$.order.customer", "`$.order` has no `customer`; it has `lines`, `it's`, `n`"),
        ("$.order.lines[2].id", "`$.order.lines` has 2 elements, counted from 0"),
        ("$.order.lines.id", "`$.order.lines` is an array, not an object"),
        ("$.order.n[0]", "`$.order.n` is a number, not an array"),
        ("$$.Execution.Id", "`$$` has no `Execution`: it is an empty object"),
        ("$.order", ""),
        ("$.order.*.x", ""),
        ("$nope.x", ""),
    ] {
        let found = Path::parse(path).unwrap().hint(&input, &NoEnv);
        assert_eq!(found.unwrap_or_default(), hint, "{path}");
    }
    let wide: Value = (0..100).map(|i| (format!("{i}{}", "k".repeat(1_000)), i)).collect();
    let hint = Path::parse("$.x").unwrap().hint(&wide, &NoEnv).unwrap();
    assert!(hint.len() < 600 && hint.ends_with(" and 92 more"), "{hint}");
}

#[test]
fn parsed_expressions_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync + Clone>() {}
    shareable::<Path>();
    shareable::<asl_expr::Expr>();
    shareable::<asl_expr::Template>();
}
