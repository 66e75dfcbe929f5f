//! What the fuzz targets share.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use asl_expr::Env;
use asl_syntax::{Loaded, Options, Source, create_error_message, load, plain_text, validate};
use asl_value::{MAX_DEPTH, Value, parse};

/// A document with every kind of value, nested, for expressions to read.
pub const DOCUMENT: &str = r#"{"a":{"b":[{"c":1,"d":"x"},{"c":2.5,"d":null},{"c":-3,"e":[true,false,[]]}],"it's":{"a":"A"}},
"list":[3,1,2,2,"two",null,{"n":0}],"n":7,"big":12345678901234567890123,"f":1.0E-7,"s":"a,b;c","empty":{},"none":null,
"text":"{\"k\":[1,2]}","b64":"aGVsbG8=","é":"ü😀","items":[1,2,3],"time":"2026-01-01T00:00:00Z","yes":true}"#;

/// [`DOCUMENT`], read.
pub fn document() -> Value {
    parse(DOCUMENT).expect("the document is JSON")
}

/// The parts of an input: lines, and the last part with all that is left. What is missing is empty.
pub fn parts<const N: usize>(text: &str) -> [&str; N] {
    let mut parts = text.splitn(N, '\n');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// An [`Env`] in which there is something to find.
pub struct World(pub Value);

impl Env for World {
    fn context(&self) -> Value {
        self.0.clone()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn random(&self) -> u64 {
        0x0123_4567_89ab_cdef
    }
}

/// A value is its text: measured as long as it is written, and read back the same.
pub fn reads_back(value: &Value) {
    let text = value.to_string();
    let measure = value.measure();
    assert_eq!(measure.bytes, text.len(), "measured otherwise than written: {text}");
    if measure.depth > MAX_DEPTH {
        return;
    }
    let again = parse(&text).unwrap_or_else(|e| panic!("not read back: {e}: {text}"));
    assert_eq!(&again, value, "read back otherwise: {text}");
    assert_eq!(again.to_string(), text);
    assert_eq!(parse(&format!("{value:#}")).as_ref(), Ok(value), "indented text is read otherwise");
}

/// Loads a definition, and renders all that was said about it. A definition comes back exactly when there is no error,
/// and every place lies in the text that was given.
pub fn judge(source: &Source, options: &Options) -> Loaded {
    let loaded = load(source, options);
    let errors = loaded.diagnostics.iter().filter(|d| d.is_error()).count();
    let told = plain_text(source, &loaded.diagnostics);
    assert!(errors == 0 || loaded.definition.is_none(), "accepted with errors:\n{told}");
    assert!(errors > 0 || loaded.definition.is_some(), "refused without an error:\n{told}");
    for diagnostic in &loaded.diagnostics {
        let labels = diagnostic.labels.iter().map(|(span, _)| span);
        for span in diagnostic.span.iter().chain(labels) {
            assert!(source.original().get(span.start..span.end).is_some(), "no place in the text: {diagnostic:?}");
        }
        reads_back(&validate(std::slice::from_ref(diagnostic), diagnostic.severity, 1).to_value());
    }
    assert!(create_error_message(&loaded.diagnostics).starts_with("Invalid State Machine Definition: '"));
    loaded
}

/// What was said, without the words and places that depend on how the text is written.
pub fn verdict(loaded: &Loaded) -> Vec<(&'static str, Option<&str>)> {
    let mut said: Vec<_> = loaded.diagnostics.iter().map(|d| (d.rule.name(), d.location.as_deref())).collect();
    said.sort();
    said
}
