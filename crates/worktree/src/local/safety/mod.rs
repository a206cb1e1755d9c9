//! Looks at a worktree and states what is in it. Nothing is written, and nothing of the agent's configuration is asked:
//! what it told git to hide is found like everything else.

mod ignored;

use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

pub(super) use ignored::Ignored;

use super::base::commit_id;
use super::layout::Layout;
use super::processes::{self, Members, Own, Place, Reach};
use super::record::Record;
use super::release::{input, lost};
use crate::capture::{self, Marks, Observed, fault};
use crate::safety::SAMPLE;
use crate::{Fact, HiddenRepositories, Result, SafetyReport, Sample, Unknown, WorktreeId, repo};

/// What was found, and what tells whether it is still so.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) report: SafetyReport,
    /// What removing would delete without a trace, as nothing of it is captured.
    pub(super) ignored: Ignored,
    pub(super) marks: Marks,
    /// The last commit that was made inside.
    pub(super) head: Option<ObjectId>,
}

impl Found {
    /// Whether a repository in it keeps the tree: one whose files are captured always does, one that is ignored unless the
    /// options give it up.
    pub(super) fn is_kept_by_a_repository(&self, hidden: HiddenRepositories) -> bool {
        !self.ignored.nested.is_empty() || hidden == HiddenRepositories::Keep && !self.ignored.hidden.is_empty()
    }
}

/// The record of this id, which must be there.
pub(super) fn record(layout: &Layout, id: &WorktreeId) -> Result<Record> {
    Record::read(layout, id)?.ok_or_else(|| lost(id, "there is no worktree of this id"))
}

/// States what is in the worktree of this record. What cannot be read becomes an unknown, never an absence.
pub(super) fn inspect(layout: &Layout, record: &Record, precious: &[String]) -> Result<Found> {
    let repo = repo::open(&layout.common)?;
    let parts = &record.parts;
    let mut report = SafetyReport { id: parts.id.clone(), facts: Vec::new(), unknowns: Vec::new() };
    let (mut marks, mut head) = (Marks::default(), None);
    let mut ignored = Ignored::default();
    if !record.has_tree() {
        let why = "the directory that was made for this worktree is not there any more, or not yet".to_owned();
        report.unknowns.push(Unknown { subject: format!("{:?}", parts.path), why });
        return Ok(Found { report, ignored, marks, head });
    }
    if parts.path.join(".git").symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        let why = "it was replaced by a directory, perhaps with a history of its own".to_owned();
        report.unknowns.push(Unknown { subject: ".git".into(), why });
    }
    let mut submodules = Vec::new();
    match input(layout, record).and_then(|input| capture::observe(&repo, &input)) {
        Ok(observed) => {
            marks = observed.marks.clone();
            head = observed.head;
            submodules.clone_from(&observed.submodules);
            tell(&mut report, observed);
        }
        Err(e) => {
            let why = fault::with_causes(&e);
            report.unknowns.push(Unknown { subject: "the worktree".into(), why });
        }
    }
    match ignored::look(&repo, layout, record, precious) {
        Ok(found) => ignored = found,
        Err(e) => {
            let why = fault::with_causes(&e);
            report.unknowns.push(Unknown { subject: "what is ignored".into(), why });
        }
    }
    report.unknowns.extend(ignored.unknown.take().map(|why| Unknown { subject: "what is ignored".into(), why }));
    let unsearched = ignored.unsearched.take();
    report.unknowns.extend(unsearched.map(|why| Unknown { subject: "repositories in what is ignored".into(), why }));
    ignored.nested.retain(|path| !submodules.contains(path));
    report.facts.extend(Sample::of(paths(&ignored.precious)).map(Fact::Precious));
    let nested: Vec<_> = ignored.nested.iter().chain(&ignored.hidden).cloned().collect();
    report.facts.extend(Sample::of(paths(&nested)).map(Fact::NestedRepositories));
    match users(&parts.path) {
        Ok(found) => {
            report.facts.extend(Sample::of(found.users).map(Fact::Processes));
            report.unknowns.extend(found.unseen.into_iter().take(SAMPLE));
        }
        Err(e) => report.unknowns.push(Unknown { subject: "the processes".into(), why: e.to_string() }),
    }
    Ok(Found { report, ignored, marks, head })
}

/// The processes at work in a tree. In a sandbox its root may go by another path.
fn users(tree: &Path) -> std::io::Result<processes::Found> {
    let members = Members::from([processes::number(&tree.symlink_metadata()?)]);
    let reach = Reach::of(tree)?;
    processes::look(&Place { path: tree, name: None, members: &members, reach: &reach, own: Own::Standing })
}

fn tell(report: &mut SafetyReport, observed: Observed) {
    let Observed { changed, unseen, staged, unmerged, untracked, commits, rewritten, stashes, .. } = observed;
    let stashes = Sample::of(ids(&stashes));
    let facts = [
        Sample::of(paths(&changed)).map(Fact::Changed),
        Sample::of(paths(&unseen)).map(Fact::ChangedUnseen),
        Sample::of(paths(&staged)).map(Fact::Staged),
        Sample::of(paths(&unmerged)).map(Fact::Unmerged),
        Sample::of(paths(&untracked)).map(Fact::Untracked),
        Sample::of(ids(&commits)).map(Fact::Commits),
        Sample::of(ids(&rewritten)).map(Fact::Rewritten),
        stashes.map(if observed.stash_is_shared { Fact::SharedStashes } else { Fact::Stashes }),
        Sample::of(paths(&observed.submodules)).map(Fact::Submodules),
    ];
    report.facts.extend(facts.into_iter().flatten());
    report.facts.extend(observed.operations.into_iter().map(Fact::Operation));
    report.unknowns.extend(observed.unknown);
}

/// Paths for a report. Reports are stored as text, so a name that is none must not make that fail.
fn paths(found: &[BString]) -> impl Iterator<Item = PathBuf> {
    found.iter().map(|path| PathBuf::from(path.to_str_lossy().into_owned()))
}

fn ids(found: &[ObjectId]) -> impl Iterator<Item = crate::CommitId> {
    found.iter().map(|id| commit_id(*id))
}
