//! Topics that behave like SNS's.
//!
//! `publication` is the publish call, `policy` the filter policy, `envelope` the forms of a delivered message, `delivery` the outbox of deliveries to
//! functions, `manage` the operations on topics and subscriptions; this file holds the topics, and publishes.

pub(crate) mod delivery;
mod envelope;
mod manage;
pub(crate) mod policy;
mod publication;

use super::created;
use super::error::{Stop, not_found};
use super::ids::uuid;
use super::queue::{BatchAnswer, Outgoing, Queues};
use super::spec::{Protocol, SubscriptionSpec, TopicSpec};
use super::{Identity, ServiceCall, Services, name_of};
use asl_store::{Dedup, ServiceTx};
use asl_value::{Map, Value};
use delivery::Target;
use envelope::Notification;
use policy::FilterPolicy;
use publication::Publication;
use std::borrow::Cow;
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

/// A topic that a call is about: a declared one, or one that was made at run time. Either may have subscriptions of both kinds.
struct Found<'a> {
    name: Cow<'a, str>,
    spec: Cow<'a, TopicSpec>,
    declared: &'a [Subscription],
    created: Vec<Subscription>,
}

impl Found<'_> {
    fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.declared.iter().chain(&self.created)
    }
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

    /// A topic by name or ARN.
    async fn find<'q>(&'q self, tx: &mut dyn ServiceTx, reference: &str) -> Result<Found<'q>, Stop> {
        let name = name_of(reference);
        let created = self.created_subscriptions(tx, Some(name)).await?;
        if let Some((name, topic)) = self.topics.get_key_value(name) {
            let (name, spec) = (Cow::Borrowed(name.as_str()), Cow::Borrowed(&topic.spec));
            return Ok(Found { name, spec, declared: &topic.subscriptions, created });
        }
        let row = created::TOPIC.get(tx, name, name).await?;
        let row = row.ok_or_else(|| not_found("NotFound", "Topic does not exist"))?;
        let spec = manage::spec_of(row["Attributes"].as_object().unwrap_or(&Map::new()))?;
        let (name, spec) = (Cow::Owned(name.to_owned()), Cow::Owned(spec));
        Ok(Found { name, spec, declared: &[], created })
    }

    /// Publishes: delivers to queues at once, and puts deliveries to functions into the outbox.
    pub(crate) async fn publish(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        services: &Services,
    ) -> Result<Map, Stop> {
        let publication = Publication::of(call)?;
        let topic = self.find(tx, publication.topic).await?;
        self.publish_one(tx, call, &publication, &topic, (&services.queues, 0)).await
    }

    pub(crate) async fn publish_batch(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        services: &Services,
    ) -> Result<Map, Stop> {
        let (reference, entries) = publication::batch(call)?;
        let topic = self.find(tx, reference).await?;
        let mut batch = BatchAnswer::default();
        for (number, (id, entry)) in (0..).zip(entries) {
            let published = match Publication::of_entry(reference, entry, call.dialect) {
                Ok(publication) => self.publish_one(tx, call, &publication, &topic, (&services.queues, number)).await,
                Err(fault) => Err(fault.into()),
            };
            batch.add(id, published)?;
        }
        Ok(batch.answer())
    }

    /// `number` tells the publications of one call apart.
    async fn publish_one(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        publication: &Publication<'_>,
        topic: &Found<'_>,
        (queues, number): (&Queues, u64),
    ) -> Result<Map, Stop> {
        let name = &*topic.name;
        let dedup_id = publication.dedup_id(&topic.spec)?;
        let scope = format!("sns/{name}");
        let mut message_id = uuid(call.seed, "sns", number);
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
        for (index, subscription) in (0..).zip(topic.subscriptions()) {
            let text = publication.text_for(subscription.spec.protocol);
            let passes = |policy: &FilterPolicy| policy.passes(&publication.attributes, text);
            if subscription.policy.as_ref().is_none_or(passes) {
                let id = match number {
                    0 => uuid(call.seed, "sns delivery", index),
                    number => uuid(call.seed, &format!("sns delivery {number}"), index),
                };
                let delivery = Delivery { publication, notification: &notification, text, now_ms: call.now_ms };
                delivery.send(tx, queues, subscription, (id, dedup_id.as_deref())).await?;
            }
        }
        Ok(answer(notification.message_id, sequence))
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
    now_ms: i64,
}

impl Delivery<'_> {
    async fn send(
        &self,
        tx: &mut dyn ServiceTx,
        queues: &Queues,
        subscription: &Subscription,
        (id, dedup_id): (String, Option<&str>),
    ) -> Result<(), Stop> {
        let spec = &subscription.spec;
        if spec.protocol == Protocol::Lambda {
            let event = self.notification.event(self.text, &subscription.arn);
            let dead_letter = spec.redrive_policy.as_ref().map(|policy| name_of(&policy.dead_letter_target_arn));
            let target = Target::Function(name_of(&spec.endpoint).to_owned());
            return delivery::put(tx, id, &target, event, dead_letter, self.now_ms).await;
        }
        let (body, attributes) = match spec.raw_message_delivery {
            true => (self.text.to_owned(), self.publication.attributes.clone()),
            false => (self.notification.envelope(self.text, &subscription.arn).to_string(), Value::empty_object()),
        };
        let queue = match queues.find(tx, &spec.endpoint).await {
            // A queue that was deleted loses what is published, as on AWS.
            Err(Stop::Fault(_)) => return Ok(()),
            found => found?,
        };
        let outgoing = Outgoing {
            id,
            body,
            attributes,
            group_id: self.publication.group_id.map(str::to_owned),
            dedup_id: dedup_id.filter(|_| queue.spec.fifo_queue).map(str::to_owned),
            delay_seconds: None,
        };
        match queues.send(tx, &queue, outgoing, self.now_ms).await {
            // A queue that does not take the message (too large, too many attributes) loses it, as on AWS: the
            // publisher is not told.
            Err(Stop::Fault(_)) => Ok(()),
            other => other.map(drop),
        }
    }
}
