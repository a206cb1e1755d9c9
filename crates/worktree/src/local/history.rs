//! The history of all worktrees: one file, to which lines are appended.
//!
//! A line is written before what it tells of is done, so that a release which returned can be looked up; recovery then
//! does it again, and twice the same line counts once. A line that a crash has torn is dropped when it is read.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
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
    /// How each release ended is durable before it returns, but for those that changed nothing and so left no line: kept by
    /// [`Keeper::Failure`](crate::Keeper::Failure), mostly, or [`Keeper::Plan`](crate::Keeper::Plan). Of the oldest
    /// worktrees only their end is remembered, and after some thousands nothing.
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
    let mut pen = Pen::take(layout)?;
    pen.write(record, life)?;
    let written = pen.put_down()?;
    if lasting == Lasting::Durable { written.flush() } else { Ok(()) }
}

/// The right to write into the history, which one has at a time.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    layout: &'a Layout,
    file: File,
    path: PathBuf,
    size: u64,
    /// Whether nothing is in it: then its name may not have been flushed, whoever made it.
    is_new: bool,
    _turn: Lock,
}

impl<'a> Pen<'a> {
    /// Waits for it.
    pub(super) fn take(layout: &'a Layout) -> Result<Self> {
        let turn = Lock::wait(&layout.state.join("history.lock"))?;
        let path = path(layout);
        let (file, size) = open(&path).map_err(fault::io("append to", &path))?;
        Ok(Self { layout, file, path, size, is_new: size == 0, _turn: turn })
    }

    /// Takes it if there is no history yet, to make one: the flush of its name costs little after another one.
    pub(super) fn take_first(layout: &'a Layout) -> Result<Option<Self>> {
        let begun = path(layout).symlink_metadata().is_ok_and(|found| !found.is_file() || found.len() > 0);
        if begun { Ok(None) } else { Self::take(layout).map(Some) }
    }

    /// Writes down what the worktree of this record reached.
    pub(super) fn write(&mut self, record: &Record, life: Life) -> Result<()> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let worktree = record.parts.id.clone();
        let milestone = Milestone { worktree, incarnation: record.token.clone(), at, life };
        let mut line = serde_json::to_vec(&milestone).map_err(fault::git("write the history"))?;
        line.push(b'\n');
        self.flush_name()?;
        self.file.write_all(&line).map_err(fault::io("append to", &self.path))?;
        self.size += line.len() as u64;
        Ok(())
    }

    /// Once, and before the first line: a file with lines in it has a name that is durable, also where whoever made it was
    /// killed.
    fn flush_name(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_new) {
            disk::sync_dir(&self.layout.state)?;
        }
        Ok(())
    }

    /// Lets others write, and returns what is still to be flushed if it has to be.
    pub(super) fn put_down(mut self) -> Result<Written> {
        if self.size > LARGEST {
            // What is told is in it already, and must not be called untold because older lines stay. The next one tries again.
            let _ = compact(self.layout);
        }
        self.flush_name()?;
        Ok(Written { file: self.file, path: self.path })
    }
}

/// Lines that the disk may not have yet. Those of others are flushed with them, and of several who flush at the same time
/// most wait only once.
#[derive(Debug)]
pub(super) struct Written {
    file: File,
    path: PathBuf,
}

impl Written {
    /// Makes them durable. If the file was made smaller meanwhile, they are so already.
    pub(super) fn flush(self) -> Result<()> {
        self.file.sync_data().map_err(fault::io("flush", &self.path))
    }
}

fn path(layout: &Layout) -> PathBuf {
    layout.state.join("history")
}

/// Opens the history to append to it, and says how large it is.
fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        // Nothing may be removed that cannot be told of afterwards.
        return Err(std::io::Error::new(ErrorKind::InvalidData, "not a regular file"));
    }
    let size = found.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
    }
    if last != [b'\n'] {
        // What a crash has torn must not swallow the next line too.
        file.write_all(b"\n")?;
    }
    Ok((file, size))
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
        let append = |m: &Milestone| open(&path).unwrap().0.write_all(&line(m)).unwrap();
        append(&first);
        for torn in [&b"{\"worktree\":\"a\",\"inc"[..], &[0, 0, 0]] {
            OpenOptions::new().append(true).open(&path).unwrap().write_all(torn).unwrap();
            assert_eq!(parse(&std::fs::read(&path).unwrap()), std::slice::from_ref(&first));
        }
        append(&second);
        assert_eq!(parse(&std::fs::read(&path).unwrap()), [first, second]);
    }

    #[test]
    fn the_name_of_a_history_that_a_killed_process_left_empty_is_flushed_before_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout {
            common: dir.path().into(),
            main: None,
            state: dir.path().into(),
            trees: dir.path().into(),
            owner: "test".into(),
            left: Default::default(),
            git: None,
            hidden: Default::default(),
            threads: 1,
            gate: Default::default(),
        };
        std::fs::write(path(&layout), "").unwrap();
        let mut pen = Pen::take_first(&layout).unwrap().expect("nothing says that its name is durable");
        assert!(pen.is_new);
        pen.flush_name().unwrap();
        assert!(!pen.is_new);
        drop(pen);
        std::fs::write(path(&layout), "{}\n").unwrap();
        assert!(Pen::take_first(&layout).unwrap().is_none());
        assert!(!Pen::take(&layout).unwrap().is_new);
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
