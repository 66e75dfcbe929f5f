//! A started program with everything that it starts: how it begins, how it is ended, and that it never outlives the engine.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{Notify, watch},
    time::sleep,
};

use crate::{supervisor, tree};

/// How long a supervisor may take to end everything before it is ended itself.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(3);
/// Waits for its standard input, the engine's pipe, to end, and kills a process group then.
const WATCH: &str = "read _; kill -s KILL -- \"-$1\"";

/// What to start.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) directory: PathBuf,
    /// The environment, without what differs from process to process.
    pub(crate) environment: Vec<(String, String)>,
    /// Whether the variables of this process are passed on below those.
    pub(crate) inherits: bool,
}

/// What a program keeps of this process's variables when it inherits none: how to find and print things, no secrets.
const ALWAYS_INHERITED: [&str; 6] = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"];

/// A running process and the group that it leads; below a supervisor also whatever left the group.
pub(crate) struct Process {
    leash: Arc<Leash>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

/// A process's output, not yet read.
pub(crate) type Output = (ChildStdout, ChildStderr);

impl Process {
    /// Starts a program. `more` is added to its environment. With `event_bytes` it reads that many bytes from
    /// [`Process::feed`] on its standard input, which else is empty.
    pub(crate) fn start(
        program: &Program,
        more: &[(&str, String)],
        event_bytes: Option<usize>,
    ) -> io::Result<(Self, Output)> {
        let supervised = supervisor::command(&program.path, event_bytes);
        let is_supervised = supervised.is_some();
        let mut command = supervised.map_or_else(|| Command::new(&program.path), Command::from);
        if !program.inherits {
            command.env_clear();
            let kept = ALWAYS_INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
            command.envs(kept);
        }
        let has_pipe = is_supervised || event_bytes.is_some();
        let mut child = command
            .args(&program.args)
            .current_dir(&program.directory)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().map(|(name, value)| (name, value)))
            .stdin(if has_pipe { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            // A supervisor has to live until all others have ended.
            .kill_on_drop(!is_supervised)
            .spawn()?;
        let lost = || io::Error::other("the new process has no pipes");
        let output = (child.stdout.take().ok_or_else(lost)?, child.stderr.take().ok_or_else(lost)?);
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let group = group.ok_or_else(|| io::Error::other("the new process has no id"))?;
        let pipe = Pipe { stdin: child.stdin.take(), closed: false };
        let leash = Arc::new(Leash { group, is_supervised, pipe: Mutex::new(pipe), killed: Notify::new() });
        let watchdog = if is_supervised { None } else { watch_group(group) };
        Ok((Self::watch(child, leash, watchdog), output))
    }

    fn watch(mut child: Child, leash: Arc<Leash>, watchdog: Option<Child>) -> Self {
        let (tell, exit) = watch::channel(None);
        let rest = EndOnDrop(Arc::clone(&leash));
        tokio::spawn(async move {
            let status = tokio::select! {
                status = child.wait() => status,
                () = rest.0.overdue() => {
                    let _ = kill_process_group(rest.0.group, Signal::KILL);
                    child.wait().await
                }
            };
            // The watchdog goes first: the group's number may be another's soon.
            drop(watchdog);
            let _ = kill_process_group(rest.0.group, Signal::KILL);
            drop(rest);
            tell.send_replace(Some(status.unwrap_or_default()));
        });
        Self { leash, exit }
    }

    /// The id of the process that was started: the worker's own, or its supervisor's.
    pub(crate) fn id(&self) -> u32 {
        tree::number(self.leash.group)
    }

    pub(crate) fn is_running(&self) -> bool {
        // Without a sender but without a status, the tokio runtime went down, and the process too.
        self.exit.has_changed().is_ok() && self.exit.borrow().is_none()
    }

    /// Kills the process and everything that it started; nothing if it has ended.
    pub(crate) fn kill(&self) {
        if self.is_running() {
            self.leash.kill();
        }
    }

    pub(crate) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.map(|status| *status);
        // An error means that the tokio runtime is going down, and this future with it.
        status.ok().flatten().unwrap_or_default()
    }

    /// Writes the event that was announced. A process that does not read it is none of the caller's business.
    pub(crate) async fn feed(&self, event: &[u8]) {
        let Some(mut stdin) = self.leash.pipe().stdin.take() else { return };
        let _ = stdin.write_all(event).await;
        let mut pipe = self.leash.pipe();
        // The end of the event is the pipe's end, but where a supervisor takes that for the order to kill.
        if self.leash.is_supervised && !pipe.closed {
            pipe.stdin = Some(stdin);
        }
    }
}

/// What a process is held by.
struct Leash {
    group: Pid,
    is_supervised: bool,
    pipe: Mutex<Pipe>,
    killed: Notify,
}

struct Pipe {
    stdin: Option<ChildStdin>,
    closed: bool,
}

impl Leash {
    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kill(&self) {
        if self.is_supervised {
            let mut pipe = self.pipe();
            pipe.closed = true;
            pipe.stdin = None;
            self.killed.notify_one();
        } else {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }

    /// Ready when a supervisor that was told to end everything did not.
    async fn overdue(&self) {
        self.killed.notified().await;
        sleep(SUPERVISOR_PATIENCE).await;
    }
}

/// Ends what a process started, when it ends or when nobody is left to watch it (the tokio runtime goes down).
struct EndOnDrop(Arc<Leash>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Where no supervisor is: a shell that kills the group when this process is gone.
fn watch_group(group: Pid) -> Option<Child> {
    let started = Command::new("/bin/sh")
        .args(["-c", WATCH, "asl-watch", &tree::number(group).to_string()])
        .current_dir(Path::new("/"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    started.ok()
}
