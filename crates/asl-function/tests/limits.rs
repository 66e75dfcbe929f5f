//! A machine that is full: starting a function waits for room, and says so by AWS's name when there is none for too long.
//! One test, in a process of its own: the limit is the process's.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, OpenOptions, Permissions},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use asl_function::{Code, FunctionSpec, Functions, Identity, Invocation, InvokeError, LogLine, supervisor};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn limit_files(soft: u64) {
    let now = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum: now.maximum }).expect("a limit");
}

/// No file number is free: the lowest that is free now is beyond the limit.
fn leave_none() {
    let lowest = fs::File::open("/dev/null").expect("a file").as_raw_fd();
    limit_files(lowest.unsigned_abs().into());
}

fn command(folder: &Path, init_timeout_ms: u64) -> FunctionSpec {
    let mut spec = FunctionSpec::new("F", Code::Command { words: vec!["./f".into()], folder: folder.to_owned() });
    (spec.init_timeout_ms, spec.timeout_ms) = (init_timeout_ms, 60_000);
    spec
}

fn functions(spec: FunctionSpec, when_told: impl Fn() + Send + Sync + 'static) -> Functions {
    let sink = Arc::new(move |line: LogLine| {
        if line.text.contains("trying again") {
            when_told();
        }
    });
    Functions::new(vec![spec], sink, Identity::default()).expect("a function")
}

async fn invoke(functions: &Functions) -> Result<String, InvokeError> {
    let invocation = Invocation { payload: "1".into(), request_id: "id".into(), client_context: None };
    functions.invoke("F", invocation).await.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text"))
}

#[tokio::test]
async fn starting_waits_for_room() {
    supervisor::use_program(Path::new(env!("CARGO_BIN_EXE_asl-supervisor")));
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("f");
    fs::write(&program, "#!/bin/sh\ncat\n").expect("a file");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("a mode");
    let enough = getrlimit(Resource::Nofile).current.unwrap_or(1024);

    // No free file number (EMFILE), and then there are some.
    let told = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&told);
    let patient = functions(command(folder.path(), 60_000), move || {
        counted.fetch_add(1, Ordering::Relaxed);
        limit_files(enough);
    });
    assert_eq!(invoke(&patient).await.as_deref(), Ok("1"), "the log's thread and all else is there now");
    leave_none();
    assert_eq!(invoke(&patient).await.as_deref(), Ok("1"));
    assert_eq!(told.load(Ordering::Relaxed), 1);

    // And not in time.
    let hasty = functions(command(folder.path(), 30), || {});
    leave_none();
    let failure = invoke(&hasty).await.expect_err("no room");
    limit_files(enough);
    let InvokeError::Failed { error, cause } = failure else { panic!("{failure}") };
    assert_eq!(error, "Lambda.TooManyRequestsException");
    assert!(cause.contains("Rate Exceeded") && cause.contains("os error 24"), "{cause}");

    // A program that is just being written (ETXTBSY): the supervisor meets it.
    let writer = Arc::new(Mutex::new(Some(OpenOptions::new().append(true).open(&program).expect("a file"))));
    let at_the_end = Arc::clone(&writer);
    let patient = functions(command(folder.path(), 60_000), move || drop(at_the_end.lock().expect("a lock").take()));
    assert_eq!(invoke(&patient).await.as_deref(), Ok("1"));
}
