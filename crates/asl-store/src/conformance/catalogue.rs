//! The rules of [`Catalogue`], checked on a store whose catalogue is empty.

use crate::catalogue::{ActivityRow, After, AliasRow, Catalogue, MapRunRow, StateMachineRow, VersionRow};
use crate::error::StoreError;
use crate::record::{Definition, ExecutionId};
use asl_expr::Timestamp;

fn machine(arn: &str) -> StateMachineRow {
    StateMachineRow {
        arn: arn.to_owned(),
        name: "m".to_owned(),
        kind: "STANDARD".to_owned(),
        definition: "hash".to_owned(),
        role_arn: "role".to_owned(),
        status: "ACTIVE".to_owned(),
        revision_id: None,
        configuration: "{}".to_owned(),
        last_version: 0,
        created: Timestamp::from_millis(1),
        updated: None,
    }
}

fn first(limit: u32) -> After {
    After { key: None, limit }
}

/// Runs every check.
///
/// # Errors
/// When the store fails.
///
/// # Panics
/// When the store breaks a promise of [`Catalogue`].
pub async fn check(store: &dyn Catalogue) -> Result<(), StoreError> {
    let kept = Definition { hash: "hash".into(), name: "m".into(), text: "{}".into() };
    for _ in 0..2 {
        store.put_definition(&kept, Timestamp::from_millis(1)).await?;
    }
    machines(store).await?;
    versions_and_aliases(store).await?;
    activities_and_tags(store).await?;
    map_runs(store).await
}

async fn machines(store: &dyn Catalogue) -> Result<(), StoreError> {
    for arn in ["b", "a", "c"] {
        assert!(store.create_state_machine(&machine(arn)).await?, "{arn} is new");
    }
    assert!(!store.create_state_machine(&machine("a")).await?, "an ARN is taken once");
    let page = store.state_machines(After { key: Some("a".to_owned()), limit: 1 }).await?;
    assert_eq!(page, [machine("b")], "a page begins behind its key");
    let updated = StateMachineRow {
        revision_id: Some("r2".to_owned()),
        definition: "other".to_owned(),
        updated: Some(Timestamp::from_millis(5)),
        ..machine("a")
    };
    assert!(store.update_state_machine(&updated, None).await?);
    assert!(!store.update_state_machine(&machine("a"), None).await?, "its revision is another by now");
    assert_eq!(store.state_machine("a").await?, Some(updated));
    assert!(store.delete_state_machine("c").await? && !store.delete_state_machine("c").await?);
    assert_eq!(store.state_machines(first(9)).await?.len(), 2);
    Ok(())
}

async fn versions_and_aliases(store: &dyn Catalogue) -> Result<(), StoreError> {
    let version = |number| VersionRow {
        state_machine: "a".to_owned(),
        number,
        description: Some("it's".to_owned()),
        revision_id: Some("r2".to_owned()),
        definition: "other".to_owned(),
        role_arn: "role".to_owned(),
        configuration: "{}".to_owned(),
        created: Timestamp::from_millis(6),
    };
    for number in 1..=3 {
        assert_eq!(store.publish_version(&version(99)).await?, Some(number));
    }
    let nowhere = VersionRow { state_machine: "none".to_owned(), ..version(1) };
    assert_eq!(store.publish_version(&nowhere).await?, None);
    let alias = |routing: &[(i64, u8)]| AliasRow {
        state_machine: "a".to_owned(),
        name: "live".to_owned(),
        description: None,
        routing: routing.to_vec(),
        created: Timestamp::from_millis(7),
        updated: Timestamp::from_millis(8),
    };
    assert!(!store.put_alias(&alias(&[(1, 50), (9, 50)])).await?, "version 9 is not there");
    assert!(store.put_alias(&alias(&[(1, 10), (3, 90)])).await?);
    assert!(!store.delete_version("a", 3).await?, "an alias names it");
    assert!(store.put_alias(&alias(&[(2, 100)])).await?);
    assert!(store.delete_version("a", 3).await?);
    assert_eq!(store.publish_version(&version(0)).await?, Some(4), "a number is never given again");
    assert_eq!(store.versions("a", Some(4), 2).await?, [version(2), version(1)]);
    assert_eq!(store.aliases("a", first(9)).await?, [alias(&[(2, 100)])]);
    assert!(store.delete_alias("a", "live").await? && !store.delete_alias("a", "live").await?);
    assert!(store.delete_state_machine("a").await?);
    assert_eq!(store.versions("a", None, 9).await?, [], "versions go with their state machine");
    Ok(())
}

async fn activities_and_tags(store: &dyn Catalogue) -> Result<(), StoreError> {
    let activity = ActivityRow {
        arn: "act".to_owned(),
        name: "act".to_owned(),
        encryption: None,
        created: Timestamp::from_millis(1),
    };
    assert!(store.create_activity(&activity).await? && !store.create_activity(&activity).await?);
    assert_eq!(store.activity("act").await?, Some(activity.clone()));
    assert_eq!(store.activities(first(9)).await?, [activity]);
    let tags =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    store.tag("act", &tags(&[("b", "1"), ("a", "2")]), &[]).await?;
    store.tag("act", &tags(&[("b", "3")]), &["a".to_owned()]).await?;
    assert_eq!(store.tags("act").await?, tags(&[("b", "3")]));
    assert!(store.delete_activity("act").await?);
    assert_eq!(store.tags("act").await?, [], "tags go with their resource");
    Ok(())
}

async fn map_runs(store: &dyn Catalogue) -> Result<(), StoreError> {
    let run = |arn: &str, status: &str| MapRunRow {
        arn: arn.to_owned(),
        execution: ExecutionId(7),
        state_machine: "m/label".to_owned(),
        status: status.to_owned(),
        max_concurrency: 10,
        tolerated_failure_percentage: 12.5,
        tolerated_failure_count: 3,
        redrive_count: 0,
        redriven: None,
        started: Timestamp::from_millis(1),
        stopped: (status != "RUNNING").then_some(Timestamp::from_millis(2)),
    };
    store.put_map_run(&run("y", "RUNNING")).await?;
    store.put_map_run(&run("x", "RUNNING")).await?;
    store.put_map_run(&run("y", "SUCCEEDED")).await?;
    assert_eq!(store.map_run("y").await?, Some(run("y", "SUCCEEDED")));
    assert_eq!(store.map_runs(ExecutionId(7), first(9)).await?, [run("x", "RUNNING"), run("y", "SUCCEEDED")]);
    assert_eq!(store.map_runs(ExecutionId(8), first(9)).await?, []);
    Ok(())
}
