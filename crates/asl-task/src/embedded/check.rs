//! Checks of the declarations that one value alone cannot show: names, ranges, and who refers to whom.

use super::name_of;
use super::spec::{
    IndexSpec, KeyAttribute, ProjectionType, Protocol, QueueSpec, RuleSpec, ServicesSpec, SubscriptionSpec, TableSpec,
    TopicSpec,
};
use super::topic::policy::FilterPolicy;
use std::ops::RangeInclusive;

/// What is wrong with a declaration, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem} (hint: {hint})")]
pub struct SpecError {
    /// The key path in the project, for example `queues.Orders.RedrivePolicy.deadLetterTargetArn`.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

/// All problems of the declarations, in the order of their places.
pub(crate) fn check(spec: &ServicesSpec) -> Vec<SpecError> {
    let mut check = Check { spec, errors: Vec::new() };
    spec.tables.iter().for_each(|(name, table)| check.table(name, table));
    spec.topics.iter().for_each(|(name, topic)| check.topic(name, topic));
    spec.queues.iter().for_each(|(name, queue)| check.queue(name, queue));
    spec.buses.keys().for_each(|name| check.name(&format!("buses.{name}"), name, "/._-", 1..=256));
    spec.rules.iter().for_each(|(name, rule)| check.rule(name, rule));
    spec.activities.keys().for_each(|name| check.name(&format!("activities.{name}"), name, "_-.", 1..=80));
    check.errors
}

struct Check<'a> {
    spec: &'a ServicesSpec,
    errors: Vec<SpecError>,
}

impl Check<'_> {
    fn report(&mut self, place: String, problem: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(SpecError { place, problem: problem.into(), hint: hint.into() });
    }

    fn name(&mut self, place: &str, name: &str, extra: &str, lengths: RangeInclusive<usize>) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        if !lengths.contains(&name.len()) || !name.chars().all(allowed) {
            let hint = format!("use {} to {} of A-Z a-z 0-9 {extra}", lengths.start(), lengths.end());
            self.report(place.to_owned(), "this is not a name AWS accepts", hint);
        }
    }

    /// A FIFO resource and only it has a name that ends in `.fifo`.
    fn fifo(&mut self, place: &str, name: &str, fifo: bool, key: &str) {
        let stem = name.strip_suffix(".fifo");
        self.name(place, stem.unwrap_or(name), "_-", 1..=80);
        match (fifo, stem.is_some()) {
            (true, false) => {
                self.report(format!("{place}.{key}"), "the name must end in .fifo", format!("name it {name}.fifo"))
            }
            (false, true) => {
                self.report(place.to_owned(), "a name ending in .fifo is for FIFO only", format!("set {key} = true"))
            }
            _ => {}
        }
    }

    fn range(&mut self, place: String, value: u32, range: RangeInclusive<u32>) {
        if !range.contains(&value) {
            let hint = format!("use {} to {}", range.start(), range.end());
            self.report(place, format!("{value} is out of range"), hint);
        }
    }

    fn table(&mut self, name: &str, table: &TableSpec) {
        let place = format!("tables.{name}");
        self.name(&place, name, "_.-", 3..=255);
        self.key(&format!("{place}.HashKey"), &table.hash_key);
        if let Some(range) = &table.range_key {
            self.key(&format!("{place}.RangeKey"), range);
            if range.name == table.hash_key.name {
                let hint = "name another attribute, or leave RangeKey out";
                self.report(format!("{place}.RangeKey"), "this is the hash key already", hint);
            }
        }
        for (name, index) in &table.global_secondary_indexes {
            let place = format!("{place}.GlobalSecondaryIndexes.{name}");
            if index.hash_key.is_none() {
                self.report(place.clone(), "a global index needs a HashKey", "add HashKey = \"...\"");
            }
            self.index(&place, name, index);
        }
        for (name, index) in &table.local_secondary_indexes {
            let place = format!("{place}.LocalSecondaryIndexes.{name}");
            if table.global_secondary_indexes.contains_key(name) {
                self.report(place.clone(), "a global index has this name", "name it otherwise");
            }
            if index.hash_key.as_ref().is_some_and(|key| *key != table.hash_key) {
                self.report(format!("{place}.HashKey"), "a local index has the table's hash key", "leave HashKey out");
            }
            if index.range_key.is_none() {
                self.report(place.clone(), "a local index needs a RangeKey", "add RangeKey = \"...\"");
            }
            self.index(&place, name, index);
        }
    }

    fn rule(&mut self, name: &str, rule: &RuleSpec) {
        let place = format!("rules.{name}");
        self.name(&place, name, "._-", 1..=64);
        let bus = name_of(&rule.event_bus_name).trim_start_matches("event-bus/");
        if bus != super::bus::DEFAULT && !self.spec.buses.contains_key(bus) {
            let at = format!("{place}.EventBusName");
            let known: Vec<&str> = self.spec.buses.keys().map(String::as_str).chain(["default"]).collect();
            let hint = format!("declare it under [buses.{bus}], or name one of: {}", known.join(", "));
            self.report(at, format!("there is no bus {bus}"), hint);
        }
        let pattern = rule.event_pattern.as_ref().map(FilterPolicy::of_events);
        let problem = match pattern {
            Some(Ok(_)) => None,
            Some(Err(problem)) => Some((format!("{place}.EventPattern"), problem)),
            None => Some((place.clone(), "the rule has no EventPattern".to_owned())),
        };
        if let Some((at, problem)) = problem {
            self.report(at, problem, "see Amazon EventBridge event patterns");
        }
        for (index, target) in rule.targets.iter().enumerate() {
            let at = format!("{place}.Targets[{index}]");
            if let Err(problem) = super::bus::target::check(target) {
                self.report(at.clone(), problem, "see Amazon EventBridge input transformation");
            }
            self.target(format!("{at}.Arn"), &target.arn);
        }
    }

    /// What a rule sends to has to be declared, where it can be told.
    fn target(&mut self, place: String, arn: &str) {
        let (spec, Some(whom)) = (self.spec, super::bus::target::whom(arn)) else {
            let hint = "write the ARN of a queue, topic, function or state machine, or in short sqs:Name, sns:Name, lambda:Name, states:Name";
            return self.report(place, format!("{arn} cannot be the target of a rule here"), hint);
        };
        let name = name_of(whom);
        let is = |service: &str| arn.starts_with(&format!("{service}:")) || arn.contains(&format!(":{service}:"));
        if is("sqs") && !spec.queues.contains_key(name) {
            self.unknown(place, "queue", name, spec.queues.keys());
        } else if is("sns") && !spec.topics.contains_key(name) {
            self.unknown(place, "topic", name, spec.topics.keys());
        } else if is("lambda") && !spec.functions.contains(name) {
            self.unknown(place, "function", name, spec.functions.iter());
        }
    }

    fn index(&mut self, place: &str, name: &str, index: &IndexSpec) {
        self.name(place, name, "_.-", 3..=255);
        for (role, key) in [("HashKey", &index.hash_key), ("RangeKey", &index.range_key)] {
            if let Some(key) = key {
                self.key(&format!("{place}.{role}"), key);
            }
        }
        let included = index.projection.projection_type == ProjectionType::Include;
        if included == index.projection.non_key_attributes.is_empty() {
            let hint = "NonKeyAttributes goes with ProjectionType = \"INCLUDE\", and only with it";
            self.report(format!("{place}.Projection"), "ProjectionType and NonKeyAttributes do not agree", hint);
        }
    }

    fn key(&mut self, place: &str, key: &KeyAttribute) {
        if !(1..=255).contains(&key.name.len()) {
            self.report(place.to_owned(), "the attribute name is empty or too long", "use 1 to 255 characters");
        }
    }

    fn queue(&mut self, name: &str, queue: &QueueSpec) {
        let place = format!("queues.{name}");
        self.fifo(&place, name, queue.fifo_queue, "FifoQueue");
        self.range(format!("{place}.VisibilityTimeout"), queue.visibility_timeout, 0..=43_200);
        self.range(format!("{place}.DelaySeconds"), queue.delay_seconds, 0..=900);
        self.range(format!("{place}.MessageRetentionPeriod"), queue.message_retention_period, 60..=1_209_600);
        self.range(format!("{place}.MaximumMessageSize"), queue.maximum_message_size, 1024..=1_048_576);
        if queue.content_based_deduplication && !queue.fifo_queue {
            let hint = "leave it out, or make the queue FIFO";
            self.report(format!("{place}.ContentBasedDeduplication"), "this is for FIFO queues only", hint);
        }
        if let Some(policy) = &queue.redrive_policy {
            self.range(format!("{place}.RedrivePolicy.maxReceiveCount"), policy.max_receive_count, 1..=1000);
            let at = format!("{place}.RedrivePolicy.deadLetterTargetArn");
            self.dead_letter(at, &policy.dead_letter_target_arn, name, queue.fifo_queue);
        }
    }

    fn dead_letter(&mut self, place: String, target: &str, source: &str, fifo: bool) {
        let target = name_of(target);
        if target == source {
            return self.report(place, "a queue cannot be its own dead-letter queue", "name another queue");
        }
        match self.spec.queues.get(target) {
            None => self.unknown(place, "queue", target, self.spec.queues.keys()),
            Some(queue) if queue.fifo_queue != fifo => {
                let kind = if fifo { "FIFO" } else { "standard" };
                self.report(place, format!("{target} is not a {kind} queue"), format!("name a {kind} queue"));
            }
            Some(_) => {}
        }
    }

    fn unknown<'n>(&mut self, place: String, what: &str, name: &str, known: impl Iterator<Item = &'n String>) {
        let known: Vec<&str> = known.map(String::as_str).collect();
        let hint = match known.is_empty() {
            true => format!("declare it under [{what}s.{name}]"),
            false => format!("declare it under [{what}s.{name}], or name one of: {}", known.join(", ")),
        };
        self.report(place, format!("there is no {what} {name}"), hint);
    }

    fn topic(&mut self, name: &str, topic: &TopicSpec) {
        let place = format!("topics.{name}");
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        self.name(&place, stem, "_-", 1..=256);
        if topic.fifo_topic != name.ends_with(".fifo") {
            let hint = "a FIFO topic has FifoTopic = true and a name ending in .fifo, a standard one neither";
            self.report(place.clone(), "the name and FifoTopic do not agree", hint);
        }
        for (index, subscription) in topic.subscriptions.iter().enumerate() {
            self.subscription(format!("{place}.Subscriptions[{index}]"), topic, subscription);
        }
    }

    fn subscription(&mut self, place: String, topic: &TopicSpec, subscription: &SubscriptionSpec) {
        let endpoint = name_of(&subscription.endpoint);
        let at = format!("{place}.Endpoint");
        match subscription.protocol {
            Protocol::Sqs => match self.spec.queues.get(endpoint) {
                None => self.unknown(at, "queue", endpoint, self.spec.queues.keys()),
                Some(queue) if queue.fifo_queue && !topic.fifo_topic => {
                    self.report(at, "a FIFO queue cannot listen to a standard topic", "use a standard queue");
                }
                Some(_) => {}
            },
            Protocol::Lambda if topic.fifo_topic => {
                self.report(at, "a FIFO topic delivers to queues only", "subscribe a queue");
            }
            Protocol::Lambda => {
                if !self.spec.functions.contains(endpoint) {
                    self.unknown(at, "function", endpoint, self.spec.functions.iter());
                }
                if subscription.raw_message_delivery {
                    let at = format!("{place}.RawMessageDelivery");
                    self.report(at, "a function always gets the whole event", "leave it out");
                }
            }
        }
        if let Some(policy) = &subscription.redrive_policy {
            let target = name_of(&policy.dead_letter_target_arn);
            if !self.spec.queues.contains_key(target) {
                let at = format!("{place}.RedrivePolicy.deadLetterTargetArn");
                self.unknown(at, "queue", target, self.spec.queues.keys());
            }
        }
        if let Some(policy) = &subscription.filter_policy
            && let Err(problem) = FilterPolicy::read(policy, subscription.filter_policy_scope)
        {
            let hint = "see Amazon SNS subscription filter policies";
            self.report(format!("{place}.FilterPolicy"), problem, hint);
        }
    }
}
