//! An expression (first line) and a payload template (the rest) over a fixed document.
#![no_main]

use asl_expr::{Expr, Intrinsic, NoEnv, Template};
use asl_fuzz::{World, document, parts, reads_back};
use asl_value::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let [expression, template] = parts(text);
    let input = document();
    let world = World(input.clone());
    match Expr::parse(expression) {
        Ok(parsed) => {
            assert_eq!(parsed.text(), expression);
            let _ = (parsed.paths(), parsed.eval("f.$", &input, &NoEnv));
            check(|| parsed.eval("f.$", &input, &world));
            // In a template it means the same.
            let member = Value::from_iter([("f.$", expression)]);
            let outer = Template::parse(&member).expect("the expression is right").eval(&input, &world);
            assert_eq!(outer.map(|v| v["f"].clone()), parsed.eval("f.$", &input, &world));
        }
        Err(e) => {
            assert!(e.offset <= expression.len(), "{e:?}");
            assert!(Template::parse(&Value::from_iter([("f.$", expression)])).is_err());
        }
    }
    let call = Intrinsic::parse(&format!("States.Array({expression})"));
    if let Ok(call) = call {
        check(|| call.eval(&input, &world));
    }
    let Ok(template) = template.parse::<Value>() else { return };
    match Template::parse(&template) {
        Ok(parsed) => check(|| parsed.eval(&input, &world)),
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
});

/// The same twice, and a value that can be written down.
fn check<E: PartialEq + std::fmt::Debug>(eval: impl Fn() -> Result<Value, E>) {
    let found = eval();
    assert_eq!(eval(), found);
    if let Ok(value) = found {
        reads_back(&value);
    }
}
