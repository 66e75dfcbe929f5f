//! Histories as text: written as they were recorded, to the letter.

use asl_journal::Kept;
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
