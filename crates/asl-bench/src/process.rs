//! Other processes: how long they take, and how much memory they need at their peak.

use crate::measure::peak_of_children;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// The option by which this program runs another one for [`peak_bytes`].
const PEAK_OF: &str = "--peak-of";

/// How long a process takes from its start to its end, in milliseconds. What it says is thrown away.
pub(crate) fn wall_ms(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed().as_secs_f64() * 1000.0
}

/// The most memory that was resident for a process, in bytes. The kernel tells it of children that have ended, but counts
/// what their parent had when it made them; so the parent is not this process but a copy of this program that has done
/// nothing else, and has 5 MB.
pub(crate) fn peak_bytes(command: &Command) -> f64 {
    said_by_a_copy([OsStr::new(PEAK_OF), command.get_program()].into_iter().chain(command.get_args()))
}

/// The number that a copy of this program says which is started with these arguments.
pub(crate) fn said_by_a_copy<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> f64 {
    *all_said_by_a_copy(arguments).first().expect("a number")
}

/// The numbers that it says.
pub(crate) fn all_said_by_a_copy<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Vec<f64> {
    let mut copy = Command::new(std::env::current_exe().expect("this program"));
    let said = copy.args(arguments).stderr(Stdio::null()).output().expect("it starts");
    assert!(said.status.success(), "{copy:?}: {}", said.status);
    let text = String::from_utf8_lossy(&said.stdout);
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// The small parent: runs the command and says its peak.
pub(crate) fn tell_peak(command: &[OsString]) -> std::io::Result<ExitCode> {
    let [program, arguments @ ..] = command else { return Ok(ExitCode::FAILURE) };
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    writeln!(std::io::stdout(), "{}", peak_of_children())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
