//! Activities: their place in the catalogue, and the workers that ask for their tasks.

use super::{Answer, Api, Params, configuration, list, tag};
use crate::arn::{Arn, check_name};
use crate::page::Paging;
use crate::wire::ApiError;
use asl::parts::store::{ActivityRow, After};
use asl::{EngineError, Map, Value};
use std::time::Duration;

/// How long a worker that asks for a task waits at most.
const POLL: Duration = Duration::from_secs(60);

fn no_activity(arn: &str) -> ApiError {
    ApiError::new("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
}

impl Api {
    pub(super) async fn create_activity(&self, p: Params<'_>) -> Answer {
        let name = p.required("name");
        check_name(name)?;
        let (tags, encryption) = (tag::read(p, "tags")?, configuration::of_activity(p)?);
        let arn = self.identity.arn("states", &format!("activity:{name}"));
        let mut row = ActivityRow { arn: arn.clone(), name: name.to_owned(), encryption, created: self.now() };
        let _changing = self.changing.lock().await;
        if self.catalogue().create_activity(&row).await? {
            self.catalogue().tag(&arn, &tags, &[]).await?;
        } else if let Some(there) = self.catalogue().activity(&arn).await? {
            if there.encryption != row.encryption {
                return Err(ApiError::new("ActivityAlreadyExists", format!("Activity Already Exists: '{arn}'")));
            }
            row = there;
        }
        let mut out = Map::from_iter([("activityArn", arn)]);
        out.insert("creationDate", row.created.to_cli_string());
        Ok(out)
    }

    async fn activity(&self, p: Params<'_>) -> Result<ActivityRow, ApiError> {
        let arn = Arn::of(p.required("activityArn"), &["activity"])?.text;
        self.catalogue().activity(arn).await?.ok_or_else(|| no_activity(arn))
    }

    pub(super) async fn describe_activity(&self, p: Params<'_>) -> Answer {
        let row = self.activity(p).await?;
        let mut out = Map::from_iter([("activityArn", row.arn), ("name", row.name)]);
        out.insert("creationDate", row.created.to_cli_string());
        out.insert("encryptionConfiguration", row.encryption.and_then(|text| text.parse::<Value>().ok()));
        Ok(out)
    }

    pub(super) async fn delete_activity(&self, p: Params<'_>) -> Answer {
        let arn = Arn::of(p.required("activityArn"), &["activity"])?.text;
        self.catalogue().delete_activity(arn).await?;
        Ok(Map::new())
    }

    pub(super) async fn list_activities(&self, p: Params<'_>) -> Answer {
        let paging = Paging::read("ListActivities", p.0, self.now())?;
        let after = After { key: paging.after.clone(), limit: paging.limit + 1 };
        let mut rows = self.catalogue().activities(after).await?;
        let next = paging.cut(&mut rows, |row| row.arn.clone());
        let items = rows.iter().map(|row| {
            let mut item = Map::from_iter([("activityArn", &row.arn), ("name", &row.name)]);
            item.insert("creationDate", row.created.to_cli_string());
            item
        });
        let mut out = Map::from_iter([("activities", list(items))]);
        out.insert("nextToken", next);
        Ok(out)
    }

    pub(super) async fn get_activity_task(&self, p: Params<'_>) -> Answer {
        let arn = Arn::of(p.required("activityArn"), &["activity"])?.text;
        let task = self.engine.get_activity_task(arn, p.text("workerName"), POLL).await;
        Ok(match task {
            Ok(Some(task)) => {
                Map::from_iter([("taskToken", Value::from(task.token)), ("input", Value::from(task.input))])
            }
            // Nothing came: a worker asks again.
            Ok(None) => Map::new(),
            Err(EngineError::NoSuchActivity(arn)) => return Err(no_activity(&arn)),
            Err(error) => return Err(error.into()),
        })
    }
}
