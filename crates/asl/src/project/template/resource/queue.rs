//! `AWS::SQS::Queue`.

use super::super::Model;
use super::{Properties, member_text};
use crate::project::error::Problem;
use crate::project::template::scope::{Resource, Scope};
use asl_task::embedded::{QueueSpec, RedrivePolicy};
use asl_value::Value;

pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource<'_>,
    name: &str,
    model: &mut Model,
) -> Result<(), Box<Problem>> {
    let properties = Properties { scope, resource };
    let default = QueueSpec::default();
    let spec = QueueSpec {
        visibility_timeout: properties.number("VisibilityTimeout")?.unwrap_or(default.visibility_timeout),
        delay_seconds: properties.number("DelaySeconds")?.unwrap_or(default.delay_seconds),
        message_retention_period: properties
            .number("MessageRetentionPeriod")?
            .unwrap_or(default.message_retention_period),
        maximum_message_size: properties.number("MaximumMessageSize")?.unwrap_or(default.maximum_message_size),
        fifo_queue: properties.flag("FifoQueue")?,
        content_based_deduplication: properties.flag("ContentBasedDeduplication")?,
        redrive_policy: redrive(&properties)?,
    };
    properties.note_places(&format!("queues.{name}"), model);
    model.queues.insert(name.to_owned(), spec);
    Ok(())
}

fn redrive(properties: &Properties<'_, '_>) -> Result<Option<RedrivePolicy>, Box<Problem>> {
    let Some(policy) = properties.value("RedrivePolicy")? else { return Ok(None) };
    // A policy may be its JSON text.
    let policy = match policy.as_str().map(str::parse::<Value>) {
        Some(Ok(parsed)) => parsed,
        Some(Err(_)) => return Err(properties.wrong("RedrivePolicy", "the RedrivePolicy is no JSON")),
        None => policy,
    };
    let target = member_text(&policy, "deadLetterTargetArn");
    let count = member_text(&policy, "maxReceiveCount").and_then(|count| count.parse().ok());
    match (target, count) {
        (Some(dead_letter_target_arn), Some(max_receive_count)) => {
            Ok(Some(RedrivePolicy { dead_letter_target_arn, max_receive_count }))
        }
        _ => Err(properties.wrong("RedrivePolicy", "a RedrivePolicy has deadLetterTargetArn and maxReceiveCount")),
    }
}
