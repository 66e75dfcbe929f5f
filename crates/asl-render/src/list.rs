//! The state machine as an indented list: what fits into any terminal.

use crate::label::{clean, shorten};
use crate::model::{Edge, EdgeKind, Graph, NodeKind, Place};
use crate::status::Statuses;
use crate::text::{TextOptions, colour, plain};
use asl_syntax::model::StateId;
use std::collections::BTreeMap;

/// The deepest indentation.
const MAX_INDENT: usize = 12;

struct Lister<'g> {
    statuses: Option<&'g Statuses>,
    options: &'g TextOptions,
    names: BTreeMap<StateId, &'g str>,
    ways: BTreeMap<Place, Vec<&'g Edge>>,
    out: String,
}

/// Lists the states, each with its ways out; what is inside of a Parallel or Map follows it, indented.
pub(crate) fn list(graph: &Graph, statuses: Option<&Statuses>, options: &TextOptions) -> String {
    let mut ways: BTreeMap<Place, Vec<&Edge>> = BTreeMap::new();
    for edge in &graph.edges {
        ways.entry(edge.from).or_default().push(edge);
    }
    let mut lister = Lister { statuses, options, names: graph.names(), ways, out: String::new() };
    let mut inside: BTreeMap<Option<usize>, Vec<(i32, i32, Entry)>> = BTreeMap::new();
    for (i, node) in graph.nodes.iter().enumerate().filter(|(_, n)| matches!(n.kind, NodeKind::State(_))) {
        inside.entry(node.group).or_default().push((node.rect.y, node.rect.x, Entry::Node(i)));
    }
    for (i, group) in graph.groups.iter().enumerate() {
        inside.entry(group.group).or_default().push((group.rect.y, group.rect.x, Entry::Group(i)));
    }
    inside.values_mut().for_each(|list| list.sort());
    let start = lister.ways.get(&Place::Start).cloned().unwrap_or_default();
    lister.line("Start", "", 0);
    lister.ways_out(&start, 0);
    let mut todo: Vec<(usize, Entry)> = Vec::new();
    let push = |todo: &mut Vec<(usize, Entry)>, group: Option<usize>, level: usize| {
        let entries = inside.get(&group).into_iter().flatten();
        todo.extend(entries.rev().map(|(_, _, entry)| (level, *entry)));
    };
    push(&mut todo, None, 0);
    while let Some((level, entry)) = todo.pop() {
        match entry {
            Entry::Node(i) => {
                if let NodeKind::State(id) = graph.nodes[i].kind {
                    lister.state(id, &graph.nodes[i].tag, level);
                }
            }
            Entry::Group(i) => {
                lister.state(graph.groups[i].state, &graph.groups[i].tag, level);
                push(&mut todo, Some(i), level + 1);
            }
        }
    }
    lister.out
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Node(usize),
    Group(usize),
}

impl Lister<'_> {
    fn state(&mut self, id: StateId, tag: &str, level: usize) {
        let status = self.statuses.map(|s| s.of(id));
        let sign = status.map_or(String::new(), |s| format!("{} ", s.glyph(self.options.unicode)));
        let name = clean(self.names.get(&id).copied().unwrap_or(""));
        self.line(&format!("{sign}{name}  [{tag}]"), status.map_or("", colour), level);
        let ways = self.ways.get(&Place::State(id)).cloned().unwrap_or_default();
        self.ways_out(&ways, level);
    }

    fn ways_out(&mut self, ways: &[&Edge], level: usize) {
        for edge in ways {
            let to = match edge.to {
                Place::State(id) => clean(self.names.get(&id).copied().unwrap_or("")),
                Place::Start | Place::End => "End".to_owned(),
            };
            let taken = self.statuses.is_some_and(|s| s.took(edge));
            let arrow = match (edge.kind == EdgeKind::Catch, taken, self.options.unicode) {
                (false, false, true) => "→",
                (false, true, true) => "➔",
                (true, false, true) => "⇢",
                (true, true, true) => "⇨",
                (false, false, false) => "->",
                (false, true, false) => "=>",
                (true, false, false) => "..>",
                (true, true, false) => "##>",
            };
            let label = edge.label.as_ref().map_or(String::new(), |l| format!("  {}", plain(&l.text, self.options)));
            let catch = if edge.kind == EdgeKind::Catch { "  on" } else { "" };
            let dim = if self.statuses.is_some() && !taken { "2" } else { "" };
            self.line(&format!("    {arrow} {to}{catch}{label}"), dim, level);
        }
    }

    fn line(&mut self, text: &str, colour: &str, level: usize) {
        let indent = (2 * level).min(MAX_INDENT).min(self.options.width / 3);
        let text = plain(&shorten(text, self.options.width.saturating_sub(indent).max(1)), self.options);
        self.out.push_str(&" ".repeat(indent));
        match self.options.colour && !colour.is_empty() {
            true => self.out.push_str(&format!("\x1b[0;{colour}m{text}\x1b[0m")),
            false => self.out.push_str(&text),
        }
        self.out.push('\n');
    }
}
