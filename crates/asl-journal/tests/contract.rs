//! SQLite keeps the contract of a store.

mod common;

use asl_journal::Journal;
use asl_store::conformance::{catalogue, store::check};

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = common::try_open(&folder.path().join("a.db")).await.unwrap();
    for store in [Journal::in_memory().await.unwrap(), on_disk] {
        check(&store).await.unwrap_or_else(|breach| panic!("{breach}"));
        catalogue::check(&store).await.unwrap();
    }
}
