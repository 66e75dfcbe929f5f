//! Histories as text: written as they were recorded, to the letter.

mod common;

use asl_journal::Kept;
use common::{kept, new_of, step};
use std::path::Path;

#[test]
fn every_kept_history_is_written_as_it_was_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/histories");
    let mut histories = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "jsonl") {
            let text = std::fs::read_to_string(&file).unwrap();
            assert_eq!(Kept::parse(&text).unwrap().text().unwrap(), text, "{}", file.display());
            histories += 1;
        }
    }
    assert!(histories >= 15, "only {histories} histories");
}

#[test]
fn an_input_with_line_breaks_is_kept_and_a_mistake_after_it_has_its_line() {
    let records = vec![new_of("one", "fare", "\n{\n  \"fareId\": \"f1\"\n}\n").record, step(3, 7.into())];
    let text = kept(records.clone());
    assert_eq!(text.lines().count(), 5);
    assert_eq!(Kept::parse(&text).unwrap().records, records);
    let damaged = Kept::parse(&text.replace("\"output\":4", "\"output\":5")).unwrap_err();
    assert!(damaged.line == 5 && damaged.what.contains("checksum"), "{damaged}");
    let cut = Kept::parse(text.trim_end().trim_end_matches('}')).unwrap_err();
    assert!(cut.line == 5 && cut.what.starts_with("is no record"), "{cut}");
}
