//! SVG: self-contained, with the fonts of the system and a ground of its own, light or dark as the reader has it.

use crate::label::clean;
use crate::mermaid::{class, colours};
use crate::model::{Edge, EdgeKind, Graph, Group, Node, NodeKind, Point, Rect};
use crate::status::{Status, Statuses};
use asl_syntax::model::StateId;
use std::fmt::Write;

/// A cell in pixels.
const CELL: (i32, i32) = (8, 20);
/// The free space around the picture, in pixels.
const MARGIN: i32 = 16;
/// The height of the legend, in pixels.
const LEGEND: i32 = 44;
/// The width of the legend, in pixels.
const LEGEND_WIDTH: i32 = 800;
/// The radius of the corners of lines, in pixels.
const RADIUS: i32 = 7;

/// Draws the picture as a standalone SVG document. With `statuses` every box has the sign and the colour of what became of
/// it, a legend says what they mean, and the ways that were gone are thick. Lines of a Catch are dashed.
pub fn svg(graph: &Graph, statuses: Option<&Statuses>) -> String {
    svg_with_links(graph, statuses, None)
}

/// Where a click on a state leads, and which state stands out, for a picture in a page.
#[derive(Clone, Copy)]
pub struct Links<'l> {
    /// The address of a state.
    pub href: &'l dyn Fn(StateId) -> String,
    /// The state that stands out: its link has the class `selected`.
    pub selected: Option<StateId>,
}

impl Links<'_> {
    fn open(&self, out: &mut String, state: StateId) {
        let class = if self.selected == Some(state) { "state selected" } else { "state" };
        // Writing into a String cannot fail.
        let _ = write!(out, "<a class=\"{class}\" href=\"{}\">", escape(&(self.href)(state)));
    }
}

/// Draws as [`svg`] does; each state is a link where there are `links`.
pub fn svg_with_links(graph: &Graph, statuses: Option<&Statuses>, links: Option<Links<'_>>) -> String {
    let wide = graph.width * CELL.0 + 2 * MARGIN;
    let width = if statuses.is_some() { wide.max(LEGEND_WIDTH) } else { wide };
    let drawn = graph.height * CELL.1 + 2 * MARGIN;
    let height = drawn + if statuses.is_some() { LEGEND } else { 0 };
    let mut out = String::new();
    // An image has no links for those who hear the page; a group has.
    let role = if links.is_some() { "group" } else { "img" };
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"{role}\" aria-labelledby=\"title desc\">"
    );
    let _ = writeln!(out, "<title id=\"title\">{}</title>", title(graph));
    let _ = writeln!(out, "<desc id=\"desc\">{}</desc>", description(graph, statuses));
    out.push_str(&style(statuses.is_some()));
    let _ = writeln!(out, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>");
    let _ = writeln!(out, "<g transform=\"translate({} {MARGIN})\">", MARGIN + (width - wide) / 2);
    graph.groups.iter().for_each(|g| linked(&mut out, links, Some(g.state), |out| group(out, g, statuses)));
    for taken in [false, true] {
        graph
            .edges
            .iter()
            .filter(|e| statuses.is_some_and(|s| s.took(e)) == taken)
            .for_each(|e| line(&mut out, e, taken));
    }
    for n in &graph.nodes {
        let state = if let NodeKind::State(id) = n.kind { Some(id) } else { None };
        linked(&mut out, links, state, |out| node(out, n, statuses));
    }
    for edge in &graph.edges {
        label(&mut out, edge, statuses.is_some_and(|s| s.took(edge)));
    }
    out.push_str("</g>\n");
    if statuses.is_some() {
        legend(&mut out, drawn);
    }
    out.push_str("</svg>\n");
    out
}

/// What `draw` draws, within a link to the state, if there is one.
fn linked(out: &mut String, links: Option<Links<'_>>, state: Option<StateId>, draw: impl FnOnce(&mut String)) {
    let Some((links, state)) = links.zip(state) else { return draw(out) };
    links.open(out, state);
    draw(out);
    out.push_str("</a>\n");
}

fn title(graph: &Graph) -> String {
    graph.comment.as_ref().map_or("State machine".to_owned(), |c| escape(c))
}

/// The picture in words: how much there is, and with an execution what became of what.
fn description(graph: &Graph, statuses: Option<&Statuses>) -> String {
    let names = graph.names();
    let mut out = format!("A state machine of {} states.", names.len());
    let Some(statuses) = statuses else { return out };
    for status in Status::ALL {
        let of: Vec<String> =
            names.iter().filter(|(id, _)| statuses.of(**id) == status).map(|(_, name)| escape(name)).collect();
        if !of.is_empty() {
            let _ = write!(out, " {}: {}.", status.name(), of.join(", "));
        }
    }
    out
}

/// A class for everything, twice: readers without custom properties draw this, too.
fn style(with_statuses: bool) -> String {
    let mut out = String::from(
        "<style>\n\
         text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif}\n\
         .ground{fill:#ffffff}.box{fill:#ffffff;stroke:#57606a;stroke-width:1.2}.group{fill:#f6f8fa;stroke:#8c959f;stroke-width:1.2}\n\
         .lane{fill:#ffffff}.name{font-size:13px;font-weight:600;fill:#1b1f24}.tag{font-size:10px;fill:#57606a}\n\
         .marker{fill:#57606a}.marker-name{font-size:12px;font-weight:600;fill:#ffffff}\n\
         .line{fill:none;stroke:#6e7781;stroke-width:1.4}.head{fill:#6e7781}\n\
         .catch{stroke:#bf6a02;stroke-dasharray:5 4}.head.catch{fill:#bf6a02;stroke:none}\n\
         .halo{fill:#ffffff}.label{font-size:11px;font-family:ui-monospace,SFMono-Regular,Menlo,\"DejaVu Sans Mono\",monospace;fill:#424a53}\n\
         .label.catch{fill:#8f4e00;stroke:none}\n",
    );
    if with_statuses {
        out.push_str(".line{stroke:#c3cad1}.head{fill:#c3cad1}.line.catch{stroke:#e3bf8c}.head.catch{fill:#e3bf8c}\n");
        out.push_str(".line.taken{stroke:#24292f;stroke-width:2.6}.head.taken{fill:#24292f}\n");
        out.push_str(".line.catch.taken{stroke:#bf6a02}.head.catch.taken{fill:#bf6a02}.label.taken{font-weight:700}\n");
        for status in Status::ALL {
            let (fill, stroke) = colours(status);
            let _ = writeln!(
                out,
                ".{0}{{fill:{fill};stroke:{stroke};stroke-width:1.6}}.sign-{0}{{fill:{stroke}}}",
                class(status)
            );
        }
        out.push_str(".not-reached{stroke-dasharray:3 3;stroke-width:1.2}.name.off{fill:#6e7781}\n");
    }
    out.push_str("@media (prefers-color-scheme:dark){\n");
    out.push_str(
        ".ground,.halo{fill:#0d1117}.box{fill:#161b22;stroke:#8b949e}.group{fill:#161b22;stroke:#6e7681}.lane{fill:#0d1117}\n\
         .name{fill:#e6edf3}.tag,.label{fill:#9da7b1}.marker{fill:#8b949e}.marker-name{fill:#0d1117}\n\
         .line{stroke:#8b949e}.head{fill:#8b949e}.catch{stroke:#d29922}.head.catch,.label.catch{fill:#d29922}\n",
    );
    if with_statuses {
        out.push_str(".line{stroke:#3d444d}.head{fill:#3d444d}.line.catch{stroke:#5c4813}.head.catch{fill:#5c4813}\n");
        out.push_str(".line.taken{stroke:#e6edf3}.head.taken{fill:#e6edf3}.line.catch.taken{stroke:#d29922}.head.catch.taken{fill:#d29922}\n");
        for status in Status::ALL {
            let (fill, stroke) = dark(status);
            let _ = writeln!(out, ".{0}{{fill:{fill};stroke:{stroke}}}.sign-{0}{{fill:{stroke}}}", class(status));
        }
        out.push_str(".name.off{fill:#8b949e}\n");
    }
    out.push_str("}\n</style>\n");
    out
}

/// The fill and the stroke of a status, on dark ground.
fn dark(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::NotReached => ("#161b22", "#484f58"),
        Status::InProgress => ("#0c2d6b", "#58a6ff"),
        Status::Succeeded => ("#0f3d20", "#3fb950"),
        Status::Caught => ("#4b2900", "#e3a02b"),
        Status::Aborted => ("#3c1e70", "#bc8cff"),
        Status::Failed => ("#67060c", "#ff7b72"),
    }
}

/// The middle of a cell.
fn middle(p: Point) -> (i32, i32) {
    (p.x * CELL.0 + CELL.0 / 2, p.y * CELL.1 + CELL.1 / 2)
}

/// A box's border runs through the middles of its border cells, where lines end.
fn border(rect: &Rect) -> (i32, i32, i32, i32) {
    let (x, y) = middle(Point::new(rect.x, rect.y));
    (x, y, (rect.w - 1) * CELL.0, (rect.h - 1) * CELL.1)
}

fn node(out: &mut String, node: &Node, statuses: Option<&Statuses>) {
    let (x, y, w, h) = border(&node.rect);
    let (cx, cy) = (x + w / 2, y + h / 2);
    let NodeKind::State(id) = node.kind else {
        let (class, text, name) = match node.kind {
            NodeKind::Jump(_) => ("box", "name", format!("→ {}", node.lines.join(" "))),
            _ => ("marker", "marker-name", node.lines.join(" ")),
        };
        let _ = writeln!(out, "<g><title>{}</title>", escape(&node.name));
        let _ = writeln!(out, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"20\"/>");
        let _ = writeln!(
            out,
            "<text class=\"{text}\" x=\"{cx}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>",
            cy + 4,
            escape(&name)
        );
        return;
    };
    let status = statuses.map(|s| s.of(id));
    let told = told(statuses, id);
    let _ = writeln!(out, "<g><title>{}{told}</title>", escape(&node.name));
    let _ = writeln!(
        out,
        "<rect class=\"box {}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>",
        status.map_or("", class)
    );
    let first = cy - 8 * (node.lines.len() as i32 - 1);
    let _ = writeln!(out, "<text class=\"tag\" x=\"{}\" y=\"{}\">{}</text>", x + 8, y + 15, escape(&node.tag));
    sign(out, status, x + w - 8, y + 17);
    names(out, &node.lines, status, cx, first + 12);
    out.push_str("</g>\n");
}

/// The sign of a status in the upper right corner.
fn sign(out: &mut String, status: Option<Status>, x: i32, y: i32) {
    let Some(status) = status else { return };
    let style = "font-size=\"15\" font-weight=\"700\" text-anchor=\"end\"";
    let _ = writeln!(
        out,
        "<text class=\"sign-{}\" x=\"{x}\" y=\"{y}\" {style}>{}</text>",
        class(status),
        status.glyph(true)
    );
}

fn names(out: &mut String, lines: &[String], status: Option<Status>, x: i32, y: i32) {
    let off = if status == Some(Status::NotReached) { " off" } else { "" };
    for (i, line) in (0..).zip(lines) {
        let y = y + 16 * i;
        let _ = writeln!(
            out,
            "<text class=\"name{off}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
            escape(line)
        );
    }
}

/// What became of a state, and how it fared.
fn told(statuses: Option<&Statuses>, id: StateId) -> String {
    let Some(statuses) = statuses else { return String::new() };
    let facts = statuses.facts.get(&id).map(|facts| format!(", {}", facts.words())).unwrap_or_default();
    format!(": {}{facts}", statuses.of(id).name())
}

fn group(out: &mut String, group: &Group, statuses: Option<&Statuses>) {
    let (x, y, w, h) = border(&group.rect);
    let status = statuses.map(|s| s.of(group.state));
    let told = told(statuses, group.state);
    let _ = writeln!(out, "<g><title>{}{told}</title>", escape(&group.name));
    let _ = writeln!(
        out,
        "<rect class=\"group {}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"10\"/>",
        status.map_or("", class)
    );
    for lane in &group.lanes {
        let (x, y) = (lane.x * CELL.0 - 8, lane.y * CELL.1 - 4);
        let (w, h) = (lane.w * CELL.0 + 16, lane.h * CELL.1);
        let _ = writeln!(out, "<rect class=\"lane\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>");
    }
    let _ = writeln!(out, "<text class=\"tag\" x=\"{}\" y=\"{}\">{}</text>", x + 10, y + 15, escape(&group.tag));
    sign(out, status, x + w - 10, y + 18);
    names(out, &group.lines, status, x + w / 2, y + 25);
    out.push_str("</g>\n");
}

/// A line with rounded corners, and its arrow. It is drawn from its end, so that dashed lines that join have their dashes
/// at the same places from there on.
fn line(out: &mut String, edge: &Edge, taken: bool) {
    let mut points: Vec<(i32, i32)> = edge.points.iter().rev().map(|p| middle(*p)).collect();
    let [end, before, ..] = points[..] else { return };
    points[0] = towards(end, before, 8);
    let mut path = format!("M{} {}", points[0].0, points[0].1);
    for three in points.windows(3) {
        let (a, b, c) = (three[0], three[1], three[2]);
        let (p, q) = (towards(b, a, RADIUS), towards(b, c, RADIUS));
        // Writing into a String cannot fail.
        let _ = write!(path, "L{} {}Q{} {} {} {}", p.0, p.1, b.0, b.1, q.0, q.1);
    }
    if let Some(first) = points.last() {
        let _ = write!(path, "L{} {}", first.0, first.1);
    }
    let catch = if edge.kind == EdgeKind::Catch { " catch" } else { "" };
    let classes = format!("{catch}{}", if taken { " taken" } else { "" });
    let _ = writeln!(out, "<path class=\"line{classes}\" d=\"{path}\"/>");
    let (dx, dy) = ((end.0 - before.0).signum(), (end.1 - before.1).signum());
    let back = (end.0 - 10 * dx, end.1 - 10 * dy);
    let (left, right) = ((back.0 + 5 * dy, back.1 - 5 * dx), (back.0 - 5 * dy, back.1 + 5 * dx));
    let _ = writeln!(
        out,
        "<path class=\"head{classes}\" d=\"M{} {}L{} {}L{} {}Z\"/>",
        end.0, end.1, left.0, left.1, right.0, right.1
    );
}

/// The point `by` pixels from `from` towards `to`, at most half the way.
fn towards(from: (i32, i32), to: (i32, i32), by: i32) -> (i32, i32) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let by = by.min((dx.abs() + dy.abs()) / 2);
    (from.0 + by * dx.signum(), from.1 + by * dy.signum())
}

fn label(out: &mut String, edge: &Edge, taken: bool) {
    let Some(label) = &edge.label else { return };
    let (x, y) = (label.rect.x * CELL.0, label.rect.y * CELL.1);
    let w = label.rect.w * CELL.0;
    let catch = if edge.kind == EdgeKind::Catch { " catch" } else { "" };
    let taken = if taken { " taken" } else { "" };
    let _ = writeln!(out, "<g><title>{}</title>", escape(&label.full));
    let _ = writeln!(
        out,
        "<rect class=\"halo\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"16\" rx=\"3\"/>",
        x + 2,
        y + 2,
        w - 4
    );
    let _ = writeln!(
        out,
        "<text class=\"label{catch}{taken}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>",
        x + w / 2,
        y + 14,
        escape(&label.text)
    );
}

fn legend(out: &mut String, top: i32) {
    let _ = writeln!(out, "<g transform=\"translate({MARGIN} {top})\">");
    let mut x = 0;
    for status in Status::ALL {
        let _ =
            writeln!(out, "<rect class=\"{}\" x=\"{x}\" y=\"4\" width=\"22\" height=\"18\" rx=\"4\"/>", class(status));
        sign(out, Some(status), x + 18, 18);
        let _ = writeln!(out, "<text class=\"tag\" x=\"{}\" y=\"17\">{}</text>", x + 28, status.name());
        x += 44 + 6 * status.name().len() as i32;
    }
    for (classes, words) in [("line taken", "way taken"), ("line catch taken", "on error")] {
        let _ = writeln!(out, "<path class=\"{classes}\" d=\"M{x} 13L{} 13\"/>", x + 26);
        let _ = writeln!(out, "<text class=\"tag\" x=\"{}\" y=\"17\">{words}</text>", x + 32);
        x += 46 + 6 * words.len() as i32;
    }
    out.push_str("</g>\n");
}

/// Text for XML: no markup, nothing XML forbids.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
