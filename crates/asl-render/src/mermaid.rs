//! Mermaid: the same graph for pages that draw it themselves. Mermaid makes its own layout; order and nesting are ours.

use crate::model::{EdgeKind, Graph, NodeKind, Place};
use crate::status::{Status, Statuses};
use std::fmt::Write;

/// Writes the picture as a Mermaid flowchart. With `statuses` the boxes have the sign and the colour of what became of
/// them, and the ways that were gone are thick.
pub fn mermaid(graph: &Graph, statuses: Option<&Statuses>) -> String {
    let mut out = String::from("flowchart TD\n");
    inside(graph, None, statuses, &mut out);
    for (i, edge) in graph.edges.iter().enumerate() {
        let taken = statuses.is_some_and(|s| s.took(edge));
        let arrow = match (edge.kind == EdgeKind::Catch, taken) {
            (true, _) => "-.->",
            (false, true) => "==>",
            (false, false) => "-->",
        };
        let label = edge.label.as_ref().map_or(String::new(), |l| format!("|\"{}\"|", escape(&l.text)));
        // Writing into a String cannot fail.
        let _ = writeln!(out, "    {} {arrow}{label} {}", id(edge.from), id(edge.to));
        if taken && edge.kind == EdgeKind::Catch {
            let _ = writeln!(out, "    linkStyle {i} stroke-width:3px");
        }
    }
    if statuses.is_some() {
        for status in Status::ALL {
            let (fill, stroke) = colours(status);
            let _ = writeln!(out, "    classDef {} fill:{fill},stroke:{stroke},color:#1b1f24", class(status));
        }
    }
    out
}

fn id(place: Place) -> String {
    match place {
        Place::Start => "start".to_owned(),
        Place::End => "finish".to_owned(),
        Place::State(id) => format!("s{}", id.0),
    }
}

/// What is in a group, without recursion: a stack of what to write and where.
fn inside(graph: &Graph, top: Option<usize>, statuses: Option<&Statuses>, out: &mut String) {
    let mut children = vec![Vec::new(); graph.groups.len() + 1];
    let slot = |group: Option<usize>| group.map_or(0, |g| g + 1);
    graph.groups.iter().enumerate().for_each(|(i, g)| children[slot(g.group)].push(i));
    let mut nodes = vec![Vec::new(); graph.groups.len() + 1];
    graph.nodes.iter().for_each(|n| nodes[slot(n.group)].push(n));
    let mut todo = vec![Todo::Fill(top, 1)];
    while let Some(next) = todo.pop() {
        match next {
            Todo::Close(level) => out.push_str(&format!("{}end\n", "    ".repeat(level))),
            Todo::Open(group, level) => {
                let state = &graph.groups[group];
                let (sign, class) = decoration(Place::State(state.state), statuses);
                let name = escape(&format!("{sign}{}: {}", state.tag, state.name));
                let (indent, id) = ("    ".repeat(level), id(Place::State(state.state)));
                out.push_str(&format!("{indent}subgraph {id} [\"{name}\"]\n"));
                todo.push(Todo::Close(level));
                todo.push(Todo::Fill(Some(group), level + 1));
                if let Some(class) = class {
                    todo.insert(0, Todo::Class(id, class));
                }
            }
            Todo::Fill(group, level) => {
                todo.extend(children[slot(group)].iter().rev().map(|g| Todo::Open(*g, level)));
                let indent = "    ".repeat(level);
                for node in &nodes[slot(group)] {
                    let line = match node.kind {
                        NodeKind::Start => "start([\"Start\"])".to_owned(),
                        NodeKind::End => "finish([\"End\"])".to_owned(),
                        NodeKind::Jump(_) => continue,
                        NodeKind::State(state) => {
                            let place = Place::State(state);
                            let (sign, class) = decoration(place, statuses);
                            let class = class.map_or(String::new(), |c| format!(":::{c}"));
                            let (tag, name) = (escape(&node.tag), escape(&format!("{sign}{}", node.name)));
                            let box_ = match node.tag.as_str() {
                                "Choice" => ("{\"", "\"}"),
                                _ => ("[\"", "\"]"),
                            };
                            format!("{}{}<small>{tag}</small><br/>{name}{}{class}", id(place), box_.0, box_.1)
                        }
                    };
                    out.push_str(&format!("{indent}{line}\n"));
                }
            }
            Todo::Class(id, class) => out.push_str(&format!("    class {id} {class}\n")),
        }
    }
}

enum Todo {
    Fill(Option<usize>, usize),
    Open(usize, usize),
    Close(usize),
    Class(String, &'static str),
}

/// The sign before the name, and the class.
fn decoration(place: Place, statuses: Option<&Statuses>) -> (String, Option<&'static str>) {
    match (place, statuses) {
        (Place::State(id), Some(statuses)) => {
            let status = statuses.of(id);
            (format!("{} ", status.glyph(true)), Some(class(status)))
        }
        _ => (String::new(), None),
    }
}

/// The name of a status's class, also in the SVG.
pub(crate) fn class(status: Status) -> &'static str {
    match status {
        Status::NotReached => "not-reached",
        Status::InProgress => "in-progress",
        Status::Succeeded => "succeeded",
        Status::Caught => "caught",
        Status::Aborted => "aborted",
        Status::Failed => "failed",
    }
}

/// The fill and the stroke of a status, on light ground.
pub(crate) fn colours(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::NotReached => ("#f6f8fa", "#afb8c1"),
        Status::InProgress => ("#ddf4ff", "#0969da"),
        Status::Succeeded => ("#dafbe1", "#1a7f37"),
        Status::Caught => ("#fff1c2", "#bf6a02"),
        Status::Aborted => ("#efe6ff", "#8250df"),
        Status::Failed => ("#ffdcd8", "#cf222e"),
    }
}

/// Mermaid reads entities in quoted texts; everything that could mean something to it or to HTML becomes one.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::label::clean(text).chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' | '|' | '\\' | '{' | '}' | '[' | ']' | '(' | ')' | '*' | '_'
            | '%' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
