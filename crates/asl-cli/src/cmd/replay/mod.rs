//! `asl replay`.

mod exported;
mod trial;

use self::exported::Text;
use crate::args::Place;
use crate::common::clock::{Since, since};
use crate::common::place;
use crate::exit::{Exit, Trouble, error};
use crate::render::look::Look;
use crate::render::snippet::{self, Finding};
use crate::render::text::json;
use crate::terminal::{answer, say};
use asl::parts::syntax::{Severity, Source, state_span};
use asl::{Database, Difference, Divergence, ExecutionRow, Filter, Kept, Map, ReplayError, Replayed, Status, Value};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Executions: name, beginning of a name, or ARN; or files or folders of histories exported from AWS [default: the last execution]
    #[arg(value_name = "EXECUTION|FILE|FOLDER")]
    pub(crate) targets: Vec<String>,
    /// Every execution in the database
    #[arg(long, conflicts_with = "targets")]
    pub(crate) all: bool,
    /// The definition of exported histories; for executions of the database, and for kept records: what would this one have
    /// done?
    #[arg(long, short, value_name = "FILE")]
    pub(crate) definition: Option<PathBuf>,
    /// With --all: only those with this status
    #[arg(long, value_name = "STATUS", requires = "all")]
    pub(crate) status: Option<Status>,
    /// With --all: only those of this definition, by its name (fare, for fare.asl.json)
    #[arg(long, value_name = "NAME", requires = "all")]
    pub(crate) of: Option<String>,
    /// With --all: only those that started since then: 2026-01-31, 2026-01-31T12:00:00Z, or 30d, 12h, 15m ago
    #[arg(long, value_name = "TIME", requires = "all", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// JSON: an object for each execution
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How many replays came out how.
#[derive(Default)]
struct Tally {
    same: usize,
    differ: usize,
    unfit: usize,
}

impl Tally {
    fn exit(&self) -> Exit {
        match (self.unfit, self.differ) {
            (0, 0) => Exit::Done,
            (0, _) => Exit::Failed,
            _ => Exit::Wrong,
        }
    }
}

pub(crate) async fn replay(args: Replay) -> Result<Exit, Trouble> {
    let (files, names): (Vec<&String>, Vec<&String>) =
        args.targets.iter().partition(|target| Path::new(target.as_str()).exists());
    let given = args.definition.as_deref().map(|file| exported::definition(file, args.place.project.as_deref()));
    let given = given.transpose()?;
    let mut tally = Tally::default();
    let mut tried = Vec::new();
    for file in &files {
        for kept in exported::kept(Path::new(file))? {
            match &given {
                Some(text) => {
                    tried.push((kept.0.display().to_string(), asl::try_kept(&kept.1, text.definition.clone())))
                }
                None => tell_kept(&kept, args.json, &mut tally)?,
            }
        }
        if exported::is_kept(Path::new(file)) {
            continue;
        }
        for found in exported::find(Path::new(file), given.as_ref(), args.place.project.as_deref())? {
            let replayed = asl::replay_exported(found.text.definition.clone(), &found.history, &found.whose);
            tell(&found.whose.label, replayed, Some(&found.text), args.json, &mut tally)?;
        }
    }
    if files.is_empty() || !names.is_empty() {
        let journal = place::read(&args.place).await?;
        let rows = rows(&journal, &args, &names).await?;
        if let Some(text) = &given {
            tried.extend(trial::stored(&journal, &rows, text).await);
        } else {
            for row in &rows {
                stored(&journal, row, args.json, &mut tally).await?;
            }
        }
        journal.close().await;
    }
    if !tried.is_empty() || (given.is_some() && files.is_empty()) {
        return trial::tell(tried, args.json);
    }
    if !args.json && (args.all || tally.same + tally.differ + tally.unfit > 1) {
        summary(&tally)?;
    }
    Ok(tally.exit())
}

/// The executions of the database that are meant.
async fn rows(journal: &Database, args: &Replay, names: &[&String]) -> Result<Vec<ExecutionRow>, Trouble> {
    if !args.all {
        let mut rows = Vec::new();
        for name in names {
            rows.push(place::execution(journal, Some(name)).await?);
        }
        if names.is_empty() {
            rows.push(place::execution(journal, None).await?);
        }
        return Ok(rows);
    }
    let filter = Filter { status: args.status, state_machine: args.of.clone(), ..Filter::default() };
    let mut rows = journal.executions(&filter).await?;
    if let Some(since) = args.since {
        let since_ms = since.ms();
        rows.retain(|row| row.started.millis() >= since_ms);
    }
    Ok(rows)
}

async fn stored(journal: &Database, row: &ExecutionRow, as_json: bool, tally: &mut Tally) -> Result<(), Trouble> {
    let replayed = asl::replay(&**journal, row).await;
    let text = match &replayed {
        Err(ReplayError::Divergence(_)) => ran(journal, row).await?,
        _ => None,
    };
    tell(&format!("{} · {}", row.state_machine, row.name), replayed, text.as_ref(), as_json, tally)
}

/// A history that was kept as records.
fn tell_kept((file, kept): &(PathBuf, Kept), as_json: bool, tally: &mut Tally) -> Result<(), Trouble> {
    let source = Source::new(format!("{} (its definition)", file.display()), kept.definition.as_str());
    let options = asl::stored_options(&kept.definition);
    let definition = asl::parts::syntax::load(&source, &options).definition;
    let text = definition.map(|definition| Text { definition, source, format: options.format });
    tell(&file.display().to_string(), asl::replay_kept(kept), text.as_ref(), as_json, tally)
}

/// The definition that an execution ran.
async fn ran(journal: &Database, row: &ExecutionRow) -> Result<Option<Text>, Trouble> {
    let Some(stored) = journal.definition(&row.definition).await? else { return Ok(None) };
    let options = asl::stored_options(&stored.text);
    let source = Source::new(format!("{} (as it ran)", stored.name), stored.text);
    let definition = asl::parts::syntax::load(&source, &options).definition;
    Ok(definition.map(|definition| Text { definition, source, format: options.format }))
}

/// Says whether one history came out the same.
fn tell(
    label: &str,
    replayed: Result<Replayed, ReplayError>,
    text: Option<&Text>,
    as_json: bool,
    tally: &mut Tally,
) -> Result<(), Trouble> {
    if as_json {
        answer(&json(&item(label, &replayed)))?;
    }
    match replayed {
        Ok(_) if as_json => {
            tally.same += 1;
            Ok(())
        }
        Ok(replayed) => {
            tally.same += 1;
            let events = count(replayed.events, "event");
            let ended = replayed.outcome.map_or("RUNNING", |outcome| outcome.status());
            answer(&format!("{label}  {ended}, {events}: no difference\n"))
        }
        Err(ReplayError::Store(problem)) => Err(problem.into()),
        Err(ReplayError::Divergence(divergence)) => {
            tally.differ += 1;
            differs(label, &divergence, text);
            Ok(())
        }
        Err(unfit) => {
            tally.unfit += 1;
            error(Look::of_stderr(), &unfit.to_string(), None);
            Ok(())
        }
    }
}

/// What came of one replay, as JSON.
fn item(label: &str, replayed: &Result<Replayed, ReplayError>) -> Value {
    let mut item = Map::new();
    item.insert("execution", label);
    let verdict = match replayed {
        Ok(_) => "SAME",
        Err(ReplayError::Divergence(_)) => "DIFFERS",
        Err(_) => "CANNOT_REPLAY",
    };
    item.insert("verdict", verdict);
    match replayed {
        Ok(replayed) => {
            item.insert("status", replayed.outcome.as_ref().map_or("RUNNING", |outcome| outcome.status()));
            item.insert("events", replayed.events);
        }
        Err(ReplayError::Divergence(divergence)) => {
            item.insert("event", divergence.event);
            divergence.state.iter().for_each(|state| drop(item.insert("state", state)));
            for (key, event) in [("recorded", &divergence.recorded), ("replayed", &divergence.replayed)] {
                item.insert(key, event.clone().unwrap_or(Value::Null));
            }
            item.insert("differences", divergence.differences.iter().map(difference).collect::<Vec<_>>());
        }
        Err(problem) => drop(item.insert("reason", problem.to_string())),
    }
    item.into()
}

/// A field that differs, as JSON.
pub(crate) fn difference(difference: &Difference) -> Value {
    let mut item = Map::new();
    item.insert("field", difference.field.as_str());
    difference.recorded.iter().for_each(|value| drop(item.insert("recorded", value.clone())));
    difference.replayed.iter().for_each(|value| drop(item.insert("replayed", value.clone())));
    item.into()
}

/// The first event that differs: the state's place in the definition, then the fields.
fn differs(label: &str, divergence: &Divergence, text: Option<&Text>) {
    let look = Look::of_stderr();
    let kind = |event: &Option<asl::Value>| event.as_ref().and_then(|e| e["type"].as_str()).map(str::to_owned);
    let (recorded, replayed) = (kind(&divergence.recorded), kind(&divergence.replayed));
    let event = divergence.event;
    let message = match (&recorded, &replayed) {
        (Some(a), Some(b)) if a == b => format!("the replay of {label} differs at event {event}, {a}"),
        (Some(a), Some(b)) => {
            format!("the replay of {label} differs at event {event}: {a} was recorded, {b} comes now")
        }
        (Some(a), None) => {
            format!("the replay of {label} differs at event {event}: {a} was recorded, nothing comes now")
        }
        (_, b) => {
            let b = b.as_deref().unwrap_or("another event");
            format!("the replay of {label} differs at event {event}: nothing was recorded, {b} comes now")
        }
    };
    let place = divergence.state.as_ref().zip(text);
    let place = place.and_then(|(state, text)| Some((text, state_span(&text.source, text.format, state)?)));
    match place {
        Some((text, span)) => {
            let finding = Finding {
                severity: Severity::Error,
                rule: None,
                message,
                file: text.source.name().to_owned(),
                text: text.source.original().clone(),
                span: Some(span.start..span.end),
                labels: Vec::new(),
                help: None,
            };
            say(&snippet::draw(&[finding], look));
        }
        None => error(look, &message, None),
    }
    let mut lines = String::new();
    for difference in &divergence.differences {
        lines += &format!("{difference}\n");
    }
    if divergence.differences.is_empty() {
        let shown =
            |event: &Option<asl::Value>| event.as_ref().map_or_else(|| "(nothing)".to_owned(), |e| e.to_string());
        lines = format!("    - {}\n    + {}\n", shown(&divergence.recorded), shown(&divergence.replayed));
    }
    say(&format!("{lines}{}\n", look.dim("    (- recorded, + replayed)")));
}

fn summary(tally: &Tally) -> Result<(), Trouble> {
    let total = tally.same + tally.differ + tally.unfit;
    let mut text = format!("{} replayed", count(total, "execution"));
    for (n, what) in [(tally.differ, "differ"), (tally.unfit, "cannot be replayed")] {
        if n > 0 {
            text += &format!(", {n} {what}");
        }
    }
    answer(&(text + "\n"))
}

pub(crate) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
