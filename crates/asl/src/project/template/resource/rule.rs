//! `AWS::Events::Rule`. One with a schedule, and targets that nothing here stands for, are passed over.

use super::super::Model;
use super::{Properties, member_text};
use crate::project::error::Problem;
use crate::project::template::scope::{Resource, Scope};
use asl_task::embedded::{RuleSpec, RuleState, TargetSpec, TransformerSpec};
use asl_value::{Map, Value};

pub(super) fn read(
    scope: &Scope<'_>,
    resource: &Resource<'_>,
    name: &str,
    model: &mut Model,
) -> Result<(), Box<Problem>> {
    let properties = Properties { scope, resource };
    let Some(pattern) = properties.value("EventPattern")? else { return Ok(()) };
    let targets = properties.value("Targets")?.unwrap_or_default();
    let spec = RuleSpec {
        event_bus_name: properties.text("EventBusName")?.unwrap_or_else(|| "default".to_owned()),
        event_pattern: Some(pattern),
        state: match properties.text("State")?.as_deref() {
            Some("DISABLED") => Some(RuleState::Disabled),
            _ => Some(RuleState::Enabled),
        },
        description: properties.text("Description")?,
        targets: targets.as_array().into_iter().flatten().filter_map(target).collect(),
    };
    properties.note_places(&format!("rules.{name}"), model);
    model.rules.insert(name.to_owned(), spec);
    Ok(())
}

fn target(target: &Value) -> Option<TargetSpec> {
    let transformer = target.get("InputTransformer").map(|transformer| {
        let paths = transformer.get("InputPathsMap").and_then(Value::as_object).into_iter().flat_map(Map::iter);
        let paths = paths.filter_map(|(name, path)| Some((name.to_string(), path.as_str()?.to_owned())));
        let input_template = member_text(transformer, "InputTemplate").unwrap_or_default();
        TransformerSpec { input_paths_map: paths.collect(), input_template }
    });
    Some(TargetSpec {
        id: member_text(target, "Id"),
        arn: member_text(target, "Arn")?,
        input: target.get("Input").cloned(),
        input_path: member_text(target, "InputPath"),
        input_transformer: transformer,
        message_group_id: target.get("SqsParameters").and_then(|one| member_text(one, "MessageGroupId")),
        dead_letter_arn: target.get("DeadLetterConfig").and_then(|one| member_text(one, "Arn")),
    })
}
