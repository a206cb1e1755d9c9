//! Processes as `/proc` shows them.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The processes below one, as far as they could be seen at one moment.
#[derive(Debug)]
pub(crate) struct Tree(Vec<i32>);

impl Tree {
    /// These processes.
    pub(crate) fn of(pids: Vec<i32>) -> Self {
        Self(pids)
    }

    /// Everything that descends from `root`, without it.
    pub(crate) fn below(root: Pid) -> Self {
        let mut found = children(root.as_raw_nonzero().get());
        let mut next = 0;
        while let Some(&pid) = found.get(next) {
            let new: Vec<_> = children(pid).into_iter().filter(|c| !found.contains(c)).collect();
            found.extend(new);
            next += 1;
        }
        Self(found)
    }

    /// The children of a process.
    #[cfg(feature = "native")]
    pub(crate) fn children_of(parent: Pid) -> Vec<i32> {
        children(parent.as_raw_nonzero().get())
    }

    /// A process with everything that descends from it.
    pub(crate) fn with(root: Pid) -> Self {
        let Self(mut all) = Self::below(root);
        all.insert(0, root.as_raw_nonzero().get());
        Self(all)
    }

    /// Their numbers.
    pub(crate) fn pids(&self) -> &[i32] {
        &self.0
    }

    /// Where in the kernel each of them waits.
    pub(crate) fn waits(&self) -> Vec<String> {
        self.0.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/wchan")).ok()).collect()
    }

    /// Signals all of them. The descriptor is taken before the second look, so no stranger with a used number is hit. The number
    /// of `root` must be its own meanwhile, as that of a child is which is not collected.
    pub(crate) fn signal(&self, root: Pid, signal: Signal) {
        self.signal_if(root, signal, || true);
    }

    /// The same if that is so still after the second look.
    pub(crate) fn signal_if(&self, root: Pid, signal: Signal, same: impl FnOnce() -> bool) {
        let held: Vec<(i32, OwnedFd)> = self.0.iter().filter_map(|&pid| Some((pid, open(pid)?))).collect();
        let still = Self::below(root);
        if !same() {
            return;
        }
        for (_, pidfd) in held.iter().filter(|(pid, _)| still.0.contains(pid)) {
            // One that has ended meanwhile needs no signal.
            let _gone = pidfd_send_signal(pidfd, signal);
        }
    }

    /// The memory of all of them that is theirs, in bytes. First cheaply, which counts shared memory more than once;
    /// and exactly when that is over `limit`.
    #[cfg(feature = "native")]
    pub(crate) fn memory(&self, limit: u64) -> u64 {
        let coarse = self.0.iter().map(|&pid| sum_kib(pid, "status", &["RssAnon:", "RssShmem:"]).unwrap_or(0)).sum();
        if coarse <= limit {
            return coarse;
        }
        let exact = |&pid: &i32| {
            sum_kib(pid, "smaps_rollup", &["Pss_Anon:", "Pss_Shmem:"])
                .or_else(|| sum_kib(pid, "status", &["RssAnon:", "RssShmem:"]))
                .unwrap_or(0)
        };
        self.0.iter().map(exact).sum()
    }
}

/// A process that was seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pid: i32,
    /// When it began, in the kernel's ticks: with its number, it is like no other.
    began: u64,
}

impl Tree {
    /// All of them, to be recognised later.
    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        self.0.iter().filter_map(|&pid| Some(Sighting { pid, began: Stat::of(pid)?.began })).collect()
    }
}

impl Sighting {
    /// What the process does, if there still is that process. Looks at nothing that a process stuck in the kernel holds.
    pub(crate) fn now(&self) -> Option<String> {
        Stat::of(self.pid).filter(|stat| stat.began == self.began && !stat.is_over())?;
        Some(named(self.pid))
    }
}

/// What a process is and does, as far as it can be seen.
pub(super) fn named(pid: i32) -> String {
    let Some(stat) = Stat::of(pid) else { return format!("process {pid}, of which nothing can be read") };
    let place = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    let place = if place.is_empty() || place == "0" { "a place that it does not tell" } else { &place };
    format!("process {pid} ({:?}, state {}, in {place})", stat.name, stat.state)
}

/// What the kernel says about a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    name: String,
    pub(super) state: char,
    pub(super) began: u64,
}

impl Stat {
    /// Whether nothing of it is left but what its parent has not taken note of; or its first thread is over before the others.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    fn of(pid: i32) -> Option<Self> {
        Self::parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
    }

    /// The name is the program's choice, so it may hold anything, also what looks like its own end.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(" (")?.1.rsplit_once(") ")?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        Some(Self { name: name.to_owned(), state, began: fields.nth(18)?.parse().ok()? })
    }
}

fn open(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// All processes that can be seen. A list that cannot be read to its end is no list.
pub(super) fn pids() -> io::Result<Vec<i32>> {
    let entries = fs::read_dir("/proc")?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|c| c.parse().ok()).collect::<Vec<_>>()).collect()
}

#[cfg(feature = "native")]
fn sum_kib(pid: i32, file: &str, keys: &[&str]) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let lines = text.lines().filter(|line| keys.iter().any(|key| line.starts_with(key)));
    let values = lines.filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    Some(values.sum::<u64>() << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_chooses_a_hostile_name_is_read_all_the_same() {
        let text = "7 (a) Z 1 (\n) D 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 8 9 10";
        assert_eq!(Stat::parse(text), Some(Stat { name: "a) Z 1 (\n".into(), state: 'D', began: 4711 }));
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let me = std::process::id().cast_signed();
        let sighting = Tree(vec![me]).sightings().pop().unwrap();
        assert!(sighting.now().is_some_and(|what| what.contains(&format!("process {me} "))));
        assert_eq!(Sighting { began: sighting.began + 1, ..sighting }.now(), None);
    }
}
