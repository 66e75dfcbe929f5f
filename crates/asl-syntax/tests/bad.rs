//! Bad definitions and what is said about them: each file in `fixtures/bad` has its diagnostics beside it in a `.txt`.
//! `UPDATE_FIXTURES=1 cargo test -p asl-syntax --test bad` writes them anew: read the difference before keeping it.
#![allow(clippy::disallowed_methods, reason = "the test reads its cases from files")]

use asl_syntax::{Format, Kind, Options, Rule, Source, load, plain_text};
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bad");
    let entries = std::fs::read_dir(folder).expect("the folder of bad definitions");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "json" || e == "yaml"));
    files.sort();
    files
}

fn told(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let source = Source::new(name, std::fs::read_to_string(path).expect("readable"));
    let kind = if name.contains(".express.") { Kind::Express } else { Kind::Standard };
    let format = if name.ends_with(".yaml") { Format::Yaml } else { Format::Json };
    plain_text(&source, &load(&source, &Options { kind, format, ..Options::default() }).diagnostics)
}

#[test]
fn each_bad_definition_is_told_what_is_wrong() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut differ = String::new();
    for path in files() {
        let expected = path.with_extension("txt");
        let found = told(&path);
        if update {
            std::fs::write(&expected, &found).expect("writable");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            differ += &format!("{}\n{found}\n", path.display());
        }
    }
    assert!(differ.is_empty(), "these differ from their .txt:\n{differ}");
}

#[test]
fn every_rule_has_a_bad_definition() {
    let all: String = files().iter().map(|path| told(path)).collect();
    for rule in Rule::ALL.iter().filter(|rule| !matches!(rule, Rule::TooLarge | Rule::TooDeep)) {
        assert!(all.contains(&format!("[{rule}]")), "{rule}");
    }
}
