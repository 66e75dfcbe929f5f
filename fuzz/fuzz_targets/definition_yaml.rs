//! A definition in YAML: judged in every way, with and without substitutions.
#![no_main]

use asl_fuzz::judge;
use asl_syntax::{Format, Kind, Options, Source};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|text: &str| {
    let options = Options { format: Format::Yaml, ..Options::default() };
    let source = Source::new("fuzz", text);
    judge(&source, &options);
    judge(&source, &Options { kind: Kind::Express, lints: false, ..options });
    let values = BTreeMap::from(
        [("A", "x"), ("B", "\"q\"\n  k: v"), ("C", "12"), ("D", "")].map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    if let Ok(source) = Source::with_substitutions("fuzz", text, &values) {
        judge(&source, &options);
    }
});
