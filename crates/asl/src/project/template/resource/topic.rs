//! `AWS::SNS::Topic`, `AWS::SNS::Subscription`.

use super::super::{Absent, Model};
use super::{Properties, member_text};
use crate::project::error::Problem;
use crate::project::template::scope::{Resource, Scope};
use asl_syntax::{Node, Span};
use asl_task::embedded::{FilterPolicyScope, Protocol, SubscriptionRedrivePolicy, SubscriptionSpec, TopicSpec};
use asl_value::Value;

pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource<'_>,
    name: &str,
    model: &mut Model,
) -> Result<(), Box<Problem>> {
    let properties = Properties { scope, resource };
    let mut spec = TopicSpec {
        fifo_topic: properties.flag("FifoTopic")?,
        content_based_deduplication: properties.flag("ContentBasedDeduplication")?,
        subscriptions: Vec::new(),
    };
    let place = format!("topics.{name}");
    properties.note_places(&place, model);
    if let Some(list) = properties.node("Subscription")? {
        for node in list.as_array().unwrap_or_default() {
            if let Some(subscription) = subscription(scope, node, model)? {
                note_places(&place, spec.subscriptions.len(), node, node.span, model);
                spec.subscriptions.push(subscription);
            }
        }
    }
    model.topics.insert(name.to_owned(), spec);
    Ok(())
}

/// Adds the subscriptions that are resources of their own, in the order of the template.
pub(super) fn subscribe(scope: &Scope<'_>, model: &mut Model) {
    for resource in scope.resources.iter().filter(|resource| resource.kind == "AWS::SNS::Subscription") {
        if !scope.is_made(resource).unwrap_or(false) {
            continue;
        }
        if let Err(problem) = one(scope, resource, model) {
            let name = topic_of(scope, resource).unwrap_or_default();
            model.absent.push(Absent { name, problem, broken: true });
        }
    }
}

/// The name of the topic that a subscription is of.
fn topic_of(scope: &Scope<'_>, resource: &Resource<'_>) -> Result<String, Box<Problem>> {
    let arn = Properties { scope, resource }.needed_text("TopicArn")?;
    Ok(arn.rsplit(':').next().unwrap_or(&arn).to_owned())
}

fn one(scope: &Scope<'_>, resource: &Resource<'_>, model: &mut Model) -> Result<(), Box<Problem>> {
    let topic = topic_of(scope, resource)?;
    let Some(node) = scope.resolve(&resource.properties)? else { return Ok(()) };
    let Some(subscription) = subscription(scope, &node, model)? else { return Ok(()) };
    let count = model.topics.get(&topic).map(|spec| spec.subscriptions.len());
    let Some(count) = count else {
        let message = format!("the topic `{topic}` of the subscription `{}` is not in the template", resource.id);
        let note = scope.problem(resource.span, message, "declare the topic in the template");
        model.notes.push(*note);
        return Ok(());
    };
    note_places(&format!("topics.{topic}"), count, &resource.properties, resource.span, model);
    model.topics.entry(topic).and_modify(|spec| spec.subscriptions.push(subscription));
    Ok(())
}

fn note_places(topic: &str, index: usize, node: &Node, span: Span, model: &mut Model) {
    let place = format!("{topic}.Subscriptions[{index}]");
    for member in node.as_object().unwrap_or_default() {
        model.places.insert(format!("{place}.{}", member.key), member.value.span);
    }
    model.places.insert(place, span);
}

/// A subscription; `None` for one whose protocol has no backend: mail, HTTP, text messages.
fn subscription(scope: &Scope<'_>, node: &Node, model: &mut Model) -> Result<Option<SubscriptionSpec>, Box<Problem>> {
    let value = node.to_value();
    let needed = |name: &str| {
        member_text(&value, name)
            .ok_or_else(|| scope.problem(node.span, format!("a subscription has no {name}"), format!("add `{name}:`")))
    };
    let protocol = match needed("Protocol")?.as_str() {
        "sqs" => Protocol::Sqs,
        "lambda" => Protocol::Lambda,
        other => {
            let message = format!("passed over: a subscription by {other}, which has no backend here");
            model.notes.push(*scope.problem(node.span, message, ""));
            return Ok(None);
        }
    };
    let filter_policy_scope = match member_text(&value, "FilterPolicyScope").as_deref() {
        None | Some("MessageAttributes") => FilterPolicyScope::MessageAttributes,
        Some("MessageBody") => FilterPolicyScope::MessageBody,
        Some(other) => {
            let message = format!("FilterPolicyScope is MessageAttributes or MessageBody, not `{other}`");
            return Err(scope.problem(node.span, message, ""));
        }
    };
    let redrive = value.get("RedrivePolicy").and_then(|policy| {
        let parsed = policy.as_str().and_then(|text| text.parse::<Value>().ok());
        member_text(parsed.as_ref().unwrap_or(policy), "deadLetterTargetArn")
    });
    Ok(Some(SubscriptionSpec {
        protocol,
        endpoint: needed("Endpoint")?,
        filter_policy: value.get("FilterPolicy").filter(|policy| !policy.is_null()).cloned(),
        filter_policy_scope,
        raw_message_delivery: member_text(&value, "RawMessageDelivery")
            .is_some_and(|raw| raw.eq_ignore_ascii_case("true")),
        redrive_policy: redrive.map(|dead_letter_target_arn| SubscriptionRedrivePolicy { dead_letter_target_arn }),
    }))
}
