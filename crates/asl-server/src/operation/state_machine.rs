//! State machines: created, described, updated, deleted, listed; and those that a project declares.

use super::definition::kind_of;
use super::version::version_arn;
use super::{Answer, Api, Params, configuration, list, tag};
use crate::arn::{MachineArn, Qualifier, check_name};
use crate::page::Paging;
use crate::wire::ApiError;
use asl::parts::store::{After, StateMachineRow};
use asl::parts::syntax::Kind;
use asl::{Failure, Filter, Map, Status};
use std::sync::Arc;

/// A state machine that a project declares.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// `STANDARD` or `EXPRESS`.
    pub kind: &'static str,
    /// Its definition, JSON or YAML, with everything replaced that is to be replaced.
    pub definition: String,
}

pub(crate) fn no_machine(arn: &str) -> ApiError {
    ApiError::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
}

impl Api {
    pub(crate) fn machine_arn(&self, name: &str) -> String {
        self.identity.arn("states", &format!("stateMachine:{name}"))
    }

    /// The state machine with this ARN, unless it is being deleted.
    pub(crate) async fn machine(&self, arn: &str) -> Result<StateMachineRow, ApiError> {
        let row = self.catalogue().state_machine(arn).await?.ok_or_else(|| no_machine(arn))?;
        match row.status.as_str() {
            "DELETING" => Err(deleting(arn)),
            _ => Ok(row),
        }
    }

    pub(super) async fn create_state_machine(&self, p: Params<'_>) -> Answer {
        let name = p.required("name");
        check_name(name)?;
        let publish = p.flag("publish").unwrap_or(false);
        described_without_version(p, publish)?;
        let kind = p.text("type").unwrap_or("STANDARD");
        let tags = tag::read(p, "tags")?;
        let configuration = configuration::over("{}", p)?;
        let hash = self.accept(name, kind_of(Some(kind)), p.required("definition"), false).await?;
        let arn = self.machine_arn(name);
        let row = StateMachineRow {
            arn: arn.clone(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            definition: hash,
            role_arn: p.required("roleArn").to_owned(),
            status: "ACTIVE".to_owned(),
            revision_id: None,
            configuration,
            last_version: 0,
            created: self.now(),
            updated: None,
        };
        let _changing = self.changing.lock().await;
        let created = self.catalogue().create_state_machine(&row).await?;
        self.known.changed();
        let row = if created {
            self.catalogue().tag(&arn, &tags, &[]).await?;
            row
        } else {
            let there = self.machine(&arn).await?;
            let same = (&there.definition, &there.kind, &there.configuration)
                == (&row.definition, &row.kind, &row.configuration);
            if !same {
                return Err(ApiError::new(
                    "StateMachineAlreadyExists",
                    format!("State Machine Already Exists: '{arn}'"),
                ));
            }
            there
        };
        let mut out = Map::from_iter([("stateMachineArn", arn.as_str())]);
        out.insert("creationDate", row.created.to_cli_string());
        if publish {
            let version = self.publish(&row, p.text("versionDescription")).await?;
            out.insert("stateMachineVersionArn", version_arn(&arn, version.number));
        }
        Ok(out)
    }

    pub(super) async fn update_state_machine(&self, p: Params<'_>) -> Answer {
        let arn = MachineArn::unqualified(p.required("stateMachineArn"))?;
        let (definition, role) = (p.text("definition"), p.text("roleArn"));
        let configured = configuration::NAMES.iter().any(|name| p.object(name).is_some());
        if definition.is_none() && role.is_none() && !configured {
            let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
            return Err(ApiError::new("MissingRequiredParameter", message));
        }
        let publish = p.flag("publish").unwrap_or(false);
        described_without_version(p, publish)?;
        let _changing = self.changing.lock().await;
        let there = self.machine(&arn).await?;
        let mut row = there.clone();
        row.configuration = configuration::over(&there.configuration, p)?;
        if let Some(text) = definition {
            row.definition = self.accept(&there.name, kind_of(Some(&there.kind)), text, false).await?;
        }
        if let Some(role) = role {
            role.clone_into(&mut row.role_arn);
        }
        let row = self.revise(there, row).await?;
        let mut out = Map::from_iter([("updateDate", row.updated.unwrap_or(row.created).to_cli_string())]);
        if let Some(revision) = &row.revision_id {
            out.insert("revisionId", revision.as_str());
        }
        if publish {
            let version = self.publish(&row, p.text("versionDescription")).await?;
            out.insert("stateMachineVersionArn", version_arn(&arn, version.number));
        }
        Ok(out)
    }

    /// Writes a changed state machine as a new revision; one that is the same stays what it is.
    async fn revise(&self, there: StateMachineRow, mut row: StateMachineRow) -> Result<StateMachineRow, ApiError> {
        if row == there {
            return Ok(there);
        }
        row.revision_id = Some(uuid::Uuid::new_v4().to_string());
        row.updated = Some(self.now());
        let updated = self.catalogue().update_state_machine(&row, there.revision_id.as_deref()).await;
        self.known.changed();
        if !updated? {
            let message = "The state machine is being updated by another request. Try again.";
            return Err(ApiError::new("ConflictException", message));
        }
        Ok(row)
    }

    pub(super) async fn describe_state_machine(&self, p: Params<'_>) -> Answer {
        let text = p.required("stateMachineArn");
        let named = MachineArn::parse(text)?;
        if named.label.is_some() {
            return MachineArn::unqualified(text).map(|_| Map::new());
        }
        let machine = self.catalogue().state_machine(&named.arn).await?.ok_or_else(|| no_machine(text))?;
        let mut out = Map::from_iter([("stateMachineArn", text), ("name", &machine.name), ("status", &machine.status)]);
        out.insert("type", machine.kind.as_str());
        let (hash, role, revision, configuration, created) = match named.qualifier {
            None => (machine.definition, machine.role_arn, machine.revision_id, machine.configuration, machine.created),
            Some(Qualifier::Version(number)) => {
                let version = self.version(&named.arn, number).await?.ok_or_else(|| no_machine(text))?;
                if let Some(description) = &version.description {
                    out.insert("description", description.as_str());
                }
                (version.definition, version.role_arn, version.revision_id, version.configuration, version.created)
            }
            Some(Qualifier::Alias(_)) => return Err(no_machine(text)),
        };
        self.put_definition(&mut out, &hash, p).await?;
        out.insert("roleArn", role);
        out.insert("creationDate", created.to_cli_string());
        if let Some(revision) = revision {
            out.insert("revisionId", revision);
        }
        configuration::put(&mut out, &configuration);
        Ok(out)
    }

    pub(super) async fn list_state_machines(&self, p: Params<'_>) -> Answer {
        let paging = Paging::read("ListStateMachines", p.0, self.now())?;
        let after = After { key: paging.after.clone(), limit: paging.limit + 1 };
        let mut rows = self.catalogue().state_machines(after).await?;
        let next = paging.cut(&mut rows, |row| row.arn.clone());
        let items = rows.iter().map(|row| {
            let mut item = Map::from_iter([("stateMachineArn", &row.arn), ("name", &row.name), ("type", &row.kind)]);
            item.insert("creationDate", row.created.to_cli_string());
            item
        });
        let mut out = Map::from_iter([("stateMachines", list(items))]);
        out.insert("nextToken", next);
        Ok(out)
    }

    pub(super) async fn delete_state_machine(&self, p: Params<'_>) -> Answer {
        let arn = MachineArn::unqualified(p.required("stateMachineArn"))?;
        let _changing = self.changing.lock().await;
        let Some(mut row) = self.catalogue().state_machine(&arn).await? else { return Ok(Map::new()) };
        if self.running(&arn).await?.is_empty() {
            self.catalogue().delete_state_machine(&arn).await?;
        } else if row.status != "DELETING" {
            let revision = row.revision_id.clone();
            "DELETING".clone_into(&mut row.status);
            self.catalogue().update_state_machine(&row, revision.as_deref()).await?;
        }
        self.known.changed();
        Ok(Map::new())
    }

    async fn running(&self, arn: &str) -> Result<Vec<asl::ExecutionRow>, ApiError> {
        let state_machine = Some(arn.to_owned());
        let filter = Filter { state_machine, status: Some(Status::Running), limit: Some(100), ..Filter::default() };
        Ok(self.store().executions(&filter).await?)
    }

    /// Ends the executions of state machines that are being deleted, and removes those that have none left.
    pub(crate) async fn sweep(&self) -> Result<(), ApiError> {
        let mut after = After { key: None, limit: 100 };
        loop {
            let rows = self.catalogue().state_machines(after.clone()).await?;
            for row in rows.iter().filter(|row| row.status == "DELETING") {
                for execution in self.running(&row.arn).await? {
                    self.engine.stop(&execution.arn, Failure::default()).await?;
                }
                if self.running(&row.arn).await?.is_empty() {
                    self.catalogue().delete_state_machine(&row.arn).await?;
                    self.known.changed();
                }
            }
            match rows.last() {
                Some(last) if rows.len() == 100 => after.key = Some(last.arn.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Sees to it that a state machine of the project is there, as the project has it. True when something changed.
    pub(crate) async fn declare(&self, declared: &Declared) -> Result<bool, ApiError> {
        let Declared { name, kind, definition } = declared;
        let hash = self.accept(name, kind_of(Some(kind)), definition, true).await?;
        let arn = self.machine_arn(name);
        let _changing = self.changing.lock().await;
        if let Some(there) = self.catalogue().state_machine(&arn).await? {
            let row = StateMachineRow { definition: hash, kind: there.kind.clone(), ..there.clone() };
            let changed = row != there;
            self.revise(there, row).await?;
            return Ok(changed);
        }
        let row = StateMachineRow {
            arn,
            name: name.clone(),
            kind: (*kind).to_owned(),
            definition: hash,
            role_arn: self.default_role(name),
            status: "ACTIVE".to_owned(),
            revision_id: None,
            configuration: "{}".to_owned(),
            last_version: 0,
            created: self.now(),
            updated: None,
        };
        let created = self.catalogue().create_state_machine(&row).await?;
        self.known.changed();
        Ok(created)
    }

    fn default_role(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.identity.account)
    }
}

fn deleting(arn: &str) -> ApiError {
    ApiError::new("StateMachineDeleting", format!("State Machine Is Being Deleted: '{arn}'"))
}

fn described_without_version(p: Params<'_>, publish: bool) -> Result<(), ApiError> {
    match p.text("versionDescription") {
        Some(_) if !publish => Err(ApiError::validation("Version description can only be set when publish is true")),
        _ => Ok(()),
    }
}

/// What an ARN that starts executions names: a definition, as of a version where there is one.
pub(crate) struct Resolved {
    pub(crate) machine: Arc<StateMachineRow>,
    pub(crate) definition: Arc<asl::Definition>,
    pub(crate) role_arn: String,
    pub(crate) revision_id: Option<String>,
    pub(crate) version: Option<i64>,
    pub(crate) alias: Option<String>,
}

impl Resolved {
    pub(crate) fn is_express(&self) -> bool {
        kind_of(Some(&self.machine.kind)) == Kind::Express
    }
}

impl Api {
    /// What StartExecution's `stateMachineArn` means now; an alias chooses one of its versions by weight.
    pub(crate) async fn resolve(&self, text: &str) -> Result<Resolved, ApiError> {
        let named = MachineArn::parse(text)?;
        if named.label.is_some() {
            return Err(MachineArn::unqualified(text).err().unwrap_or_else(|| no_machine(text)));
        }
        let machine = self.machine_to_start(&named.arn).await?.ok_or_else(|| no_machine(text))?;
        if machine.status == "DELETING" {
            return Err(deleting(&named.arn));
        }
        let (version, alias) = match named.qualifier {
            None => (None, None),
            Some(Qualifier::Version(number)) => (Some(number), None),
            Some(Qualifier::Alias(name)) => {
                let alias = self.alias(&named.arn, &name).await?.ok_or_else(|| no_machine(text))?;
                (Some(super::alias::choose(&alias.routing, uuid::Uuid::new_v4().as_u128())), Some(name))
            }
        };
        let Some(number) = version else {
            let (role_arn, revision_id) = (machine.role_arn.clone(), machine.revision_id.clone());
            let definition = self.definition(&machine.definition).await?;
            return Ok(Resolved { machine, definition, role_arn, revision_id, version, alias });
        };
        let row = self.version(&named.arn, number).await?.ok_or_else(|| no_machine(text))?;
        let definition = self.definition(&row.definition).await?;
        let (role_arn, revision_id) = (row.role_arn, row.revision_id);
        Ok(Resolved { machine, definition, role_arn, revision_id, version, alias })
    }
}
