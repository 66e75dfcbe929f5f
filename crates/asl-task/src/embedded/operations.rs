//! Every operation of the embedded services, in one table: a function of the transaction and the call. The dialects (optimized
//! integration, `aws-sdk` integration, the service's own protocol) differ in names and errors only, so each operation stands here once.

use super::error::Stop;
use super::{Dialect, ServiceCall, ServiceKind, Services};
use asl_store::ServiceTx;
use asl_value::Map;
use std::future::Future;
use std::pin::Pin;

/// The answer of an operation, on its way.
pub(crate) type Answer<'t> = Pin<Box<dyn Future<Output = Result<Map, Stop>> + Send + 't>>;

/// An operation of a service.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) service: ServiceKind,
    /// As a task's resource writes it: `putItem`.
    pub(crate) name: &'static str,
    /// Whether there is an optimized integration of it.
    pub(crate) optimized: bool,
    pub(crate) run: for<'t> fn(&'t Services, &'t mut (dyn ServiceTx + 't), &'t ServiceCall<'t>) -> Answer<'t>,
}

macro_rules! operations {
    ($($service:ident . $part:ident { $($name:literal $($optimized:ident)? => $method:ident),* $(,)? })*) => {
        &[$($(Operation {
            service: ServiceKind::$service,
            name: $name,
            optimized: operations!(@ $($optimized)?),
            run: |services, tx, call| Box::pin(services.$part.$method(tx, call, services)),
        }),*),*]
    };
    (@) => { false };
    (@ optimized) => { true };
}

/// The operations, in the order of their services.
pub(crate) const OPERATIONS: &[Operation] = operations! {
    Table.tables {
        "putItem" optimized => put,
        "getItem" optimized => get,
        "updateItem" optimized => update,
        "deleteItem" optimized => delete,
        "query" => query,
        "scan" => scan,
        "batchGetItem" => batch_get,
        "batchWriteItem" => batch_write,
        "transactGetItems" => transact_get,
        "transactWriteItems" => transact_write,
        "createTable" => create,
        "describeTable" => describe,
        "listTables" => list,
        "deleteTable" => delete_table,
    }
    Topic.topics {
        "publish" optimized => publish,
        "publishBatch" => publish_batch,
        "createTopic" => create,
        "deleteTopic" => delete,
        "listTopics" => list,
        "getTopicAttributes" => topic_attributes,
        "subscribe" => subscribe,
        "unsubscribe" => unsubscribe,
        "listSubscriptions" => list_subscriptions,
        "listSubscriptionsByTopic" => list_subscriptions_by_topic,
        "getSubscriptionAttributes" => subscription_attributes,
    }
    Queue.queues {
        "sendMessage" optimized => send_message,
        "sendMessageBatch" => send_message_batch,
        "receiveMessage" => receive_message,
        "deleteMessage" => delete_message,
        "deleteMessageBatch" => delete_message_batch,
        "changeMessageVisibility" => change_message_visibility,
        "changeMessageVisibilityBatch" => change_message_visibility_batch,
        "purgeQueue" => purge,
        "getQueueUrl" => get_url,
        "getQueueAttributes" => get_attributes,
        "setQueueAttributes" => set_attributes,
        "listQueues" => list,
        "listDeadLetterSourceQueues" => list_dead_letter_sources,
        "createQueue" => create,
        "deleteQueue" => delete_queue,
    }
    Bus.buses {
        "putEvents" optimized => put_events,
        "createEventBus" => create_bus,
        "deleteEventBus" => delete_bus,
        "describeEventBus" => describe_bus,
        "listEventBuses" => list_buses,
        "putRule" => put_rule,
        "deleteRule" => delete_rule,
        "describeRule" => describe_rule,
        "listRules" => list_rules,
        "enableRule" => enable,
        "disableRule" => disable,
        "putTargets" => put_targets,
        "removeTargets" => remove_targets,
        "listTargetsByRule" => list_targets,
        "testEventPattern" => test_pattern,
    }
};

/// The operation of that name in a service, where the dialect has it. On the wire its name begins with a capital.
pub(crate) fn find(dialect: Dialect, service: &str, action: &str) -> Option<&'static Operation> {
    let service = ServiceKind::named(service)?;
    let same = |name: &str| match dialect {
        Dialect::Wire => name.eq_ignore_ascii_case(action) && name[1..] == action[1..],
        Dialect::Optimized | Dialect::AwsSdk => name == action,
    };
    let fits = |operation: &&Operation| {
        operation.service == service && (operation.optimized || dialect != Dialect::Optimized) && same(operation.name)
    };
    OPERATIONS.iter().find(fits)
}
