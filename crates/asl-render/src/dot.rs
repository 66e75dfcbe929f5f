//! DOT, the language of Graphviz. Boxes carry our coordinates: `neato -n` keeps them, `dot` makes its own.

use crate::label::clean;
use crate::mermaid::colours;
use crate::model::{EdgeKind, Graph, NodeKind, Place, Rect};
use crate::status::{Status, Statuses};
use asl_syntax::model::StateId;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A cell in points: Graphviz counts 72 to the inch.
const CELL: (f64, f64) = (6.0, 15.0);

/// Writes the picture as a DOT digraph with a cluster for each Parallel and Map. With `statuses` the boxes have the sign and
/// the colour of what became of them, and the ways that were gone are thick.
pub fn dot(graph: &Graph, statuses: Option<&Statuses>) -> String {
    let mut out = String::from("digraph {\n");
    out.push_str("    graph [compound=true, fontname=\"Helvetica\", fontsize=11];\n");
    out.push_str("    node [shape=box, style=filled, fillcolor=\"#ffffff\", fontname=\"Helvetica\", fontsize=11];\n");
    out.push_str("    edge [fontname=\"Helvetica\", fontsize=9];\n");
    let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    graph.groups.iter().enumerate().for_each(|(i, g)| children.entry(g.group).or_default().push(i));
    // `None` closes a cluster.
    let mut todo: Vec<Option<usize>> = children.get(&None).into_iter().flatten().rev().map(|g| Some(*g)).collect();
    nodes(graph, None, statuses, 1, &mut out);
    let mut level = 1;
    while let Some(next) = todo.pop() {
        match next {
            None => {
                level -= 1;
                let _ = writeln!(out, "{}}}", "    ".repeat(level));
            }
            Some(group) => {
                open_cluster(graph, group, statuses, level, &mut out);
                level += 1;
                nodes(graph, Some(group), statuses, level, &mut out);
                todo.push(None);
                todo.extend(children.get(&Some(group)).into_iter().flatten().rev().map(|g| Some(*g)));
            }
        }
    }
    edges(graph, statuses, &mut out);
    out.push_str("}\n");
    out
}

fn open_cluster(graph: &Graph, group: usize, statuses: Option<&Statuses>, level: usize, out: &mut String) {
    let state = &graph.groups[group];
    let indent = "    ".repeat(level);
    let (sign, fill, stroke) = look(state.state, statuses);
    let label = quote(&format!("{}\n{sign}{}", state.tag, state.name));
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{indent}subgraph cluster_{} {{", state.state.0);
    let _ = writeln!(
        out,
        "{indent}    graph [label={label}, style=\"rounded,filled\", fillcolor=\"{fill}\", color=\"{stroke}\"];"
    );
}

fn nodes(graph: &Graph, group: Option<usize>, statuses: Option<&Statuses>, level: usize, out: &mut String) {
    for node in graph.nodes.iter().filter(|n| n.group == group) {
        let (name, attributes) = match node.kind {
            NodeKind::Start => ("start".to_owned(), "label=\"Start\", shape=oval".to_owned()),
            NodeKind::End => ("end".to_owned(), "label=\"End\", shape=oval".to_owned()),
            NodeKind::Jump(_) => continue,
            NodeKind::State(id) => {
                let (sign, fill, stroke) = look(id, statuses);
                let label = quote(&format!("{}\n{sign}{}", node.tag, node.lines.join("\n")));
                (format!("s{}", id.0), format!("label={label}, fillcolor=\"{fill}\", color=\"{stroke}\""))
            }
        };
        let _ = writeln!(out, "{}{name} [{attributes}, {}];", "    ".repeat(level), position(graph, &node.rect));
    }
}

fn position(graph: &Graph, rect: &Rect) -> String {
    let x = (f64::from(rect.x) + f64::from(rect.w) / 2.0) * CELL.0;
    let y = (f64::from(graph.height - rect.y) - f64::from(rect.h) / 2.0) * CELL.1;
    let (w, h) = (f64::from(rect.w - 1) * CELL.0 / 72.0, f64::from(rect.h - 1) * CELL.1 / 72.0);
    format!("pos=\"{x:.1},{y:.1}\", width={w:.2}, height={h:.2}")
}

fn edges(graph: &Graph, statuses: Option<&Statuses>, out: &mut String) {
    // An edge of a cluster is drawn from and to a box inside of it, and cut at its border.
    let mut inner: BTreeMap<usize, String> = BTreeMap::new();
    for node in &graph.nodes {
        let mut group = node.group;
        while let (Some(g), NodeKind::State(id)) = (group, node.kind) {
            inner.entry(g).or_insert_with(|| format!("s{}", id.0));
            group = graph.groups[g].group;
        }
    }
    let clusters: BTreeMap<StateId, usize> = graph.groups.iter().enumerate().map(|(i, g)| (g.state, i)).collect();
    let end = |place: Place| -> (String, Option<StateId>) {
        match place {
            Place::Start => ("start".to_owned(), None),
            Place::End => ("end".to_owned(), None),
            Place::State(id) => match clusters.get(&id).and_then(|g| inner.get(g)) {
                Some(node) => (node.clone(), Some(id)),
                None => (format!("s{}", id.0), None),
            },
        }
    };
    for edge in &graph.edges {
        let ((from, tail), (to, head)) = (end(edge.from), end(edge.to));
        let mut attributes = Vec::new();
        attributes.extend(tail.map(|id| format!("ltail=cluster_{}", id.0)));
        attributes.extend(head.map(|id| format!("lhead=cluster_{}", id.0)));
        attributes.extend(edge.label.as_ref().map(|l| format!("label={}, tooltip={}", quote(&l.text), quote(&l.full))));
        if edge.kind == EdgeKind::Catch {
            attributes.push("style=dashed, color=\"#bf6a02\"".to_owned());
        }
        if statuses.is_some_and(|s| s.took(edge)) {
            attributes.push("penwidth=2.5".to_owned());
        }
        let _ = writeln!(out, "    {from} -> {to} [{}];", attributes.join(", "));
    }
}

fn look(id: StateId, statuses: Option<&Statuses>) -> (String, &'static str, &'static str) {
    match statuses.map(|s| s.of(id)) {
        Some(status) => {
            let (fill, stroke) = colours(status);
            (format!("{} ", Status::glyph(status, true)), fill, stroke)
        }
        None => (String::new(), "#ffffff", "#57606a"),
    }
}

/// A quoted DOT string. Backslashes are doubled: `\N` and the like would mean something.
fn quote(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|l| clean(l).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}
