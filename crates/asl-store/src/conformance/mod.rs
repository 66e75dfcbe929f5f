//! What every store has to keep of its promises. `services` and `catalogue` panic where one is broken; `store` names the rule.

pub mod catalogue;
mod concurrent;
pub mod in_memory;
pub mod services;
pub mod store;
