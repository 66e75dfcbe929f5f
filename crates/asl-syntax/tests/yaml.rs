//! YAML definitions say the same as JSON ones, and what JSON cannot say is refused.

use asl_syntax::{Format, Options, Rule, Source, load};

fn rules(text: &str) -> Vec<(Rule, String)> {
    let options = Options { format: Format::Yaml, lints: false, ..Options::default() };
    let loaded = load(&Source::new("test.yaml", text), &options);
    let spanned = |d: asl_syntax::Diagnostic| {
        let found = d.span.map(|span| text[span.start..span.end].lines().next().unwrap_or_default().to_owned());
        (d.rule, found.unwrap_or_default())
    };
    loaded.diagnostics.into_iter().map(spanned).collect()
}

#[test]
fn a_definition_can_be_written_in_yaml() {
    let text = "
# comments are fine
Comment: &comment 'ünïcode'
StartAt: First
States:
  First:
    Type: Wait
    Seconds: 10
    Next: \"Yes\"
  \"Yes\":
    Type: Pass
    Comment: *comment
    Result: {a: [1, -2.5, 1e3, ~, true, text, \"01\", 0x10], b: |
      lines
    }
    End: true
";
    let text = text.replace("b: |\n      lines\n    }", "b: 'x'}");
    let options = Options { format: Format::Yaml, ..Options::default() };
    let loaded = load(&Source::new("test.yaml", text.as_str()), &options);
    assert_eq!(loaded.diagnostics, []);
    let definition = loaded.definition.unwrap();
    let state = definition.state(definition.find("Yes").unwrap());
    let asl_syntax::model::StateKind::Pass { result: Some(result) } = &state.kind else { panic!("{state:?}") };
    assert_eq!(result.to_string(), r#"{"a":[1,-2.5,1000.0,null,true,"text","01",16],"b":"x"}"#);
}

#[test]
fn mistakes_have_their_places() {
    let found = rules("Comment: ä\nStartAt: A\nStates:\n  A:\n    Type: Pass\n    Nxet: B\n    End: true\n");
    assert_eq!(found, [(Rule::UnknownField, "Nxet".to_owned())]);
}

#[test]
fn what_json_cannot_say_is_refused() {
    for (text, at) in [
        ("a: 012345678901", "012345678901"),
        ("a: .inf", ".inf"),
        ("a: !Sub x", "!Sub x"),
        ("a: &x [*x]", "*x"),
        ("<<: {a: 1}", "<<"),
        ("? {a: 1}\n: 2", "{a: 1}"),
        ("a: [1", ""),
        ("--- 1\n--- 2\n", "---"),
    ] {
        assert_eq!(rules(text), [(Rule::YamlSyntax, at.to_owned())], "{text}");
    }
    assert_eq!(rules("")[0].0, Rule::NotAnObject);
    assert_eq!(rules("- a")[0].0, Rule::NotAnObject);
}

/// As in the common readers of YAML 1.1, where the letters alone are texts; what they read as booleans is told.
#[test]
fn words_that_two_versions_of_yaml_read_differently_are_texts() {
    let text = "
StartAt: Yes
States:
  Yes:
    Type: Pass
    Result: {N: '1', n: n, y: Y, 'on': [off, 'no', !!str on], Y: \"Yes\"}
    End: true
";
    let options = Options { format: Format::Yaml, ..Options::default() };
    let loaded = load(&Source::new("test.yaml", text), &options);
    let told: Vec<_> =
        loaded.diagnostics.iter().map(|d| (d.rule, d.span.map(|span| &text[span.start..span.end]))).collect();
    let word = |word| (Rule::YamlBoolean, Some(word));
    assert_eq!(told, [word("Yes"), word("Yes"), word("off")]);
    let definition = loaded.definition.unwrap();
    let state = definition.state(definition.find("Yes").unwrap());
    let asl_syntax::model::StateKind::Pass { result: Some(result) } = &state.kind else { panic!("{state:?}") };
    assert_eq!(result.to_string(), r#"{"N":"1","n":"n","y":"Y","on":["off","no","on"],"Y":"Yes"}"#);
}

#[test]
fn aliases_cannot_grow_without_bound() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..20 {
        let of = format!("*a{}", i - 1);
        text += &format!("a{i}: &a{i} [{}]\n", [of.as_str(); 10].join(", "));
    }
    assert_eq!(rules(&text)[0].0, Rule::YamlSyntax);
    let deep = "[".repeat(10_000);
    assert!(!rules(&deep).is_empty());
    let deep: String = (0..600).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert_eq!(rules(&deep)[0].0, Rule::TooDeep);
}

#[test]
fn a_template_has_the_short_forms_written_out() {
    let text = "a: !GetAtt B.Arn\nb: !Sub ['${x}', {x: !Ref Y}]\nc: !If\n  - C\n  - yes\n  - n\nd: &d !Ref D\ne: *d\nf: !Condition C\n";
    let source = Source::new("template.yaml", text);
    let node = asl_syntax::parse_template(&source).unwrap();
    assert_eq!(
        node.to_value().to_string(),
        r#"{"a":{"Fn::GetAtt":"B.Arn"},"b":{"Fn::Sub":["${x}",{"x":{"Ref":"Y"}}]},"c":{"Fn::If":["C",true,"n"]},"d":{"Ref":"D"},"e":{"Ref":"D"},"f":{"Condition":"C"}}"#
    );
    let span = node.member("a").unwrap().value.span;
    assert!(text[span.start..span.end].ends_with("B.Arn"));
    let merged = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none: {<<: *b, x: own}\ntwo: {<<: [*b, *m]}\n";
    let merged = asl_syntax::parse_template(&Source::new("t", merged)).unwrap().to_value();
    assert_eq!(merged["one"].to_string(), r#"{"x":"own","y":2}"#);
    assert_eq!(merged["two"].to_string(), r#"{"x":1,"y":2,"z":4}"#);
    assert!(asl_syntax::parse_template(&Source::new("t", "a: {<<: 1}\n")).is_err());
    let bad = asl_syntax::parse_template(&Source::new("t", "a: !Nope x\n")).unwrap_err();
    assert!(bad.message.contains("the tag !Nope is not supported"), "{}", bad.message);
    assert!(asl_syntax::parse(&source, Format::Yaml).is_err(), "a definition has no functions");
}
