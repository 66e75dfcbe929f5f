//! The operations on queues: made, listed, removed, emptied, and their attributes.

use super::{Queue, Queues, required};
use crate::embedded::created;
use crate::embedded::error::{Fault, Stop, refused};
use crate::embedded::params::{Params, Shape};
use crate::embedded::spec::{QueueSpec, RedrivePolicy};
use crate::embedded::{ServiceCall, Services, name_of};
use asl_store::ServiceTx;
use asl_value::{Map, Value};
use std::collections::BTreeSet;

const URL: Shape = Shape { known: &["QueueUrl"], refused: &[] };
const GET_URL: Shape = Shape { known: &["QueueName"], refused: &["QueueOwnerAWSAccountId"] };
const GET: Shape = Shape { known: &["QueueUrl", "AttributeNames"], refused: &[] };
const SET: Shape = Shape { known: &["QueueUrl", "Attributes"], refused: &[] };
const CREATE: Shape = Shape { known: &["QueueName", "Attributes", "tags", "Tags"], refused: &[] };
const LIST: Shape = Shape { known: &["QueueNamePrefix", "MaxResults", "NextToken"], refused: &[] };
const SOURCES: Shape = Shape { known: &["QueueUrl", "MaxResults", "NextToken"], refused: &[] };

/// Attributes that are kept and shown as they were given: nothing here acts on them.
const KEPT: [&str; 9] = [
    "DeduplicationScope",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
    "RedrivePolicy",
];

/// What attributes as SQS writes them (numbers as text, the redrive policy as JSON text) mean.
pub(super) fn spec_of(attributes: &Map) -> Result<QueueSpec, Fault> {
    let bad = |name: &str| refused("InvalidAttributeValue", format!("Invalid value for the parameter {name}."));
    let mut spec = QueueSpec::default();
    for (name, value) in attributes {
        let text = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
        let number = |low: u32, high: u32| {
            let read = text.parse::<u32>().ok().filter(|number| (low..=high).contains(number));
            read.ok_or_else(|| bad(name))
        };
        let flag = || text.parse::<bool>().map_err(|_| bad(name));
        match &**name {
            "VisibilityTimeout" => spec.visibility_timeout = number(0, 43_200)?,
            "DelaySeconds" => spec.delay_seconds = number(0, 900)?,
            "MessageRetentionPeriod" => spec.message_retention_period = number(60, 1_209_600)?,
            "MaximumMessageSize" => spec.maximum_message_size = number(1024, 1_048_576)?,
            "FifoQueue" => spec.fifo_queue = flag()?,
            "ContentBasedDeduplication" => spec.content_based_deduplication = flag()?,
            "RedrivePolicy" if text.is_empty() => spec.redrive_policy = None,
            "RedrivePolicy" => spec.redrive_policy = Some(redrive_policy(&text).ok_or_else(|| bad(name))?),
            other if KEPT.contains(&other) => {}
            other => return Err(refused("InvalidAttributeName", format!("Unknown Attribute {other}."))),
        }
    }
    Ok(spec)
}

fn redrive_policy(text: &str) -> Option<RedrivePolicy> {
    let policy: Value = text.parse().ok()?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok()).filter(|count| (1..=1000).contains(count))?;
    let target = policy["deadLetterTargetArn"].as_str()?.to_owned();
    Some(RedrivePolicy { dead_letter_target_arn: target, max_receive_count: u32::try_from(count).ok()? })
}

/// Queues that the project file declares are changed there.
fn declared(name: &str) -> Fault {
    let text = format!("the queue {name} is declared in the project file: change it there");
    refused("AWS.SimpleQueueService.UnsupportedOperation", text)
}

/// One page of a list that is in order: what comes behind the token's name, at most `limit`; and the token of the next page.
pub(crate) fn page<T>(all: Vec<(String, T)>, after: Option<&str>, limit: usize) -> (Vec<T>, Option<String>) {
    let mut rest = all.into_iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).peekable();
    let (mut taken, mut last) = (Vec::new(), None);
    while taken.len() < limit
        && let Some((name, item)) = rest.next()
    {
        taken.push(item);
        last = Some(name);
    }
    (taken, last.filter(|_| rest.peek().is_some()))
}

impl Queues {
    pub(crate) async fn create(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &CREATE)?;
        let name = required(&params, "QueueName")?;
        let attributes = params.object("Attributes")?.cloned().unwrap_or_default();
        let spec = spec_of(&attributes)?;
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !(1..=80).contains(&name.len()) || stem.is_empty() || !stem.chars().all(allowed) {
            let text = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
            return Err(refused("InvalidParameterValue", text).into());
        }
        if spec.fifo_queue != name.ends_with(".fifo") {
            let text = match spec.fifo_queue {
                true => {
                    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
                }
                false => "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            };
            return Err(refused("InvalidParameterValue", text).into());
        }
        let answer = Map::from_iter([("QueueUrl", self.identity.queue_url(name))]);
        match self.find(tx, name).await {
            Ok(existing) => {
                let (has, _) = self.attributes_of(tx, &existing, call.now_ms).await?;
                let differs = |(key, value): &(&str, &Value)| {
                    let has = has.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
                    let value = value.as_str().unwrap_or_default();
                    has.is_none_or(|has| has != value && (*key != "RedrivePolicy" || spec_differs(has, value)))
                };
                match attributes.iter().map(|(key, value)| (&**key, value)).find(differs) {
                    Some((key, _)) => {
                        let text = format!(
                            "A queue already exists with the same name and a different value for attribute {key}"
                        );
                        Err(refused("QueueAlreadyExists", text).into())
                    }
                    None => Ok(answer),
                }
            }
            Err(Stop::Fault(_)) => {
                let tags = params.object("tags")?.or(params.object("Tags")?).cloned().unwrap_or_default();
                self.keep(tx, name, &attributes, tags, (call.now_ms, call.now_ms)).await?;
                Ok(answer)
            }
            Err(failed) => Err(failed),
        }
    }

    async fn keep(
        &self,
        tx: &mut dyn ServiceTx,
        name: &str,
        attributes: &Map,
        tags: Map,
        (created_ms, modified_ms): (i64, i64),
    ) -> Result<(), Stop> {
        let row = Map::from_iter([
            ("Attributes", Value::from(attributes.clone())),
            ("Tags", Value::from(tags)),
            ("Created", Value::from(created_ms)),
            ("Modified", Value::from(modified_ms)),
        ]);
        created::QUEUE.put(tx, name, name, &row.into()).await
    }

    pub(crate) async fn set_attributes(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &SET)?;
        let queue = self.of(tx, &params).await?;
        let Some(row) = &queue.created else { return Err(declared(&queue.name).into()) };
        let mut attributes = row.get("Attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, value) in params.object("Attributes")?.into_iter().flatten() {
            if &**name == "FifoQueue" {
                return Err(refused("InvalidAttributeName", "Unknown Attribute FifoQueue.").into());
            }
            attributes.insert(name.clone(), value.clone());
        }
        spec_of(&attributes)?;
        let tags = row.get("Tags").and_then(Value::as_object).cloned().unwrap_or_default();
        let created_ms = row.get("Created").and_then(Value::as_i64).unwrap_or(call.now_ms);
        self.keep(tx, &queue.name, &attributes, tags, (created_ms, call.now_ms)).await?;
        Ok(Map::new())
    }

    pub(crate) async fn delete_queue(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &URL)?;
        let queue = self.of(tx, &params).await?;
        if queue.created.is_none() {
            return Err(declared(&queue.name).into());
        }
        tx.delete_messages(&queue.name, i64::MAX).await?;
        created::QUEUE.remove(tx, &queue.name, &queue.name).await?;
        Ok(Map::new())
    }

    pub(crate) async fn purge(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &URL)?;
        let queue = self.of(tx, &params).await?;
        tx.delete_messages(&queue.name, i64::MAX).await?;
        Ok(Map::new())
    }

    pub(crate) async fn get_url(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &GET_URL)?;
        let queue = self.find(tx, required(&params, "QueueName")?).await?;
        Ok(Map::from_iter([("QueueUrl", self.identity.queue_url(&queue.name))]))
    }

    /// Every queue with the name of its dead-letter queue.
    async fn all(&self, tx: &mut dyn ServiceTx) -> Result<Vec<(String, Option<String>)>, Stop> {
        let target = |spec: &QueueSpec| {
            spec.redrive_policy.as_ref().map(|policy| name_of(&policy.dead_letter_target_arn).to_owned())
        };
        let mut all: Vec<_> = self.queues.iter().map(|(name, spec)| (name.clone(), target(spec))).collect();
        for (_, name, row) in created::QUEUE.list(tx, None).await? {
            let spec = spec_of(&row["Attributes"].as_object().cloned().unwrap_or_default())?;
            all.push((name, target(&spec)));
        }
        all.sort();
        all.dedup_by(|a, b| a.0 == b.0);
        Ok(all)
    }

    fn urls(&self, names: Vec<String>, params: &Params<'_>, key: &str) -> Result<Map, Stop> {
        let limit = params.integer("MaxResults")?;
        let most = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|n| (1..=1000).contains(n));
        let all = names.into_iter().map(|name| (name.clone(), Value::from(self.identity.queue_url(&name)))).collect();
        let (urls, next) = page(all, params.text("NextToken")?, most.unwrap_or(1000));
        let mut answer = Map::new();
        if !urls.is_empty() {
            answer.insert(key, urls);
        }
        // Without MaxResults SQS gives no token.
        if let Some(next) = next.filter(|_| limit.is_some()) {
            answer.insert("NextToken", next);
        }
        Ok(answer)
    }

    pub(crate) async fn list(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, _: &Services) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST)?;
        let prefix = params.text("QueueNamePrefix")?.unwrap_or_default();
        let names = self.all(tx).await?.into_iter().map(|(name, _)| name).filter(|name| name.starts_with(prefix));
        self.urls(names.collect(), &params, "QueueUrls")
    }

    pub(crate) async fn list_dead_letter_sources(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &SOURCES)?;
        let queue = self.of(tx, &params).await?;
        let sources = self.all(tx).await?.into_iter();
        let sources = sources.filter(|(_, target)| target.as_deref() == Some(&queue.name)).map(|(name, _)| name);
        let mut answer = self.urls(sources.collect(), &params, "queueUrls")?;
        answer.get_or_insert_with("queueUrls", Value::empty_array);
        Ok(answer)
    }

    pub(crate) async fn get_attributes(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &GET)?;
        let queue = self.of(tx, &params).await?;
        let (mut all, known) = self.attributes_of(tx, &queue, call.now_ms).await?;
        let wanted = params.texts("AttributeNames")?;
        if let Some(unknown) = wanted.iter().find(|name| **name != "All" && !known.contains(**name)) {
            return Err(refused("InvalidAttributeName", format!("Unknown Attribute {unknown}.")).into());
        }
        all.retain(|(name, _)| wanted.iter().any(|wanted| *wanted == "All" || wanted == name));
        Ok(if all.is_empty() { Map::new() } else { Map::from_iter([("Attributes", Value::from_iter(all))]) })
    }

    /// The attributes of a queue, and the names of all attributes that a queue can have.
    async fn attributes_of(
        &self,
        tx: &mut dyn ServiceTx,
        queue: &Queue<'_>,
        now_ms: i64,
    ) -> Result<(Vec<(String, String)>, BTreeSet<&'static str>), Stop> {
        let Queue { name, spec, created } = queue;
        let state = tx.queue_state(name, now_ms).await?;
        let mut all = vec![
            ("ApproximateNumberOfMessages", state.visible.to_string()),
            ("ApproximateNumberOfMessagesDelayed", state.delayed.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", state.in_flight.to_string()),
            ("DelaySeconds", spec.delay_seconds.to_string()),
            ("MaximumMessageSize", spec.maximum_message_size.to_string()),
            ("MessageRetentionPeriod", spec.message_retention_period.to_string()),
            ("QueueArn", self.identity.arn("sqs", name)),
            ("VisibilityTimeout", spec.visibility_timeout.to_string()),
        ];
        let mut known: BTreeSet<&'static str> = all.iter().map(|(name, _)| *name).collect();
        known.extend(KEPT);
        known.extend(["CreatedTimestamp", "LastModifiedTimestamp", "FifoQueue", "ContentBasedDeduplication"]);
        if spec.fifo_queue {
            all.push(("FifoQueue", "true".to_owned()));
            all.push(("ContentBasedDeduplication", spec.content_based_deduplication.to_string()));
        }
        if let Some(policy) = &spec.redrive_policy {
            let arn = self.identity.arn("sqs", name_of(&policy.dead_letter_target_arn));
            let count = policy.max_receive_count;
            all.push(("RedrivePolicy", format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":{count}}}")));
        }
        let mut all: Vec<(String, String)> = all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(row) = created {
            let seconds = |key: &str| row.get(key).and_then(Value::as_i64).unwrap_or(0) / 1000;
            all.push(("CreatedTimestamp".to_owned(), seconds("Created").to_string()));
            all.push(("LastModifiedTimestamp".to_owned(), seconds("Modified").to_string()));
            let given = row.get("Attributes").and_then(Value::as_object).into_iter().flatten();
            let kept = given.filter(|(name, _)| KEPT.contains(&&***name) && &***name != "RedrivePolicy");
            all.extend(kept.filter_map(|(name, value)| Some((name.to_string(), value.as_str()?.to_owned()))));
            if !all.iter().any(|(name, _)| name == "ReceiveMessageWaitTimeSeconds") {
                all.push(("ReceiveMessageWaitTimeSeconds".to_owned(), "0".to_owned()));
            }
        }
        Ok((all, known))
    }
}

/// Whether two redrive policies, JSON text each, are different ones.
fn spec_differs(one: &str, other: &str) -> bool {
    let read =
        |text: &str| redrive_policy(text).map(|p| (name_of(&p.dead_letter_target_arn).to_owned(), p.max_receive_count));
    read(one) != read(other)
}
