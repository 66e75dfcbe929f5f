//! `Task`, and the branches of `Parallel`.

use super::Loader;
use super::flow::{Child, Scope};
use super::read::{Range, Roots};
use crate::diagnostic::Rule;
use crate::fields::{BRANCH, Use};
use crate::model::{NumberField, Parallel, Payload, StateId, Task};
use crate::tree::Item;

/// The longest timeout, in seconds (AWS).
const MAX_TIMEOUT_SECONDS: u32 = 99_999_999;

impl Loader<'_> {
    pub(crate) fn task(&mut self, item: &Item<'_>, id: StateId, scope: &mut Scope) -> Option<Task> {
        self.require(item, &["Resource"]);
        let resource = item.get("Resource").and_then(|resource| self.task_resource(&resource));
        if let Some(resource) = &resource {
            self.check_parameters(item, resource);
        }
        let range = Range::integer(1, MAX_TIMEOUT_SECONDS);
        let timeout = self.number_field(item, "TimeoutSeconds", range, Roots::All);
        let heartbeat = self.number_field(item, "HeartbeatSeconds", range, Roots::All);
        if let (Some(NumberField::Literal(timeout)), Some(NumberField::Literal(heartbeat))) = (&timeout, &heartbeat)
            && heartbeat >= timeout
            && let Some(field) = item.get("HeartbeatSeconds")
        {
            self.error(Rule::HeartbeatTooLong, &field, "HeartbeatSeconds must be smaller than TimeoutSeconds");
        }
        let credentials = self.credentials(item);
        let retry = self.retry(item);
        let catch = self.catch(item, id, scope);
        Some(Task { resource: resource?, timeout, heartbeat, credentials, retry, catch })
    }

    fn credentials(&mut self, item: &Item<'_>) -> Option<Payload> {
        let field = item.get("Credentials")?;
        if field.node.as_object().is_none() {
            if self.is_expression(&field) {
                return self.query(&field).map(Payload::Jsonata);
            }
            self.wrong_type(&field, "OBJECT");
            return None;
        }
        if !field.has("RoleArn") && (self.is_jsonata() || !field.has("RoleArn.$")) {
            self.error(Rule::RequiredField, &field, "The field 'RoleArn' is required but was missing")
                .help("`RoleArn` is the role that the task runs as");
        }
        self.template(item, "Credentials", Use::Both)
    }

    pub(crate) fn parallel(&mut self, item: &Item<'_>, id: StateId, scope: &mut Scope) -> Option<Parallel> {
        self.require(item, &["Branches"]);
        let mut branches = Vec::new();
        if let Some(field) = item.get("Branches")
            && self.full_array(&field)
        {
            branches = field.elements().map(|branch| self.nested_flow(&branch, BRANCH, id, Child::Inline)).collect();
        }
        let retry = self.retry(item);
        let catch = self.catch(item, id, scope);
        Some(Parallel { branches, retry, catch })
    }
}
