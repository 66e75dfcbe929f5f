//! Draws one flow: boxes of known size, and the links between them.

use crate::layers::{self, Item, Role};
use crate::model::{Point, Rect};
use crate::order::order;
use crate::place::place;
use crate::rank::{Link, rank};
use crate::route::{joined, route};

/// The rows a box needs for an edge to itself: one out, one in, besides its border.
pub(crate) const LOOP_HEIGHT: i32 = 4;

/// Where the boxes and links of a flow are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawn {
    pub(crate) w: i32,
    pub(crate) h: i32,
    /// The top left cells of the items.
    pub(crate) items: Vec<Point>,
    pub(crate) links: Vec<Line>,
}

/// Where a link is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// From its start to its end.
    pub(crate) points: Vec<Point>,
    pub(crate) label: Option<Rect>,
    /// The box it ends at when its target is too far away.
    pub(crate) jump: Option<Rect>,
}

/// The columns an edge to itself takes on the right of a box.
pub(crate) fn loop_width(label: i32) -> i32 {
    4 + label
}

/// Draws a flow. The first item is where it starts.
pub(crate) fn draw(items: &[Item], links: &[Link]) -> Drawn {
    let mut items = items.to_vec();
    let mut links = links.to_vec();
    let mut ranks = rank(items.len(), &links);
    let jumps = layers::cut(&mut items, &mut links, &mut ranks);
    let mut graph = layers::build(&items, &links, &ranks);
    order(&mut graph);
    let axis = place(&graph);
    let routed = route(&graph, &axis);
    let corner = |v: usize| Point::new(axis[v] - graph.vertices[v].left, routed.top[graph.vertices[v].layer]);
    let mut drawn = Drawn { items: (0..items.len()).map(corner).collect(), ..Drawn::default() };
    for (i, link) in links.iter().enumerate() {
        let points = routed.lines[i].clone();
        let jump = jumps.get(&i).map(|item| Rect::new(drawn.items[*item], items[*item].w, items[*item].h));
        drawn.links.push(Line { points, label: None, jump });
        if link.from == link.to {
            let rect = Rect::new(drawn.items[link.from], items[link.from].w, items[link.from].h);
            let nth = links[..i].iter().filter(|l| l.from == l.to && l.from == link.from).count();
            drawn.links[i] = around(rect, link, nth as i32);
        }
    }
    for (v, vertex) in graph.vertices.iter().enumerate() {
        if let Role::Label(link) = vertex.role {
            // Labels stand on the lowest row of their layer, which has only labels.
            drawn.links[link].label = Some(Rect::new(corner(v), vertex.left + vertex.right, 1));
        }
    }
    let ends = graph.vertices.iter().zip(&axis).map(|(v, x)| x + v.right);
    let lines = drawn.links.iter().flat_map(|l| &l.points).map(|p| p.x + 1);
    drawn.w = ends.chain(lines).max().unwrap_or(0);
    drawn.h = routed.height;
    drawn
}

/// The `nth` edge from a box to itself: out of its right side and in again.
fn around(rect: Rect, link: &Link, nth: i32) -> Line {
    let (right, up, down) = (rect.right(), rect.y + 1 + 2 * nth, rect.y + 2 + 2 * nth);
    let corners = [(right, down), (right + 3, down), (right + 3, up), (right, up)];
    let points = joined(corners.into_iter().map(|(x, y)| Point::new(x, y)));
    let label = (link.label > 0).then(|| Rect::new(Point::new(right + 4, up), link.label, 1));
    Line { points, label, jump: None }
}
