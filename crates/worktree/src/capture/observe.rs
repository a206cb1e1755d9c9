//! States what a capture would find, and what it would not take, without writing anything.
//!
//! The agent's objects are kept in memory, and of files only the hash is computed.

use std::collections::{BTreeSet, HashSet};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::beneath::Dir;
use super::index::{self, Staged};
use super::look::{self, Look};
use super::notices::Notices;
use super::refs::Refs;
use super::tree::{Changes, Tree};
use super::way;
use super::{Input, fault, history, stash};
use crate::{GitAccess, Notice, Operation, Result, Unknown, view};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The agent's last commit, or the base.
    pub(crate) head: Option<ObjectId>,
    pub(crate) changed: Vec<BString>,
    pub(crate) unseen: Vec<BString>,
    pub(crate) staged: Vec<BString>,
    pub(crate) unmerged: Vec<BString>,
    pub(crate) untracked: Vec<BString>,
    /// Commits that no ref but those of this worktree reaches.
    pub(crate) commits: Vec<ObjectId>,
    /// Commits that only a reflog remembers.
    pub(crate) rewritten: Vec<ObjectId>,
    pub(crate) stashes: Vec<ObjectId>,
    /// Whether they are in the stack of the repository.
    pub(crate) stash_is_shared: bool,
    pub(crate) operations: Vec<Operation>,
    pub(crate) submodules: Vec<BString>,
    pub(crate) unknown: Vec<Unknown>,
    /// Numbers that change with the files, the index, and the history.
    pub(crate) marks: Marks,
}

/// What tells whether anything changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) files: String,
    pub(crate) index: String,
    pub(crate) history: String,
}

/// Looks at everything in a worktree.
///
/// # Errors
/// When the repository or the tree cannot be read at all.
pub(crate) fn observe(repo: &gix::Repository, input: &Input) -> Result<Observed> {
    look::only(repo, input, state)
}

fn state(look: Look<'_>) -> Result<Observed> {
    let Look { repo, input, common, branch, agent, of_agent, lines, content, notices, .. } = look;
    let mut found = Observed { stash_is_shared: input.git == GitAccess::Direct, ..Observed::default() };
    found.head = Some(agent);
    match own_dir(input) {
        Ok(own) => {
            found.operations = operations(&own, &mut found.unknown);
            let staged = index::read(&own, repo.object_hash()).unwrap_or_else(|why| {
                found.unknown.push(Unknown { subject: "what is staged".into(), why });
                None
            });
            compare(&mut found, of_agent, &content, staged.as_ref());
            if let Err(e) = found.commits(repo, common, &own, input, agent, branch, &lines) {
                let why = fault::with_causes(&e);
                found.unknown.push(Unknown { subject: "the commits".into(), why });
            }
            found.marks.index = mark(&format!("{staged:?}"))?;
        }
        Err(why) => found.unknown.push(Unknown { subject: "the git directory".into(), why }),
    }
    found.take_in(notices, &input.tree);
    found.marks.files = mark(&format!("{:?}", content.changes()))?;
    let Observed { commits, rewritten, stashes, operations, .. } = &found;
    found.marks.history = mark(&format!("{agent} {branch:?} {commits:?} {rewritten:?} {stashes:?} {operations:?}"))?;
    Ok(found)
}

/// The git directory of the worktree's own.
pub(super) fn own_dir(input: &Input) -> std::result::Result<Dir, String> {
    let path = match input.git {
        GitAccess::Private => view::git_dir(&input.common, &input.id),
        GitAccess::Direct => input.admin.clone(),
    };
    Dir::open(&path).map_err(|e| format!("it cannot be opened: {e}"))
}

fn mark(text: &str) -> Result<String> {
    let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
    hasher.update(text.as_bytes());
    Ok(hasher.try_finalize().map_err(fault::git("hash what was found"))?.to_string())
}

/// The tree that the index stands for; conflicts and what has no content yet are as the agent's last commit has them.
pub(super) fn staged_tree<'a>(agent: &Tree<'a>, staged: &Staged) -> Tree<'a> {
    let base = agent.base();
    let mut tree = Tree::new(base, Changes::new());
    for (path, item) in &staged.entries {
        tree.set(path.clone(), Some(*item));
    }
    for position in 0..base.len() {
        let (path, _) = base.at(position);
        if !staged.entries.contains_key(path) {
            tree.set(path.to_owned(), None);
        }
    }
    tree
}

fn compare(found: &mut Observed, agent: &Tree<'_>, content: &Tree<'_>, staged: Option<&Staged>) {
    let none = Staged::default();
    let of_index = staged.map_or_else(|| agent.clone(), |staged| staged_tree(agent, staged));
    let staged = staged.unwrap_or(&none);
    let unwatched: HashSet<&BString> = staged.unwatched.iter().collect();
    let unmerged: BTreeSet<&BString> = staged.sides.iter().map(|(path, ..)| path).collect();
    // What none of the three has other than the base is the same in all of them.
    let trees = [agent, content, &of_index];
    let paths: BTreeSet<&BString> = trees.iter().flat_map(|tree| tree.changes().keys()).collect();
    for path in paths {
        let [committed, there, index] = trees.map(|tree| tree.get(path.as_bstr()));
        let conflict = unmerged.contains(path);
        if index != committed && !conflict {
            found.staged.push(path.clone());
        }
        if committed.is_none() && index.is_none() && !conflict {
            found.untracked.extend(there.map(|_| path.clone()));
        } else if there != index {
            let list = if unwatched.contains(path) { &mut found.unseen } else { &mut found.changed };
            list.push(path.clone());
        }
    }
    found.unmerged = unmerged.into_iter().cloned().collect();
}

fn operations(git: &Dir, unknown: &mut Vec<Unknown>) -> Vec<Operation> {
    let marks: [(&[u8], Operation); 6] = [
        (b"MERGE_HEAD", Operation::Merge),
        (b"rebase-merge", Operation::Rebase),
        (b"CHERRY_PICK_HEAD", Operation::CherryPick),
        (b"REVERT_HEAD", Operation::Revert),
        (b"BISECT_LOG", Operation::Bisect),
        (b"sequencer", Operation::CherryPick),
    ];
    let mut found = Vec::new();
    let mut is_there = |name: &[u8]| match git.stat(name) {
        Ok(_) => true,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
        Err(e) => {
            unknown.push(Unknown { subject: name.to_str_lossy().into_owned(), why: e.to_string() });
            false
        }
    };
    for (name, operation) in marks {
        let part_of_another = name == b"sequencer" && !found.is_empty();
        if !part_of_another && is_there(name) {
            found.push(operation);
        }
    }
    if is_there(b"rebase-apply") {
        let applying = git.dir(b"rebase-apply").is_ok_and(|dir| dir.stat(b"applying").is_ok());
        found.push(if applying { Operation::Am } else { Operation::Rebase });
    }
    found
}

impl Observed {
    /// Finds the commits that would be lost.
    #[expect(clippy::too_many_arguments, reason = "each is one thing that was read once and is needed here only")]
    fn commits(
        &mut self,
        repo: &gix::Repository,
        common: &Dir,
        own: &Dir,
        input: &Input,
        agent: ObjectId,
        branch: Option<ObjectId>,
        lines: &[ObjectId],
    ) -> Result<()> {
        let (mut hidden, flaws) = elsewhere(repo, own, common, input);
        let about = |why: String| Unknown { subject: "the refs of the repository".into(), why };
        self.unknown.extend(flaws.into_iter().map(about));

        let stashes = match input.git {
            GitAccess::Private => Refs { own, common: own, hash: repo.object_hash() }.stashes().unwrap_or_else(|why| {
                self.unknown.push(Unknown { subject: "the stashes".into(), why });
                Vec::new()
            }),
            GitAccess::Direct => stash::of(repo, common, input, agent)?,
        };
        let tips = [agent].into_iter().chain(branch).chain(lines.iter().copied());
        let tips: Vec<ObjectId> = tips.filter(|id| !stashes.contains(id) && repo.has_object(*id)).collect();
        self.commits = beyond(repo, &tips, &hidden)?;
        let (logged, strange) = history::logged(repo, input, own, common);
        self.unknown.extend(strange.map(|why| Unknown { subject: "the reflog".into(), why }));
        hidden.extend(tips);
        hidden.extend(stashes.iter().filter(|id| repo.has_object(**id)));
        self.rewritten = beyond(repo, &logged, &hidden)?;
        self.stashes = stashes;
        Ok(())
    }

    /// Takes in what the readers have noticed.
    fn take_in(&mut self, notices: Notices, tree: &std::path::Path) {
        for notice in notices.into_list() {
            let (subject, why) = match notice {
                // They are looked for on their own, below what is ignored as well.
                Notice::NestedRepository { .. } | Notice::HiddenRepository { .. } => continue,
                Notice::HiddenUnreadable { .. } | Notice::HiddenUnsearched { .. } => continue,
                // Only a release says so.
                Notice::NotStaged { .. } | Notice::Conflict { .. } => continue,
                Notice::BranchInUse { .. } | Notice::TreeMissing { .. } => continue,
                Notice::StagedOtherwise { .. } | Notice::IndexBehind { .. } => continue,
                Notice::GitFileReplaced => (".git".into(), "it is not the file that was put there".into()),
                Notice::HistoryNotFromBase { tip } => ("HEAD".into(), format!("{tip} does not go on from the base")),
                Notice::HistoryRefused { why } => ("the history made inside".into(), why),
                Notice::Unstorable { path, why } => match tree.join(&path).symlink_metadata() {
                    Ok(meta) if !(meta.is_file() || meta.is_dir() || meta.is_symlink()) => continue,
                    Ok(meta) if meta.is_dir() && why.contains("is a submodule") => {
                        self.submodules.push(path.to_string_lossy().into_owned().into());
                        continue;
                    }
                    _ => (format!("{path:?}"), why),
                },
            };
            self.unknown.push(Unknown { subject, why });
        }
    }
}

/// The commit that a ref leads to, if it is there.
fn peel(repo: &gix::Repository, id: ObjectId) -> Option<ObjectId> {
    repo.find_object(id).ok()?.peel_to_kind(gix::objs::Kind::Commit).ok().map(|commit| commit.id)
}

/// What the refs hold that stay when this worktree goes, its base among it, and in words what could not be read.
///
/// What holds the base of another worktree goes with that one, which rescues no base that is discarded.
pub(super) fn elsewhere(
    repo: &gix::Repository,
    own: &Dir,
    common: &Dir,
    input: &Input,
) -> (Vec<ObjectId>, Vec<String>) {
    let shared = Refs { own, common, hash: repo.object_hash() };
    let (all, flaws) = shared.all();
    let own_branch = input.branch.as_ref().map(|name| format!("refs/heads/{name}"));
    let stays = |name: &[u8]| {
        !name.starts_with(way::PINS.as_bytes()) && own_branch.as_ref().is_none_or(|own| own.as_bytes() != name)
    };
    let others = all.iter().filter(|(name, _)| stays(name)).map(|(_, id)| *id);
    let mut held: Vec<ObjectId> = others.filter_map(|id| peel(repo, id)).chain([input.base]).collect();
    held.sort_unstable();
    held.dedup();
    (held, flaws)
}

/// The commits that these reach and the others do not.
pub(super) fn beyond(repo: &gix::Repository, tips: &[ObjectId], hidden: &[ObjectId]) -> Result<Vec<ObjectId>> {
    if tips.is_empty() {
        return Ok(Vec::new());
    }
    let walk = repo.rev_walk(tips.iter().copied()).with_hidden(hidden.iter().copied());
    let walk = walk.all().map_err(fault::git("walk the history"))?;
    walk.map(|commit| commit.map(|c| c.id).map_err(fault::git("walk the history"))).collect()
}
