//! No expression, whatever it says and whatever it is given, takes more than its share of memory, time or stack.

use asl_expr::{Env, Expr, Intrinsic, MAX_BYTES, NoEnv, Path, Template};
use asl_value::{Map, Value};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A world that adds up the work.
#[derive(Default)]
struct Working(Cell<u64>);

impl Env for Working {
    fn context(&self) -> Value {
        Value::empty_object()
    }

    fn variable(&self, _: &str) -> Option<Value> {
        None
    }

    fn random(&self) -> u64 {
        7
    }

    fn worked(&self, units: u64) {
        self.0.set(self.0.get() + units);
    }
}

/// What `make` gives for each number, as the members of an object.
fn members(count: usize, make: impl Fn(usize) -> (String, String)) -> Value {
    (0..count).map(make).collect::<Map>().into()
}

/// Each of these would take gigabytes, or minutes.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn an_evaluation_ends_before_it_takes_too_much() {
    let input: Value = Value::from_iter([
        ("s", Value::from("x".repeat(200_000))),
        ("commas", Value::from(",a".repeat(100_000))),
        ("brackets", Value::from(format!("[{}1]", "[[],[]],".repeat(200_000)))),
        ("numbers", (0..20_000).collect::<Vec<i32>>().into_iter().map(Value::from).collect()),
        ("rows", (0..2_000).map(|_| Value::from("x".repeat(500))).collect()),
        (
            "wide",
            (0..300).fold(Value::from("leaf"), |inner, i| Value::from_iter([("a", inner), ("b", Value::from(i))])),
        ),
    ]);
    let many = |argument: &str| vec![argument; 10_000].join(", ");
    let calls = [
        format!("States.Format('{}', {})", "{}".repeat(10_000), many("$.s")),
        format!("States.JsonToString(States.Array({}))", many("$.s")),
        format!("States.Array({})", many("$.s")),
        format!("States.Array({})", many("States.StringSplit($.commas, ',')")),
        format!("States.Array({})", many("States.ArrayPartition($.numbers, 1)")),
        format!("States.Array({})", many("States.StringToJson($.brackets)")),
        format!("States.Array({})", many("States.JsonMerge($, $, false)")),
        format!("States.Array({})", many("States.Base64Encode(States.JsonToString(States.ArrayRange(1, 999, 1)))")),
        format!("States.Array({})", many("States.ArrayContains($.rows, 'nope')")),
        format!("States.Array({})", many("$..*")),
        format!("States.Array({})", many("$.rows[?(@ =~ /(x+x+)+y/)]")),
        format!("States.Array({})", many("$.rows[?(@ == $.s)]")),
    ];
    let mut templates: Vec<Value> = calls.map(|call| Value::from_iter([("v.$", Value::from(call))])).into();
    for expression in ["$.s", "$.wide..*", "$.wide..a..b", "States.JsonToString($.rows)", "$.rows[?(@ != 'x')]", "$$.x"]
    {
        templates.push(members(10_000, |i| (format!("k{i}.$"), expression.to_owned())));
    }
    templates.push(vec![members(10, |i| (format!("k{i}.$"), "$.s".to_owned())); 1_000].into());
    for template in templates {
        let shown: String = template.to_string().chars().take(120).collect();
        let parsed = Template::parse(&template).unwrap();
        let env = Working::default();
        let began = Instant::now();
        let error = parsed.eval(&input, &env).unwrap_err();
        // A build without optimisation on a busy machine takes ten times as long as it should.
        assert!(began.elapsed() < Duration::from_secs(20), "{shown}: {:?}", began.elapsed());
        assert!(env.0.get() <= 50_000_000, "{shown}: {}", env.0.get());
        let wanted = if shown.contains("$$.x") { "States.Runtime" } else { "States.DataLimitExceeded" };
        if !(error.error == wanted || error.cause.contains("visits more than")) {
            panic!("{shown}: {}: {:.300}", error.error, error.cause);
        }
    }
}

#[test]
fn what_fits_is_made_and_its_work_is_told() {
    let input = Value::from_iter([("s", Value::from("x".repeat(200_000)))]);
    let template = members(100, |i| (format!("k{i}.$"), "$.s".to_owned()));
    let env = Working::default();
    let value = Template::parse(&template).unwrap().eval(&input, &env).unwrap();
    assert!(value.measure().bytes > 20_000_000 && value.measure().bytes < MAX_BYTES);
    assert!(env.0.get() > 1_000_000, "{}", env.0.get());
    let env = Working::default();
    let sum = Expr::parse("States.MathAdd(1, 2)").unwrap();
    assert_eq!(sum.eval("v.$", &Value::Null, &env), Ok(Value::from(3)));
    assert!((1..1_000).contains(&env.0.get()));
}

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
}

/// On a stack half as large as the threads of other programs have.
#[test]
fn deep_texts_are_refused_or_evaluated_on_a_small_stack() {
    on_a_small_stack(|| {
        for levels in [1, 2, 9, 100, 4_000, 30_000] {
            let nested = |open: &str, close: &str| format!("{}{}", open.repeat(levels), close.repeat(levels));
            for text in [
                format!("$.{}", vec!["a"; levels].join(".")),
                format!("${}", "..a".repeat(levels)),
                format!("${}", nested("[?(@.a", " == 1)]")),
                format!("${}", nested("[?(@.a[?(@.b", ")] == 1)]")),
                format!("$[?({})]", nested("(", ")")),
                format!("$[?(@.a {})]", "|| @.a ".repeat(levels)),
                format!("$[?(@.a {})]", "&& @.a ".repeat(levels)),
                format!("$[?(@.a =~ /{}/)]", nested("(", ")")),
                format!("${}", nested("[", "]")),
                format!("$['{}']", nested("[", "]")),
            ] {
                if let Ok(path) = Path::parse(&text) {
                    let _ = path.eval(&deepest(), &NoEnv);
                }
            }
            let call = nested("States.Array(", ")");
            assert_eq!(Intrinsic::parse(&call).is_ok(), levels <= 10);
        }
        for text in ["$..*", "$..a", "$..[0]", "$..[?(@.a)]", "$..*..*", "$..a..a..a"] {
            let _ = Path::parse(text).unwrap().eval(&deepest(), &NoEnv);
        }
        for call in ["ArrayUnique($.a)", "JsonToString($)", "Format('{}', $)", "Array($)", "Hash($, 'MD5')"] {
            let _ = Intrinsic::parse(&format!("States.{call}")).unwrap().eval(&deepest(), &NoEnv);
        }
    });
}

/// As deep as a text can be, with objects and arrays by turns.
fn deepest() -> Value {
    (0..asl_value::MAX_DEPTH).fold(Value::from(1), |inner, i| match i % 2 {
        0 => vec![inner].into(),
        _ => Value::from_iter([("a", inner)]),
    })
}

#[test]
fn a_template_is_as_deep_as_a_small_stack_takes() {
    on_a_small_stack(|| {
        let template = |depth: usize| {
            (1..depth).fold(Value::from_iter([("v.$", "$")]), |inner, i| match i % 2 {
                0 => vec![inner].into(),
                _ => Value::from_iter([("a", inner)]),
            })
        };
        let filled = Template::parse(&template(256)).unwrap().eval(&deepest(), &NoEnv).unwrap();
        assert_eq!(filled.measure().depth, 256 + asl_value::MAX_DEPTH);
        for depth in [257, 10_000] {
            let mistakes = Template::parse(&template(depth)).unwrap_err();
            assert_eq!(mistakes[0].message, "A template can not be nested deeper than 256 levels");
        }
    });
}
