//! Aliases: names for one or two versions, which share the executions by weight.

use super::version::version_arn;
use super::{Answer, Api, Params, list};
use crate::arn::{MachineArn, Qualifier};
use crate::page::Paging;
use crate::wire::ApiError;
use asl::parts::store::{After, AliasRow};
use asl::{Map, Value};

/// How many aliases a state machine may have.
const MAX_ALIASES: u32 = 100;

/// One of the versions, by weight; `drawn` is any number.
pub(crate) fn choose(routing: &[(i64, u8)], drawn: u128) -> i64 {
    let mut left = (drawn % 100) as i64;
    for (version, weight) in routing {
        left -= i64::from(*weight);
        if left < 0 {
            return *version;
        }
    }
    routing.first().map_or(0, |(version, _)| *version)
}

/// A state machine, and its versions with their weights.
type Routing = (String, Vec<(i64, u8)>);

/// `routingConfiguration` of a request.
fn routing(p: Params<'_>) -> Result<Option<Routing>, ApiError> {
    let Some(items) = p.0.get("routingConfiguration").and_then(Value::as_array) else { return Ok(None) };
    let arns: Vec<&str> = items.iter().filter_map(|item| item.get("stateMachineVersionArn")?.as_str()).collect();
    let weights: Vec<u8> =
        items.iter().filter_map(|item| item.get("weight")?.as_f64()).map(|weight| weight as u8).collect();
    let refuse = |must: &str| {
        Err(ApiError::validation(format!("Routing configuration must {must}. Received: [{}]", arns.join(", "))))
    };
    let versions: Option<Vec<(String, i64)>> = arns.iter().map(|arn| MachineArn::version(arn)).collect();
    let Some(versions) = versions else { return refuse("contain state machine version ARNs") };
    if versions.len() == 2 && versions[0] == versions[1] {
        return refuse("contain distinct state machine version ARNs");
    }
    let sum: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
    if sum != 100 {
        let received: Vec<String> = weights.iter().map(ToString::to_string).collect();
        let received = received.join(", ");
        return Err(ApiError::validation(format!(
            "Sum of routing configuration weights must equal 100. Received: [{received}]"
        )));
    }
    let machine = versions[0].0.clone();
    if versions.iter().any(|(arn, _)| *arn != machine) {
        return refuse("contain versions of the same state machine");
    }
    Ok(Some((machine, versions.into_iter().map(|(_, number)| number).zip(weights).collect())))
}

fn alias_arn(machine: &str, name: &str) -> String {
    format!("{machine}:{name}")
}

impl Api {
    pub(crate) async fn alias(&self, machine: &str, name: &str) -> Result<Option<AliasRow>, ApiError> {
        // The key before this one: names have no character that is smaller than `-`, so the last one is cut off.
        let mut before = name.to_owned();
        before.pop();
        let mut key = Some(before).filter(|before| !before.is_empty());
        loop {
            let rows = self.catalogue().aliases(machine, After { key, limit: 100 }).await?;
            let next = rows.last().map(|row| row.name.clone());
            let count = rows.len();
            if let Some(found) = rows.into_iter().find(|row| row.name == name) {
                return Ok(Some(found));
            }
            if count < 100 || next.as_deref() > Some(name) {
                return Ok(None);
            }
            key = next;
        }
    }

    pub(super) async fn create_alias(&self, p: Params<'_>) -> Answer {
        let Some((machine, routing)) = routing(p)? else { return Err(ApiError::no_resource("")) };
        let (name, now) = (p.required("name").to_owned(), self.now());
        let description = p.text("description").map(str::to_owned);
        let _changing = self.changing.lock().await;
        let missing = |_| ApiError::no_resource(&machine);
        let there = self.machine(&machine).await.map_err(|error| match error.code.as_str() {
            "StateMachineDoesNotExist" => missing(()),
            _ => error,
        })?;
        let arn = alias_arn(&there.arn, &name);
        let mut row = AliasRow { state_machine: there.arn, name, description, routing, created: now, updated: now };
        match self.alias(&machine, &row.name).await? {
            Some(old) if (&old.description, &old.routing) == (&row.description, &row.routing) => row = old,
            Some(_) => {
                let message = "Failed to create alias because an alias with the same name and a different routing configuration already exists.";
                return Err(ApiError::new("ConflictException", message));
            }
            None => {
                let all = After { key: None, limit: MAX_ALIASES };
                if self.catalogue().aliases(&machine, all).await?.len() >= MAX_ALIASES as usize {
                    let message = format!("The state machine has {MAX_ALIASES} aliases, which is the limit.");
                    return Err(ApiError::new("ServiceQuotaExceededException", message));
                }
                if !self.catalogue().put_alias(&row).await? {
                    return Err(ApiError::no_resource(&arn));
                }
            }
        }
        let mut out = Map::from_iter([("stateMachineAliasArn", arn)]);
        out.insert("creationDate", row.created.to_cli_string());
        Ok(out)
    }

    pub(super) async fn update_alias(&self, p: Params<'_>) -> Answer {
        let text = p.required("stateMachineAliasArn");
        let (machine, name) = MachineArn::alias(text)?;
        let (description, routing) = (p.text("description"), routing(p)?);
        if description.is_none() && routing.is_none() {
            return Err(ApiError::validation("Either the description or the routing configuration must be specified"));
        }
        let _changing = self.changing.lock().await;
        let mut row = self.alias(&machine, &name).await?.ok_or_else(|| ApiError::no_resource(text))?;
        if let Some(description) = description {
            row.description = Some(description.to_owned());
        }
        if let Some((of, routing)) = routing {
            if of != machine {
                let message = "Routing configuration must contain versions of the alias's own state machine.";
                return Err(ApiError::validation(message));
            }
            row.routing = routing;
        }
        row.updated = self.now();
        if !self.catalogue().put_alias(&row).await? {
            return Err(ApiError::no_resource(text));
        }
        Ok(Map::from_iter([("updateDate", row.updated.to_cli_string())]))
    }

    pub(super) async fn describe_alias(&self, p: Params<'_>) -> Answer {
        let text = p.required("stateMachineAliasArn");
        let (machine, name) = MachineArn::alias(text)?;
        let row = self.alias(&machine, &name).await?.ok_or_else(|| ApiError::no_resource(text))?;
        let routing = row.routing.iter().map(|(version, weight)| {
            let mut item = Map::from_iter([("stateMachineVersionArn", version_arn(&machine, *version))]);
            item.insert("weight", u32::from(*weight));
            item
        });
        let mut out = Map::from_iter([("stateMachineAliasArn", text), ("name", &name)]);
        out.insert("description", row.description);
        out.insert("routingConfiguration", list(routing));
        out.insert("creationDate", row.created.to_cli_string());
        out.insert("updateDate", row.updated.to_cli_string());
        Ok(out)
    }

    pub(super) async fn list_aliases(&self, p: Params<'_>) -> Answer {
        let named = MachineArn::parse(p.required("stateMachineArn"))?;
        let version = match named.qualifier {
            None => None,
            Some(Qualifier::Version(number)) => Some(number),
            Some(Qualifier::Alias(_)) => {
                return Err(ApiError::invalid_arn("A state machine alias ARN is not valid here"));
            }
        };
        self.machine(&named.arn).await?;
        let paging = Paging::read("ListStateMachineAliases", p.0, self.now())?;
        let after = After { key: paging.after.clone(), limit: MAX_ALIASES + 1 };
        let mut rows = self.catalogue().aliases(&named.arn, after).await?;
        rows.retain(|row| version.is_none_or(|number| row.routing.iter().any(|(version, _)| *version == number)));
        let next = paging.cut(&mut rows, |row| row.name.clone());
        let items = rows.iter().map(|row| {
            let mut item = Map::from_iter([("stateMachineAliasArn", alias_arn(&named.arn, &row.name))]);
            item.insert("creationDate", row.created.to_cli_string());
            item
        });
        let mut out = Map::from_iter([("stateMachineAliases", list(items))]);
        out.insert("nextToken", next);
        Ok(out)
    }

    pub(super) async fn delete_alias(&self, p: Params<'_>) -> Answer {
        let (machine, name) = MachineArn::alias(p.required("stateMachineAliasArn"))?;
        let _changing = self.changing.lock().await;
        self.catalogue().delete_alias(&machine, &name).await?;
        Ok(Map::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_share_the_executions() {
        let routing = [(3, 70), (4, 30)];
        let of = |version| (0..1000).filter(|drawn| choose(&routing, *drawn) == version).count();
        assert_eq!((of(3), of(4)), (700, 300));
        assert_eq!(choose(&[(1, 100)], 99), 1);
        assert_eq!(choose(&[(1, 0), (2, 100)], 0), 2);
    }
}
