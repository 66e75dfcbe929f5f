//! Draws state machines and what became of an execution: text for the terminal, SVG, Mermaid, DOT.
//!
//! ```
//! use asl_render::{TextOptions, layout, text};
//! use asl_syntax::{Options, Source, load};
//!
//! let source = Source::new("hello", r#"{"StartAt": "Hello", "States": {"Hello": {"Type": "Succeed"}}}"#);
//! let definition = load(&source, &Options::default()).definition.unwrap();
//! let picture = text(&layout(&definition), None, &TextOptions::default());
//! assert!(picture.contains("│   Hello    │"), "{picture}");
//! ```
//!
//! One layered layout ([`layout()`]) gives one set of coordinates, in character cells, for every output: what does not
//! overlap in the terminal does not overlap in the SVG. Each flow is laid out by itself, the innermost first; a Parallel
//! or Map is then a box of known size in the flow around it. A flow goes through the classical steps, a file each:
//!
//! 1. `rank`: loops are turned round, every state gets a row;
//! 2. `layers`: long edges get a bend in every row they pass, labels get a row of their own;
//! 3. `order`: the order within the rows, with few crossings;
//! 4. `place`: the columns, the main path straight;
//! 5. `route`: the edges as horizontal and vertical lines, each on a track of its own.
//!
//! Architecture Invariant: this crate does no I/O and reads only the definition and the events; equal arguments give
//! equal pictures, to the byte.
#![forbid(unsafe_code)]

mod build;
mod canvas;
mod dot;
mod draw;
mod label;
mod layers;
mod layout;
mod list;
mod mermaid;
mod model;
mod order;
mod place;
mod ports;
mod rank;
mod route;
mod status;
mod svg;
mod text;
mod tracks;
mod visible;

pub use dot::dot;
pub use layout::{layout, layout_flow, layout_within};
pub use mermaid::mermaid;
pub use model::{Edge, EdgeKind, Graph, Group, Label, Node, NodeKind, Place, Point, Rect};
pub use status::{Facts, Status, Statuses, statuses};
pub use svg::{Links, svg, svg_with_links};
pub use text::{TextOptions, text};
pub use visible::{is_control, visible};
