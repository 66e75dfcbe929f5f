//! What can be said only about several states together.

mod errors;
mod graph;
pub(crate) mod variables;
