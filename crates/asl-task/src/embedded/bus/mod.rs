//! Buses that behave like EventBridge's: events are recorded, matched by rules, and delivered to the targets of those that match.
//!
//! Queues and topics get an event in the transaction that puts it; functions and state machines by the outbox. `target` is what a
//! target gets, `manage` the operations on buses and rules; this file holds the buses, and puts events.

mod manage;
pub(crate) mod status;
pub(crate) mod target;

use super::created;
use super::error::{Fault, Stop, refused};
use super::ids::uuid;
use super::params::{Params, Shape};
use super::queue::Outgoing;
use super::spec::{RuleSpec, TargetSpec};
use super::topic::delivery::{self, Target};
use super::topic::policy::FilterPolicy;
use super::{Dialect, Identity, ServiceCall, Services, iso_date, name_of};
use asl_store::{AT_ONCE, Message, ServiceTx, StoreError};
use asl_value::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use target::Whom;

/// The bus that is always there.
pub(crate) const DEFAULT: &str = "default";
/// How long the events of a bus are kept, for people and tests; milliseconds.
const KEPT_MS: i64 = 86_400_000;
/// The most entries of a request, and the most bytes of all of them.
const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 1_048_576;

const PUT: Shape = Shape { known: &["Entries", "EndpointId"], refused: &[] };

/// The declared buses and rules.
#[derive(Clone, Debug)]
pub(crate) struct Buses {
    buses: BTreeSet<String>,
    rules: BTreeMap<String, Rule>,
    identity: Identity,
    /// Whether a rule may match what executions come to; see [`status`].
    watched: Arc<AtomicBool>,
}

/// A rule of a bus.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    bus: String,
    /// Its pattern, JSON text; none of a rule with a schedule, which never matches.
    pattern: Option<(String, FilterPolicy)>,
    enabled: bool,
    targets: Vec<TargetSpec>,
    description: Option<String>,
    declared: bool,
}

/// The queue in which the store keeps the events of a bus.
fn events_of(bus: &str) -> String {
    format!("events:bus/{bus}")
}

/// The name of a bus, from its name or ARN.
fn bus_named(reference: &str) -> &str {
    let name = name_of(reference);
    name.strip_prefix("event-bus/").unwrap_or(name)
}

impl Buses {
    /// Those of checked declarations.
    pub(crate) fn new(
        buses: impl Iterator<Item = String>,
        rules: &BTreeMap<String, RuleSpec>,
        identity: &Identity,
    ) -> Buses {
        let rule = |(name, spec): (&String, &RuleSpec)| {
            let text = |pattern: &Value| pattern.as_str().map_or_else(|| pattern.to_string(), str::to_owned);
            // The declarations were checked: a pattern that does not read is reported there.
            let pattern = spec.event_pattern.as_ref();
            let pattern = pattern.and_then(|pattern| Some((text(pattern), FilterPolicy::of_events(pattern).ok()?)));
            let rule = Rule {
                name: name.clone(),
                bus: bus_named(&spec.event_bus_name).to_owned(),
                pattern,
                enabled: spec.state.is_none_or(|state| state.is_enabled()),
                targets: spec.targets.clone(),
                description: spec.description.clone(),
                declared: true,
            };
            (name.clone(), rule)
        };
        let buses = buses.chain([DEFAULT.to_owned()]).collect();
        let rules: BTreeMap<String, Rule> = rules.iter().map(rule).collect();
        let made = Buses { buses, rules, identity: identity.clone(), watched: Arc::default() };
        made.watch(made.rules.values().cloned());
        made
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.buses.iter().map(String::as_str)
    }

    /// Whether a name or ARN is that of a declared bus, or of the one that is always there.
    pub(crate) fn is_declared(&self, reference: &str) -> bool {
        self.buses.contains(bus_named(reference))
    }

    async fn exists(&self, tx: &mut dyn ServiceTx, bus: &str) -> Result<bool, Stop> {
        Ok(self.buses.contains(bus) || created::BUS.get(tx, bus, bus).await?.is_some())
    }

    /// The rules of a bus: those that are declared, and those that were made at run time.
    async fn rules_of<'r>(&'r self, tx: &mut dyn ServiceTx, bus: &str) -> Result<Vec<Cow<'r, Rule>>, Stop> {
        let mut all: Vec<_> = self.rules.values().filter(|rule| rule.bus == bus).map(Cow::Borrowed).collect();
        for (bus, name, row) in created::RULE.list(tx, Some(bus)).await? {
            all.push(Cow::Owned(manage::rule_of(&bus, &name, &row)?));
        }
        Ok(all)
    }

    fn rule_arn(&self, rule: &Rule) -> String {
        let within = if rule.bus == DEFAULT { String::new() } else { format!("{}/", rule.bus) };
        self.identity.arn("events", &format!("rule/{within}{}", rule.name))
    }

    pub(crate) async fn put_events(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        services: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &PUT)?;
        let entries = params.list("Entries")?;
        if !(1..=MAX_ENTRIES).contains(&entries.len()) {
            let bound = if entries.is_empty() { "greater than or equal to 1" } else { "less than or equal to 10" };
            let shown = if entries.is_empty() { "[]" } else { "[...]" };
            let text = format!(
                "1 validation error detected: Value '{shown}' at 'entries' failed to satisfy constraint: Member must have length {bound}"
            );
            return Err(refused("ValidationException", text).into());
        }
        if entries.iter().map(|entry| entry.measure().bytes).sum::<usize>() > MAX_BYTES {
            return Err(
                refused("ValidationException", "Total size of the entries in the request is over the limit.").into()
            );
        }
        let (mut told, mut failed) = (Vec::new(), 0);
        for (number, entry) in (0..).zip(entries) {
            let put = match self.event_of(entry, call, number) {
                Ok((bus, event)) => self.put(tx, call, services, (&bus, &event), number).await?,
                Err(problem) => Err(problem),
            };
            told.push(match put {
                Ok(id) => Value::from_iter([("EventId", id)]),
                Err((code, message)) => {
                    failed += 1;
                    Value::from_iter([("ErrorCode", code.to_owned()), ("ErrorMessage", message)])
                }
            });
        }
        Ok(Map::from_iter([("Entries", Value::from(told)), ("FailedEntryCount", Value::from(failed))]))
    }

    /// The bus of an entry and its event, or EventBridge's error of the entry.
    fn event_of(
        &self,
        entry: &Value,
        call: &ServiceCall<'_>,
        number: u64,
    ) -> Result<(String, Value), (&'static str, String)> {
        let argument = |name: &str| {
            let text = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
            ("InvalidArgument", text)
        };
        let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
        let source = text("Source").ok_or_else(|| argument("Source"))?;
        let kind = text("DetailType").ok_or_else(|| argument("DetailType"))?;
        let malformed = || ("MalformedDetail", "Detail is malformed.".to_owned());
        let detail = match &entry["Detail"] {
            Value::Null => return Err(argument("Detail")),
            Value::String(text) => text.parse::<Value>().map_err(|_| malformed())?,
            // Step Functions writes an object out.
            other => other.clone(),
        };
        if detail.as_object().is_none() {
            return Err(malformed());
        }
        if call.dialect == Dialect::Wire && source.starts_with("aws.") {
            let text = "Not authorized for the source.".to_owned();
            return Err(("NotAuthorizedForSourceException", text));
        }
        let bus = bus_named(text("EventBusName").unwrap_or(DEFAULT)).to_owned();
        let time = match &entry["Time"] {
            Value::String(text) => text.to_string(),
            // Seconds since 1970, on the wire.
            time => time.as_f64().map_or_else(|| iso_date(call.now_ms), |seconds| iso_date((seconds * 1000.0) as i64)),
        };
        let resources = entry["Resources"].as_array().unwrap_or_default().iter().cloned().collect::<Value>();
        let event = Value::from_iter([
            ("version", Value::from("0")),
            ("id", Value::from(uuid(call.seed, "event", number))),
            ("detail-type", Value::from(kind)),
            ("source", Value::from(source)),
            ("account", Value::from(&self.identity.account)),
            ("time", Value::from(without_fraction(&time))),
            ("region", Value::from(&self.identity.region)),
            ("resources", resources),
            ("detail", detail),
        ]);
        Ok((bus, event))
    }

    /// Records an event, and brings it to the targets of the rules that match. The inner error is the entry's.
    async fn put(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        services: &Services,
        (bus, event): (&str, &Value),
        number: u64,
    ) -> Result<Result<String, (&'static str, String)>, Stop> {
        if !self.exists(tx, bus).await? {
            return Ok(Err(("ResourceNotFoundException", format!("Event bus {bus} does not exist."))));
        }
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        let queue = events_of(bus);
        tx.delete_messages(&queue, call.now_ms - KEPT_MS).await?;
        tx.insert_message(&Message {
            position: 0,
            queue,
            id: id.clone(),
            group_id: None,
            dedup_id: None,
            body: event.to_string(),
            attributes: Value::empty_object(),
            source: None,
            sent_at_ms: call.now_ms,
            visible_at_ms: AT_ONCE,
            first_received_at_ms: None,
            receive_count: 0,
            receipt: None,
        })
        .await?;
        for rule in self.rules_of(tx, bus).await? {
            if !rule.enabled || !rule.pattern.as_ref().is_some_and(|(_, pattern)| pattern.matches_event(event)) {
                continue;
            }
            let arn = self.rule_arn(&rule);
            for (index, target) in (0..).zip(&rule.targets) {
                let input = target::input(target, event, (&rule.name, &arn));
                let label = format!("event {number} {}", rule.name);
                match deliver(tx, call, services, target, input, (&label, index)).await {
                    // A target that does not take the event (it does not exist, say) loses it: the sender is not told, as on AWS.
                    Err(Stop::Fault(_)) | Ok(()) => {}
                    Err(failed) => return Err(failed),
                }
            }
        }
        Ok(Ok(id))
    }

    /// The events of a bus behind a position, oldest first, with their positions. Those of the last day are kept.
    pub(crate) async fn events(
        &self,
        tx: &mut dyn ServiceTx,
        bus: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Value)>, StoreError> {
        let rows = tx.messages(&events_of(bus_named(bus)), after, limit).await?;
        let damaged = |error| StoreError::new(format!("an event in the database is damaged: {error}"));
        rows.into_iter().map(|row| Ok((row.position, row.body.parse().map_err(damaged)?))).collect()
    }
}

/// The parameters of a task's `events:putEvents` with what Step Functions adds to the `Resources` of each entry: the ARNs of the
/// execution and of its state machine.
pub fn with_resources(parameters: &Value, arns: [&str; 2]) -> Value {
    let Some(mut map) = parameters.as_object().cloned() else { return parameters.clone() };
    let Some(entries) = map.get("Entries").and_then(Value::as_array) else { return parameters.clone() };
    let add = |entry: &Value| {
        let Some(mut entry) = entry.as_object().cloned() else { return entry.clone() };
        let given = entry.get("Resources").and_then(Value::as_array).unwrap_or_default().iter().cloned();
        let all: Value = given.chain(arns.map(Value::from)).collect();
        entry.insert("Resources", all);
        entry.into()
    };
    let entries: Value = entries.iter().map(add).collect();
    map.insert("Entries", entries);
    map.into()
}

/// A time to the second, as events have it.
fn without_fraction(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, rest)) if rest.ends_with('Z') => format!("{whole}Z"),
        _ => time.to_owned(),
    }
}

/// Brings an event to a target.
async fn deliver(
    tx: &mut dyn ServiceTx,
    call: &ServiceCall<'_>,
    services: &Services,
    target: &TargetSpec,
    input: Value,
    (label, index): (&str, u64),
) -> Result<(), Stop> {
    let id = uuid(call.seed, label, index);
    let text = || input.as_str().map_or_else(|| input.to_string(), str::to_owned);
    let dead_letter = target.dead_letter_arn.as_deref().map(name_of);
    match target::whom_of(&target.arn) {
        Some(Whom::Queue(queue)) => {
            let queue = services.queues.find(tx, queue).await?;
            let fifo = queue.spec.fifo_queue;
            let outgoing = Outgoing {
                id: id.clone(),
                body: text(),
                attributes: Value::empty_object(),
                group_id: target.message_group_id.clone(),
                dedup_id: (fifo && !queue.spec.content_based_deduplication).then_some(id),
                delay_seconds: None,
            };
            services.queues.send(tx, &queue, outgoing, call.now_ms).await.map(drop)
        }
        Some(Whom::Topic(topic)) => {
            let parameters = Value::from_iter([("TopicArn", topic.to_owned()), ("Message", text())]);
            let seed = u64::from_str_radix(&super::ids::tag(call.seed, label, index), 16).unwrap_or(call.seed);
            let publish = ServiceCall { dialect: Dialect::Wire, parameters: &parameters, seed, ..*call };
            services.topics.publish(tx, &publish, services).await.map(drop)
        }
        Some(Whom::Function(name)) => {
            let target = Target::Function(name_of(name).to_owned());
            delivery::put(tx, id, &target, input, dead_letter, call.now_ms).await
        }
        Some(Whom::StateMachine(name)) => {
            let arn = if name.starts_with("arn:") {
                name.to_owned()
            } else {
                services.buses.identity.arn("states", &format!("stateMachine:{name}"))
            };
            delivery::put(tx, id, &Target::StateMachine(arn), input, dead_letter, call.now_ms).await
        }
        None => Err(Fault::Unknown.into()),
    }
}
