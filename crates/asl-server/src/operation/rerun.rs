//! What AWS has no operation for: an execution done again from a state on, and a wait that ends now.

use super::{Answer, Api, Params};
use crate::arn::{Arn, check_name};
use crate::wire::ApiError;
use asl::parts::syntax::{Options, Source, create_error_message, load};
use asl::{Definition, RerunAs, Value, aws, stored_options};
use std::sync::Arc;

impl Api {
    /// A new execution that begins at a state which another one came to.
    pub(super) async fn rerun_execution(&self, p: Params<'_>) -> Answer {
        let arn = Arn::of(p.required("executionArn"), &["execution"])?.text;
        let row = self.execution(arn).await?;
        if let Some(name) = p.text("name") {
            check_name(name)?;
        }
        let definition = p.text("definition").map(|text| read(&row.state_machine, text)).transpose()?;
        let again = RerunAs { from: p.required("state"), input: p.text("input"), definition, name: p.text("name") };
        let started = self.engine.rerun(&row.arn, again).await?;
        let row = self.execution(&started.arn).await?;
        Ok(aws::start_execution(&row.arn, row.started).as_object().cloned().unwrap_or_default())
    }

    /// Ends what the state entered by an event waits for: its Wait goes on, its retry is made.
    pub(super) async fn skip_wait(&self, p: Params<'_>) -> Answer {
        let arn = Arn::of(p.required("executionArn"), &["execution"])?.text;
        let row = self.execution(arn).await?;
        let event = p.0.get("eventId").and_then(Value::as_i64).and_then(|event| u64::try_from(event).ok());
        self.engine.hurry(&row.arn, event.unwrap_or(0)).await?;
        Ok(asl::Map::new())
    }
}

fn read(name: &str, text: &str) -> Result<Arc<Definition>, ApiError> {
    let loaded = load(&Source::new(name, text), &Options { lints: false, ..stored_options(text) });
    let wrong = || ApiError::new("InvalidDefinition", create_error_message(&loaded.diagnostics));
    loaded.definition.clone().ok_or_else(wrong)
}
