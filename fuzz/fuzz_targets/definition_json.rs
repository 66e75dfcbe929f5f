//! A definition in JSON: judged in every way, with and without substitutions; the same however the JSON is laid out, and
//! the same when it is read as YAML.
#![no_main]

use asl_fuzz::{judge, verdict};
use asl_syntax::{Format, Kind, Options, Rule, Source};
use asl_value::Value;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|text: &str| {
    let source = Source::new("fuzz", text);
    let standard = judge(&source, &Options::default());
    judge(&source, &Options { kind: Kind::Express, lints: false, ..Options::default() });
    substituted(text);

    let Ok(value) = text.parse::<Value>() else { return };
    if standard.diagnostics.iter().any(|d| matches!(d.rule, Rule::DuplicateKey | Rule::TooDeep)) {
        return;
    }
    let pretty = format!("{value:#}");
    let laid_out = judge(&Source::new("fuzz", pretty.as_str()), &Options::default());
    assert_eq!(verdict(&laid_out), verdict(&standard), "another layout");
    if reads_as_yaml(&value, &pretty) {
        let source = Source::new("fuzz", pretty.as_str());
        let yaml = judge(&source, &Options { format: Format::Yaml, ..Options::default() });
        assert_eq!(verdict(&yaml), verdict(&standard), "read as YAML:\n{pretty}");
    }
});

fn substituted(text: &str) {
    let values = [("A", "x"), ("B", "a \"quoted\\ text\n"), ("C", "12"), ("D", ""), ("E", "{\"Type\": \"Succeed\"}")];
    let values: BTreeMap<String, String> = values.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    match Source::with_substitutions("fuzz", text, &values) {
        Ok(source) => {
            judge(&source, &Options::default());
        }
        Err(missing) => {
            assert!(!missing.bindings.is_empty() && !missing.to_string().is_empty());
            for binding in &missing.bindings {
                for span in &binding.spans {
                    assert_eq!(text.get(span.start..span.end), Some(&*format!("${{{}}}", binding.key)));
                }
            }
        }
    }
}

/// YAML is JSON and more, but for characters it does not print, long keys, and depth.
fn reads_as_yaml(value: &Value, text: &str) -> bool {
    let printable = text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n'));
    printable && value.measure().depth < 60 && text.lines().all(|line| line.len() < 1000)
}
