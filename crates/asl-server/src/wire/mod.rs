//! AWS JSON: requests checked and responses shaped by one table of facts.

mod check;
mod error;
mod render;
mod table;

pub(crate) use check::check;
pub(crate) use error::ApiError;
pub(crate) use render::render;
pub(crate) use table::own;
pub use table::{Member, Operation, Shape, Span, Table, table};
