//! What is run: a definition, the executions of it, and who stops them.

use crate::{Dice, generate};
use asl_core::{Execution, ExecutionType};
use asl_syntax::model::Definition;
use asl_syntax::{Options, Source, load};
use std::sync::Arc;

/// A definition and its executions.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The definition's text.
    pub text: String,
    /// The definition.
    pub definition: Arc<Definition>,
    /// Who is started.
    pub executions: Vec<Execution>,
    /// When somebody stops one of them: which, and milliseconds from the beginning.
    pub stops: Vec<(usize, i64)>,
    /// What the world's answers are drawn from.
    pub seed: u64,
}

impl Scenario {
    /// A random one of one to `most` executions.
    ///
    /// # Panics
    /// When the generator made a definition that does not load.
    pub fn roll(dice: &mut Dice, most: u64) -> Scenario {
        let text = generate::definition(dice);
        let loaded = load(&Source::new("definition", text.clone()), &Options { lints: false, ..Options::default() });
        let definition = loaded
            .definition
            .unwrap_or_else(|| panic!("the definition does not load: {:?}\n{text}", loaded.diagnostics));
        let seed = dice.below(256);
        let count = 1 + dice.below(most) as usize;
        let executions = (0..count).map(|n| execution(n, seed, generate::input(dice))).collect();
        let stops = (0..count).filter(|_| dice.percent(15)).map(|n| (n, (seed as i64 * 37 + n as i64 * 911) % 9000));
        Scenario { text, definition, executions, stops: stops.collect(), seed }
    }
}

fn execution(n: usize, seed: u64, input_text: String) -> Execution {
    let account = "arn:aws:states:us-east-1:123456789012";
    Execution {
        arn: format!("{account}:execution:machine:run-{n}").into(),
        name: format!("run-{n}").into(),
        state_machine_arn: format!("{account}:stateMachine:machine").into(),
        state_machine_name: "machine".into(),
        role_arn: "arn:aws:iam::123456789012:role/machine".into(),
        region: "us-east-1".into(),
        execution_type: ExecutionType::Standard,
        seed: asl_core::draw(seed, n as u64, 0),
        // Every other one has tokens of the old kind.
        token_key: n.is_multiple_of(2).then(|| asl_core::TokenKey::new([n as u8; 32])),
        input: input_text.parse().unwrap_or_default(),
        input_text: input_text.into(),
    }
}
