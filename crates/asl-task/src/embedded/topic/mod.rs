//! Topics that behave like SNS's.
//!
//! `publication` is the publish call, `policy` the filter policy, `envelope` the forms of a delivered message, `delivery` the outbox of deliveries to
//! functions; this file holds the declared topics and the publish action.

pub(crate) mod delivery;
mod envelope;
pub(crate) mod policy;
mod publication;

use super::error::{Fault, Stop};
use super::ids::uuid;
use super::queue::{Outgoing, Queues};
use super::spec::{Protocol, SubscriptionSpec, TopicSpec};
use super::{Identity, ServiceCall, name_of};
use asl_store::{Dedup, ServiceTx};
use asl_value::{Map, Value};
use envelope::Notification;
use policy::FilterPolicy;
use publication::Publication;
use std::collections::BTreeMap;

/// How long a FIFO topic remembers a deduplication id.
const DEDUP_WINDOW_MS: i64 = 300_000;

/// The declared topics by name.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    topics: BTreeMap<String, Topic>,
    identity: Identity,
}

#[derive(Clone, Debug)]
struct Topic {
    spec: TopicSpec,
    subscriptions: Vec<Subscription>,
}

#[derive(Clone, Debug)]
struct Subscription {
    spec: SubscriptionSpec,
    arn: String,
    policy: Option<FilterPolicy>,
}

/// Whether the service has an action: publish, in both dialects.
pub(crate) fn has_action(name: &str) -> bool {
    name == "publish"
}

impl Topics {
    /// The names of the topics.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// Whether a name or ARN is that of a topic.
    pub(crate) fn contains(&self, reference: &str) -> bool {
        self.topics.contains_key(name_of(reference))
    }

    /// The topics of checked declarations.
    pub(crate) fn new(specs: &BTreeMap<String, TopicSpec>, identity: &Identity) -> Topics {
        let subscription = |topic: &str, index: usize, spec: &SubscriptionSpec| Subscription {
            arn: format!("{}:{}", identity.arn("sns", topic), uuid(0, topic, index as u64)),
            // The declarations were checked: a policy that does not read is reported there.
            policy: spec.filter_policy.as_ref().and_then(|p| FilterPolicy::read(p, spec.filter_policy_scope).ok()),
            spec: spec.clone(),
        };
        let topic = |(name, spec): (&String, &TopicSpec)| {
            let subscriptions = spec.subscriptions.iter().enumerate();
            let subscriptions = subscriptions.map(|(index, spec)| subscription(name, index, spec)).collect();
            (name.clone(), Topic { spec: spec.clone(), subscriptions })
        };
        Topics { topics: specs.iter().map(topic).collect(), identity: identity.clone() }
    }

    /// Publishes: delivers to queues at once, and puts deliveries to functions into the outbox.
    pub(crate) async fn publish(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        queues: &Queues,
    ) -> Result<Map, Stop> {
        let publication = Publication::read(call.parameters)?;
        let (name, topic) = self.named(publication.topic)?;
        let dedup_id = publication.dedup_id(&topic.spec)?;
        let scope = format!("sns/{name}");
        let mut message_id = uuid(call.seed, "sns", 0);
        let mut sequence = None;
        if let Some(id) = &dedup_id {
            if let Some(first) = tx.deduplicated(&scope, id, call.now_ms - DEDUP_WINDOW_MS).await? {
                return Ok(answer(first.message_id, Some(first.sequence)));
            }
            let number = tx.next_number(&scope).await?;
            let dedup = Dedup {
                scope,
                id: id.clone(),
                message_id: message_id.clone(),
                sequence: number,
                sent_at_ms: call.now_ms,
            };
            tx.remember(&dedup, call.now_ms - DEDUP_WINDOW_MS).await?;
            sequence = Some(number);
        }
        let notification = Notification {
            message_id: std::mem::take(&mut message_id),
            topic_arn: self.identity.arn("sns", name),
            region: &self.identity.region,
            subject: publication.subject,
            attributes: &publication.attributes,
            now_ms: call.now_ms,
            sequence,
        };
        for (index, subscription) in topic.subscriptions.iter().enumerate() {
            let text = publication.text_for(subscription.spec.protocol);
            let passes = |policy: &FilterPolicy| policy.passes(&publication.attributes, text);
            if subscription.policy.as_ref().is_none_or(passes) {
                let delivery = Delivery { publication: &publication, notification: &notification, text, index, call };
                delivery.send(tx, queues, subscription, dedup_id.as_deref()).await?;
            }
        }
        Ok(answer(notification.message_id, sequence))
    }

    fn named(&self, reference: &str) -> Result<(&str, &Topic), Fault> {
        let not_found = || Fault::Refused { code: "NotFound", status: 404, message: "Topic does not exist".to_owned() };
        let found = self.topics.get_key_value(name_of(reference));
        found.map(|(name, topic)| (name.as_str(), topic)).ok_or_else(not_found)
    }
}

fn answer(message_id: String, sequence: Option<i64>) -> Map {
    let mut answer = Map::from_iter([("MessageId", message_id)]);
    if let Some(sequence) = sequence {
        answer.insert("SequenceNumber", format!("{sequence:020}"));
    }
    answer
}

/// One message to one subscriber.
struct Delivery<'a> {
    publication: &'a Publication<'a>,
    notification: &'a Notification<'a>,
    text: &'a str,
    index: usize,
    call: &'a ServiceCall<'a>,
}

impl Delivery<'_> {
    async fn send(
        &self,
        tx: &mut dyn ServiceTx,
        queues: &Queues,
        subscription: &Subscription,
        dedup_id: Option<&str>,
    ) -> Result<(), Stop> {
        let id = uuid(self.call.seed, "sns delivery", self.index as u64);
        let spec = &subscription.spec;
        if spec.protocol == Protocol::Lambda {
            let event = self.notification.event(self.text, &subscription.arn);
            let dead_letter = spec.redrive_policy.as_ref().map(|policy| name_of(&policy.dead_letter_target_arn));
            let function = name_of(&spec.endpoint);
            return delivery::put(tx, id, function, event, dead_letter, self.call.now_ms).await;
        }
        let (body, attributes) = match spec.raw_message_delivery {
            true => (self.text.to_owned(), self.publication.attributes.clone()),
            false => (self.notification.envelope(self.text, &subscription.arn).to_string(), Value::empty_object()),
        };
        let fifo = queues.named(&spec.endpoint)?.1.fifo_queue;
        let outgoing = Outgoing {
            id,
            body,
            attributes,
            group_id: self.publication.group_id.map(str::to_owned),
            dedup_id: dedup_id.filter(|_| fifo).map(str::to_owned),
            delay_seconds: None,
        };
        match queues.send(tx, &spec.endpoint, outgoing, self.call.now_ms).await {
            // A queue that does not take the message (too large, too many attributes) loses it, as on AWS: the
            // publisher is not told.
            Err(Stop::Fault(_)) => Ok(()),
            other => other.map(drop),
        }
    }
}
