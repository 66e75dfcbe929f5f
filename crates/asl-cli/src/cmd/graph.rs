//! `asl graph`.

use crate::args::Place;
use crate::common::definition::findings;
use crate::common::place;
use crate::exit::{Exit, Trouble};
use crate::render::grid::grid;
use crate::render::look::Look;
use crate::render::text::duration;
use crate::terminal::{answer, drawn};
use asl::parts::syntax::model::{FlowId, StateId};
use asl::parts::syntax::{Options, Severity, Source, load};
use asl::project::{Project, Wanted};
use asl::{Definition, Event};
use asl_render::{Facts, Statuses, TextOptions, dot, layout_flow, layout_within, mermaid, statuses, svg, text};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// The definition: JSON, or YAML in a file named .yaml or .yml; or a SAM or CloudFormation template
    pub(crate) definition: PathBuf,
    /// Of a template with several: the state machine, its logical id or name
    #[arg(long, value_name = "NAME")]
    pub(crate) state_machine: Option<String>,
    /// What to draw it as
    #[arg(long, short, value_enum, default_value_t = Picture::Text)]
    pub(crate) format: Picture,
    /// Show what became of this execution: its name, the beginning of its name, or its ARN
    #[arg(long, value_name = "EXECUTION")]
    pub(crate) execution: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What a graph is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    Text,
    Svg,
    Mermaid,
    Dot,
}

pub(crate) async fn graph(args: Graph) -> Result<Exit, Trouble> {
    let wanted = Wanted { unbound: true, ..args.place.stack.wanted(args.state_machine.as_deref()) };
    let opened = place::open(&args.definition, args.place.project.as_deref(), &wanted)?;
    let (definition, flow, statuses) = match &args.execution {
        None => (definition(&opened.source, opened.options)?, FlowId::TOP, None),
        Some(wanted) => {
            let (definition, flow, statuses) = executed(&opened.name, &args.place, &opened.project, wanted).await?;
            (definition, flow, Some(statuses))
        }
    };
    let statuses = statuses.as_ref();
    let graph = || layout_flow(&definition, flow);
    answer(&match args.format {
        Picture::Text => {
            let look = Look::of_stdout();
            let width = look.width.unwrap_or(usize::MAX);
            let graph = layout_within(&definition, flow, width);
            let facts = statuses.map(|statuses| facts(&definition, statuses, look)).unwrap_or_default();
            let options = TextOptions { unicode: unicode(), colour: look.color, width };
            drawn(&text(&graph, statuses, &options)) + &facts
        }
        Picture::Svg => svg(&graph(), statuses),
        Picture::Mermaid => mermaid(&graph(), statuses),
        Picture::Dot => dot(&graph(), statuses),
    })?;
    Ok(Exit::Done)
}

/// A definition can be drawn when it is valid, whether it can run here or not.
fn definition(source: &Source, options: Options) -> Result<Arc<Definition>, Trouble> {
    let loaded = load(source, &options);
    loaded.definition.clone().ok_or_else(|| Trouble::Places(findings(source, &loaded, Severity::Error)))
}

/// The definition that an execution ran, which the file may no longer hold, and what became of its states. Of a child of a
/// Distributed Map it is the Map's processor.
async fn executed(
    name: &str,
    place: &Place,
    project: &Project,
    wanted: &str,
) -> Result<(Arc<Definition>, FlowId, Statuses), Trouble> {
    let journal = place::reading(&place::database_of(place, project)).await?;
    let row = place::execution(&journal, Some(wanted)).await?;
    if row.state_machine.split('/').next() != Some(name) {
        let message = format!("execution {} is one of `{}`, not of `{name}`", row.name, row.state_machine);
        return Err(Trouble::new(message).hint(format!("`asl list --of {name}` shows those of {name}")));
    }
    let stored = journal.definition(&row.definition).await?;
    let records = journal.records(row.id).await?;
    journal.close().await;
    let stored = stored.ok_or_else(|| Trouble::new(format!("the definition of {} is not in the database", row.arn)))?;
    let definition = definition(&Source::new(&*row.arn, &*stored.text), asl::stored_options(&stored.text))?;
    let flow = asl::flow_of_machine(&definition, &row.state_machine_arn)
        .ok_or_else(|| Trouble::new(format!("the definition of {} has no such Map", row.arn)))?;
    let events: Vec<Event> = records.into_iter().flat_map(|record| record.events).collect();
    let statuses = statuses(&definition, &events);
    Ok((definition, flow, statuses))
}

/// How the states fared that were entered: a row for each, below the picture.
fn facts(definition: &Definition, statuses: &Statuses, look: Look) -> String {
    let many = |n: u64, least: u64| if n >= least { n.to_string() } else { String::new() };
    let row = |(id, facts): (&StateId, &Facts)| {
        vec![
            definition.state(*id).name.to_string(),
            duration(facts.took_ms),
            many(facts.visits, 2),
            many(facts.retries, 1),
            facts.items.map(|items| items.to_string()).unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = statuses.facts.iter().map(row).collect();
    format!("\n{}", grid(&["STATE", "TOOK", "VISITS", "RETRIES", "ITEMS"], &rows, &[1, 2, 3, 4], look))
}

/// Whether line drawing characters can be shown: everywhere but in the locale `C`, alias `POSIX`.
fn unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    !locale.is_some_and(|locale| locale == "C" || locale == "POSIX")
}
