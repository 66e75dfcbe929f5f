//! Answers to task tokens.

use super::{Answer, Api, Params};
use crate::wire::ApiError;
use asl::{Failure, Map, Value};

impl Api {
    pub(super) async fn send_task_success(&self, p: Params<'_>) -> Answer {
        let output: Result<Value, _> = p.required("output").parse();
        let output =
            output.map_err(|error| ApiError::new("InvalidOutput", format!("Invalid Output: '{}'", error.kind)))?;
        self.engine.send_task_success(p.required("taskToken"), output).await?;
        Ok(Map::new())
    }

    pub(super) async fn send_task_failure(&self, p: Params<'_>) -> Answer {
        self.engine.send_task_failure(p.required("taskToken"), failure(p)).await?;
        Ok(Map::new())
    }

    pub(super) async fn send_task_heartbeat(&self, p: Params<'_>) -> Answer {
        self.engine.send_task_heartbeat(p.required("taskToken")).await?;
        Ok(Map::new())
    }
}

/// `error` and `cause` of a request.
pub(super) fn failure(p: Params<'_>) -> Failure {
    Failure { error: p.text("error").map(Into::into), cause: p.text("cause").map(Into::into) }
}
