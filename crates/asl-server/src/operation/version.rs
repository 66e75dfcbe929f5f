//! Versions: what a state machine was when it was published.

use super::{Answer, Api, Params, list};
use crate::arn::MachineArn;
use crate::page::Paging;
use crate::wire::ApiError;
use asl::Map;
use asl::parts::store::{After, StateMachineRow, VersionRow};

/// How many versions a state machine may have.
const MAX_VERSIONS: usize = 1000;
/// How AWS calls the revision of a state machine that was never updated.
const INITIAL: &str = "INITIAL";

pub(crate) fn version_arn(machine: &str, number: i64) -> String {
    format!("{machine}:{number}")
}

impl Api {
    pub(crate) async fn version(&self, machine: &str, number: i64) -> Result<Option<VersionRow>, ApiError> {
        let newest = self.catalogue().versions(machine, Some(number.saturating_add(1)), 1).await?;
        Ok(newest.into_iter().find(|version| version.number == number))
    }

    /// Publishes what a state machine is now. A revision that was published last already keeps its version.
    pub(super) async fn publish(
        &self,
        machine: &StateMachineRow,
        description: Option<&str>,
    ) -> Result<VersionRow, ApiError> {
        let newest = self.catalogue().versions(&machine.arn, None, 1).await?.pop();
        if let Some(newest) = newest.filter(|newest| newest.revision_id == machine.revision_id) {
            return Ok(newest);
        }
        if self.catalogue().versions(&machine.arn, None, MAX_VERSIONS as u32).await?.len() >= MAX_VERSIONS {
            let message = format!("The state machine has {MAX_VERSIONS} versions, which is the limit.");
            return Err(ApiError::new("ServiceQuotaExceededException", message));
        }
        let mut row = VersionRow {
            state_machine: machine.arn.clone(),
            number: 0,
            description: description.filter(|text| !text.is_empty()).map(str::to_owned),
            revision_id: machine.revision_id.clone(),
            definition: machine.definition.clone(),
            role_arn: machine.role_arn.clone(),
            configuration: machine.configuration.clone(),
            created: self.now(),
        };
        let number = self.catalogue().publish_version(&row).await?;
        row.number = number.ok_or_else(|| super::state_machine::no_machine(&machine.arn))?;
        Ok(row)
    }

    pub(super) async fn publish_version(&self, p: Params<'_>) -> Answer {
        let arn = MachineArn::unqualified(p.required("stateMachineArn"))?;
        let _changing = self.changing.lock().await;
        let machine = self.machine(&arn).await?;
        let current = machine.revision_id.as_deref().unwrap_or(INITIAL);
        if let Some(wanted) = p.text("revisionId").filter(|wanted| *wanted != current) {
            let message = format!(
                "Failed to publish the State Machine version for revision {wanted}. The current State Machine revision is {current}."
            );
            return Err(ApiError::new("ConflictException", message));
        }
        let version = self.publish(&machine, p.text("description")).await?;
        let mut out = Map::from_iter([("stateMachineVersionArn", version_arn(&arn, version.number))]);
        out.insert("creationDate", version.created.to_cli_string());
        Ok(out)
    }

    pub(super) async fn list_versions(&self, p: Params<'_>) -> Answer {
        let arn = MachineArn::unqualified(p.required("stateMachineArn"))?;
        let paging = Paging::read("ListStateMachineVersions", p.0, self.now())?;
        let before = paging.after.as_deref().and_then(|number| number.parse().ok());
        let mut rows = self.catalogue().versions(&arn, before, paging.limit + 1).await?;
        let next = paging.cut(&mut rows, |row| row.number.to_string());
        let items = rows.iter().map(|row| {
            let mut item = Map::from_iter([("stateMachineVersionArn", version_arn(&arn, row.number))]);
            item.insert("creationDate", row.created.to_cli_string());
            item
        });
        let mut out = Map::from_iter([("stateMachineVersions", list(items))]);
        out.insert("nextToken", next);
        Ok(out)
    }

    pub(super) async fn delete_version(&self, p: Params<'_>) -> Answer {
        let text = p.required("stateMachineVersionArn");
        MachineArn::parse(text)?;
        let wrong = || ApiError::invalid_arn(&format!("Invalid state machine version ARN: {text}"));
        let (arn, number) = MachineArn::version(text).ok_or_else(wrong)?;
        let _changing = self.changing.lock().await;
        if self.catalogue().delete_version(&arn, number).await? || self.version(&arn, number).await?.is_none() {
            return Ok(Map::new());
        }
        let aliases = self.catalogue().aliases(&arn, After { key: None, limit: 1000 }).await?;
        let naming = aliases.iter().filter(|alias| alias.routing.iter().any(|(version, _)| *version == number));
        let names: Vec<&str> = naming.map(|alias| alias.name.as_str()).collect();
        let message = format!(
            "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [{}]",
            names.join(", ")
        );
        Err(ApiError::new("ConflictException", message))
    }
}
