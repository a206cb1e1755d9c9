//! Finding from outside what an agent started, whatever it did to be found by nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Failure, leftovers};

/// A limit that no program changes and that every process inherits: how many signals may be pending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

impl Mark {
    /// A number for the nth of this process.
    pub(super) fn new(nth: usize) -> Result<Self, Failure> {
        let own = limit("self").ok_or("the kernel does not tell the limit of pending signals")?;
        let below = u64::from(std::process::id() % 16) * 2000 + u64::try_from(nth)? % 2000 + 1;
        Ok(Self(own.checked_sub(below).ok_or("the limit of pending signals is too low to tell processes by it")?))
    }

    /// What a process that carries it sets as its limit.
    pub(super) fn number(self) -> u64 {
        self.0
    }
}

/// Everything but `embedding` that carries the mark or has to do with the tree.
pub(super) fn left(mark: Mark, tree: &Path, embedding: &[u32]) -> BTreeSet<u32> {
    let named = leftovers::processes(tree);
    let named = named.iter().filter_map(|line| line.split(':').next()?.parse::<u32>().ok());
    let marked = pids().into_iter().filter(|pid| limit(&pid.to_string()) == Some(mark.0));
    let others = |pid: &u32| *pid != std::process::id() && !embedding.contains(pid);
    named.chain(marked).filter(|pid| others(pid) && alive(*pid)).collect()
}

/// What they are, for a message.
pub(super) fn describe(pids: &BTreeSet<u32>) -> String {
    let one = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let state = state(*pid).unwrap_or('-');
        format!("{pid} {state} {}", String::from_utf8_lossy(&line).replace('\0', " "))
    };
    pids.iter().take(3).map(one).collect::<Vec<_>>().join("; ")
}

/// Kills what should not be there any more.
pub(super) fn clear(pids: &BTreeSet<u32>) {
    if !pids.is_empty() {
        let numbers = pids.iter().map(u32::to_string);
        // Some may have ended meanwhile.
        let _some = Command::new("kill").arg("-KILL").args(numbers).stderr(Stdio::null()).status();
    }
}

/// The processes that this one started and that are still there.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn limit(pid: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Max pending signals")?.split_whitespace().next()?.parse().ok())
}

/// One that was killed and not yet collected runs no more.
fn alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

fn state(pid: u32) -> Option<char> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    String::from_utf8_lossy(&text).rsplit_once(") ")?.1.chars().next()
}

fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
