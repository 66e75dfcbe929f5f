//! Express executions: started and awaited, with what AWS would bill for them.
//!
//! They run on the engine of all others, over the same store, so that their tasks see the same tables and queues. Nothing describes
//! or lists them afterwards, as on AWS.

use super::{Answer, Api, Params};
use crate::wire::ApiError;
use asl::{Ended, Map, Outcome, Value, aws};

impl Api {
    pub(super) async fn start_sync_execution(&self, p: Params<'_>) -> Answer {
        let resolved = self.resolve(p.required("stateMachineArn")).await?;
        if !resolved.is_express() {
            return Err(wrong_type());
        }
        let machine = resolved.machine.arn.clone();
        let input = super::execution::input(p)?;
        let started = self.begin(resolved, p, input).await?;
        let Ended { outcome, at: stopped } = self.engine.ended(&started).await?;
        let began = match started.at() {
            Some(at) => at,
            None => self.execution(&started.arn).await?.started,
        };
        let mut out = Map::from_iter([
            ("executionArn", &*started.arn),
            ("stateMachineArn", &machine),
            ("name", &started.name),
            ("startDate", &began.to_cli_string()),
            ("stopDate", &stopped.to_cli_string()),
        ]);
        let with_data = !p.metadata_only();
        let included = || Value::from(Map::from_iter([("included", with_data)]));
        if with_data {
            out.insert("input", input);
        }
        out.insert("inputDetails", included());
        out.insert("traceHeader", p.text("traceHeader"));
        match &outcome {
            Outcome::Succeeded(output) => {
                out.insert("status", "SUCCEEDED");
                if with_data {
                    out.insert("output", output.to_string());
                }
                out.insert("outputDetails", included());
            }
            Outcome::Failed(failure) | Outcome::Aborted(failure) | Outcome::TimedOut(failure) => {
                // Nothing stops an Express execution from outside but the end of its state machine.
                out.insert("status", if outcome.status() == "TIMED_OUT" { "TIMED_OUT" } else { "FAILED" });
                out.insert("error", failure.error.clone());
                out.insert("cause", failure.cause.clone());
            }
        }
        out.insert("billingDetails", aws::billing_details(began, stopped));
        Ok(out)
    }
}

pub(super) fn wrong_type() -> ApiError {
    ApiError::new("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
}
