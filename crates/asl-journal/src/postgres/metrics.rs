//! What a handle to the store has done since it was opened: counted where it is done, told once a minute.

use super::PgStore;
use sqlx::Row as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often the log is told.
pub(crate) const TELL: Duration = Duration::from_secs(60);

/// One of the counts.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of a handle.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Groups of records that were committed: each is one statement, and one round trip where the connection is direct.
    pub(crate) groups: Count,
    pub(crate) records: Count,
    /// Statements and transactions that were tried again because they ran into others.
    pub(crate) conflicts: Count,
    /// Connections that were lost while something was under way.
    pub(crate) lost: Count,
    /// Transactions beside the groups: services, signals, claims, renewals, the catalogue.
    pub(crate) transactions: Count,
    pub(crate) claims: Count,
    /// Executions that claims took.
    pub(crate) claimed: Count,
    /// Workers that this handle found dead, and whose executions may be taken over.
    pub(crate) takeovers: Count,
}

impl PgStore {
    /// What this handle has done since it was opened, by name.
    pub fn metrics(&self) -> [(&'static str, u64); 8] {
        let c = &self.counts;
        [
            ("groups", c.groups.now()),
            ("records", c.records.now()),
            ("conflicts", c.conflicts.now()),
            ("connections_lost", c.lost.now()),
            ("transactions", c.transactions.now()),
            ("claims", c.claims.now()),
            ("claimed", c.claimed.now()),
            ("takeovers", c.takeovers.now()),
        ]
    }

    /// Tells the log, when anything has changed since `told`; returns what it said.
    pub(crate) async fn tell_metrics(&self, told: Option<[u64; 8]>) -> Option<[u64; 8]> {
        let now = self.metrics().map(|(_, count)| count);
        if told == Some(now) {
            return told;
        }
        let [groups, records, conflicts, connections_lost, transactions, claims, claimed, takeovers] = now;
        let sql = "SELECT coalesce(sum(n_dead_tup), 0)::int8 FROM pg_stat_user_tables WHERE schemaname = $1";
        let schema = self.address.schema.to_string();
        let rows = self.fetch(sql, |query| query.bind(schema.clone())).await.unwrap_or_default();
        let dead_rows = rows.first().and_then(|row| row.try_get::<i64, _>(0).ok());
        tracing::info!(
            groups,
            records,
            conflicts,
            connections_lost,
            transactions,
            claims,
            claimed,
            takeovers,
            dead_rows,
            "the store since it was opened"
        );
        Some(now)
    }
}
