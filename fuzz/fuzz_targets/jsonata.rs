//! A JSONata expression (first line) over a document (the rest, or a fixed one).
#![no_main]

use asl_expr::jsonata::{Bounds, Expression, JsonataEnv, JsonataError};
use asl_fuzz::{document, parts, reads_back};
use asl_value::Value;
use libfuzzer_sys::fuzz_target;

struct World(Value);

impl JsonataEnv for World {
    fn states(&self) -> Value {
        Value::from_iter([("input", self.0.clone())])
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn random(&self) -> u64 {
        0x0123_4567_89ab_cdef
    }

    fn now_ms(&self) -> i64 {
        1_700_000_000_123
    }
}

fuzz_target!(|text: &str| {
    let [expression, data] = parts(text);
    let parsed = match Expression::parse(expression) {
        Ok(parsed) => parsed,
        Err(e) => {
            assert!(expression.get(..e.offset).is_some(), "no place in the text: {e:?}");
            return;
        }
    };
    let data = data.parse().unwrap_or_else(|_| document());
    let world = World(data.clone());
    // A tenth of work and memory, so that many expressions are tried; the bounds are of the same kind.
    let bounds = Bounds { work: Bounds::AWS.work / 10, memory: Bounds::AWS.memory / 10, ..Bounds::AWS };
    for input in [None, Some(&data)] {
        let found = parsed.eval_on(input, &world, &bounds);
        assert_eq!(parsed.eval_on(input, &world, &bounds), found, "another answer: {expression}");
        let plain = Expression::parse_plain(expression).expect("it parses").eval_on(input, &world, &bounds);
        let bounded = |found: &Result<_, JsonataError>| found.as_ref().is_err_and(|e| !e.coded && !e.unsupported_result);
        assert!(plain == found || bounded(&plain) || bounded(&found), "what is recognised means another thing: {expression}");
        match found {
            Ok(value) => value.iter().for_each(reads_back),
            Err(e) => assert!(!e.text.is_empty() && (!e.coded || e.text.as_bytes()[5] == b':'), "{e:?}"),
        }
    }
});
