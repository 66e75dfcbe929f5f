//! For the terminal: boxes and lines, or a list where they do not fit.

use crate::canvas::{Canvas, Ink};
use crate::label::width;
use crate::list::list;
use crate::model::{EdgeKind, Graph, Group, Node, NodeKind, Point, Rect};
use crate::status::{Status, Statuses};

/// The largest picture that is drawn in characters, in cells; larger ones become a list.
const MAX_CELLS: i64 = 8_000_000;

/// How to draw for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Line drawing characters and signs; else ASCII (names are written as they are).
    pub unicode: bool,
    /// ANSI colours.
    pub colour: bool,
    /// How many columns there are. A picture that is wider becomes a list.
    pub width: usize,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { unicode: true, colour: false, width: 120 }
    }
}

/// Draws the picture with characters, each line ended by a newline. With `statuses` every state has the sign of what
/// became of it, and a legend follows; lines the execution went along are heavy, those of a Catch dashed.
pub fn text(graph: &Graph, statuses: Option<&Statuses>, options: &TextOptions) -> String {
    let cells = i64::from(graph.width) * i64::from(graph.height);
    let fits = usize::try_from(graph.width).is_ok_and(|w| w <= options.width) && cells <= MAX_CELLS;
    let mut out = if fits { picture(graph, statuses, options) } else { list(graph, statuses, options) };
    if let Some(statuses) = statuses {
        out.push_str(&legend(graph, statuses, options));
    }
    out
}

/// The ANSI colour of a status.
pub(crate) fn colour(status: Status) -> &'static str {
    match status {
        Status::NotReached => "2",
        Status::InProgress => "1;36",
        Status::Succeeded => "32",
        Status::Caught => "33",
        Status::Aborted => "35",
        Status::Failed => "1;31",
    }
}

fn picture(graph: &Graph, statuses: Option<&Statuses>, options: &TextOptions) -> String {
    let mut canvas = Canvas::new(graph.width as usize, graph.height as usize, options.unicode);
    for group in &graph.groups {
        draw_group(&mut canvas, group, statuses, options);
    }
    for node in &graph.nodes {
        draw_node(&mut canvas, node, statuses, options);
    }
    // The ways that were gone lie over those that were not.
    for taken in [false, true] {
        for edge in graph.edges.iter().filter(|e| statuses.is_some_and(|s| s.took(e)) == taken) {
            let dim = statuses.is_some() && !taken;
            let ink = Ink { heavy: taken, dashed: edge.kind == EdgeKind::Catch, colour: if dim { "2" } else { "" } };
            canvas.arrow(&edge.points, ink);
            if let Some(label) = &edge.label {
                let text = format!(" {} ", plain(&label.text, options));
                canvas.write(Point::new(label.rect.x, label.rect.y), &text, ink);
            }
        }
    }
    canvas.finish(options.colour)
}

/// Our own signs in a text, in ASCII where that is asked for.
pub(crate) fn plain(text: &str, options: &TextOptions) -> String {
    if options.unicode { text.to_owned() } else { text.replace('…', "~") }
}

fn draw_node(canvas: &mut Canvas, node: &Node, statuses: Option<&Statuses>, options: &TextOptions) {
    let status = match (node.kind, statuses) {
        (NodeKind::State(id), Some(statuses)) => Some(statuses.of(id)),
        _ => None,
    };
    let ink = Ink { colour: status.map_or("", colour), ..Ink::default() };
    let marker = !matches!(node.kind, NodeKind::State(_));
    canvas.rect(node.rect, marker, ink);
    write_tag(canvas, node.rect, &node.tag, ink, options);
    let mut lines = node.lines.clone();
    if let (NodeKind::Jump(_), Some(line)) = (node.kind, lines.first_mut()) {
        line.insert_str(0, if options.unicode { "→ " } else { "> " });
    }
    // Boxes with edges to themselves are higher than their name.
    let top = node.rect.y + 1 + (node.rect.h - 2 - lines.len() as i32) / 2;
    write_lines(canvas, node.rect, top, &lines, status, options);
}

fn draw_group(canvas: &mut Canvas, group: &Group, statuses: Option<&Statuses>, options: &TextOptions) {
    let status = statuses.map(|s| s.of(group.state));
    let ink = Ink { colour: status.map_or("", colour), ..Ink::default() };
    canvas.rect(group.rect, true, ink);
    write_tag(canvas, group.rect, &group.tag, ink, options);
    write_lines(canvas, group.rect, group.rect.y + 1, &group.lines, status, options);
}

fn write_tag(canvas: &mut Canvas, rect: Rect, tag: &str, ink: Ink, options: &TextOptions) {
    if !tag.is_empty() {
        canvas.write(Point::new(rect.x + 1, rect.y), &format!(" {} ", plain(tag, options)), ink);
    }
}

fn write_lines(
    canvas: &mut Canvas,
    rect: Rect,
    top: i32,
    lines: &[String],
    status: Option<Status>,
    options: &TextOptions,
) {
    let ink = Ink { colour: status.map_or("", colour), ..Ink::default() };
    for (row, line) in (top..).zip(lines) {
        let line = plain(line, options);
        let line = match status.filter(|_| row == top) {
            Some(status) => format!("{} {line}", status.glyph(options.unicode)),
            None => line,
        };
        let x = rect.x + (rect.w - width(&line) as i32) / 2;
        canvas.write(Point::new(x, row), &line, ink);
    }
}

/// What the signs mean, as far as they occur.
fn legend(graph: &Graph, statuses: &Statuses, options: &TextOptions) -> String {
    let of_nodes = graph.nodes.iter().filter_map(|n| match n.kind {
        NodeKind::State(id) => Some(id),
        _ => None,
    });
    let found: Vec<Status> = of_nodes.chain(graph.groups.iter().map(|g| g.state)).map(|s| statuses.of(s)).collect();
    let mut out = String::from("\n");
    let mut used = 0;
    for status in Status::ALL.into_iter().filter(|s| found.contains(s)) {
        let entry = format!("{} {}", status.glyph(options.unicode), status.name());
        if used > 0 && used + 3 + width(&entry) > options.width {
            out.push('\n');
            used = 0;
        }
        let gap = if used > 0 { "   " } else { "" };
        used += width(gap) + width(&entry);
        out.push_str(gap);
        match options.colour {
            true => out.push_str(&format!("\x1b[0;{}m{entry}\x1b[0m", colour(status))),
            false => out.push_str(&entry),
        }
    }
    out.push('\n');
    out
}
