//! Payload templates.

use asl_expr::{Env, Expr, NoEnv, Template, TemplateStep};
use asl_value::Value;

fn value(text: &str) -> Value {
    text.parse().unwrap()
}

fn fill(template: &str, input: &str) -> Result<String, String> {
    let template = Template::parse(&value(template)).unwrap();
    template.eval(&value(input), &NoEnv).map(|v| v.to_string()).map_err(|e| e.to_string())
}

#[test]
fn fields_are_computed_at_any_depth_and_lose_their_suffix() {
    for (template, input, filled) in [
        (r#"{"a.$":"$.x","b":"$.x"}"#, r#"{"x":[1]}"#, r#"{"a":[1],"b":"$.x"}"#),
        (
            r#"{"z":1,"a.$":"$","m":{"n":[{"o.$":"$.x"},2]}}"#,
            r#"{"x":1.50}"#,
            r#"{"z":1,"a":{"x":1.5},"m":{"n":[{"o":1.5},2]}}"#,
        ),
        (r#"[{"a.$":"$.x[*].y"}]"#, r#"{"x":[{"y":1},{},{"y":2}]}"#, r#"[{"a":[1,2]}]"#),
        (r#"{"a.$":"States.Format('{}!', $.x)"}"#, r#"{"x":null}"#, r#"{"a":"null!"}"#),
        (r#"{"a.$":"$$"}"#, "1", r#"{"a":{}}"#),
        (r#"{"a.$.$":"$"}"#, "1", r#"{"a.$":1}"#),
        ("7", "1", "7"),
    ] {
        assert_eq!(fill(template, input).as_deref(), Ok(filled), "{template}");
    }
}

#[test]
fn constant_parts_are_shared() {
    let source = value(r#"{"big":{"list":[1,2,3]},"a.$":"$"}"#);
    let filled = Template::parse(&source).unwrap().eval(&Value::from(1), &NoEnv).unwrap();
    assert!(filled["big"].same_node(&source["big"]));
}

#[test]
fn a_missing_path_fails_in_the_words_of_aws() {
    for (template, cause) in [
        (
            r#"{"v":{"value.$":"$.x"}}"#,
            r#"The JSONPath '$.x' specified for the field 'value.$' could not be found in the input '{"y":[1]}'"#,
        ),
        (
            r#"{"v.$":"$.y[1].z"}"#,
            r#"The JSONPath '$.y[1].z' specified for the field 'v.$' could not be found in the input '{"y":[1]}'"#,
        ),
        (r#"{"v.$":"$$.x"}"#, "The JSONPath '$.x' specified for the field 'v.$' could not be found in the input '{}'"),
        (
            r#"{"v.$":"$.y.z[0]"}"#,
            r#"The JSONPath '$.y.z[0]' specified for the field 'v.$' could not be found in the input '{"y":[1]}'"#,
        ),
        (r#"{"v.$":"$[0]"}"#, "Filter: [0] can only be applied to arrays. Current context is: {y=[1]}"),
    ] {
        assert_eq!(fill(template, r#"{"y":[1]}"#), Err(format!("States.Runtime: {cause}")));
    }
}

#[test]
fn an_index_past_the_end_gives_null() {
    for (path, filled) in [
        ("$.y[1]", r#"{"v":null}"#),
        // Of each row too, above the library's rule, which skips such rows; a negative index and a member are its affair.
        ("$.rows[*][0]", r#"{"v":[1,null,2,3]}"#),
        ("$.rows[*][1]", r#"{"v":[null,null,null,4]}"#),
        ("$.rows[0:2][0]", r#"{"v":[1,null]}"#),
        ("$.rows[*][-1]", r#"{"v":[]}"#),
        ("$.rows[*][0,1]", r#"{"v":[1,2,3,4]}"#),
        ("$.objects[*].k[0]", r#"{"v":[1,null]}"#),
    ] {
        let input = r#"{"y":[1],"rows":[[1],[],[2],[3,4]],"objects":[{"k":[1]},{"k":[]},{}]}"#;
        assert_eq!(fill(&format!(r#"{{"v.$":"{path}"}}"#), input).as_deref(), Ok(filled), "{path}");
    }
    let path = asl_expr::Path::parse("$.rows[*][0]").unwrap();
    assert_eq!(path.eval(&value(r#"{"rows":[[1],[],[2]]}"#), &NoEnv).unwrap().to_string(), "[1,2]");
}

#[test]
fn all_mistakes_are_found_at_once() {
    let template = value(r#"{"a.$":1,"b":[0,{"c.$":"$.x[","c":2}],"d.$":"no","e.$":"$.fine","f.$":"States.Nope()"}"#);
    let mistakes = Template::parse(&template).unwrap_err();
    let found: Vec<_> = mistakes.iter().map(|m| (place(&m.at), &*m.message)).collect();
    let expected = |field: &str| {
        format!("The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call")
    };
    assert_eq!(
        found,
        [
            ("/a.$".to_string(), &*expected("a.$")),
            ("/b[1]/c.$".to_string(), "The fields 'c' and 'c.$' can not both be present"),
            ("/b[1]/c.$".to_string(), &*expected("c.$")),
            ("/d.$".to_string(), &*expected("d.$")),
            ("/f.$".to_string(), &*expected("f.$")),
        ]
    );
    assert!(mistakes[0].detail.is_none());
    assert_eq!(mistakes[2].detail.as_ref().unwrap().offset, 3);
}

fn place(at: &[TemplateStep]) -> String {
    at.iter()
        .map(|step| match step {
            TemplateStep::Key(key) => format!("/{key}"),
            TemplateStep::Index(i) => format!("[{i}]"),
        })
        .collect()
}

#[test]
fn its_paths_are_known() {
    let template =
        Template::parse(&value(r#"{"a.$":"$x","b":[{"c.$":"States.Array($.y, $z.k)"}],"d":"$not"}"#)).unwrap();
    assert_eq!(template.paths().iter().map(|p| p.text()).collect::<Vec<_>>(), ["$x", "$.y", "$z.k"]);
}

#[test]
fn an_expression_stands_alone_too() {
    let input = value(r#"{"why":"late"}"#);
    let cause = Expr::parse("States.Format('too {}', $.why)").unwrap();
    assert_eq!(cause.eval("CausePath", &input, &NoEnv), Ok(Value::from("too late")));
    let missing = Expr::parse("$.ErrorX").unwrap().eval("ErrorPath", &input, &NoEnv).unwrap_err();
    assert_eq!(
        missing.cause,
        r#"The JSONPath '$.ErrorX' specified for the field 'ErrorPath' could not be found in the input '{"why":"late"}'"#
    );
}

struct Bits(std::cell::Cell<u64>);

impl Env for Bits {
    fn context(&self) -> Value {
        Value::Null
    }

    fn variable(&self, _: &str) -> Option<Value> {
        None
    }

    fn random(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get().wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

#[test]
fn randomness_comes_from_the_machine() {
    let template = Template::parse(&value(
        r#"{"a.$":"States.UUID()","b.$":"States.UUID()","r.$":"States.MathRandom(1,1000000)"}"#,
    ))
    .unwrap();
    let fill = |seed: u64| template.eval(&Value::Null, &Bits(seed.into())).unwrap();
    assert_eq!(fill(1), fill(1));
    let first = fill(1);
    assert_ne!(first["a"], first["b"]);
    assert_ne!(first["r"], fill(2)["r"]);
    let uuid = first["a"].as_str().unwrap();
    assert!(uuid.len() == 36 && &uuid[14..15] == "4" && "89ab".contains(&uuid[19..20]), "{uuid}");
}
