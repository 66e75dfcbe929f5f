//! Loading goes with what machines hold, not with their histories.
#![cfg(target_os = "linux")]

use asl_engine::{Engine, Notice, Observer, StartExecution, Update};
use asl_journal::{Durability, Journal, Options as JournalOptions};
use asl_store::Status;
use asl_syntax::{Definition, Options, Source, load};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// So many texts of 200,000 characters, a new one each turn; then it waits. The last text is what it holds.
const TURNS: usize = 150;
const MAKES_TEXTS: &str = r#"{"StartAt": "Make", "QueryLanguage": "JSONata", "States": {
    "Make": {"Type": "Pass", "Next": "Again", "Output": "{% {'n': $states.input.n + 1, 'text': $pad($string($states.input.n), 200000)} %}"},
    "Again": {"Type": "Choice", "Default": "Wait", "Choices": [{"Condition": "{% $states.input.n < TURNS %}", "Next": "Make"}]},
    "Wait": {"Type": "Wait", "Seconds": 3600, "End": true}}}"#;
/// It takes 96 MB; 221 where both histories of 30 MB are read at once, as rows and as values.
const MOST_MB: u64 = 130;

fn definition() -> Arc<Definition> {
    let text = MAKES_TEXTS.replace("TURNS", &TURNS.to_string());
    let loaded = load(&Source::new("test", text), &Options { lints: false, ..Options::default() });
    loaded.definition.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

async fn journal(path: &Path) -> Journal {
    let options = JournalOptions { durability: Durability::Normal, ..JournalOptions::default() };
    Journal::open(path, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_loaded_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asl.db");
    let engine = Engine::builder(journal(&path).await).build();
    for name in ["one", "two"] {
        let start =
            StartExecution { definition: definition(), state_machine: "test", name: Some(name), input: r#"{"n": 0}"# };
        engine.start(start).await.unwrap();
    }
    let waits = async |name: &str| {
        let row = engine.store().execution(name).await.unwrap().unwrap();
        row.last_event as usize > 4 * TURNS
    };
    while !(waits("one").await && waits("two").await) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    engine.shutdown().await.unwrap();
    drop(engine);

    let loader = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "loads", "--ignored", "--nocapture"])
        .env("ASL_LOADED", &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&loader.stdout);
    assert!(loader.status.success(), "{said}{}", String::from_utf8_lossy(&loader.stderr));
    let peak: u64 = said.lines().find_map(|line| line.split("peak ").nth(1)?.parse().ok()).expect("it tells its peak");
    assert!(peak < MOST_MB, "{peak} MB");
}

struct Tells;

impl Observer for Tells {
    fn observe(&self, _: &Update<'_>) {}

    fn notify(&self, notice: &Notice) {
        panic!("{notice:?}");
    }
}

/// Loads both in one batch, stops them, and tells how much memory the process had at most, in MB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a_long_history_is_loaded_in_pieces, as a process whose memory is measured"]
async fn loads() {
    let path = std::env::var("ASL_LOADED").unwrap();
    let engine = Engine::builder(journal(Path::new(&path)).await).observer(Arc::new(Tells)).build();
    let taken = engine.resume().await.unwrap();
    assert_eq!(taken.len(), 2);
    for arn in taken {
        engine.stop(&arn, Default::default()).await.unwrap();
        let row = engine.store().execution(&arn).await.unwrap().unwrap();
        assert_eq!((row.status, row.unread_end), (Status::Aborted, false), "its end is in its history");
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kb: u64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap();
    println!("peak {}", kb / 1024);
}
