//! A world for the real machine: seeded, in virtual time, on one thread.
//!
//! - [`generate`] makes random definitions and inputs.
//! - [`Sim`] drives their executions over a model of the journal, by the engine's own protocol: write first, then act.
//!   In calm weather nothing goes wrong, or the process dies after every single record; in a storm tasks fail, time out,
//!   answer late, twice or never, the clock jumps, the store refuses, and the process dies at any commit.
//! - What must hold whatever happened is checked all along and at the end ([`Report::broken`]).
//! - [`Sabotage`] breaks one rule of the protocol on purpose: proof that the checks see it.
//!
//! The machine is `asl-core`'s own. The driver here is a second one, because the engine's runs on tokio and the real
//! clock; what it does between two commits is the same, in the same order.
//!
//! A development tool: nothing depends on it.
#![forbid(unsafe_code)]

mod check;
mod dice;
pub mod generate;
pub mod leases;
mod sabotage;
mod scenario;
mod sim;
mod store;
mod world;

pub use dice::Dice;
pub use sabotage::Sabotage;
pub use scenario::Scenario;
pub use sim::{Report, Sim, Stats, Weather};
pub use store::{Exec, Row, Store, rebuild};
