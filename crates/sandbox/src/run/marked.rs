//! Killing what carries a variable of its own in its environment, wherever it went.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::process::{Signal, pidfd_send_signal};

use super::tree::{self, Tree};

/// What became of them.
#[derive(Debug)]
struct Swept {
    /// How many processes were seen, and killed.
    killed: usize,
    /// Those that were there when time was up: the kernel holds them, or they come faster than they are found.
    left: Tree,
}

/// Kills every process that carries this variable in its environment, until none is left, for so long at most. Returns how many
/// those were, and the variable if there were some still.
pub(crate) fn kill_marked(variable: &str, within: Duration) -> (u32, Option<String>) {
    let look = || tree::pids().into_iter().filter_map(|pid| Some((pid, marked(pid, variable)?))).collect();
    let Swept { killed, left } = kill_all(within, look);
    (u32::try_from(killed).unwrap_or(u32::MAX), (!left.pids().is_empty()).then(|| variable.to_owned()))
}

fn kill_all(within: Duration, mut look: impl FnMut() -> Vec<(i32, OwnedFd)>) -> Swept {
    let began = Instant::now();
    let mut killed = std::collections::BTreeSet::new();
    loop {
        let found = look();
        for (_, pidfd) in &found {
            // One that has ended meanwhile needs no signal.
            let _gone = pidfd_send_signal(pidfd, Signal::KILL);
        }
        killed.extend(found.iter().map(|(pid, _)| *pid));
        if found.is_empty() || began.elapsed() >= within {
            return Swept { killed: killed.len(), left: Tree::of(found.into_iter().map(|(pid, _)| pid).collect()) };
        }
        // They stay visible until the kernel has taken them apart.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that carry it now.
pub(super) fn carriers(variable: &str) -> Vec<i32> {
    tree::pids().into_iter().filter(|pid| marked(*pid, variable).is_some()).collect()
}

/// A descriptor for the process if it carries the variable; taken first, so that it is of the process that was read.
fn marked(pid: i32, variable: &str) -> Option<OwnedFd> {
    let pidfd = tree::open(pid)?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|b| *b == 0).any(|pair| pair == variable.as_bytes()).then_some(pidfd)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    #[test]
    fn what_comes_back_each_time_ends_the_search_and_is_not_called_gone() {
        let mut children: Vec<Child> = Vec::new();
        let swept = kill_all(Duration::from_millis(40), || {
            children.push(Command::new("/bin/sleep").arg("60").spawn().unwrap());
            let pid = children.last().unwrap().id().cast_signed();
            vec![(pid, tree::open(pid).unwrap())]
        });
        assert_eq!(swept.left.pids(), [children.last().unwrap().id().cast_signed()]);
        assert_eq!(swept.killed, children.len());
        assert!(children.len() > 1, "it looked again");
        for child in &mut children {
            assert!(!child.wait().unwrap().success(), "killed");
        }
    }

    #[test]
    fn a_process_that_is_seen_twice_while_it_dies_is_counted_once() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        let mut looks = 0;
        let swept = kill_all(Duration::from_secs(60), || {
            looks += 1;
            (0..(3 - i32::min(looks, 3)).min(1)).map(|_| (pid, tree::open(pid).unwrap())).collect()
        });
        assert_eq!((swept.killed, swept.left.pids().len()), (1, 0));
        assert!(!child.wait().unwrap().success(), "killed");
    }
}
