//! An exported history: a definition (first line) and the history (the rest); or, when the first line is empty, records
//! kept as text. Whatever it is there is an answer, the same each time; the order of the events in an export does not
//! matter; and what replays has the record's number of events.
#![no_main]

use asl::{Exported, Kept, Value, Whose, replay_exported, replay_kept, try_kept};
use asl_fuzz::parts;
use asl_syntax::{Options, Source, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let [definition, history] = parts(text);
    if definition.is_empty() {
        return kept(history);
    }
    let Ok(export) = Exported::parse(history) else { return };
    let options = Options { lints: false, ..Options::default() };
    let Some(definition) = load(&Source::new("fuzz", definition), &options).definition else { return };
    let replay = |export: &Exported| {
        let replayed = replay_exported(definition.clone(), export, &Whose::default());
        replayed.map_err(|problem| problem.to_string())
    };
    let replayed = replay(&export);
    if let Ok(replayed) = &replayed {
        assert_eq!(replayed.events, export.len());
    }
    let value: Value = history.parse().expect("it was read");
    let events = value.get("events").unwrap_or(&value).as_array().unwrap_or_default();
    let backwards: Vec<Value> = events.iter().rev().cloned().collect();
    // Of events with one number the first counts.
    if events.len() == export.len() && value.get("events").is_some() {
        let backwards = Exported::read(&Value::from(backwards)).expect("the same events");
        assert_eq!(replay(&backwards), replayed, "in another order");
    }
});

fn kept(text: &str) {
    let Ok(kept) = Kept::parse(text) else { return };
    let replayed = replay_kept(&kept).is_ok();
    let options = Options { lints: false, ..Options::default() };
    let Some(definition) = load(&Source::new("fuzz", kept.definition.as_str()), &options).definition else { return };
    assert_eq!(try_kept(&kept, definition).is_ok(), replayed, "its own definition can be tried when it replays");
}
