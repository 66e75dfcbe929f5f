//! The operations on topics and their subscriptions.

use super::policy::FilterPolicy;
use super::publication::bad;
use super::{Found, Subscription, Topics};
use crate::embedded::created;
use crate::embedded::error::{Fault, Stop, not_found};
use crate::embedded::ids::uuid;
use crate::embedded::params::{Params, Shape};
use crate::embedded::queue::page;
use crate::embedded::spec::{FilterPolicyScope, Protocol, SubscriptionRedrivePolicy, SubscriptionSpec, TopicSpec};
use crate::embedded::{ServiceCall, Services, name_of};
use asl_store::ServiceTx;
use asl_value::{Map, Value};

const CREATE: Shape = Shape { known: &["Name", "Attributes", "Tags"], refused: &["DataProtectionPolicy"] };
const TOPIC: Shape = Shape { known: &["TopicArn"], refused: &[] };
const LIST: Shape = Shape { known: &["NextToken"], refused: &[] };
const LIST_OF: Shape = Shape { known: &["TopicArn", "NextToken"], refused: &[] };
const SUBSCRIBE: Shape =
    Shape { known: &["TopicArn", "Protocol", "Endpoint", "Attributes", "ReturnSubscriptionArn"], refused: &[] };
const SUBSCRIPTION: Shape = Shape { known: &["SubscriptionArn"], refused: &[] };

/// How many topics or subscriptions a page of a list has.
const PAGE: usize = 100;

fn flag(attributes: &Map, name: &str) -> bool {
    attributes.get(name).and_then(Value::as_str) == Some("true")
}

/// What the attributes of a topic mean, as `CreateTopic` has them.
pub(super) fn spec_of(attributes: &Map) -> Result<TopicSpec, Fault> {
    for (name, value) in attributes {
        if ["FifoTopic", "ContentBasedDeduplication"].contains(&&**name)
            && !matches!(value.as_str(), Some("true" | "false"))
        {
            return Err(bad(&format!("Attributes Reason: {name} must be true or false")));
        }
    }
    let (fifo_topic, content_based_deduplication) =
        (flag(attributes, "FifoTopic"), flag(attributes, "ContentBasedDeduplication"));
    Ok(TopicSpec { fifo_topic, content_based_deduplication, subscriptions: Vec::new() })
}

/// A subscription of these members: `Protocol`, `Endpoint`, `Attributes`.
fn subscription_of(row: &Value) -> Result<SubscriptionSpec, Fault> {
    let protocol = match row["Protocol"].as_str() {
        Some("sqs") => Protocol::Sqs,
        Some("lambda") => Protocol::Lambda,
        Some(other) => {
            return Err(bad(&format!(
                "Protocol Reason: the embedded service delivers to sqs and lambda, not to {other}"
            )));
        }
        None => return Err(bad("Protocol")),
    };
    let endpoint = row["Endpoint"].as_str().filter(|text| !text.is_empty()).ok_or_else(|| bad("Endpoint"))?;
    let nothing = Map::new();
    let attributes = row["Attributes"].as_object().unwrap_or(&nothing);
    let text = |name: &str| attributes.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let scope = match text("FilterPolicyScope") {
        None | Some("MessageAttributes") => FilterPolicyScope::MessageAttributes,
        Some("MessageBody") => FilterPolicyScope::MessageBody,
        Some(_) => return Err(bad("Attributes Reason: FilterPolicyScope: Invalid value")),
    };
    let redrive = |text: &str| {
        let policy: Value = text.parse().ok()?;
        Some(SubscriptionRedrivePolicy { dead_letter_target_arn: policy["deadLetterTargetArn"].as_str()?.to_owned() })
    };
    let redrive_policy = match text("RedrivePolicy") {
        Some(text) => Some(redrive(text).ok_or_else(|| bad("Attributes Reason: RedrivePolicy: not a redrive policy"))?),
        None => None,
    };
    Ok(SubscriptionSpec {
        protocol,
        endpoint: endpoint.to_owned(),
        filter_policy: text("FilterPolicy").map(Value::from),
        filter_policy_scope: scope,
        raw_message_delivery: flag(attributes, "RawMessageDelivery"),
        redrive_policy,
    })
}

fn policy_of(spec: &SubscriptionSpec) -> Result<Option<FilterPolicy>, Fault> {
    let read = |policy| {
        FilterPolicy::read(policy, spec.filter_policy_scope)
            .map_err(|problem| bad(&format!("Attributes Reason: FilterPolicy: {problem}")))
    };
    spec.filter_policy.as_ref().map(read).transpose()
}

fn no_subscription() -> Fault {
    not_found("NotFound", "Subscription does not exist")
}

impl Topics {
    /// The subscriptions that were made at run time: of one topic, or of all.
    pub(super) async fn created_subscriptions(
        &self,
        tx: &mut dyn ServiceTx,
        topic: Option<&str>,
    ) -> Result<Vec<Subscription>, Stop> {
        let mut all = Vec::new();
        for (topic, id, row) in created::SUBSCRIPTION.list(tx, topic).await? {
            let spec = subscription_of(&row)?;
            let (arn, policy) = (format!("{}:{id}", self.identity.arn("sns", &topic)), policy_of(&spec)?);
            all.push(Subscription { spec, arn, policy });
        }
        Ok(all)
    }

    pub(crate) async fn create(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &CREATE)?;
        let name = params.text("Name")?.unwrap_or_default();
        let attributes = params.object("Attributes")?.cloned().unwrap_or_default();
        let spec = spec_of(&attributes)?;
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=256).contains(&stem.len()) || !stem.chars().all(allowed) {
            return Err(bad("Topic Name").into());
        }
        if spec.fifo_topic != name.ends_with(".fifo") {
            let reason = "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII \
                          letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.";
            return Err(bad(&format!("Topic Name Reason: {reason}")).into());
        }
        match self.find(tx, name).await {
            Ok(topic) if topic.spec.fifo_topic == spec.fifo_topic => {}
            Ok(_) => {
                return Err(bad("Attributes Reason: Topic already exists with different attributes").into());
            }
            Err(Stop::Fault(_)) => {
                let row = Map::from_iter([("Attributes", attributes)]);
                created::TOPIC.put(tx, name, name, &row.into()).await?;
            }
            Err(failed) => return Err(failed),
        }
        Ok(Map::from_iter([("TopicArn", self.identity.arn("sns", name))]))
    }

    pub(crate) async fn delete(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TOPIC)?;
        let name = name_of(params.text("TopicArn")?.ok_or_else(|| bad("TopicArn"))?);
        if self.topics.contains_key(name) {
            let reason = format!("TopicArn Reason: the topic {name} is declared in the project file: change it there");
            return Err(bad(&reason).into());
        }
        for (topic, id, _) in created::SUBSCRIPTION.list(tx, Some(name)).await? {
            created::SUBSCRIPTION.remove(tx, &topic, &id).await?;
        }
        created::TOPIC.remove(tx, name, name).await?;
        Ok(Map::new())
    }

    pub(crate) async fn list(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, _: &Services) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST)?;
        let mut names: Vec<String> = self.topics.keys().cloned().collect();
        names.extend(created::TOPIC.list(tx, None).await?.into_iter().map(|(_, name, _)| name));
        names.sort();
        names.dedup();
        let arn = |name: &String| Value::from(Map::from_iter([("TopicArn", self.identity.arn("sns", name))]));
        let all = names.into_iter().map(|name| (name.clone(), arn(&name))).collect();
        Ok(listed("Topics", page(all, params.text("NextToken")?, PAGE)))
    }

    pub(crate) async fn topic_attributes(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TOPIC)?;
        let topic = self.find(tx, params.text("TopicArn")?.ok_or_else(|| bad("TopicArn"))?).await?;
        let mut attributes = Map::from_iter([
            ("TopicArn", self.identity.arn("sns", &topic.name)),
            ("Owner", self.identity.account.clone()),
            ("DisplayName", String::new()),
            ("SubscriptionsConfirmed", topic.subscriptions().count().to_string()),
            ("SubscriptionsPending", "0".to_owned()),
            ("SubscriptionsDeleted", "0".to_owned()),
        ]);
        if topic.spec.fifo_topic {
            attributes.insert("FifoTopic", "true");
            attributes.insert("ContentBasedDeduplication", topic.spec.content_based_deduplication.to_string());
        }
        Ok(Map::from_iter([("Attributes", attributes)]))
    }

    pub(crate) async fn subscribe(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        services: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &SUBSCRIBE)?;
        let topic = self.find(tx, params.text("TopicArn")?.ok_or_else(|| bad("TopicArn"))?).await?;
        let spec = subscription_of(call.parameters)?;
        policy_of(&spec)?;
        let wrong = |reason: &str| Stop::from(bad(&format!("Endpoint Reason: {reason}")));
        match spec.protocol {
            Protocol::Lambda if topic.spec.fifo_topic => return Err(wrong("a FIFO topic delivers to queues only")),
            Protocol::Lambda => {}
            Protocol::Sqs => {
                let queue = services.queues.find(tx, &spec.endpoint).await?;
                if queue.spec.fifo_queue && !topic.spec.fifo_topic {
                    return Err(wrong("FIFO SQS Queues can not be subscribed to standard SNS topics"));
                }
            }
        }
        let same = |other: &&Subscription| {
            other.spec.protocol == spec.protocol && name_of(&other.spec.endpoint) == name_of(&spec.endpoint)
        };
        if let Some(existing) = topic.subscriptions().find(same) {
            return Ok(Map::from_iter([("SubscriptionArn", existing.arn.as_str())]));
        }
        let id = uuid(call.seed, "sns subscription", 0);
        let row = ["Protocol", "Endpoint", "Attributes"].map(|key| (key, call.parameters[key].clone()));
        created::SUBSCRIPTION.put(tx, &topic.name, &id, &Value::from_iter(row)).await?;
        let arn = format!("{}:{id}", self.identity.arn("sns", &topic.name));
        Ok(Map::from_iter([("SubscriptionArn", arn)]))
    }

    pub(crate) async fn unsubscribe(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &SUBSCRIPTION)?;
        let arn = params.text("SubscriptionArn")?.ok_or_else(|| bad("SubscriptionArn"))?;
        let (topic, id) =
            parts(arn).ok_or_else(|| bad("SubscriptionArn Reason: An ARN must have at least 6 elements"))?;
        if self.topics.get(topic).is_some_and(|topic| topic.subscriptions.iter().any(|one| one.arn == arn)) {
            let reason = "SubscriptionArn Reason: the subscription is declared in the project file: change it there";
            return Err(bad(reason).into());
        }
        created::SUBSCRIPTION.remove(tx, topic, id).await?;
        Ok(Map::new())
    }

    fn shown(&self, topic: &str, subscription: &Subscription) -> Map {
        let protocol = if subscription.spec.protocol == Protocol::Sqs { "sqs" } else { "lambda" };
        Map::from_iter([
            ("SubscriptionArn", subscription.arn.clone()),
            ("Owner", self.identity.account.clone()),
            ("Protocol", protocol.to_owned()),
            ("Endpoint", self.endpoint(&subscription.spec)),
            ("TopicArn", self.identity.arn("sns", topic)),
        ])
    }

    fn endpoint(&self, spec: &SubscriptionSpec) -> String {
        match spec.protocol {
            Protocol::Sqs => self.identity.arn("sqs", name_of(&spec.endpoint)),
            Protocol::Lambda => self.identity.arn("lambda", &format!("function:{}", name_of(&spec.endpoint))),
        }
    }

    fn list_shown<'s>(
        &self,
        subscriptions: impl Iterator<Item = (&'s str, &'s Subscription)>,
        params: &Params<'_>,
    ) -> Result<Map, Stop> {
        let mut all: Vec<_> =
            subscriptions.map(|(topic, one)| (one.arn.clone(), Value::from(self.shown(topic, one)))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(listed("Subscriptions", page(all, params.text("NextToken")?, PAGE)))
    }

    pub(crate) async fn list_subscriptions(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST)?;
        let created = self.created_subscriptions(tx, None).await?;
        let declared = self.topics.iter();
        let declared = declared.flat_map(|(name, topic)| topic.subscriptions.iter().map(|one| (name.as_str(), one)));
        let created = created.iter().filter_map(|one| Some((parts(&one.arn)?.0, one)));
        self.list_shown(declared.chain(created), &params)
    }

    pub(crate) async fn list_subscriptions_by_topic(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST_OF)?;
        let topic = self.find(tx, params.text("TopicArn")?.ok_or_else(|| bad("TopicArn"))?).await?;
        self.list_shown(topic.subscriptions().map(|one| (&*topic.name, one)), &params)
    }

    pub(crate) async fn subscription_attributes(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &SUBSCRIPTION)?;
        let arn = params.text("SubscriptionArn")?.ok_or_else(|| bad("SubscriptionArn"))?;
        let (name, _) = parts(arn).ok_or_else(no_subscription)?;
        let topic: Found<'_> = self.find(tx, name).await.map_err(|stop| match stop {
            Stop::Fault(_) => no_subscription().into(),
            failed => failed,
        })?;
        let one = topic.subscriptions().find(|one| one.arn == arn).ok_or_else(no_subscription)?;
        let mut attributes = self.shown(name, one);
        attributes.insert("RawMessageDelivery", one.spec.raw_message_delivery.to_string());
        attributes.insert("PendingConfirmation", "false");
        attributes.insert("ConfirmationWasAuthenticated", "true");
        if let Some(policy) = &one.spec.filter_policy {
            attributes.insert("FilterPolicy", policy.as_str().map_or_else(|| policy.to_string(), str::to_owned));
            let body = one.spec.filter_policy_scope == FilterPolicyScope::MessageBody;
            attributes.insert("FilterPolicyScope", if body { "MessageBody" } else { "MessageAttributes" });
        }
        if let Some(policy) = &one.spec.redrive_policy {
            let policy = Map::from_iter([("deadLetterTargetArn", policy.dead_letter_target_arn.as_str())]);
            attributes.insert("RedrivePolicy", Value::from(policy).to_string());
        }
        Ok(Map::from_iter([("Attributes", attributes)]))
    }
}

/// The topic and the id in the ARN of a subscription.
fn parts(arn: &str) -> Option<(&str, &str)> {
    name_of(arn).split_once(':').filter(|_| arn.starts_with("arn:"))
}

fn listed(key: &str, (items, next): (Vec<Value>, Option<String>)) -> Map {
    let mut answer = Map::from_iter([(key, Value::from(items))]);
    if let Some(next) = next {
        answer.insert("NextToken", next);
    }
    answer
}
