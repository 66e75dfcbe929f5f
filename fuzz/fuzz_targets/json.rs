//! JSON text to a value and back; whatever serde_json accepts, we accept.
#![no_main]

use asl_fuzz::reads_back;
use asl_value::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(value) => reads_back(&value),
        Err(error) => {
            assert!(error.offset <= text.len() && error.line > 0 && error.column > 0, "{error:?}");
            assert!(!error.to_string().is_empty());
            let strict = serde_json::from_str::<serde_json::Value>(text);
            assert!(strict.is_err(), "serde_json reads it, we say: {error}");
        }
    }
});
