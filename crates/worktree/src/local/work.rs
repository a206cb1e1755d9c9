//! What lies in a worktree that is being released, as commits.

use gix::ObjectId;

use super::layout::Layout;
use super::obstacle::obstacle;
use super::record::Record;
use super::release::{head, input, take_over};
use super::remove::Tree;
use super::{base, refs, touched};
use crate::capture::{self, Difference};
use crate::disk;
use crate::{Capture, GitAccess, Message, Notice, Rescue, Result};

/// What lies in a worktree, as commits.
pub(super) enum Work {
    /// All of it.
    Whole(Box<Tips>),
    /// Something could not be taken.
    Partly {
        /// Why, in words.
        why: String,
        /// The refs under which other lines of history were put before.
        rescued: Vec<Rescue>,
        /// What was noticed until then.
        notices: Vec<Notice>,
    },
}

impl Work {
    /// Nothing was taken at all.
    fn untouched(why: &str) -> Self {
        Self::Partly { why: why.to_owned(), rescued: Vec::new(), notices: Vec::new() }
    }
}

pub(super) struct Tips {
    /// The refs under which other lines of history were put already.
    pub(super) rescued: Vec<Rescue>,
    /// Commits that would go with git's own files, in which alone they are named.
    pub(super) aside: Vec<ObjectId>,
    pub(super) base: ObjectId,
    /// What its branch must still name to be deleted.
    pub(super) branch: Option<ObjectId>,
    /// The commits that hold the work, the most telling one last.
    pub(super) tips: Vec<ObjectId>,
    /// The commit that has what is staged as well, in place of the last tip.
    pub(super) whole: Option<capture::Kept>,
    pub(super) notices: Vec<Notice>,
}

impl Tips {
    /// The commits that must be rescued.
    pub(super) fn needed(&self, is_safe: impl Fn(ObjectId) -> bool) -> Vec<ObjectId> {
        let staged = self.whole.as_ref().is_some_and(|whole| whole.staged == Difference::Some);
        let last = self.tips.len().saturating_sub(1);
        let tips = self.tips.iter().enumerate();
        let needed = tips.filter(|(n, tip)| staged && *n == last || !is_safe(**tip));
        let needed =
            needed.map(|(n, tip)| self.whole.as_ref().filter(|_| n == last).map_or(*tip, |whole| whole.commit));
        self.aside.iter().copied().chain(needed).collect()
    }
}

/// Captures everything, and says what could not be.
pub(super) fn everything(repo: &gix::Repository, layout: &Layout, record: &Record) -> Result<Work> {
    let parts = &record.parts;
    let git_file = parts.path.join(".git");
    if git_file.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Ok(Work::untouched("its .git was replaced by a directory, perhaps with a history of its own"));
    }
    let message = Message {
        text: format!("Keep what was left in worktree {}", parts.id),
        name: "hedgerow".into(),
        email: "hedgerow@localhost".into(),
    };
    let input = capture::Input { hidden: layout.hidden, follow: capture::Follow::Later, ..input(layout, record)? };
    let head = capture::head(repo, &input);
    let Capture { tip, rescued, notices, .. } = take_over(repo, layout, record, &input, &message)?;
    let untouched = |notice: &Notice| match notice {
        Notice::Unstorable { path, .. } => touched::is_untouched(layout, record, path),
        _ => false,
    };
    let mut notices: Vec<Notice> = notices.into_iter().filter(|notice| !untouched(notice)).collect();
    if let Some(why) = notices.iter().find_map(|notice| obstacle(&parts.path, notice)) {
        return Ok(Work::Partly { why, rescued, notices });
    }
    let tip = base::object_id(&tip)?;
    let in_use = notices.iter().any(|notice| matches!(notice, Notice::BranchInUse { .. }));
    let branch = match &parts.branch {
        // Whoever is on it may commit to it, and leave it again before it would be deleted.
        Some(branch) if !in_use => refs::branch_tip(repo, branch)?,
        _ => None,
    };
    if branch.is_some_and(|branch| branch != tip) {
        let why = "its branch was moved by somebody else while it was captured".to_owned();
        return Ok(Work::Partly { why, rescued, notices });
    }
    let mut whole = capture::keep(repo, &input, tip, head)?;
    for notice in std::mem::take(&mut whole.notices) {
        // Both look at what is staged.
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }
    if let Some(why) = whole.unkept.take() {
        let why = format!("what is staged could not be kept: {why}");
        return Ok(Work::Partly { why, rescued, notices });
    }
    let aside = match capture::aside(repo, &input, &[tip])? {
        Ok(aside) => aside,
        Err(why) => return Ok(Work::Partly { why, rescued, notices }),
    };
    Ok(Work::Whole(Box::new(Tips {
        rescued,
        aside,
        base: base::object_id(&parts.base)?,
        branch,
        tips: vec![tip],
        whole: Some(whole),
        notices,
    })))
}

/// What is left of a worktree whose tree somebody else deleted: its commits.
pub(super) fn left_behind(repo: &gix::Repository, layout: &Layout, record: &Record) -> Result<Work> {
    let parts = &record.parts;
    if parts.git == GitAccess::Private {
        let why = "its tree is gone, but its private git directory may hold work".to_owned();
        return Ok(Work::Partly { why, rescued: Vec::new(), notices: Tree::Absent.missing(record) });
    }
    let branch = match &parts.branch {
        Some(branch) => refs::branch_tip(repo, branch)?,
        None => None,
    };
    let head = head(layout, record)?;
    let tips: Vec<ObjectId> = branch.into_iter().chain(head).collect();
    let base = base::object_id(&parts.base)?;
    capture::make_durable(repo, base, &tips)?;
    let notices = Tree::Absent.missing(record);
    let mut work = Tips { rescued: Vec::new(), aside: Vec::new(), base, branch, tips, whole: None, notices };
    if disk::identity(&record.admin_dir(layout)).is_none() {
        return Ok(Work::Whole(Box::new(work)));
    }
    let input = input(layout, record)?;
    match capture::aside(repo, &input, &work.tips)? {
        Ok(aside) => work.aside = aside,
        Err(why) => return Ok(Work::Partly { why, rescued: Vec::new(), notices: work.notices }),
    }
    let tip = work.tips.last().copied().unwrap_or(base);
    let mut whole = capture::keep(repo, &input, tip, capture::head(repo, &input))?;
    work.notices.append(&mut whole.notices);
    if let Some(why) = whole.unkept.take() {
        let why = format!("what is staged could not be kept: {why}");
        return Ok(Work::Partly { why, rescued: Vec::new(), notices: work.notices });
    }
    if work.tips.is_empty() {
        work.tips.push(tip);
    }
    work.whole = Some(whole);
    Ok(Work::Whole(Box::new(work)))
}
