//! Laws of JSONata expressions: what is recognised means what the general evaluator means, and values stay shared.

use asl_expr::jsonata::{Bounds, Expression, JsonataEnv, JsonataError};
use asl_value::Value;
use proptest::prelude::*;

struct World(Value);

impl JsonataEnv for World {
    fn states(&self) -> Value {
        Value::from_iter([("input", self.0.clone())])
    }
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
    fn random(&self) -> u64 {
        7
    }
    fn now_ms(&self) -> i64 {
        0
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "b"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

/// Paths, and what stands around them.
fn expression() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec![
        "$states.input",
        "$states.input.a",
        "$a",
        "$b.c",
        "$",
        "a",
        "b.c",
        "$$",
        "[a, b]",
        "(a)",
        "{'a': a}",
        "[$a]",
        "a[]",
        "$a[0]",
        "$append(a, b)",
        "$v",
        "*",
        "$spread($)",
        "[[a]]",
    ]);
    let step = prop::sample::select(vec![
        ".a",
        ".b",
        ".c",
        ".a.b",
        ".$",
        ".a[]",
        "[0]",
        "[a = 1]",
        "[b > 'a']",
        "[-1]",
        ".[a]",
        ".[a, b]",
        ".{'a': a, 'b': $}",
        ".{a: b}",
        "^(a)",
        ".*",
        ".(a)",
        ".(b.c)",
        ".`a`",
        "{'k': $}",
        "[]",
        ".$string()",
        ".$count($)",
        "@$v.a",
        "#$i.b",
        ".%",
    ]);
    let around = prop::sample::select(vec![
        "@",
        "$count(@)",
        "[@]",
        "{'a': @}.a",
        "($v := @; $v.a)",
        "@ = 1",
        "$map(@, function($x){ $x.a })",
        "@ & ''",
        "[@].a",
        "$map([1], function($x){ @ })",
        "@ ~> $string()",
        "$sort([@], function($x, $y){ $x.a > $y.a })",
        "$sort([a, b, @], function($l, $r){ $l < $r })",
        "$sort([$states.input, @], function($x, $y){ $x.b.c >= $y.b.c })",
        "{'a': @, 'b': {'c': @}}.b.c",
    ]);
    (start, prop::collection::vec(step, 0..4), around)
        .prop_map(|(start, steps, around)| around.replace('@', &format!("{start}{}", steps.concat())))
}

/// What has no code is a bound, and what is recognised may need less.
fn bounded(found: &Result<Option<Value>, JsonataError>) -> bool {
    found.as_ref().is_err_and(|e| !e.coded && !e.unsupported_result)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn what_is_recognised_means_the_same(text in expression(), document in document(), inside in any::<bool>()) {
        let fast = Expression::parse(&text);
        let plain = Expression::parse_plain(&text);
        prop_assert_eq!(fast.as_ref().err(), plain.as_ref().err());
        if let (Ok(fast), Ok(plain)) = (fast, plain) {
            let world = World(document);
            let input = inside.then_some(&world.0);
            let (fast, plain) = (fast.eval_on(input, &world, &Bounds::AWS), plain.eval_on(input, &world, &Bounds::AWS));
            prop_assert!(fast == plain || bounded(&fast) || bounded(&plain), "{text}: {fast:?}, not {plain:?}");
        }
    }

    #[test]
    fn depth_counts_the_same(text in expression(), document in document(), depth in 1usize..12) {
        if let (Ok(fast), Ok(plain)) = (Expression::parse(&text), Expression::parse_plain(&text)) {
            let world = World(document);
            let bounds = Bounds { depth, ..Bounds::AWS };
            let (fast, plain) = (fast.eval_on(None, &world, &bounds), plain.eval_on(None, &world, &bounds));
            prop_assert!(fast == plain, "{text} at depth {depth}: {fast:?}, not {plain:?}");
        }
    }
}

#[test]
fn what_a_result_does_not_change_is_the_same_allocation() {
    let input: Value = r#"{"items": [{"id": 2, "tags": ["a"]}, {"id": 1, "tags": ["b"]}], "one": {"deep": [[1, 2]]}}"#
        .parse()
        .unwrap();
    let world = World(input.clone());
    let eval = |text: &str| Expression::parse(text).unwrap().eval(&world).unwrap().unwrap();
    let [first, second] = [&input["items"][0], &input["items"][1]];
    for text in [
        "$states.input.items[id > 0]",
        "$map($states.input.items, function($v){ $v })",
        "$filter($states.input.items, function($v){ true })",
        "[$states.input.items[0], $states.input.items[1]]",
        "$append($states.input.items, [])",
        "$states.input.items.($)",
    ] {
        let found = eval(text);
        assert!(found[0].same_node(first) && found[1].same_node(second), "{text}");
    }
    for text in [
        "$sort($states.input.items, function($a, $b){ $a.id > $b.id })",
        "$states.input.items^(id)",
        "$reverse($states.input.items)",
    ] {
        let found = eval(text);
        assert!(found[0].same_node(second) && found[1].same_node(first), "{text}");
    }
    assert!(eval("$states.input").same_node(&input));
    assert!(eval("$states.input.one.deep").same_node(&input["one"]["deep"]));
    assert!(eval("{'x': $states.input.one, 'y': 1}")["x"].same_node(&input["one"]));
    assert!(eval("$states.input.items.tags")[0].same_node(&first["tags"][0]));
    assert!(eval("$merge([$states.input.one, {'y': 1}])")["deep"].same_node(&input["one"]["deep"]));
}
