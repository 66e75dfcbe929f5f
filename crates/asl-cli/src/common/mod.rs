//! What several commands share.

pub(crate) mod clock;
pub(crate) mod definition;
pub(crate) mod engine;
pub(crate) mod find;
pub(crate) mod input;
pub(crate) mod interrupt;
pub(crate) mod mocks;
pub(crate) mod owner;
pub(crate) mod place;
pub(crate) mod services;
pub(crate) mod threads;
pub(crate) mod watch;
