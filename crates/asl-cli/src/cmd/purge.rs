//! `asl purge`: executions that ended long ago are deleted.

use crate::args::Place;
use crate::common::clock::{Since, since};
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::text::{counted, json};
use crate::terminal::{answer, say};
use asl::{Map, Purge as Meant, Status, Timestamp, Value};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Purge {
    /// Those that ended before then: 30d, 12h, 15m ago, or 2026-01-31, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) before: Since,
    /// Only those with this status: SUCCEEDED, FAILED, TIMED_OUT or ABORTED
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<Status>,
    /// Only those of this definition, by its name (fare, for fare.asl.json)
    #[arg(long, value_name = "NAME")]
    pub(crate) of: Option<String>,
    /// Delete them; without it, it is only said how many there are
    #[arg(long)]
    pub(crate) yes: bool,
    /// JSON: {"executions", "deleted", "kept"}; the last are names
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

pub(crate) async fn purge(args: Purge) -> Result<Exit, Trouble> {
    if args.status == Some(Status::Running) {
        return Err(Trouble::new("executions that run cannot be deleted").hint("end them first, with `asl stop`"));
    }
    let ended_before = Timestamp::from_millis(args.before.ms());
    let meant = Meant { ended_before, status: args.status, state_machine: args.of };
    let journal = place::read(&args.place).await?;
    let count = if args.yes { journal.purge(&meant).await? } else { journal.purgeable(&meant).await? };
    let kept = journal.purge_keeps(&meant).await?;
    journal.close().await;
    let deleted = args.yes;
    if args.json {
        answer(&json(
            &Map::from_iter([
                ("executions", Value::from(count)),
                ("deleted", deleted.into()),
                ("kept", kept.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>().into()),
            ])
            .into(),
        ))?;
    } else {
        let what = if deleted { "deleted" } else { "would be deleted" };
        answer(&format!("{} {what}\n", counted(count, "execution")))?;
    }
    if !kept.is_empty() && !args.json {
        say(&format!(
            "{} kept: the database counts on from what was started or written last; `asl down` deletes all\n",
            are(&kept)
        ));
    }
    if count > 0 && !args.json {
        say(if deleted {
            "`asl db vacuum` gives the room back to the disk\n"
        } else {
            "nothing was deleted; --yes does it\n"
        });
    }
    Ok(Exit::Done)
}

/// One or two names, with their verb.
fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(" and "))
}
