//! Judges one entry of `.git/worktrees`, whoever made it.

use std::ffi::OsStr;
use std::path::Path;

use super::super::layout::Layout;
use super::super::refs;
use super::super::scan::parse_head;
use super::facts::{self, Content, Facts, Named, Place};
use super::finding::{Finding, Holds, Remedy, Severity, Trouble};
use super::ward::{Keeper, Ward};
use super::{busy, work};
use crate::capture::fault;

/// Everything that is wrong with the entry; `others` are all entries.
pub(super) fn judge(ward: &Ward<'_>, facts: &Facts, others: &[Facts]) -> Vec<Finding> {
    let judged = bare(facts).or_else(|| links(ward, facts)).or_else(|| head(ward, facts));
    let judged = judged.or_else(|| tree(ward, facts, others)).or_else(|| checkout(ward, facts));
    let mut found: Vec<Finding> = judged.into_iter().map(|finding| considerate(ward, facts, finding)).collect();
    found.extend(facts.locks.iter().filter_map(|lock| stale(ward, facts, lock)));
    found
}

/// States 1 and 2: there is nothing in it.
fn bare(facts: &Facts) -> Option<Finding> {
    let absent = |content: &Content| *content == Content::Missing;
    let nothing = absent(&facts.gitdir) && absent(&facts.commondir) && absent(&facts.head) && facts.index.is_none();
    if !nothing || !facts.more.is_empty() || !facts.locks.is_empty() {
        return None;
    }
    let (trouble, what) = match &facts.locked {
        None => (Trouble::Empty, "is empty: a creation died in its first moment; nobody is hindered"),
        Some(_) => (Trouble::LockOnly, "holds nothing but a lock: git neither shows nor prunes nor removes it"),
    };
    Some(Finding::new(trouble, &facts.dir, what).severity(Severity::Notice).remedy(Remedy::Quarantine))
}

/// States 3, 4, 13 and 15: the files that say where things are.
fn links(ward: &Ward<'_>, facts: &Facts) -> Option<Finding> {
    let new = |trouble, what: &str| Finding::new(trouble, &facts.dir, what);
    let kept = work::only_in(ward.repo.as_ref(), facts);
    if facts.commondir == Content::Missing && facts.head == Content::Missing && kept.is_none() {
        let what = "knows where its tree should be and nothing else: a creation died early; git fsck complains";
        return Some(new(Trouble::Unfinished, what).remedy(Remedy::Quarantine));
    }
    if facts.commondir.is_absent() {
        let ours = matches!(ward.keeper(facts.name()), Keeper::Ours(_));
        let worthless = facts.head.is_absent() && kept.is_none() && !ours;
        let remedy = if worthless { Remedy::Quarantine } else { Remedy::Complete };
        let finding = match facts.commondir {
            Content::Empty => {
                let what = "has an empty commondir: git fails in the whole repository (list, add, fetch, fsck, gc)";
                new(Trouble::CommondirEmpty, what).severity(Severity::Repository)
            }
            _ => new(Trouble::CommondirMissing, "has no commondir: git can neither use nor remove this worktree"),
        };
        return Some(finding.remedy(remedy));
    }
    if facts.tree.is_none() {
        let trees = ward.backlinks.trees_of(&facts.dir, None, |_| true);
        let what = "has a gitdir that does not lead to a tree: git does not show it, and its branch stays taken";
        let remedy = match (trees.map(|trees| trees.len()), kept) {
            (Ok(1), _) => Remedy::Complete,
            (Ok(0), None) => Remedy::Quarantine,
            _ => Remedy::ByHand,
        };
        let way = "; `git worktree repair` in its tree mends it";
        let what = if remedy == Remedy::ByHand { format!("{what}{way}") } else { what.into() };
        return Some(new(Trouble::GitdirDamaged, &what).remedy(remedy));
    }
    None
}

/// States 5, 6 and 14: what it stands on.
fn head(ward: &Ward<'_>, facts: &Facts) -> Option<Finding> {
    let (trouble, severity, what) = match &facts.head {
        Content::Text(text) if parse_head(text).is_some() => return None,
        Content::Text(text) if text.iter().all(|b| *b == b'0') => {
            let what = "has a HEAD of zeros: git fetch and git gc fail in the whole repository";
            (Trouble::HeadNull, Severity::Repository, what)
        }
        // A symbolic ref outside of refs/heads is strange, but somebody put it there.
        Content::Text(text) if text.starts_with(b"ref: refs/") => return None,
        Content::Missing => (Trouble::HeadMissing, Severity::Worktree, "has no HEAD: git cannot remove this worktree"),
        _ => (Trouble::HeadDamaged, Severity::Worktree, "has a damaged HEAD: git cannot use or remove this worktree"),
    };
    let known = head_for(ward, facts).is_some();
    let remedy = match (ward.keeper(facts.name()), work::only_in(ward.repo.as_ref(), facts)) {
        (Keeper::Foreign, None) => Remedy::Quarantine,
        _ if known => Remedy::Complete,
        _ => Remedy::ByHand,
    };
    let way = "; write `ref: refs/heads/<its branch>` into that file";
    let what = if remedy == Remedy::ByHand { format!("{what}{way}") } else { what.to_owned() };
    Some(Finding::new(trouble, &facts.dir, what).severity(severity).remedy(remedy))
}

/// What its `HEAD` must be: the branch of our record, or the commit that its reflog names last.
pub(super) fn head_for(ward: &Ward<'_>, facts: &Facts) -> Option<String> {
    let repo = ward.repo.as_ref()?;
    if let Keeper::Ours(record) = ward.keeper(facts.name())
        && let Some(branch) = &record.parts.branch
        && refs::branch_tip(repo, branch).is_ok_and(|tip| tip.is_some())
    {
        return Some(format!("ref: {}\n", refs::full(branch)));
    }
    work::last_logged(repo, &facts.dir).map(|id| format!("{id}\n"))
}

/// States 9 and 10, trees that were moved or replaced, and second entries for one tree.
fn tree(ward: &Ward<'_>, facts: &Facts, others: &[Facts]) -> Option<Finding> {
    let (expected, place) = (facts.tree.as_deref()?, facts.place(&ward.layout.common)?);
    // What is wrong with the trees of our own worktrees is said of their records.
    if place == Place::Ours || matches!(ward.keeper(facts.name()), Keeper::Ours(_)) {
        return None;
    }
    if place == Place::Unreadable {
        let what = format!("names {expected:?}, whose .git cannot be read: nobody can tell whether it is its tree");
        return Some(Finding::new(Trouble::TreeReplaced, &facts.dir, what).holds(Holds::Work));
    }
    let trees = ward.backlinks.trees_of(&facts.dir, Some(expected), |_| true);
    if let Ok([to]) = trees.as_deref() {
        let what = format!("was made for {expected:?}, but its tree is now {to:?}: git there and here disagree");
        return Some(Finding::new(Trouble::TreeMoved { to: to.clone() }, &facts.dir, what).remedy(Remedy::Complete));
    }
    let untold = |e| format!("it could not be told whether it was moved ({})", fault::with_causes(&e));
    let kept = work::only_in(ward.repo.as_ref(), facts).or_else(|| trees.err().map(untold));
    if place == Place::Other {
        return Some(replaced(facts, others, expected, kept));
    }
    let new = |what: String| Finding::new(Trouble::TreeMissing, &facts.dir, what).severity(Severity::Notice);
    let hands_off = match (&place, &facts.locked, kept) {
        (Place::Absent, ..) => "its disk may not be mounted".to_owned(),
        (_, Some(_), _) if !facts.initializing() => "somebody locked it on purpose".to_owned(),
        (_, _, Some(kept)) => kept,
        _ => {
            let what = format!("its tree {expected:?} is gone: its branch stays taken until a git worktree prune");
            return Some(new(what).remedy(Remedy::Quarantine));
        }
    };
    let what = format!(
        "its tree {expected:?} is not there, and {hands_off}: any git worktree prune forgets it unless it is locked; \
         bring the tree back, or unlock it and `git worktree remove` it"
    );
    Some(new(what).holds(Holds::Work))
}

fn replaced(facts: &Facts, others: &[Facts], expected: &Path, kept: Option<String>) -> Finding {
    let same = |other: &&Facts| other.dir != facts.dir && other.tree.as_deref() == Some(expected);
    let rival = others.iter().filter(same).any(|other| facts::names(expected, &other.dir) == Some(true));
    let trouble = if rival { Trouble::Duplicate } else { Trouble::TreeReplaced };
    // A `.git` that leads nowhere may be that of this very worktree, from before the repository was moved.
    let named = matches!(facts::named_by(expected), Named::Entry(named) if named.is_dir());
    let leads = named || expected.join(".git").is_dir();
    let remedy = if kept.is_none() && (rival || leads) { Remedy::Quarantine } else { Remedy::ByHand };
    let what = match (trouble == Trouble::Duplicate, remedy) {
        (true, _) => format!("is a second entry for {expected:?}, which belongs to another one"),
        (_, Remedy::Quarantine) => {
            format!("names {expected:?}, which is another repository or worktree now; never remove it by that path")
        }
        _ => format!(
            "names {expected:?}, which does not name it; if that is its tree, `git worktree repair {}` mends it",
            expected.display()
        ),
    };
    let holds = if kept.is_some() { Holds::Work } else { Holds::Nothing };
    Finding::new(trouble, &facts.dir, what).holds(holds).remedy(remedy)
}

/// States 7, 8 and 12: a checkout that was not finished.
fn checkout(ward: &Ward<'_>, facts: &Facts) -> Option<Finding> {
    let new = |trouble, what: &str, remedy| Some(Finding::new(trouble, &facts.dir, what).remedy(remedy));
    let tree = facts.tree.as_deref()?;
    // Ours are without a tree only while they are published, or when their records say so.
    if facts.place(&ward.layout.common)? != Place::Ours {
        return None;
    }
    if facts.index.is_some() {
        let what = "is complete but still locked as if it were being made: git neither prunes nor removes it";
        return facts.initializing().then(|| new(Trouble::LeftLocked, what, Remedy::Complete))?;
    }
    if is_bare(tree) && !facts.initializing() {
        let what = "has neither index nor files: made with --no-checkout, or left by a creation that died; \
                    `git checkout` in it makes the files, `git worktree remove` removes it";
        return new(Trouble::IndexMissing, what, Remedy::ByHand).map(|finding| finding.severity(Severity::Notice));
    }
    let sparse = facts.dir.join("info/sparse-checkout").exists();
    let what = "has no index: git takes every file of the tree for deleted; a creation died while it wrote the files";
    let by_hand = format!("{what}; `git sparse-checkout reapply` after `git reset` in it mends it");
    match sparse {
        true => new(Trouble::IndexMissing, &by_hand, Remedy::ByHand),
        false => new(Trouble::IndexMissing, what, Remedy::Complete),
    }
}

/// Whether a tree holds nothing but its `.git`.
fn is_bare(tree: &Path) -> bool {
    std::fs::read_dir(tree).is_ok_and(|mut entries| entries.all(|e| e.is_ok_and(|e| e.file_name() == ".git")))
}

/// Says whether files are at stake, what mending does, and leaves alone what somebody may be at work on.
fn considerate(ward: &Ward<'_>, facts: &Facts, mut finding: Finding) -> Finding {
    let tree = match &finding.trouble {
        Trouble::TreeMoved { to } => Some(to.clone()),
        _ => facts.tree.clone().filter(|tree| facts::names(tree, &facts.dir) != Some(false)),
    };
    let tree = tree.as_deref();
    if work::only_in(ward.repo.as_ref(), facts).is_some() || tree.is_some_and(|tree| !is_bare(tree)) {
        finding.holds = Holds::Work;
    }
    if finding.remedy == Remedy::Quarantine && matches!(ward.keeper(facts.name()), Keeper::Ours(_)) {
        finding.remedy = Remedy::ByHand;
        finding.says.push_str("; it belongs to one of our records: copy out what is needed from its tree");
    }
    let mends = matches!(finding.remedy, Remedy::Complete | Remedy::Quarantine);
    let hands_off = || {
        let calm = ward.calm.as_ref() == Some(&facts.dir);
        let busy = || if calm { None } else { busy::busy(&ward.processes, &facts.dir, tree) };
        claimed(ward, facts).or_else(busy)
    };
    if mends && let Some(why) = hands_off() {
        finding.remedy = Remedy::Wait;
        finding.says = format!("{}; left alone: {why}", finding.says);
    }
    finding.says = match finding.remedy {
        Remedy::Complete => format!("{}; mending completes it", finding.says),
        Remedy::Quarantine => {
            format!("{}; mending moves the entry to the quarantine, and no file of a tree", finding.says)
        }
        _ => finding.says,
    };
    let name = facts.name().to_string_lossy();
    finding.says = format!("{name:?} {}", finding.says.replace('\n', " "));
    finding
}

/// Why nobody but its owner may touch the entry.
fn claimed(ward: &Ward<'_>, facts: &Facts) -> Option<String> {
    match ward.keeper(facts.name()) {
        Keeper::Unclear(id) => Some(format!("it may belong to {id}, whose record cannot be read")),
        Keeper::Ours(record) => {
            let living = ward.charts.iter().any(|chart| chart.id == record.parts.id && chart.living);
            living.then(|| "its owner is alive".into())
        }
        Keeper::Foreign => None,
    }
}

/// A lock in the entry that nobody seems to hold.
fn stale(ward: &Ward<'_>, facts: &Facts, lock: &Path) -> Option<Finding> {
    let tree = facts.tree.as_deref().filter(|tree| facts::names(tree, &facts.dir) != Some(false));
    let standing = tree.and_then(|tree| ward.processes.user_of(tree));
    if standing.is_some() || busy::busy(&ward.processes, lock, None).is_some() {
        return None;
    }
    let file = lock.file_name().unwrap_or_default().to_string_lossy();
    let says = format!("{:?} holds a stale {file}: git refuses to work in it; mending takes it away", facts.name());
    let remedy = if claimed(ward, facts).is_some() { Remedy::Wait } else { Remedy::Quarantine };
    Some(Finding::new(Trouble::StaleLock, lock, says).remedy(remedy))
}

/// All entries as they are, without those that cannot be read and those of removed worktrees, which leave by themselves.
pub(super) fn all(layout: &Layout) -> Vec<Facts> {
    let leaves = |name: &OsStr| name.to_str().is_some_and(|name| layout.leaving(name).symlink_metadata().is_ok());
    let entries = std::fs::read_dir(layout.admins()).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let dirs = dirs.filter(|entry| !leaves(&entry.file_name()));
    let mut found: Vec<Facts> = dirs.filter_map(|entry| Facts::read(&entry.path()).ok()).collect();
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    found
}
