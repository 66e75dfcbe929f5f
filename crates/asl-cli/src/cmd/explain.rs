//! `asl explain`.

use crate::exit::{Exit, Trouble};
use crate::render::text::json;
use crate::terminal::answer;
use asl::parts::syntax::{Rule, explain as page};
use asl::{Map, Value};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The rule, such as missing-target; none lists them all
    pub(crate) rule: Option<String>,
    /// JSON: {"rule", "code", "text"}, or a list of {"rule", "code"}
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn explain(args: Explain) -> Result<Exit, Trouble> {
    let Some(name) = args.rule else {
        if args.json {
            answer(&json(&Rule::ALL.iter().map(|rule| Value::from(item(*rule))).collect::<Vec<_>>().into()))?;
            return Ok(Exit::Done);
        }
        let lines = Rule::ALL.iter().map(|rule| format!("{:<26}{}\n", rule.name(), rule.code().as_str()));
        answer(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    };
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
