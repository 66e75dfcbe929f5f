//! The process between the engine and a worker, which ends everything that the worker started when the engine is gone.
//!
//! A worker's supervisor is this same program, started again with a hidden first argument. On Linux it is the *subreaper* of
//! all that descends from it: a process that loses its parent, calls `setsid` or leaves its group becomes its child, so it
//! finds them all, whatever they ignore. Its standard input is a pipe that the engine holds; the kernel closes it however the
//! engine ends, and the end of that pipe is the one order to kill. On other systems the supervisor kills its process group.
//!
//! Weighed and left: a parent-death signal alone (it comes when the *thread* that started a process ends, is not inherited by
//! children, and setting it between fork and exec needs unsafe code); cgroups (`cgroup.kill` needs a delegated, writable
//! subtree, which a laptop's session and most containers don't give).

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal, WaitOptions, getpid, kill_process, setrlimit, wait};

use crate::tree;

/// The first argument of a supervisor.
const ARGUMENT: &str = "__supervise";
/// What the second argument is when the worker gets no event on its standard input.
const NO_EVENT: &str = "-";
/// How a supervisor's line about a program that it could not start begins; the error's number follows. Also its exit code.
pub(crate) const NOT_STARTED: &str = "\u{1}asl cannot start the program: ";
const NOT_STARTED_CODE: i32 = 127;
/// How often the supervisor looks again for processes that are still there.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The first line of an embedding program's `main`: from then on functions run below supervisors, which are this program
/// started again. In such a process the call does not return.
///
/// Without it (and without [`use_program`]) a shell beside each worker kills the worker's process group when the engine is
/// gone; what left the group by `setsid` then lives on.
pub fn serve_if_asked() {
    let mut args = env::args_os().skip(1);
    if args.next().as_deref() == Some(OsStr::new(ARGUMENT)) {
        serve(args);
    }
    // The link leads to the running file even when an upgrade has put another in its place.
    let own = Path::new("/proc/self/exe");
    match own.exists() {
        true => use_program(own),
        false => env::current_exe().map_or((), |own| use_program(&own)),
    }
}

/// Names the supervisor's program: a copy of `asl-supervisor`, or any whose `main` begins with [`serve_if_asked`]. The first
/// call counts.
pub fn use_program(path: &Path) {
    let _ = PROGRAM.set(path.to_owned());
}

/// The command that starts `program` below a supervisor, if there is one; its standard input has to be a pipe.
pub(crate) fn command(program: &Path, event_bytes: Option<usize>) -> Option<Command> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(PROGRAM.get()?);
    let event = event_bytes.map_or_else(|| NO_EVENT.to_owned(), |bytes| bytes.to_string());
    command.arg0("asl-supervisor").args([ARGUMENT, &event]).arg(program);
    Some(command)
}

fn serve(mut args: impl Iterator<Item = OsString>) -> ! {
    let event_bytes = args.next().and_then(|text| text.to_str()?.parse::<usize>().ok());
    let Some(program) = args.next() else { std::process::exit(2) };
    adopt();
    let (give, worker_stdin) = mpsc::channel();
    let leash = thread::Builder::new().spawn(move || hold(event_bytes, &worker_stdin));
    let mut command = Command::new(program);
    command.args(args).stdin(if event_bytes.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut worker = match leash.and_then(|_| command.spawn()) {
        Ok(worker) => worker,
        Err(problem) => cannot_start(&problem),
    };
    let _ = give.send(worker.stdin.take());
    let status = outlive(worker.id());
    end_as(status)
}

/// Orphans below become children of this process.
fn adopt() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(getpid()));
}

fn cannot_start(problem: &io::Error) -> ! {
    let number = problem.raw_os_error().unwrap_or(0);
    let _ = io::stderr().write_all(format!("{NOT_STARTED}{number}\n").as_bytes());
    std::process::exit(NOT_STARTED_CODE)
}

/// Passes the event on, and kills everything when the engine closes the pipe or is gone.
fn hold(event_bytes: Option<usize>, worker_stdin: &mpsc::Receiver<Option<ChildStdin>>) {
    let mut engine = io::stdin().lock();
    let mut event = Vec::new();
    // A failed read is the end of the pipe too.
    let _ = engine.by_ref().take(event_bytes.unwrap_or(0) as u64).read_to_end(&mut event);
    if let (true, Ok(Some(mut stdin))) = (event_bytes.is_some(), worker_stdin.recv()) {
        // The worker may not read; that must not keep this thread from seeing the engine's end.
        let _ = thread::Builder::new().spawn(move || stdin.write_all(&event));
    }
    let _ = io::copy(&mut engine, &mut io::sink());
    loop {
        tree::kill_below(getpid());
        thread::sleep(LOOK_AGAIN);
    }
}

/// Waits for the worker's end, and then until nothing is left of what it started.
fn outlive(worker: u32) -> ExitStatus {
    let mut ended = None;
    loop {
        let options = if ended.is_some() { WaitOptions::NOHANG } else { WaitOptions::empty() };
        match wait(options) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get().unsigned_abs() == worker => {
                ended = Some(ExitStatus::from_raw(status.as_raw()));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => continue,
            Ok(None) => thread::sleep(LOOK_AGAIN),
            // No child is left.
            Err(_) => return ended.unwrap_or_default(),
        }
        tree::kill_below(getpid());
    }
}

/// Ends as the worker did, so that the engine sees its exit code or signal.
fn end_as(status: ExitStatus) -> ! {
    let Some(number) = status.signal() else { std::process::exit(status.code().unwrap_or(1)) };
    // A second core file would be of no use.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    if let Some(signal) = Signal::from_named_raw(number) {
        let _ = kill_process(getpid(), signal);
        thread::sleep(Duration::from_millis(100));
    }
    // A signal that this process ignores: as shells say it.
    std::process::exit(128 + number)
}
