//! What a server needs that has nothing to do, or nothing but clients that wait; and how soon it answers.

use super::client::{Connection, Request};
use super::server::Server;
use crate::load::{Amount, builder, close, pass, runtime, starts};
use crate::measure::median;
use crate::report::Figure;
use serde_json::json;
use std::time::{Duration, Instant};

/// Connections that poll activities.
const POLLING: usize = 10_000;
/// Finished executions of the database that a server starts on.
const FINISHED: usize = 100_000;
/// How often it is started.
const TIMES: usize = 7;
/// How long the server has, after the last poll was sent, until its memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Resident memory after the first answer.
pub(super) fn memory() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let Some(server) = Server::start(folder.path()) else { return Vec::new() };
    runtime().block_on(async {
        Connection::new(server.address).await.expect("connects").call("ListStateMachines", &json!({})).await;
    });
    vec![Figure::lower("server at rest: resident memory", server.resident_mb(), "MB").goal(40.0, 25.0)]
}

/// The same with many connections, each of which asks for a task of an activity and waits.
pub(super) fn polling() -> Vec<Figure> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    let Some(server) = Server::start(folder.path()) else { return Vec::new() };
    let resident = runtime().block_on(async {
        let mut first = Connection::new(server.address).await.expect("connects");
        let activity = first.call("CreateActivity", &json!({"name": "a"})).await["activityArn"].clone();
        let mut polls = Connection::several(server.address, POLLING).await;
        let request = Request::new("GetActivityTask", &json!({"activityArn": activity}));
        for poll in &mut polls {
            poll.send(&request).await.expect("the server reads");
        }
        tokio::time::sleep(SETTLE).await;
        let begun = Instant::now();
        first.call("DescribeActivity", &json!({"activityArn": activity})).await;
        (server.resident_mb(), begun.elapsed().as_secs_f64() * 1000.0)
    });
    let of = |what: &str| format!("{POLLING} connections polling an activity: {what}");
    vec![
        Figure::lower(of("resident memory"), resident.0, "MB"),
        Figure::lower(of("another request meanwhile"), resident.1, "ms"),
    ]
}

/// From the start of the process to its first answer, with many finished executions in the database.
pub(super) fn restart() -> Vec<Figure> {
    let folder = tempfile::tempdir_in(".").expect("a folder on the disk that is measured");
    runtime().block_on(async {
        let engine = builder(&folder.path().join("asl.db")).await.build();
        starts(&engine, &pass(), 1024, Amount::Count(FINISHED)).await;
        close(engine).await;
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            let Some(server) = Server::start(folder.path()) else { return Vec::new() };
            let mut connection = Connection::new(server.address).await.expect("connects");
            connection.call("ListStateMachines", &json!({})).await;
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            assert!(server.said_ms <= times[times.len() - 1]);
        }
        let name = format!("server with {FINISHED} finished executions: start to first answer");
        vec![Figure::lower(name, median(&mut times), "ms").goal(100.0, 30.0)]
    })
}
