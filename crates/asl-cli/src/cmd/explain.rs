//! `asl explain`.

use crate::args::Explain;
use crate::exit::{Exit, Trouble, answer};
use asl::parts::syntax::{Rule, explain as page};

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
