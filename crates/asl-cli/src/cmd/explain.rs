//! `asl explain`.

use crate::exit::{Exit, Trouble};
use crate::terminal::answer;
use asl::parts::syntax::{Rule, explain as page};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The rule, such as missing-target; none lists them all
    pub(crate) rule: Option<String>,
}

pub(crate) fn explain(args: Explain) -> Result<Exit, Trouble> {
    let Some(name) = args.rule else {
        let lines = Rule::ALL.iter().map(|rule| format!("{:<26}{}\n", rule.name(), rule.code().as_str()));
        answer(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    };
    let rule = Rule::find(&name.to_lowercase()).ok_or_else(|| {
        Trouble::new(format!("there is no rule `{name}`"))
            .hint("`asl check` names the rule of each finding in brackets; `asl explain` lists them all")
    })?;
    answer(&format!("{}\n", page(rule).trim_end()))?;
    Ok(Exit::Done)
}
