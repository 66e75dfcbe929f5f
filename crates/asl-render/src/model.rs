//! The picture: boxes, boxes around boxes, and lines, with their coordinates.
//!
//! All coordinates are character cells: `x` counts columns to the right, `y` rows downward, from 0. A box covers its
//! border cells, so a line that ends on a border ends in a cell of the box.

use asl_syntax::model::{StateId, StateType};
use std::sync::Arc;

/// A cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The column.
    pub x: i32,
    /// The row.
    pub y: i32,
}

impl Point {
    /// The cell in column `x` and row `y`.
    pub fn new(x: i32, y: i32) -> Point {
        Point { x, y }
    }

    pub(crate) fn plus(self, by: Point) -> Point {
        Point::new(self.x + by.x, self.y + by.y)
    }
}

/// A rectangle of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// The leftmost column.
    pub x: i32,
    /// The topmost row.
    pub y: i32,
    /// How many columns.
    pub w: i32,
    /// How many rows.
    pub h: i32,
}

impl Rect {
    /// The rectangle with this top left cell and size.
    pub fn new(at: Point, w: i32, h: i32) -> Rect {
        Rect { x: at.x, y: at.y, w, h }
    }

    /// The rightmost column.
    pub fn right(&self) -> i32 {
        self.x + self.w - 1
    }

    /// The bottom row.
    pub fn bottom(&self) -> i32 {
        self.y + self.h - 1
    }

    /// Whether the two share a cell.
    pub fn overlaps(&self, other: &Rect) -> bool {
        self.x <= other.right() && other.x <= self.right() && self.y <= other.bottom() && other.y <= self.bottom()
    }

    /// Whether `other` is inside and touches no border cell.
    pub fn surrounds(&self, other: &Rect) -> bool {
        self.x < other.x && other.right() < self.right() && self.y < other.y && other.bottom() < self.bottom()
    }

    /// Whether the cell is one of the border.
    pub fn on_border(&self, p: Point) -> bool {
        let inside = (self.x..=self.right()).contains(&p.x) && (self.y..=self.bottom()).contains(&p.y);
        inside && (p.x == self.x || p.x == self.right() || p.y == self.y || p.y == self.bottom())
    }
}

/// What an edge connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The start marker of the whole machine.
    Start,
    /// A state, drawn as a box or, for Parallel and Map, as a box around boxes.
    State(StateId),
    /// The end marker of the whole machine.
    End,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The start marker.
    Start,
    /// The end marker.
    End,
    /// A state that is not a Parallel or Map.
    State(StateId),
    /// Stands for a state that is too far away to draw the line to it: «goes on at …».
    Jump(StateId),
}

/// A box.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// The whole name.
    pub name: Arc<str>,
    /// The name as it is written into the box, a line each.
    pub lines: Vec<String>,
    /// The state's type, and for a Task what it calls: `Task dynamodb:putItem`. Empty for markers.
    pub tag: String,
    /// Where it is.
    pub rect: Rect,
    /// The group around it: an index into [`Graph::groups`].
    pub group: Option<usize>,
}

/// A box around boxes: a Parallel or a Map.
#[derive(Clone, Debug)]
pub struct Group {
    /// The state.
    pub state: StateId,
    /// Its type: Parallel or Map.
    pub state_type: StateType,
    /// The whole name.
    pub name: Arc<str>,
    /// The name as it is written into the box, a line each.
    pub lines: Vec<String>,
    /// The state's type with what it adds: `Parallel`, `Map distributed`.
    pub tag: String,
    /// Where it is.
    pub rect: Rect,
    /// Where its branches are, left to right; a Map has one. Each is inside [`Group::rect`].
    pub lanes: Vec<Rect>,
    /// The group around it: an index into [`Graph::groups`], smaller than its own.
    pub group: Option<usize>,
}

/// Why an edge is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// `Next`, `StartAt`, or the way to the end marker.
    Next,
    /// A rule of a Choice.
    Choice,
    /// `Default` of a Choice.
    Default,
    /// `Catch`.
    Catch,
}

/// A text beside or on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// As it is drawn, at most 28 columns.
    pub text: String,
    /// All of it, at most some hundred characters.
    pub full: String,
    /// Where it is, with a blank column on either side.
    pub rect: Rect,
}

/// A line with an arrow at its end. Rules of one Choice that lead to the same state are one edge, and so are catchers.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Where it comes from.
    pub from: Place,
    /// Where it leads.
    pub to: Place,
    /// Why it is taken.
    pub kind: EdgeKind,
    /// The condition of a rule, the errors of a catcher.
    pub label: Option<Label>,
    /// Its corners, from border to border; each part is horizontal or vertical.
    pub points: Vec<Point>,
    /// The box it ends at, an index into [`Graph::nodes`], when that is a [`NodeKind::Jump`] in place of `to`.
    pub jump: Option<usize>,
}

/// A picture of a state machine.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// How many columns it covers.
    pub width: i32,
    /// How many rows it covers.
    pub height: i32,
    /// The boxes, in the order of the definition.
    pub nodes: Vec<Node>,
    /// The boxes around boxes, outer ones first.
    pub groups: Vec<Group>,
    /// The lines.
    pub edges: Vec<Edge>,
    /// The `Comment` of the machine.
    pub comment: Option<Arc<str>>,
}

impl Graph {
    /// The name of what an edge connects.
    pub(crate) fn names(&self) -> std::collections::BTreeMap<StateId, &str> {
        let nodes = self.nodes.iter().filter_map(|n| match n.kind {
            NodeKind::State(id) => Some((id, &*n.name)),
            _ => None,
        });
        nodes.chain(self.groups.iter().map(|g| (g.state, &*g.name))).collect()
    }
}
