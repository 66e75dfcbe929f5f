//! The graph: what `asl graph --execution` draws, each state a link.

use super::Shown;
use crate::console::html::Html;
use asl::flow_of_machine;
use asl::parts::syntax::model::StateId;
use asl_render::{Links, layout_flow, statuses, svg_with_links};

pub(super) fn view(h: &mut Html, shown: &Shown<'_>) {
    h.tag("section", &[("class", "card graph"), ("id", "graph"), ("aria-labelledby", "graph-title")], |h| {
        h.leaf("h2", &[("id", "graph-title")], "Graph");
        match picture(shown) {
            Some(picture) => {
                h.tag(
                    "div",
                    &[("class", "scroll"), ("tabindex", "0"), ("role", "group"), ("aria-label", "Graph of the states")],
                    |h| {
                        h.svg(&picture);
                    },
                );
            }
            None => {
                h.leaf("p", &[], "The definition of this execution cannot be read by this version of the program.");
            }
        }
    });
}

fn picture(shown: &Shown<'_>) -> Option<String> {
    let definition = shown.definition.as_ref()?;
    let flow = flow_of_machine(definition, &shown.row.state_machine_arn)?;
    let statuses = statuses(definition, &shown.story.events);
    let name = |id: StateId| &*definition.state(id).name;
    let href = |id: StateId| shown.at(&[("state", name(id)), ("event", ""), ("page", ""), ("of", "")]);
    let chosen = shown.chosen.visit.map(|visit| &*shown.story.visits[visit].state);
    let chosen = chosen.or(shown.visitor.query.get("state"));
    let at = chosen.and_then(|chosen| definition.states.iter().position(|state| &*state.name == chosen));
    let selected = at.and_then(|at| u32::try_from(at).ok()).map(StateId);
    Some(svg_with_links(&layout_flow(definition, flow), Some(&statuses), Some(Links { href: &href, selected })))
}
