//! The actions of `elasticmapreduce`, which are not named as the operations of EMR are: one cluster, one step at a time.

use asl_value::{Map, Value};

/// The operation behind an action, its parameters, and the members of its answer.
pub(super) struct Alias {
    action: &'static str,
    pub(super) operation: &'static str,
    /// From the action's parameter to the operation's; `[]` at the end puts it into a list.
    renamed: &'static [(&'static str, &'static str)],
    /// From a list in the operation's answer to the member of the result that has its first item.
    first: Option<(&'static str, &'static str)>,
}

const ALIASES: [Alias; 5] = [
    Alias { action: "createCluster", operation: "runJobFlow", renamed: &[], first: Some(("JobFlowId", "ClusterId")) },
    Alias {
        action: "terminateCluster",
        operation: "terminateJobFlows",
        renamed: &[("ClusterId", "JobFlowIds[]")],
        first: None,
    },
    Alias {
        action: "setClusterTerminationProtection",
        operation: "setTerminationProtection",
        renamed: &[("ClusterId", "JobFlowIds[]")],
        first: None,
    },
    Alias {
        action: "addStep",
        operation: "addJobFlowSteps",
        renamed: &[("ClusterId", "JobFlowId"), ("Step", "Steps[]")],
        first: Some(("StepIds", "StepId")),
    },
    Alias {
        action: "cancelStep",
        operation: "cancelSteps",
        renamed: &[("StepId", "StepIds[]")],
        first: Some(("CancelStepsInfoList", "CancelStepsInfo")),
    },
];

impl Alias {
    pub(super) fn find(service: &str, action: &str) -> Option<&'static Alias> {
        ALIASES.iter().find(|alias| service == "elasticmapreduce" && alias.action == action)
    }

    /// The operation's parameters.
    pub(super) fn parameters(&self, parameters: &Value) -> Value {
        let Some(given) = parameters.as_object() else { return parameters.clone() };
        let mut made = Map::new();
        for (name, value) in given.iter() {
            match self.renamed.iter().find(|(from, _)| *from == &**name).map(|(_, to)| *to) {
                Some(to) => match to.strip_suffix("[]") {
                    Some(to) => made.insert(to, Value::from(vec![value.clone()])),
                    None => made.insert(to, value.clone()),
                },
                None => made.insert(&**name, value.clone()),
            };
        }
        Value::from(made)
    }

    /// The action's result.
    pub(super) fn result(&self, result: Value) -> Value {
        let Some((from, to)) = self.first else { return result };
        let mut made: Map = result.as_object().cloned().unwrap_or_default();
        if let Some(found) = made.remove(from) {
            let first = found.as_array().and_then(|items| items.first()).cloned();
            made.insert(to, first.unwrap_or(found));
        }
        Value::from(made)
    }
}
