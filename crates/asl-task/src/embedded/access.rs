//! The services from outside of tasks: the command line reads tables and queues, the engine delivers to functions.

use super::error::{Fault, Stop};
use super::queue::{Queue, Receive};
use super::services::{Dialect, Services};
use super::table::Table;
use super::topic::delivery::{self, FailedDelivery, OUTBOX, OutboxDelivery};
use asl_store::{ItemKey, ItemRange, Message, QueueState, ServiceTx, StoreError};
use asl_value::Value;

/// Why something could not be read or changed from outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The project declares no such table or queue.
    #[error("there is no {what} {name} (declared: {declared})")]
    Unknown {
        /// `table` or `queue`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The declared names, or `none`.
        declared: String,
    },
    /// The service refused; its message.
    #[error("{0}")]
    Refused(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Stop> for AccessError {
    fn from(stop: Stop) -> AccessError {
        match stop {
            Stop::Store(error) => AccessError::Store(error),
            Stop::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for AccessError {
    fn from(fault: Fault) -> AccessError {
        match fault {
            Fault::Refused { message, .. } | Fault::Unreadable(message) => AccessError::Refused(message),
            Fault::Unknown => AccessError::Refused("no such operation".to_owned()),
        }
    }
}

pub(super) fn unknown<'a>(what: &'static str, name: &str, declared: impl Iterator<Item = &'a str>) -> AccessError {
    let declared: Vec<&str> = declared.collect();
    let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
    AccessError::Unknown { what, name: name.to_owned(), declared }
}

impl Services {
    /// The names of the tables.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.tables.names()
    }

    /// The names of the topics.
    pub fn topic_names(&self) -> impl Iterator<Item = &str> {
        self.topics.names()
    }

    /// The names of the queues.
    pub fn queue_names(&self) -> impl Iterator<Item = &str> {
        self.queues.names()
    }

    /// The item with this key: texts and numbers as they are, bytes in base64. The item is typed JSON, `{"id": {"S": "1"}}`.
    pub async fn get_item(
        &self,
        tx: &mut dyn ServiceTx,
        table: &str,
        hash: &str,
        range: Option<&str>,
    ) -> Result<Option<Value>, AccessError> {
        let table = self.table(tx, table).await?;
        Ok(tx.item(&table.name, &table.schema().key_of_texts(hash, range)?).await?)
    }

    /// Items of a table in key order, behind `after`. To read on, pass the key of the last item.
    pub async fn scan_items(
        &self,
        tx: &mut dyn ServiceTx,
        table: &str,
        after: Option<&ItemKey>,
        limit: u32,
    ) -> Result<Vec<(ItemKey, Value)>, AccessError> {
        let table = self.table(tx, table).await?;
        Ok(tx.items(&table.name, ItemRange { after, limit, ..ItemRange::default() }).await?)
    }

    async fn table<'q>(&'q self, tx: &mut dyn ServiceTx, name: &str) -> Result<Table<'q>, AccessError> {
        match self.tables.find(tx, name).await {
            Err(Stop::Fault(_)) => Err(unknown("table", name, self.tables.names())),
            found => Ok(found?),
        }
    }

    async fn queue<'q>(&'q self, tx: &mut dyn ServiceTx, name: &str) -> Result<Queue<'q>, AccessError> {
        match self.queues.find(tx, name).await {
            Err(Stop::Fault(_)) => Err(unknown("queue", name, self.queues.names())),
            found => Ok(found?),
        }
    }

    /// Receives messages: they are hidden for the visibility timeout, and counted.
    pub async fn receive_messages(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &str,
        receive: &Receive,
    ) -> Result<Vec<Message>, AccessError> {
        let queue = self.queue(tx, queue).await?;
        Ok(self.queues.receive(tx, &queue, receive).await?)
    }

    /// Looks at messages behind a position, visible or not, without receiving them. Those that were kept too long are gone.
    pub async fn peek_messages(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &str,
        after: i64,
        limit: u32,
        now_ms: i64,
    ) -> Result<Vec<Message>, AccessError> {
        let found = self.queue(tx, queue).await?;
        let (queue, kept_since_ms) = (&*found.name, found.kept_since_ms(now_ms));
        let (mut kept, mut after) = (Vec::new(), after);
        loop {
            let page = tx.messages(queue, after, limit).await?;
            let last = page.last().filter(|_| page.len() == limit as usize).map(|message| message.position);
            // What was kept too long is as good as gone, though nothing is removed here.
            kept.extend(page.into_iter().filter(|message| message.sent_at_ms >= kept_since_ms));
            kept.truncate(limit as usize);
            match last {
                Some(last) if kept.len() < limit as usize => after = last,
                _ => return Ok(kept),
            }
        }
    }

    /// A message as ReceiveMessage shows it, with all its attributes: `{"MessageId", "ReceiptHandle", "MD5OfBody", "Body", ...}`.
    pub fn message_json(&self, message: &Message) -> Value {
        self.queues.show(message, None, Dialect::Optimized)
    }

    /// Removes a received message.
    pub async fn delete_message(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &str,
        receipt: &str,
        now_ms: i64,
    ) -> Result<(), AccessError> {
        let queue = self.queue(tx, queue).await?;
        Ok(self.queues.delete(tx, &queue, receipt, now_ms).await?)
    }

    /// Empties a queue; returns how many messages there were.
    pub async fn purge_queue(&self, tx: &mut dyn ServiceTx, queue: &str) -> Result<u64, AccessError> {
        let queue = self.queue(tx, queue).await?;
        Ok(tx.delete_messages(&queue.name, i64::MAX).await?)
    }

    /// How many messages a queue holds.
    pub async fn queue_state(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &str,
        now_ms: i64,
    ) -> Result<QueueState, AccessError> {
        let queue = self.queue(tx, queue).await?;
        self.queues.expire(tx, &queue, now_ms).await?;
        Ok(tx.queue_state(&queue.name, now_ms).await?)
    }

    /// The events of a bus behind a position, oldest first, with their positions. Those of the last day are kept.
    pub async fn bus_events(
        &self,
        tx: &mut dyn ServiceTx,
        bus: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Value)>, AccessError> {
        Ok(self.buses.events(tx, bus, after, limit).await?)
    }

    /// Takes deliveries of topics to functions that are due; each comes again after `lease_ms` unless it is done or failed.
    pub async fn take_deliveries(
        &self,
        tx: &mut dyn ServiceTx,
        now_ms: i64,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<OutboxDelivery>, StoreError> {
        delivery::take(tx, now_ms, lease_ms, limit).await
    }

    /// Notes that a delivery reached its function.
    pub async fn delivery_done(&self, tx: &mut dyn ServiceTx, position: i64) -> Result<(), StoreError> {
        tx.delete_message(OUTBOX, position).await
    }

    /// Notes that a delivery's function failed: it is tried again after one and after two minutes, then given up.
    pub async fn delivery_failed(
        &self,
        tx: &mut dyn ServiceTx,
        position: i64,
        now_ms: i64,
    ) -> Result<FailedDelivery, StoreError> {
        delivery::failed(tx, position, now_ms).await
    }

    /// When the next delivery is due, in epoch milliseconds.
    pub async fn next_delivery_at_ms(&self, tx: &mut dyn ServiceTx) -> Result<Option<i64>, StoreError> {
        Ok(tx.queue_state(OUTBOX, 0).await?.next_visible_at_ms)
    }
}
