//! The history of all worktrees: one file, to which lines are appended.
//!
//! A line is written before what it tells of is done, so that a release which returned can be looked up; recovery then
//! does it again, and twice the same line counts once. A line that a crash has torn is dropped when it is read.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use super::layout::Layout;
use super::lock::Lock;
use super::manager::LocalWorktrees;
use super::record::Record;
use crate::capture::fault;
use crate::disk;
use crate::{Life, Milestone, Result, WorktreeId};

/// When the file is made smaller: some thousands of worktrees.
const LARGEST: u64 = 2 << 20;
/// What is left of it then.
const COMPACTED: usize = 1 << 20;
/// The most that is read, whoever wrote it.
const READ: u64 = 4 * LARGEST;

impl LocalWorktrees {
    /// What became of the worktrees that had this id, oldest first; also when they are long gone.
    ///
    /// How each release ended is durable before it returns. Of the oldest worktrees only their end is remembered, and
    /// after some thousands nothing.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn history(&self, id: &WorktreeId) -> Result<Vec<Milestone>> {
        let mut all = self.history_all().await?;
        all.retain(|milestone| milestone.worktree == *id);
        Ok(all)
    }

    /// As [`history`](Self::history), of all worktrees.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn history_all(&self) -> Result<Vec<Milestone>> {
        self.blocking(|layout| Ok(parse(&read(layout)?))).await
    }
}

/// How long a line must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    /// It survives the process, and mostly a power failure.
    Written,
    /// It survives everything.
    Durable,
}

/// Writes down what the worktree of this record reached.
pub(super) fn note(layout: &Layout, record: &Record, life: Life, lasting: Lasting) -> Result<()> {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let worktree = record.parts.id.clone();
    let milestone = Milestone { worktree, incarnation: record.token.clone(), at, life };
    let path = path(layout);
    let mut line = serde_json::to_vec(&milestone).map_err(fault::git("write the history"))?;
    line.push(b'\n');
    let _turn = Lock::wait(&layout.state.join("history.lock"))?;
    let size = append(&path, &line, lasting).map_err(fault::io("append to", &path))?;
    if size > LARGEST { compact(layout) } else { Ok(()) }
}

fn path(layout: &Layout) -> PathBuf {
    layout.state.join("history")
}

fn append(path: &PathBuf, line: &[u8], lasting: Lasting) -> std::io::Result<u64> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    // What a crash has torn must not swallow this line too.
    let begin: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    file.write_all(&[begin, line].concat())?;
    if lasting == Lasting::Durable {
        file.sync_data()?;
        if size == 0 {
            File::open(path.parent().unwrap_or(path))?.sync_all()?;
        }
    }
    Ok(size + line.len() as u64)
}

fn read(layout: &Layout) -> Result<Vec<u8>> {
    let path = path(layout);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut text = Vec::new();
    let read = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file.take(READ).read_to_end(&mut text),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    };
    read.map_err(fault::io("read", &path))?;
    Ok(text)
}

/// The milestones in a text. What is no line of ours is left out, and a step that was written down twice counts once.
fn parse(text: &[u8]) -> Vec<Milestone> {
    let mut found: Vec<Milestone> = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let Ok(milestone) = serde_json::from_slice::<Milestone>(line) else { continue };
        let last = found.iter().rev().find(|earlier| earlier.incarnation == milestone.incarnation);
        if last.is_none_or(|last| last.life != milestone.life) {
            found.push(milestone);
        }
    }
    found
}

/// Forgets how those lived that are gone, then the oldest of them.
fn compact(layout: &Layout) -> Result<()> {
    let lines = compacted(parse(&read(layout)?), COMPACTED).map_err(fault::git("write the history"))?;
    disk::replace(&path(layout), &lines)
}

fn compacted(all: Vec<Milestone>, room: usize) -> serde_json::Result<Vec<u8>> {
    let gone: HashSet<String> =
        all.iter().filter(|m| m.life == Life::Gone).map(|milestone| milestone.incarnation.clone()).collect();
    let passing = |life: &Life| matches!(life, Life::Created { .. } | Life::Adopted { .. } | Life::Kept { .. });
    let (ended, living): (Vec<_>, Vec<_>) =
        all.into_iter().enumerate().partition(|(_, milestone)| gone.contains(&milestone.incarnation));
    let ended = ended.into_iter().filter(|(_, milestone)| !passing(&milestone.life));
    let (mut kept, mut left) = (BTreeMap::new(), room);
    // The newest first, so that what does not fit is the oldest.
    for (at, milestone) in living.into_iter().rev().chain(ended.rev()) {
        let mut line = serde_json::to_vec(&milestone)?;
        line.push(b'\n');
        let Some(rest) = left.checked_sub(line.len()) else { break };
        left = rest;
        kept.insert(at, line);
    }
    Ok(kept.into_values().collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommitId;

    fn milestone(id: &str, at: u64, life: Life) -> Milestone {
        Milestone { worktree: WorktreeId::new(id).unwrap(), incarnation: format!("{id}-1"), at, life }
    }

    fn created() -> Life {
        Life::Created { base: CommitId::new("1".repeat(40)).unwrap(), branch: None }
    }

    #[test]
    fn a_torn_line_costs_itself_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let line = |m: &Milestone| [serde_json::to_vec(m).unwrap(), b"\n".to_vec()].concat();
        let (first, second) = (milestone("a", 1, created()), milestone("b", 2, Life::Gone));
        append(&path, &line(&first), Lasting::Durable).unwrap();
        for torn in [&b"{\"worktree\":\"a\",\"inc"[..], &[0, 0, 0]] {
            OpenOptions::new().append(true).open(&path).unwrap().write_all(torn).unwrap();
            assert_eq!(parse(&std::fs::read(&path).unwrap()), std::slice::from_ref(&first));
        }
        append(&path, &line(&second), Lasting::Written).unwrap();
        assert_eq!(parse(&std::fs::read(&path).unwrap()), [first, second]);
    }

    #[test]
    fn a_step_that_recovery_took_again_counts_once() {
        let text: Vec<u8> = [created(), Life::Gone, Life::Gone]
            .into_iter()
            .flat_map(|life| [serde_json::to_vec(&milestone("a", 1, life)).unwrap(), b"\n".to_vec()].concat())
            .collect();
        assert_eq!(parse(&text).len(), 2);
    }

    #[test]
    fn what_is_gone_is_forgotten_before_what_lives_and_the_oldest_first() {
        let archived = || Life::Archived { rescues: Vec::new() };
        let mut all = vec![milestone("lives", 1, created())];
        for n in 0..100 {
            all.extend([created(), archived(), Life::Gone].map(|life| milestone(&format!("w{n}"), n, life)));
        }
        let everything = parse(&compacted(all.clone(), usize::MAX).unwrap());
        assert_eq!(everything.len(), 201, "only how those ended that are gone");
        let few = parse(&compacted(all, 1000).unwrap());
        assert_eq!(few[0].worktree.as_str(), "lives");
        assert_eq!(few[few.len() - 1].worktree.as_str(), "w99");
        assert!(few.len() < 20);
    }
}
