//! A world for the real machine: seeded, in virtual time, on one thread.
//!
//! - [`generate`] makes random definitions and inputs.
//! - [`Sim`] drives their executions over a model of the journal, by the engine's own protocol: write first, then act.
//!   In calm weather nothing goes wrong, or the process dies after every single record; in a storm tasks fail, time out,
//!   answer late, twice, at once or never, the clock jumps, the store refuses, and the process dies at any commit, drains, or is
//!   held while another takes over. Clients in other processes leave their signals in the inbox.
//! - What must hold whatever happened is checked all along and at the end ([`Report::broken`]).
//! - [`Sabotage`] breaks one rule of the protocol on purpose: proof that the checks see it.
//!
//! The machine is `asl-core`'s own, and so is the protocol around it ([`asl_engine::protocol`]): what to take in, when to write, act,
//! leave memory and hand over is decided there. Here it is carried out in virtual time, as the engine's drivers carry it out with
//! tokio.
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
