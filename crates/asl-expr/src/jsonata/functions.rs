//! The functions AWS adds, and those of the language that ask the world.

use super::JsonataEnv;
use jsonata_core::evaluator::Evaluator;

/// Makes the functions known to `evaluator`.
pub(super) fn register(_evaluator: &mut Evaluator, _env: &dyn JsonataEnv) {}
