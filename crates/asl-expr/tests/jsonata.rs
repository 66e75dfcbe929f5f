//! What the engine promises of JSONata beyond the suite: AWS's functions, its words, its bounds.

use asl_expr::jsonata::{Bounds, Expression, JsonataEnv, JsonataTemplate, Reference};
use asl_value::Value;

struct World;

impl JsonataEnv for World {
    fn states(&self) -> Value {
        r#"{"input": {"a": {"b": [{"c": 1}, {"c": 2}]}, "big": 9007199254740993, "s": "x"}, "context": {"State": {"Name": "S"}}}"#
            .parse()
            .unwrap()
    }
    fn variable(&self, name: &str) -> Option<Value> {
        (name == "rate").then(|| r#"{"v": 2.5}"#.parse().unwrap())
    }
    fn random(&self) -> u64 {
        42
    }
    fn now_ms(&self) -> i64 {
        1_700_000_000_123
    }
}

fn eval(text: &str) -> Result<String, String> {
    let expression = Expression::parse(text).map_err(|e| e.to_string())?;
    let value =
        expression.eval(&World).map_err(|e| if e.unsupported_result { "unsupported".into() } else { e.text })?;
    Ok(value.map_or("undefined".to_owned(), |v| v.to_string()))
}

/// What the reference answers, of patterns that the crate `regex` has not, or has otherwise.
#[test]
fn patterns_are_javascripts() {
    let table = [
        (r"$match('a,b;c,,d', /\w+(?=,)/).match", r#"["a","c"]"#),
        (r"$replace('2024-01-02', /(?<y>\d+)-(?<m>\d+)/, '$2/$1')", r#""01/2024-02""#),
        (r"$match('$12.5 and 30', /(?<=\$)[\d.]+/).match", r#""12.5""#),
        (r"$match('$12.5 and 30', /(?<!\$)\b\d+/).match", r#"["5","30"]"#),
        (r"$match('aa bb cd', /(\w)\1/).match", r#"["aa","bb"]"#),
        (r"$match('foobarbar', /(?<a>bar)\k<a>/).match", r#""barbar""#),
        (r"$match('abab', /(?:(a)|b)*/).groups", "[null]"),
        (r"$match('zaacbbbcac', /(z)((a+)?(b+)?(c))*/).groups", r#"["z","ac","a",null,"c"]"#),
        (r"$match('abcdef', /(?<=([abc]+)([abc]+))d/).groups", r#"["a","bc"]"#),
        (r"$match('baaabac', /(?=(a+))a*b\1/)[0].index", "3"),
        (r#"$match("x1\r\ny2", /^\w\d$/m).index"#, "[0,4]"),
        (r#"$contains("a\u0085b", /a\sb/)"#, "false"),
        ("$match('Straße ẞ ſ K', /[a-zß]+/i).match", r#"["Straße","K"]"#),
        (r"$contains('password1', /^(?=.*\d)(?=.*[a-z]).{8,}$/)", "true"),
    ];
    for (text, expected) in table {
        assert_eq!(eval(text).as_deref(), Ok(expected), "{text}");
    }
    let refused = "Invalid regular expression: /a++/: Nothing to repeat";
    assert_eq!(eval("$match('a', /a++/)").unwrap_err(), refused);
    let seen = Expression::parse("'a' ~> /a++/").unwrap().mistaken();
    assert_eq!(seen.iter().map(|found| found.message.as_str()).collect::<Vec<_>>(), [refused]);
}

#[test]
fn values() {
    let table = [
        ("$states.input.a.b.c", "[1,2]"),
        ("$states.input.a.b[c = 2].c", "2"),
        ("$states.input.big", "9007199254740993"),
        ("$states.input.none", "undefined"),
        ("$states.context.State.Name", "\"S\""),
        ("$rate.v * 2", "5"),
        ("$doesNotExist", "undefined"),
        ("($rate := 1; $rate)", "1"),
        ("1/0", "\"Infinity\""),
        ("$range(0, 9, 3)", "[0,3,6,9]"),
        ("$range(-1.7, 2, 1)", "[-1,0,1,2]"),
        ("$range(1, 1, 1)", "1"),
        ("$range(1, 3)", "undefined"),
        ("$range(1, 3, -1)", "undefined"),
        ("$partition([1,2,3], 2)", "[[1,2],[3]]"),
        ("$partition([], 2)", "undefined"),
        ("$partition([1], 0)", "undefined"),
        ("$partition([0], 1)", "[[0]]"),
        ("$hash('HelloWorld', 'MD5')", "\"68e109f0f40ca72a15e05cc22786f8e6\""),
        ("$hash('HelloWorld')", "undefined"),
        ("$random(42)", "0.7275636800328681"),
        ("$random() = $random()", "false"),
        ("$length($uuid())", "36"),
        ("$uuid() = $uuid()", "false"),
        ("$parse('{\"a\":[1,null]}')", "{\"a\":[1,null]}"),
        ("$millis()", "1700000000123"),
        ("$now()", "\"2023-11-14T22:13:20.123Z\""),
        ("$now('[Y]')", "\"2023\""),
        ("$pad('x', -3, '0')", "\"00x\""),
        ("('x').$pad(3, '#')", "\"x##\""),
        ("'x' ~> $pad(3, '#')", "\"x##\""),
        ("('a b').$encodeUrlComponent()", "\"a%20b\""),
        ("'a b' ~> $encodeUrl()", "\"a%20b\""),
        ("$map(['a b'], $encodeUrl)", "\"a%20b\""),
        ("$string(1e20)", "\"100000000000000000000\""),
        ("'a' & 1 & true & null & [1]", "\"a1truenull[1]\""),
        ("$join($map([1..3], function($i){ 'n' & $i }), '-')", "\"n1-n2-n3\""),
        ("$replace('aXbX', 'X', '--')", "\"a--b--\""),
        ("[1..3].{'v': $}", "[{\"v\":1},{\"v\":2},{\"v\":3}]"),
        ("$reduce([1..1000], function($a, $v){ $a & 'x' }, '') ~> $length()", "1000"),
    ];
    for (text, expected) in table {
        assert_eq!(eval(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn errors_have_the_reference_words() {
    let table = [
        ("$nope()", "T1006: Attempted to invoke a non-function"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("1 + 'a'", "T2002: The right side of the \"+\" operator must evaluate to a number"),
        ("'a' - 1", "T2001: The left side of the \"-\" operator must evaluate to a number"),
        ("true < 1", "T2010: The expressions either side of operator \"<\" must evaluate to numeric or string values"),
        ("$uppercase(1)", "T0410: Argument 1 of function \"uppercase\" does not match function signature"),
        ("$number('a')", "D3030: Unable to cast value to a number: \"a\""),
        ("$number(' 1')", "D3030: Unable to cast value to a number: \" 1\""),
        ("$sqrt(-1)", "D3060: The sqrt function cannot be applied to a negative number: -1"),
        ("$error('mine')", "D3137: mine"),
        ("$partition([1], -1)", "T0410: Argument 2 of function \"partition\" does not match function signature"),
        ("function($x){ $x }", "unsupported"),
        ("/a/", "unsupported"),
        ("1 +", "S0207: Unexpected end of expression"),
        ("1 2", "S0201: Syntax error: 2"),
        ("(1 + 2", "S0203: Expected \")\" before end of expression"),
        ("[1, 2)", "S0202: Expected \"]\", got \")\""),
        ("'abc", "S0101: String literal must be terminated by a matching quote"),
        ("a ?? b", "S0211: The symbol \"?\" cannot be used as a unary operator"),
        ("a ?: b", "S0211: The symbol \":\" cannot be used as a unary operator"),
    ];
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let got = eval(text);
        if got.as_ref().err().map(String::as_str) != Some(expected) {
            wrong.push((text, expected, got));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn mistakes_are_placed() {
    for (text, offset) in [("1 2", 2), ("$a + ) ", 5), ("{'a' 1}", 5), ("a ?? b", 3), ("(1", 2)] {
        assert_eq!(Expression::parse(text).unwrap_err().offset, offset, "{text}");
    }
}

/// What no run could evaluate: the text that the caret is under, and what is said of it.
#[test]
fn what_no_run_could_evaluate_is_placed() {
    let cases = [
        ("1 + $lenght('a')", "$lenght", "There is no function '$lenght'"),
        ("'é😀' & $sume([1])", "$sume", "There is no function '$sume'"),
        ("$states.input ~> $nothing(1)", "$nothing", "There is no function '$nothing'"),
        ("$states.input.items[$nope(id)]", "$nope", "There is no function '$nope'"),
        ("{'a': 1 > 0 ? $eval('1') : 2}", "$eval", "$eval cannot be used"),
        ("$sum(1, 2)", "$sum", "$sum takes 1 argument, not 2"),
        ("[1, $substring('a')]", "$substring", "$substring lacks its argument 2"),
        ("'a' ~> $uppercase(1, 2)", "$uppercase", "$uppercase takes 0 to 1 arguments, not 3"),
        ("$sqrt('nine')", "'nine'", "Argument 1 of $sqrt cannot be a string"),
        ("$round(1.5, \"two\")", "\"two\"", "Argument 2 of $round cannot be a string"),
        ("$states.input.n * '2'", "'2'", "A number must be here, not a string"),
        ("'é' - 1", "'é'", "A number must be here, not a string"),
    ];
    for (text, under, message) in cases {
        let found = Expression::parse(text).unwrap().mistaken();
        let [found] = &found[..] else { panic!("{text}: {found:?}") };
        assert_eq!((&text[found.offset..found.offset + found.len], &*found.message), (under, message), "{text}");
    }
    for right in [
        "($f := function($x){$x}; $f(1, 2))",
        "$length('a')",
        "'1' & 2",
        "$sum($states.input.items.price)",
        "$map([1], $string)",
    ] {
        assert_eq!(Expression::parse(right).unwrap().mistaken(), [], "{right}");
    }
}

#[test]
fn references_are_what_is_read_from_outside() {
    let parsed = Expression::parse("($x := $rate; $states.input.a & $sum($x) & $other[$ > 1] & name & $$.b)").unwrap();
    let expected = [
        Reference::Variable("rate".into()),
        Reference::States(Some("input".into())),
        Reference::Function("sum".into()),
        Reference::Variable("other".into()),
        Reference::Field("name".into()),
        Reference::Root,
    ];
    assert_eq!(parsed.references(), expected);
}

#[test]
fn templates_name_the_place() {
    let template = r#"{"a": {"b": ["{% $nope %}", 1]}, "c": "plain", "d": "{% $states.input.s %}"}"#;
    let template = JsonataTemplate::parse(&template.parse().unwrap()).unwrap();
    let paths: Vec<&str> = template.expressions().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/a/b[0]", "/d"]);
    let error = template.eval("Output", &World).unwrap_err();
    assert_eq!(error.location, "Output/a/b[0]");
    assert_eq!(
        error.cause,
        "The JSONata expression '$nope' specified for the field 'Output/a/b[0]' returned nothing (undefined)."
    );
    let mistakes = JsonataTemplate::parse(&r#"[" {% 1 %}", "{% 1", "{% 1 + %}"]"#.parse().unwrap()).unwrap_err();
    assert_eq!(mistakes.len(), 3);
}

/// What `jsonata` 2.0.6 of npm says, a line each: the expression, and its JSON or its code and message.
#[test]
fn the_words_are_those_of_the_reference() {
    let mut wrong = Vec::new();
    for line in include_str!("jsonata_words.jsonl").lines() {
        let row: Value = line.parse().unwrap();
        let (text, expected) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        let got = eval(text).unwrap_or_else(|e| e);
        if got != expected {
            wrong.push(format!("{text}\n    reference: {expected}\n    here:      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whole_numbers_have_all_their_digits() {
    assert_eq!(eval("$string(9223372036854775808)").as_deref(), Ok("\"9223372036854776000\""));
    assert_eq!(eval("'' & 9007199254740991").as_deref(), Ok("\"9007199254740991\""));
    assert_eq!(eval("$string(1e21)").as_deref(), Ok("\"1e+21\""));
    assert_eq!(eval("$string(0.1 + 0.2)").as_deref(), Ok("\"0.3\""));
}

#[test]
fn the_work_of_an_evaluation_is_told() {
    let measure = |text: &str| {
        let parsed = Expression::parse(text).unwrap();
        let (found, work) = parsed.eval_measured(None, &World, &Bounds::AWS);
        assert_eq!((&found, work), (&parsed.eval(&World), parsed.eval_measured(None, &World, &Bounds::AWS).1));
        (found.is_ok(), work)
    };
    let ((few, small), (many, large)) = (measure("$sum([1..10])"), measure("$sum([1..10000])"));
    assert!(few && many && small > 0 && small < 200 && large > 10_000, "{small} {large}");
    let (endless, all) = measure("($f := function(){ $f() }; $f())");
    assert!(!endless && all == Bounds::AWS.work);
}

/// An embedder may have threads of 2 MB: no text may need more, however it nests, to be read, evaluated and dropped.
#[test]
fn no_text_overflows_a_stack_of_two_megabytes() {
    const TERMS: usize = 4_000;
    let chain = |first: &str, next: &str| first.to_owned() + &next.repeat(TERMS);
    let nest = |open: &str, inner: &str, close: &str| open.repeat(TERMS) + inner + &close.repeat(TERMS);
    let texts = [
        "1".to_owned() + &"+1".repeat(27_000),
        "a".to_owned() + &".a".repeat(27_000),
        chain("'a'", "&'a'"),
        chain("$states", ".a"),
        chain("$states.input", "[0]"),
        chain("$states.input", "^(a)"),
        chain("$states.input", "#$i"),
        chain("$states.input", "{'a':$}"),
        chain("$states.input", "@$v.a"),
        chain("1", " ~> $string"),
        chain("1", " ~> $string()"),
        chain("$f", "()"),
        chain("a", "[]"),
        chain("a", ".%"),
        chain("true", " and true"),
        chain("1", " in 1"),
        nest("(", "1", ")"),
        nest("[", "1", "]"),
        nest("{'a':", "1", "}"),
        nest("$f(", "1", ")"),
        nest("a[", "1", "]"),
        nest("function(){", "1", "}"),
        nest("|$|", "1", "|"),
        nest("$x := ", "1", ""),
        nest("-", "a", ""),
        nest("true ? ", "1", " : 2"),
        nest("true ? 1 : ", "1", ""),
        nest("a.(", "1", ")"),
        nest("a^(", "1", ")"),
        "(".repeat(TERMS),
        "[".repeat(TERMS),
        "{'a':".repeat(TERMS),
        // As deep as it may be.
        "(".repeat(150) + "1" + &")".repeat(150),
        "1".to_owned() + &"+1".repeat(390),
        "[".repeat(150) + "1" + &"]".repeat(150),
        "a.(".repeat(150) + "1" + &")".repeat(150),
        "function(){".repeat(150) + "1" + &"}".repeat(150),
        "a ? ".repeat(150) + "1",
        "$f({'a':".repeat(70) + "1" + &"})".repeat(70),
    ];
    let run = move || {
        for text in texts {
            match Expression::parse(&text) {
                Ok(expression) => _ = expression.eval(&World),
                Err(e) => assert!(text.is_char_boundary(e.offset) && !e.message.is_empty(), "{e:?}"),
            }
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

/// A function that calls itself without end, by way of each function that calls another, in each way that a call can be made:
/// an error, and no overflow of the stack of 2 MB.
#[test]
fn no_recursion_overflows_a_stack_of_two_megabytes() {
    const BY_WAY_OF: [&str; 16] = [
        "$f(1)",
        "$map([1], $f)",
        "$filter([1], $f)",
        "$single([1], $f)",
        "$each({'a': 1}, $f)",
        "$sift({'a': 1}, $f)",
        "$reduce([1, 2], $f)",
        "$sort([1, 2], $f)",
        "$split('ab', $f)",
        "$match('ab', $f)",
        "$contains('ab', $f)",
        "$replace('ab', $f, 'x')",
        "$replace('ab', /a/, $f)",
        "$partition([1, 2], $f(1))",
        "[1].$f($)",
        "[1, 2]^($f(1))",
    ];
    const CALLED: [&str; 6] =
        ["HOW", "HOW & ''", "true ? HOW", "(1; HOW)", "($g := $f(?, ?); HOW)", "1 ~> ($f ~> function($x){HOW})"];
    let run = || {
        for way in BY_WAY_OF {
            for called in CALLED {
                let text = format!("($f := function($a, $b){{{}}}; $f(1, 2))", called.replace("HOW", way));
                let expression = Expression::parse(&text).unwrap();
                _ = expression.eval_on(None, &World, &Bounds { work: 1_000_000, ..Bounds::AWS });
            }
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

proptest::proptest! {
    #[test]
    fn nothing_panics_and_mistakes_lie_inside_of_the_text(tokens in proptest::collection::vec(token(), 0..12)) {
        let text = tokens.concat();
        match Expression::parse(&text) {
            Ok(expression) => _ = expression.eval(&World),
            Err(e) => assert!(text.is_char_boundary(e.offset), "{text}: {e:?}"),
        }
    }
}

fn token() -> impl proptest::strategy::Strategy<Value = &'static str> {
    const TOKENS: &str = "$ $$ $states .input .a [ ] ( ) { } , ; : := ? ~> & + - * / % < > <= = != .. 1 0 -1 1e300 'a' 'é' \"\\u00e9\" \
        /a/ /(a)|b/i null true function($x) $map $sum $string $pad $substring $formatNumber $replace $split $sort $merge \
        $range $partition $hash $parse $fromMillis $toMillis $reduce '#0.0' '[Y]-[M01]' ^( | @$v #$i ** and or in [0] λ";
    proptest::sample::select(TOKENS.split_ascii_whitespace().collect::<Vec<_>>())
}

#[test]
fn a_failure_tells_which_part_it_was_and_what_was_there() {
    let told = [
        ("$states.input.aa.b", "`$states.input` has no `aa`: did you mean `$states.input.a`?"),
        ("$states.inptu.a", "`$states` has no `inptu`: did you mean `$states.input`?"),
        ("$states.input.a.b.d", "`$states.input.a.b[0]` has no `d`: did you mean `$states.input.a.b[0].c`?"),
        ("$states.input.s.x", "`$states.input.s` is a text, not an object"),
        ("$rate.w + 1", "`$rate` has no `w`: did you mean `$rate.v`?"),
        ("$rat.v", "nothing is assigned to `$rat` here"),
        (
            "$states.input.s * 2",
            "`$states.input.s` is a text, \"x\", not a number: $number($states.input.s) makes one of it",
        ),
        ("1 + $states.input.a", "`$states.input.a` is an object, not a number"),
        ("$states.input.s < 3", "`$states.input.s` is a text, \"x\", and the other side of < is not"),
        ("$states.input.a < 3", "`$states.input.a` is an object: < compares numbers or texts"),
        ("$sum($states.input.s)", "`$states.input.s` is a text, \"x\", which $sum does not take"),
        ("$number($states.input.s)", "`$states.input.s` is a text, \"x\", which reads as no number"),
        ("($x := $states.input.nope; $x * 2)", "`$states.input` has no `nope`; it has `a`, `big`, `s`"),
        // Where nothing gives something, it is not what is missed.
        (
            "$exists($states.input.no) ? $states.input.ss : 1",
            "`$states.input` has no `ss`: did you mean `$states.input.s`?",
        ),
        (
            "$states.input.no = 1 ? 2 : $states.input.bog",
            "`$states.input` has no `bog`: did you mean `$states.input.big`?",
        ),
        ("[$states.input.no].x", ""),
        ("$map($states.input.a.b, function($x){ $x.no })", ""),
    ];
    for (text, hint) in told {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.hint(&World).unwrap_or_default(), hint, "{text}");
    }
    let template = JsonataTemplate::parse(&r#"{"a": ["{% $states.input.aa %}"]}"#.parse().unwrap()).unwrap();
    let failed = template.eval("Output", &World).unwrap_err();
    assert_eq!((&*failed.location, failed.hint.is_some()), ("Output/a[0]", true));
}
