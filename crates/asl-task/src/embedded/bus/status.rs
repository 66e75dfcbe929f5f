//! Changes of the status of executions, which Step Functions puts on the default bus: source `aws.states`, detail-type
//! `Step Functions Execution Status Change`. The engine's worker follows the feed of records, finds them, and puts each once:
//! the place up to which the feed was followed is written in the same transaction.

use super::super::error::Stop;
use super::super::ids::uuid;
use super::super::{Dialect, ServiceCall, Services, created, iso_date};
use super::{Buses, DEFAULT, Rule, manage, without_fraction};
use asl_store::{ItemKey, ServiceTx, StoreError};
use asl_value::{Map, Value};
use std::sync::atomic::Ordering;

const SOURCE: &str = "aws.states";
const KIND: &str = "Step Functions Execution Status Change";
/// Where the place in the feed is kept: a reserved table, as those of [`created`].
const PLACE: &str = "events:feed";

fn place() -> ItemKey {
    ItemKey { hash: DEFAULT.to_owned(), range: SOURCE.to_owned() }
}

/// A change of an execution's status.
#[derive(Clone, Debug)]
pub struct StatusChange {
    /// The execution's ARN.
    pub execution: String,
    /// When, in epoch milliseconds.
    pub at_ms: i64,
    /// What AWS tells of it.
    pub detail: Map,
    /// Another number for each change, the same each time that it is put.
    pub number: i64,
}

/// Whether a rule's pattern may match such an event: it names the source, or says nothing that rules it out at a glance.
pub(super) fn may_match(rule: &Rule) -> bool {
    let Some((text, _)) = rule.pattern.as_ref().filter(|_| rule.bus == DEFAULT) else { return false };
    let Ok(pattern) = text.parse::<Value>() else { return false };
    match &pattern["source"] {
        Value::Array(sources) => sources.iter().any(|source| source.as_str().is_none_or(|source| source == SOURCE)),
        _ => true,
    }
}

impl Services {
    /// Whether a rule may match a change of an execution's status, as far as this process knows: one that is declared, one that it
    /// made, one that was there when it looked.
    pub fn watches_statuses(&self) -> bool {
        self.buses.watched.load(Ordering::Relaxed)
    }

    /// Looks for rules that other processes made.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_for_rules(&self, tx: &mut dyn ServiceTx) -> Result<(), StoreError> {
        let rows = created::RULE.list(tx, Some(DEFAULT)).await.map_err(only_store)?;
        let rules = rows.iter().filter_map(|(bus, name, row)| manage::rule_of(bus, name, row).ok());
        self.buses.watch(rules);
        Ok(())
    }

    /// The place in the feed up to which changes were put; none before the first.
    ///
    /// # Errors
    /// The store's.
    pub async fn statuses_put(&self, tx: &mut dyn ServiceTx) -> Result<Option<i64>, StoreError> {
        let kept = tx.item_for_update(PLACE, &place()).await?;
        Ok(kept.and_then(|kept| kept["position"].as_i64()))
    }

    /// Puts changes, and keeps the place in the feed that they lead to.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_statuses(
        &self,
        tx: &mut dyn ServiceTx,
        changes: &[StatusChange],
        position: i64,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        for change in changes {
            let seed = (change.number as u64) ^ 0x7374_6174_7573_0000;
            let call = ServiceCall {
                dialect: Dialect::Optimized,
                service: "events",
                action: "putEvents",
                parameters: &Value::Null,
                now_ms,
                request_id: "",
                seed,
            };
            let event = self.buses.status_event(change, seed);
            match self.buses.put(tx, &call, self, (DEFAULT, &event), 0).await {
                Ok(_) => {}
                Err(stop) => return Err(only_store(stop)),
            }
        }
        tx.put_item(PLACE, &place(), &Value::from_iter([("position", position)])).await
    }
}

impl Buses {
    /// Remembers whether one of these rules may match.
    pub(super) fn watch(&self, rules: impl IntoIterator<Item = Rule>) {
        if rules.into_iter().any(|rule| may_match(&rule)) {
            self.watched.store(true, Ordering::Relaxed);
        }
    }

    fn status_event(&self, change: &StatusChange, seed: u64) -> Value {
        Value::from_iter([
            ("version", Value::from("0")),
            ("id", Value::from(uuid(seed, "status", 0))),
            ("detail-type", Value::from(KIND)),
            ("source", Value::from(SOURCE)),
            ("account", Value::from(&self.identity.account)),
            ("time", Value::from(without_fraction(&iso_date(change.at_ms)))),
            ("region", Value::from(&self.identity.region)),
            ("resources", Value::from_iter([Value::from(change.execution.as_str())])),
            ("detail", Value::from(change.detail.clone())),
        ])
    }
}

/// A rule that cannot be used matches nothing; only the store's errors go on.
fn only_store(stop: Stop) -> StoreError {
    match stop {
        Stop::Store(error) => error,
        Stop::Fault(_) => StoreError::new("a rule in the database is damaged"),
    }
}
