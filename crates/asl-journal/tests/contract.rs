//! Every database keeps the contract of a store.

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

/// Directly, where sessions keep prepared statements and locks, and as through a pooler, where they keep nothing.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract() {
    for pooler in ["none", "transaction"] {
        let Some(place) = common::postgres::place("contract") else { return };
        let store = asl_journal::PgStore::open(&place.with(&format!("pooler={pooler}"))).await.unwrap();
        check(&store).await.unwrap_or_else(|breach| panic!("pooler={pooler}: {breach}"));
        catalogue::check(&store).await.unwrap();
        asl_store::Store::close(&store).await;
    }
}
