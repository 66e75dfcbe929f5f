//! The operations on buses and rules.

use super::{Buses, DEFAULT, Rule, bus_named, target};
use crate::embedded::created;
use crate::embedded::error::{Fault, Stop, refused};
use crate::embedded::params::{Params, Shape};
use crate::embedded::queue::page;
use crate::embedded::topic::policy::FilterPolicy;
use crate::embedded::{ServiceCall, Services, name_of};
use asl_store::ServiceTx;
use asl_value::{Map, Value};

const BUS: Shape = Shape { known: &["Name", "Description", "Tags", "DeadLetterConfig"], refused: &["EventSourceName"] };
const LIST: Shape = Shape { known: &["NamePrefix", "EventBusName", "NextToken", "Limit"], refused: &[] };
const RULE: Shape = Shape {
    known: &["Name", "EventBusName", "EventPattern", "State", "Description", "RoleArn", "Tags", "Force"],
    refused: &["ScheduleExpression"],
};
const TARGETS: Shape =
    Shape { known: &["Rule", "EventBusName", "Targets", "Ids", "Force", "NextToken", "Limit"], refused: &[] };
const TEST: Shape = Shape { known: &["EventPattern", "Event"], refused: &[] };

fn missing(what: &str) -> Fault {
    refused("ResourceNotFoundException", what)
}

fn pattern_of(text: &str) -> Result<FilterPolicy, Fault> {
    let read = text.parse::<Value>().map_err(|e| e.to_string()).and_then(|pattern| FilterPolicy::of_events(&pattern));
    read.map_err(|problem| {
        refused("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {problem}"))
    })
}

/// A rule as the store has it.
pub(super) fn rule_of(bus: &str, name: &str, row: &Value) -> Result<Rule, Stop> {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    let pattern = match text("EventPattern") {
        Some(text) => Some((text.clone(), pattern_of(&text)?)),
        None => None,
    };
    Ok(Rule {
        name: name.to_owned(),
        bus: bus.to_owned(),
        pattern,
        enabled: row["State"].as_str() != Some("DISABLED"),
        targets: target::read_all(&row["Targets"])?,
        description: text("Description"),
        declared: false,
    })
}

impl Buses {
    fn bus_arn(&self, name: &str) -> String {
        self.identity.arn("events", &format!("event-bus/{name}"))
    }

    pub(crate) async fn create_bus(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &BUS)?;
        let name = params.text("Name")?.unwrap_or_default();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        if !(1..=256).contains(&name.len()) || !name.chars().all(allowed) || name.starts_with("aws.") {
            return Err(refused("ValidationException", format!("Event bus name {name} is not valid.")).into());
        }
        if self.exists(tx, name).await? {
            let text = format!("Event bus {name} already exists.");
            return Err(refused("ResourceAlreadyExistsException", text).into());
        }
        created::BUS.put(tx, name, name, &Value::empty_object()).await?;
        Ok(Map::from_iter([("EventBusArn", self.bus_arn(name))]))
    }

    pub(crate) async fn delete_bus(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &BUS)?;
        let name = bus_named(params.text("Name")?.unwrap_or_default());
        if self.buses.contains(name) {
            let text = format!("Cannot delete event bus {name}: it is declared in the project file, or always there.");
            return Err(refused("ValidationException", text).into());
        }
        for (bus, rule, _) in created::RULE.list(tx, Some(name)).await? {
            created::RULE.remove(tx, &bus, &rule).await?;
        }
        created::BUS.remove(tx, name, name).await?;
        Ok(Map::new())
    }

    pub(crate) async fn describe_bus(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &BUS)?;
        let name = bus_named(params.text("Name")?.unwrap_or(DEFAULT));
        if !self.exists(tx, name).await? {
            return Err(missing(&format!("Event bus {name} does not exist.")).into());
        }
        Ok(Map::from_iter([("Arn", self.bus_arn(name)), ("Name", name.to_owned())]))
    }

    pub(crate) async fn list_buses(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST)?;
        let mut names: Vec<String> = self.buses.iter().cloned().collect();
        names.extend(created::BUS.list(tx, None).await?.into_iter().map(|(_, name, _)| name));
        let shown = |name: &String| Value::from_iter([("Arn", self.bus_arn(name)), ("Name", name.clone())]);
        let all = names.into_iter().map(|name| (name.clone(), shown(&name))).collect();
        listed("EventBuses", all, &params)
    }

    /// The name and the bus of the rule that a call is about.
    fn of<'p>(params: &Params<'p>, key: &str) -> Result<(&'p str, &'p str), Fault> {
        let name = params.text(key)?.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| refused("ValidationException", format!("{key} is a required argument.")))?;
        Ok((name_of(name).trim_start_matches("rule/"), bus_named(params.text("EventBusName")?.unwrap_or(DEFAULT))))
    }

    async fn rule(&self, tx: &mut dyn ServiceTx, bus: &str, name: &str) -> Result<Rule, Stop> {
        if !self.exists(tx, bus).await? {
            return Err(missing(&format!("Event bus {bus} does not exist.")).into());
        }
        let found = self.rules_of(tx, bus).await?.into_iter().find(|rule| rule.name == name);
        let found = found.ok_or_else(|| missing(&format!("Rule {name} does not exist on EventBus {bus}.")))?;
        Ok(found.into_owned())
    }

    /// The row of a rule that was made at run time; one that is declared is changed in the project file.
    async fn row(&self, tx: &mut dyn ServiceTx, bus: &str, name: &str) -> Result<Map, Stop> {
        if self.rule(tx, bus, name).await?.declared {
            let text = format!("the rule {name} is declared in the project file: change it there");
            return Err(refused("ManagedRuleException", text).into());
        }
        let row = created::RULE.get(tx, bus, name).await?;
        Ok(row.and_then(|row| row.as_object().cloned()).unwrap_or_default())
    }

    pub(crate) async fn put_rule(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &RULE)?;
        let (name, bus) = Buses::of(&params, "Name")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.len() > 64 || !name.chars().all(allowed) {
            return Err(refused("ValidationException", format!("Rule name {name} is not valid.")).into());
        }
        let pattern = params.text("EventPattern")?;
        let pattern = pattern.ok_or_else(|| {
            refused(
                "ValidationException",
                "Parameter(s) EventPattern must be specified: the embedded service has no schedules.",
            )
        })?;
        pattern_of(pattern)?;
        let mut row = match self.row(tx, bus, name).await {
            Ok(row) => row,
            Err(Stop::Fault(Fault::Refused { code: "ResourceNotFoundException", .. }))
                if self.exists(tx, bus).await? =>
            {
                Map::new()
            }
            Err(failed) => return Err(failed),
        };
        row.insert("EventPattern", pattern);
        row.insert("State", params.text("State")?.unwrap_or("ENABLED"));
        if let Some(description) = params.text("Description")? {
            row.insert("Description", description);
        }
        row.get_or_insert_with("Targets", Value::empty_array);
        let row = Value::from(row);
        created::RULE.put(tx, bus, name, &row).await?;
        let rule = rule_of(bus, name, &row)?;
        let arn = self.rule_arn(&rule);
        self.watch([rule]);
        Ok(Map::from_iter([("RuleArn", arn)]))
    }

    pub(crate) async fn delete_rule(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &RULE)?;
        let (name, bus) = Buses::of(&params, "Name")?;
        match self.row(tx, bus, name).await {
            Ok(row) if row.get("Targets").and_then(Value::as_array).is_some_and(|targets| !targets.is_empty()) => {
                Err(refused("ValidationException", "Rule can't be deleted since it has targets.").into())
            }
            Ok(_) => {
                created::RULE.remove(tx, bus, name).await?;
                Ok(Map::new())
            }
            Err(Stop::Fault(Fault::Refused { code: "ResourceNotFoundException", .. })) => Ok(Map::new()),
            Err(failed) => Err(failed),
        }
    }

    async fn switch(&self, tx: &mut dyn ServiceTx, call: &ServiceCall<'_>, state: &str) -> Result<Map, Stop> {
        let params = Params::of(call, &RULE)?;
        let (name, bus) = Buses::of(&params, "Name")?;
        let mut row = self.row(tx, bus, name).await?;
        row.insert("State", state);
        created::RULE.put(tx, bus, name, &row.into()).await?;
        Ok(Map::new())
    }

    pub(crate) async fn enable(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        self.switch(tx, call, "ENABLED").await
    }

    pub(crate) async fn disable(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        self.switch(tx, call, "DISABLED").await
    }

    fn shown(&self, rule: &Rule) -> Map {
        let mut shown = Map::from_iter([
            ("Name", rule.name.clone()),
            ("Arn", self.rule_arn(rule)),
            ("State", if rule.enabled { "ENABLED" } else { "DISABLED" }.to_owned()),
            ("EventBusName", rule.bus.clone()),
        ]);
        if let Some((pattern, _)) = &rule.pattern {
            shown.insert("EventPattern", pattern);
        }
        if let Some(description) = &rule.description {
            shown.insert("Description", description);
        }
        shown
    }

    pub(crate) async fn describe_rule(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &RULE)?;
        let (name, bus) = Buses::of(&params, "Name")?;
        Ok(self.shown(&self.rule(tx, bus, name).await?))
    }

    pub(crate) async fn list_rules(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &LIST)?;
        let bus = bus_named(params.text("EventBusName")?.unwrap_or(DEFAULT));
        if !self.exists(tx, bus).await? {
            return Err(missing(&format!("Event bus {bus} does not exist.")).into());
        }
        let rules = self.rules_of(tx, bus).await?;
        let all = rules.iter().map(|rule| (rule.name.clone(), Value::from(self.shown(rule)))).collect();
        listed("Rules", all, &params)
    }

    pub(crate) async fn put_targets(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TARGETS)?;
        let (name, bus) = Buses::of(&params, "Rule")?;
        let mut row = self.row(tx, bus, name).await?;
        let given = params.list("Targets")?;
        target::read_all(&given.iter().cloned().collect())?;
        let kept = row.get("Targets").and_then(Value::as_array).unwrap_or_default();
        let kept = kept.iter().filter(|one| given.iter().all(|other| other["Id"] != one["Id"]));
        let all: Vec<Value> = kept.chain(given).cloned().collect();
        if all.len() > 5 {
            let text = "The requested resource exceeds the maximum number allowed: 5 targets.";
            return Err(refused("LimitExceededException", text).into());
        }
        row.insert("Targets", all);
        created::RULE.put(tx, bus, name, &row.into()).await?;
        Ok(none_failed())
    }

    pub(crate) async fn remove_targets(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TARGETS)?;
        let (name, bus) = Buses::of(&params, "Rule")?;
        let mut row = self.row(tx, bus, name).await?;
        let ids = params.texts("Ids")?;
        let kept = row.get("Targets").and_then(Value::as_array).unwrap_or_default().iter();
        let kept: Vec<Value> =
            kept.filter(|one| one["Id"].as_str().is_none_or(|id| !ids.contains(&id))).cloned().collect();
        row.insert("Targets", kept);
        created::RULE.put(tx, bus, name, &row.into()).await?;
        Ok(none_failed())
    }

    pub(crate) async fn list_targets(
        &self,
        tx: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TARGETS)?;
        let (name, bus) = Buses::of(&params, "Rule")?;
        let rule = self.rule(tx, bus, name).await?;
        let shown = rule.targets.iter().enumerate().map(|(n, one)| target::shown(one, n, one.arn.clone()));
        Ok(Map::from_iter([("Targets", shown.collect::<Value>())]))
    }

    pub(crate) async fn test_pattern(
        &self,
        _: &mut dyn ServiceTx,
        call: &ServiceCall<'_>,
        _: &Services,
    ) -> Result<Map, Stop> {
        let params = Params::of(call, &TEST)?;
        let pattern = pattern_of(params.text("EventPattern")?.unwrap_or_default())?;
        let event = params.text("Event")?.unwrap_or_default().parse::<Value>();
        let event =
            event.map_err(|e| refused("ValidationException", format!("Parameter Event is not valid. Reason: {e}")))?;
        Ok(Map::from_iter([("Result", Value::from(pattern.matches_event(&event)))]))
    }
}

fn none_failed() -> Map {
    Map::from_iter([("FailedEntryCount", Value::from(0)), ("FailedEntries", Value::empty_array())])
}

fn listed(key: &str, mut all: Vec<(String, Value)>, params: &Params<'_>) -> Result<Map, Stop> {
    let prefix = params.text("NamePrefix")?.unwrap_or_default();
    all.retain(|(name, _)| name.starts_with(prefix));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let limit = params.integer("Limit")?.and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=100).contains(n));
    let (items, next) = page(all, params.text("NextToken")?, limit.unwrap_or(100));
    let mut answer = Map::from_iter([(key, Value::from(items))]);
    if let Some(next) = next {
        answer.insert("NextToken", next);
    }
    Ok(answer)
}
