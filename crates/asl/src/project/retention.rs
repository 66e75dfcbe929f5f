//! How long executions that have ended are kept.

use asl_expr::Timestamp;
use asl_journal::{Purge, Status};
use serde::Deserialize;

/// How long workers keep executions that have ended, with their histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Retention {
    /// For so many days after they ended.
    pub days: u16,
    /// Those that failed, timed out or were aborted: for so many days instead, to look into them or redrive them.
    pub failed_days: Option<u16>,
}

impl Retention {
    /// What is to be deleted at a time.
    pub fn purges(&self, now: Timestamp) -> Vec<Purge> {
        let purge = |status, days: u16| Purge {
            ended_before: now.plus_ms(-i64::from(days) * 24 * 3_600_000),
            status,
            state_machine: None,
        };
        match self.failed_days {
            None => vec![purge(None, self.days)],
            Some(failed_days) => vec![
                purge(Some(Status::Succeeded), self.days),
                purge(Some(Status::Failed), failed_days),
                purge(Some(Status::TimedOut), failed_days),
                purge(Some(Status::Aborted), failed_days),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_back_from_now() {
        let now = Timestamp::from_millis(100 * 24 * 3_600_000);
        let told = |retention: Retention| -> Vec<(Option<Status>, i64)> {
            let days = |purge: &Purge| purge.ended_before.millis() / (24 * 3_600_000);
            retention.purges(now).iter().map(|purge| (purge.status, days(purge))).collect()
        };
        assert_eq!(told(Retention { days: 30, failed_days: None }), [(None, 70)]);
        let longer = told(Retention { days: 30, failed_days: Some(90) });
        assert_eq!(longer[0], (Some(Status::Succeeded), 70));
        assert_eq!(longer[1..].iter().map(|(_, day)| *day).collect::<Vec<_>>(), [10, 10, 10]);
    }
}
