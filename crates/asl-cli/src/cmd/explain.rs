//! `asl explain`.

use crate::args::Stack;
use crate::common::definition::note;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::json;
use crate::terminal::answer;
use asl::parts::syntax::{Kind, Rule, explain as page};
use asl::project::{Declared, Opened, Project, is_template};
use asl::{Map, Value};
use clap::Args;
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The rule, such as missing-target, none lists them all; or a template, to see what is made of it
    #[arg(value_name = "RULE|TEMPLATE")]
    pub(crate) rule: Option<String>,
    /// JSON: {"rule", "code", "text"}, or a list of {"rule", "code"}; of a template, with every state machine's definition as it runs here
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) stack: Stack,
}

pub(crate) fn explain(args: Explain) -> Result<Exit, Trouble> {
    let Some(name) = &args.rule else {
        if args.json {
            answer(&json(&Rule::ALL.iter().map(|rule| Value::from(item(*rule))).collect::<Vec<_>>().into()))?;
            return Ok(Exit::Done);
        }
        let lines = Rule::ALL.iter().map(|rule| format!("{:<26}{}\n", rule.name(), rule.code().as_str()));
        answer(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    };
    if is_template(Path::new(name)) {
        return template(&args, Path::new(name));
    }
    let rule = Rule::find(&name.to_lowercase()).ok_or_else(|| {
        Trouble::new(format!("there is no rule `{name}`"))
            .hint("`asl check` names the rule of each finding in brackets; `asl explain` lists them all")
    })?;
    if args.json {
        let mut item = item(rule);
        item.insert("text", page(rule).trim_end());
        answer(&json(&item.into()))?;
    } else {
        answer(&format!("{}\n", page(rule).trim_end()))?;
    }
    Ok(Exit::Done)
}

fn item(rule: Rule) -> Map {
    Map::from_iter([("rule", rule.name()), ("code", rule.code().as_str())])
}

/// What is made of a template: each resource with its name, and what does not run here.
fn template(args: &Explain, file: &Path) -> Result<Exit, Trouble> {
    let wanted = args.stack.wanted(None);
    let named = place::named_project(None);
    if args.json {
        let mut machines = Vec::new();
        for opened in Project::open_all(file, named.as_deref(), &wanted)? {
            machines.push(machine(&opened?));
        }
        let project = Project::of_template(file, named.as_deref(), &wanted.stack)?;
        let resources: Vec<Value> = project.resources().iter().map(resource).collect();
        let shape = [("StateMachines", Value::from(machines)), ("Resources", resources.into())];
        answer(&json(&Value::from(Map::from_iter(shape))))?;
        return Ok(Exit::Done);
    }
    let project = Project::of_template(file, named.as_deref(), &wanted.stack)?;
    let rows: Vec<Vec<String>> = project
        .resources()
        .iter()
        .map(|one| vec![one.id.clone(), one.kind.clone(), one.name.clone(), runs(one.has_backend).to_owned()])
        .collect();
    answer(&grid(&["RESOURCE", "TYPE", "NAME", "HERE"], &rows, &[], Look::of_stdout()))?;
    note(project.notes(), Look::of_stderr());
    Ok(Exit::Done)
}

fn runs(has_backend: bool) -> &'static str {
    if has_backend { "yes" } else { "no" }
}

fn resource(one: &Declared) -> Value {
    Value::from(Map::from_iter([
        ("LogicalId", Value::from(one.id.as_str())),
        ("Type", one.kind.as_str().into()),
        ("Name", one.name.as_str().into()),
        ("HasBackend", one.has_backend.into()),
    ]))
}

fn machine(opened: &Opened) -> Value {
    let found = opened.project.machines().iter().find(|machine| machine.name == opened.name);
    let substitutions = found.map(|machine| &machine.substitutions).into_iter().flatten();
    let substitutions: Map = substitutions.map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let kind = if opened.options.kind == Kind::Express { "EXPRESS" } else { "STANDARD" };
    Value::from(Map::from_iter([
        ("LogicalId", Value::from(found.map_or("", |machine| machine.id.as_str()))),
        ("Name", opened.name.as_str().into()),
        ("Type", kind.into()),
        ("Substitutions", substitutions.into()),
        ("Definition", Value::from(&**opened.source.text())),
    ]))
}
