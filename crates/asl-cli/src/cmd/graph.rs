//! `asl graph`.

use super::findings;
use crate::args::{self, Picture, Place};
use crate::exit::{Exit, Trouble, answer};
use crate::place;
use crate::render::look::Look;
use asl::parts::syntax::{Options, Severity, Source, load};
use asl::project::{Project, Wanted};
use asl::{Definition, Event, Journal, JournalOptions};
use asl_render::{Graph, Statuses, TextOptions, dot, layout, layout_flow, mermaid, statuses, svg, text};
use std::sync::Arc;

pub(crate) async fn graph(args: args::Graph) -> Result<Exit, Trouble> {
    let wanted = args.place.stack.wanted(args.state_machine.as_deref());
    let wanted = Wanted { unbound: true, ..wanted };
    let opened = Project::open(&args.definition, args.place.project.as_deref(), &wanted)?;
    let (graph, statuses) = match &args.execution {
        None => (layout(&*definition(&opened.source, opened.options)?), None),
        Some(wanted) => {
            let (graph, statuses) = executed(&opened.name, &args.place, &opened.project, wanted).await?;
            (graph, Some(statuses))
        }
    };
    let statuses = statuses.as_ref();
    answer(&match args.format {
        Picture::Text => {
            let look = Look::of_stdout();
            let width = look.width.unwrap_or(usize::MAX);
            text(&graph, statuses, &TextOptions { unicode: unicode(), colour: look.color, width })
        }
        Picture::Svg => svg(&graph, statuses),
        Picture::Mermaid => mermaid(&graph, statuses),
        Picture::Dot => dot(&graph, statuses),
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
async fn executed(name: &str, place: &Place, project: &Project, wanted: &str) -> Result<(Graph, Statuses), Trouble> {
    let database = place::shorter(&place::database_of(place, project));
    let journal = Journal::open_read_only(&database, JournalOptions::default()).await?;
    let row = place::execution(&journal, Some(wanted)).await?;
    if row.state_machine.split('/').next() != Some(name) {
        let message = format!("execution {} is one of `{}`, not of `{name}`", row.name, row.state_machine);
        return Err(Trouble::new(message).hint(format!("`asl list --definition {name}` shows those of {name}")));
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
    Ok((layout_flow(&definition, flow), statuses))
}

/// Whether line drawing characters can be shown: everywhere but in the locale `C`, alias `POSIX`.
fn unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    !locale.is_some_and(|locale| locale == "C" || locale == "POSIX")
}
