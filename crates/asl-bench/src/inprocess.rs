//! A function in this process: called as the engine calls it, beside the function itself.

use crate::Bench;
use crate::load::{Echo, INPUT};
use crate::measure::{in_turns, median};
use crate::report::Figure;
use asl_syntax::Resource;
use asl_task::Backends;
use asl_task::embedded::{Identity, Services, ServicesSpec};
use asl_task::function::{FunctionSet, Handler};
use asl_value::Value;
use std::sync::Arc;
use std::time::Duration;

/// The benches of this file.
pub(crate) const BENCHES: &[Bench] = &[("function.inprocess", inprocess)];

const SLICE: Duration = Duration::from_millis(400);
/// How many calls between two looks at the clock.
const CALLS: u64 = 1_000;
const REQUEST: &str = "8f5072a4-0c5e-4a25-8f6a-2e3a1a6f8a11";

/// Calls through the layer that every Task state with `lambda:invoke` goes through: which function it is, what its event
/// is, and its answer as AWS wraps it. What comes before and after, the machine and the commits, is in the other benches.
fn inprocess() -> Vec<Figure> {
    let identity = Identity::new("us-east-1", "000000000000");
    let mut functions = FunctionSet::new(identity.clone());
    functions.add("Step", Arc::new(Echo));
    let services = Services::new(&ServicesSpec::default(), identity).expect("no declarations have no mistakes");
    let backends = Backends::new(functions, Arc::new(services));
    let invoke = Resource::parse("arn:aws:states:::lambda:invoke").expect("a resource");
    let event: Value = INPUT.parse().expect("JSON");
    let parameters: Value = format!(r#"{{"FunctionName": "Step", "Payload": {INPUT}}}"#).parse().expect("JSON");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut through = || {
        runtime.block_on(async {
            for _ in 0..CALLS {
                // As the engine does for each call.
                let backend = backends.resolve(&invoke).expect("a backend");
                let call = asl_task::Call { parameters: &parameters, key: REQUEST, role_arn: None };
                let answer = backend.call(&call).await;
                std::hint::black_box(answer.expect("an answer"));
            }
        });
        CALLS
    };
    let handler: Arc<dyn Handler> = Arc::new(Echo);
    let mut itself = || {
        runtime.block_on(async {
            for _ in 0..CALLS {
                std::hint::black_box(handler.handle(event.clone(), REQUEST).await.expect("an answer"));
            }
        });
        CALLS
    };
    let rounds = in_turns(SLICE, [&mut through, &mut itself]);
    let mut rates: Vec<f64> = rounds.iter().map(|[through, _]| *through).collect();
    let figure = Figure::higher("function in this process", median(&mut rates), "calls/s");
    vec![figure.under(rounds.into_iter().map(<(f64, f64)>::from), "the function itself")]
}
