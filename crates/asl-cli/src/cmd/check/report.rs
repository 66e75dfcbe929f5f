//! What was found, for programs: AWS's shape with places, SARIF, workflow commands of GitHub.

use crate::render::snippet::Finding;
use crate::render::text;
use asl::parts::syntax::{Diagnostic, Severity, Source};
use asl::project::Problem;
use asl::{Map, Value};
use std::collections::BTreeSet;

/// A file that was checked.
pub(super) struct Checked {
    pub(super) file: String,
    pub(super) found: Vec<Found>,
    /// How many errors and warnings there are that were not kept.
    pub(super) more: (usize, usize),
}

/// Something that was found.
#[derive(PartialEq)]
pub(super) struct Found {
    pub(super) finding: Finding,
    /// AWS's code of the diagnostic; ours where AWS has none.
    code: &'static str,
    /// The JSON pointer, or whatever else AWS calls the place.
    location: Option<String>,
}

impl Found {
    pub(super) fn of_definition(source: &Source, diagnostic: &Diagnostic) -> Found {
        let location = diagnostic.location.as_deref().map(str::to_owned);
        Found { finding: Finding::of(source, diagnostic), code: diagnostic.code.as_str(), location }
    }

    pub(super) fn of_project(problem: &Problem, severity: Severity) -> Found {
        let code = if severity == Severity::Error { "INVALID_PROJECT" } else { "CANNOT_RUN_HERE" };
        Found { finding: Finding { severity, ..Finding::from(problem) }, code, location: None }
    }

    /// A `${...}` without a value, where there is no project that could give it one.
    pub(super) fn needs_value(problem: &Problem) -> Found {
        let finding = Finding { severity: Severity::Warning, ..Finding::from(problem) };
        Found { finding, code: "NEEDS_VALUE", location: None }
    }

    /// The rule's name; for what has none, the code as one.
    fn rule(&self) -> String {
        self.finding.rule.map_or_else(|| self.code.to_lowercase().replace('_', "-"), str::to_owned)
    }

    /// With what to do about it.
    fn text(&self) -> String {
        let message = self.finding.message.trim_end();
        self.finding.help.as_ref().map_or_else(|| message.to_owned(), |help| format!("{message}\nhelp: {help}"))
    }
}

impl Checked {
    pub(super) fn count(&self, severity: Severity) -> usize {
        let more = if severity == Severity::Error { self.more.0 } else { self.more.1 };
        self.found.iter().filter(|found| found.finding.severity == severity).count() + more
    }
}

/// How many diagnostics AWS answers with at most.
const MAX_DIAGNOSTICS: usize = 100;

/// What ValidateStateMachineDefinition answers, with `file`, and `line` and `column` of each place.
pub(super) fn json(checked: &Checked) -> String {
    let entry = |found: &Found| {
        let mut entry = Map::new();
        entry.insert("severity", found.finding.severity.as_str());
        entry.insert("code", found.code);
        entry.insert("message", found.finding.message.as_str());
        found.location.iter().for_each(|location| drop(entry.insert("location", location.as_str())));
        entry.insert("file", found.finding.file.as_str());
        if let Some((line, column)) = found.finding.line_column() {
            entry.insert("line", line as u64);
            entry.insert("column", column as u64);
        }
        entry.insert("rule", found.rule());
        found.finding.help.iter().for_each(|help| drop(entry.insert("help", help.as_str())));
        Value::from(entry)
    };
    let shown = checked.found.iter().take(MAX_DIAGNOSTICS);
    let mut out = Map::new();
    out.insert("file", checked.file.as_str());
    out.insert("result", if checked.count(Severity::Error) == 0 { "OK" } else { "FAIL" });
    out.insert("diagnostics", shown.map(entry).collect::<Vec<_>>());
    out.insert("truncated", checked.found.len() > MAX_DIAGNOSTICS || checked.more != (0, 0));
    text::json(&out.into())
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Map::from_iter(members).into()
}

/// SARIF 2.1.0 (OASIS): one run with a result for each finding.
pub(super) fn sarif(all: &[Checked]) -> String {
    let found = || all.iter().flat_map(|checked| &checked.found);
    let rules: BTreeSet<String> = found().map(Found::rule).collect();
    let rules: Vec<Value> = rules.into_iter().map(|rule| object([("id", rule.into())])).collect();
    let results: Vec<Value> = found().map(result).collect();
    let driver =
        object([("name", "asl".into()), ("version", env!("CARGO_PKG_VERSION").into()), ("rules", rules.into())]);
    let run = object([
        ("tool", object([("driver", driver)])),
        ("columnKind", "unicodeCodePoints".into()),
        ("results", results.into()),
    ]);
    let log = object([
        ("$schema", "https://json.schemastore.org/sarif-2.1.0.json".into()),
        ("version", "2.1.0".into()),
        ("runs", vec![run].into()),
    ]);
    text::json(&log)
}

fn result(found: &Found) -> Value {
    let artifact = object([("uri", found.finding.file.replace('\\', "/").replace(' ', "%20").into())]);
    let physical = match found.finding.line_column() {
        Some((line, column)) => {
            let region = object([("startLine", (line as u64).into()), ("startColumn", (column as u64).into())]);
            object([("artifactLocation", artifact), ("region", region)])
        }
        None => object([("artifactLocation", artifact)]),
    };
    object([
        ("ruleId", found.rule().into()),
        ("level", level(found.finding.severity).into()),
        ("message", object([("text", found.text().into())])),
        ("locations", vec![object([("physicalLocation", physical)])].into()),
    ])
}

/// `::error file=...,line=...,col=...,title=...::MESSAGE`, as GitHub Actions reads them from a step's output.
pub(super) fn github(all: &[Checked]) -> String {
    let line = |found: &Found| {
        let mut properties = format!("file={}", property(&found.finding.file));
        if let Some((line, column)) = found.finding.line_column() {
            properties += &format!(",line={line},col={column}");
        }
        let title = property(&found.rule());
        format!("::{} {properties},title={title}::{}\n", level(found.finding.severity), data(&found.text()))
    };
    all.iter().flat_map(|checked| &checked.found).map(line).collect()
}

/// A message, as GitHub escapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, where more is special.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
