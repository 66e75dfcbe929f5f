//! GetExecutionHistory: pages of events, from either end.

use super::{Answer, Api, Params, list};
use crate::arn::Arn;
use crate::page::Paging;
use asl::parts::store::Page;
use asl::{ExecutionRow, Map, Value, to_aws};

/// What is left out of an event's details when no execution data is wanted.
const DATA: [&str; 6] = ["input", "output", "parameters", "inputDetails", "outputDetails", "assignedVariables"];

impl Api {
    pub(super) async fn get_execution_history(&self, p: Params<'_>) -> Answer {
        let arn = Arn::execution(p.required("executionArn"))?.text;
        let paging = Paging::read("GetExecutionHistory", p.0, self.now())?;
        let row = self.execution(arn).await?;
        let page = Page {
            reverse: p.flag("reverseOrder").unwrap_or(false),
            after: paging.after.as_deref().and_then(|id| id.parse().ok()),
            limit: Some(paging.limit + 1),
        };
        let mut events = self.store().history(row.id, page).await?;
        let next = paging.cut(&mut events, |event| event.id.to_string());
        let with_data = p.flag("includeExecutionData").unwrap_or(true);
        let mut out =
            Map::from_iter([("events", list(events.iter().map(|event| shown(to_aws(event), &row, with_data))))]);
        out.insert("nextToken", next);
        Ok(out)
    }
}

/// An event as it is told: the first one names version and alias, and payloads only where they are wanted.
fn shown(event: Value, row: &ExecutionRow, with_data: bool) -> Value {
    let is_first = event.get("type").and_then(Value::as_str) == Some("ExecutionStarted") && row.started_as.is_some();
    if with_data && !is_first {
        return event;
    }
    let Some(mut event) = event.as_object().cloned() else { return event };
    let details = event.keys().find(|key| key.ends_with("EventDetails")).cloned();
    if let Some(details) = details.and_then(|key| event.get_mut(&key))
        && let Some(mut members) = details.as_object().cloned()
    {
        if is_first {
            super::execution::put_started_as(&mut members, row);
        }
        for name in DATA.iter().filter(|_| !with_data) {
            members.remove(name);
        }
        *details = members.into();
    }
    event.into()
}
