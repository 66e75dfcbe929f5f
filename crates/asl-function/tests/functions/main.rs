//! Real functions on real workers.

mod harness;
mod node;
mod pooling;
mod provided;
mod python;
mod specs;
mod urls;
