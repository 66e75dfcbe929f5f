//! Real functions on real workers.

mod commands;
mod door;
mod environment;
mod harness;
mod logs;
mod node;
mod orphans;
mod pooling;
mod provided;
mod python;
mod reload;
mod specs;
mod urls;
