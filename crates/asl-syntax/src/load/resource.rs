//! The `Resource` of a Task, an ItemReader or a ResultWriter, and the parameters of what it names.

use super::Loader;
use crate::diagnostic::Rule;
use crate::integrations;
use crate::resource::{Pattern, Resource, ResourceKind};
use crate::tree::Item;

impl Loader<'_> {
    pub(crate) fn task_resource(&mut self, item: &Item<'_>) -> Option<Resource> {
        let resource = self.resource(item)?;
        match &resource.kind {
            ResourceKind::Activity { .. } if self.current.express => {
                self.error(Rule::NotInExpress, item, "Express state machine does not support Activity ARN");
                None
            }
            ResourceKind::Service { pattern, .. } if self.current.express && *pattern != Pattern::RequestResponse => {
                // The blank at the end of the second text is AWS's.
                let message = match pattern {
                    Pattern::WaitForTaskToken => {
                        "Express state machine does not support '.waitForTaskToken' service integration "
                    }
                    _ => "Express state machine does not support '.sync' service integration",
                };
                self.error(Rule::NotInExpress, item, message).help("make the state machine STANDARD");
                None
            }
            ResourceKind::Service { service, action, sdk, pattern } => {
                match integrations::problem(service, action, *sdk, *pattern) {
                    Some(problem) => self.unknown_integration(item, &problem),
                    None => Some(resource),
                }
            }
            _ => Some(resource),
        }
    }

    /// A resource of S3 that reads or writes the data of a Distributed Map.
    pub(crate) fn data_resource(&mut self, item: &Item<'_>, actions: &[&str]) -> Option<Resource> {
        let resource = self.resource(item)?;
        match &resource.kind {
            ResourceKind::Service { service, action, sdk: false, pattern: Pattern::RequestResponse }
                if &**service == "s3" && actions.contains(&&**action) =>
            {
                Some(resource)
            }
            _ => self.unknown_integration(
                item,
                &format!("only these can stand here: arn:aws:states:::s3:{}", actions.join(", s3:")),
            ),
        }
    }

    fn resource(&mut self, item: &Item<'_>) -> Option<Resource> {
        let text = self.string(item)?;
        match Resource::parse(&text) {
            Ok(resource) => Some(resource),
            Err(error) => {
                let help = match text.contains("${") {
                    true => "it holds a substitution: give `${…}` a value".to_owned(),
                    false => error.message,
                };
                self.error(Rule::BadResource, item, "Value is not a valid resource ARN").help(help);
                None
            }
        }
    }

    fn unknown_integration(&mut self, item: &Item<'_>, help: &str) -> Option<Resource> {
        let arn = item.node.as_str().unwrap_or_default();
        let message = format!(
            "The resource provided {arn} is not recognized. The value is not a valid resource ARN, \
             or the resource is not available in this region."
        );
        self.error(Rule::UnknownIntegration, item, message).help(help);
        None
    }

    /// The names of the parameters of an optimized integration.
    pub(crate) fn check_parameters(&mut self, item: &Item<'_>, resource: &Resource) {
        let ResourceKind::Service { service, action, sdk: false, .. } = &resource.kind else { return };
        let Some((required, others)) = integrations::parameters(service, action) else { return };
        let field = if self.is_jsonata() { item.get("Arguments") } else { item.get("Parameters") };
        let Some(field) = field.filter(|field| field.node.as_object().is_some()) else { return };
        let plain = |key: &str| key.strip_suffix(".$").unwrap_or(key).to_owned();
        let names: Vec<String> = field.members().map(|(member, _)| plain(&member.key)).collect();
        for name in required.iter().filter(|name| !names.iter().any(|n| n == *name)) {
            let message = format!("The field '{name}' is required but was missing");
            self.error(Rule::RequiredField, &field, message);
        }
        for (member, _) in field.members() {
            let name = plain(&member.key);
            if required.iter().chain(others).any(|known| *known == name) {
                continue;
            }
            let near = self.suggest(&name, required.iter().chain(others).copied());
            let message = format!("The field \"{name}\" is not supported by Step Functions");
            let diagnostic = self.error_at(Rule::UnknownParameter, &field, member.key_span, message);
            if let Some(near) = near {
                diagnostic.help(format!("did you mean `{near}`?"));
            }
        }
    }
}
