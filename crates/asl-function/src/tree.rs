//! The processes that descend from one, as the kernel lists them (Linux; elsewhere none are known).

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Kills every process below `root` that is there now. What forks meanwhile is for the next call.
pub(crate) fn kill_below(root: Pid) {
    if cfg!(target_os = "linux") {
        for pid in below(number(root)) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    } else {
        let _ = rustix::process::kill_current_process_group(Signal::KILL);
    }
}

pub(crate) fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// All that descends from `root`, without it.
pub(crate) fn below(root: u32) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut next = 0;
    let mut at = root;
    loop {
        match listed_children(at) {
            Some(children) => found.extend(children),
            None if at == root => return scanned(root),
            None => {}
        }
        let Some(pid) = found.get(next) else { return found };
        (at, next) = (*pid, next + 1);
    }
}

/// The children that each thread of a process started. `None` if the process has ended, or the kernel keeps no such lists.
fn listed_children(pid: u32) -> Option<Vec<u32>> {
    let mut children = Vec::new();
    let mut read = false;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            read = true;
            children.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    read.then_some(children)
}

/// The same by asking every process for its parent.
fn scanned(root: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(at) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(pid, parent)| *parent == at && *pid != root).map(|(pid, _)| *pid));
        next += 1;
    }
    found.remove(0);
    found
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; after it come the state and the parent.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{below, scanned};
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn both_ways_find_the_same() {
        let script = "sleep 60 & (sleep 60 & echo $!; wait) & wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let grandchild: u32 = line.trim().parse().unwrap();
        let (mut listed, mut asked) = (below(shell.id()), scanned(shell.id()));
        listed.sort_unstable();
        asked.sort_unstable();
        for pid in &listed {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(listed, asked);
        assert!(listed.len() == 3 && listed.contains(&grandchild), "{listed:?} {grandchild}");
    }
}
