//! Finds what differs between three trees, and what of it could have been renamed so that it matters.
//!
//! A directory that only one side changed is not entered unless some file that this side lost could be in it under
//! another name, so that a merge costs what both sides changed.

use std::collections::HashMap;

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};

use super::halt::Halt;
use super::node::{ALL, BASE, Mask, Node, OURS, Paths, THEIRS, bit};
use super::tree::{self, Entry};

/// Why the new name of a file that a side lost matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// The other side changed the file.
    Content,
    /// The other side added to the directory, which may have been renamed.
    Location,
}

/// What a directory that a side lost is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing.
    Unneeded,
    /// A directory above or below it.
    Ancestor,
    /// The other side added a file right in it.
    Own,
}

/// What one side added and lost.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) added: Vec<(BString, Entry)>,
    pub(super) deleted: Vec<(BString, Entry)>,
    /// Those of the deleted whose new names matter.
    pub(super) needed: HashMap<BString, Needed>,
    /// The directories that the side lost.
    pub(super) lost: HashMap<BString, Lost>,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) paths: Paths,
    /// Of our side, then of theirs.
    pub(super) moves: [Moves; 2],
}

struct Walk<'s> {
    session: &'s gix::Repository,
    paths: Paths,
    moves: [Moves; 2],
    /// Which side still has the directory that is being read and that the other lost; all, once that is known to matter.
    lost_by: Mask,
    /// Directories that only one side changed, with `lost_by` as it was there.
    deferred: [Vec<(BString, Mask)>; 2],
    /// Whether such directories may be left for later.
    deferring: bool,
}

/// Reads three trees.
pub(super) fn walk(session: &gix::Repository, trees: [ObjectId; 3]) -> Result<Walked, Halt> {
    let mut walk = Walk {
        session,
        paths: Paths::new(),
        moves: Default::default(),
        lost_by: 0,
        deferred: Default::default(),
        deferring: true,
    };
    walk.directory(b"".as_bstr(), trees.map(Some))?;
    walk.deferring = false;
    for side in [OURS, THEIRS] {
        let deferred = std::mem::take(&mut walk.deferred[side - 1]);
        let settles = walk.moves[side - 1].needed.is_empty();
        for (path, lost_by) in deferred {
            let Some(node) = walk.paths.get_mut(&path) else { continue };
            if settles {
                let tree = node.trees[side].map(|id| Entry { kind: gix::objs::tree::EntryKind::Tree, id });
                node.settled = Some(tree.or(node.stages[side]));
            } else {
                let trees = node.trees;
                walk.lost_by = lost_by;
                walk.directory(path.as_bstr(), trees)?;
            }
        }
    }
    Ok(Walked { paths: walk.paths, moves: walk.moves })
}

impl Walk<'_> {
    fn directory(&mut self, path: &BStr, trees: [Option<ObjectId>; 3]) -> Result<(), Halt> {
        let groups = tree::differing(self.session, trees)?;
        let groups: Vec<_> =
            groups.into_iter().map(|group| (tree::join(path, group.name.as_bstr()), Node::new(&group))).collect();
        let adds = |mask: Mask| groups.iter().any(|(_, node)| node.files() == mask);
        if (self.lost_by == bit(OURS) || self.lost_by == bit(THEIRS)) && adds(self.lost_by) {
            self.lost_by = ALL;
        }
        for (path, node) in groups {
            self.entry(path, node)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: BString, mut node: Node) -> Result<(), Halt> {
        let (files, directories, matching) = (node.files(), node.directories(), node.matching);
        if files == ALL {
            let side = match matching {
                6 => Some(OURS),
                3 => Some(THEIRS),
                5 => Some(OURS),
                _ => None,
            };
            if let Some(side) = side {
                node.settled = Some(node.stages[side]);
                self.paths.insert(path, node);
                return Ok(());
            }
        }
        let above = self.lost_by;
        self.note(&path, &node);
        if directories == 0 {
            self.paths.insert(path, node);
            return Ok(());
        }
        let mut side = match matching {
            3 => Some(THEIRS),
            5 => Some(OURS),
            _ => None,
        };
        if files == 0 && (directories == bit(OURS) || directories == bit(THEIRS)) {
            side = Some(if directories == bit(OURS) { OURS } else { THEIRS });
        }
        let trees = node.trees;
        // Only what is said of files counts from here on.
        node.matching &= files;
        self.paths.insert(path.clone(), node);
        match side {
            Some(side) if self.deferring && self.lost_by != ALL => {
                self.deferred[side - 1].push((path, self.lost_by));
            }
            _ => self.directory(path.as_bstr(), trees)?,
        }
        self.lost_by = above;
        Ok(())
    }

    /// Notes what could be the old or new name of something.
    fn note(&mut self, path: &BString, node: &Node) {
        let (files, directories) = (node.files(), node.directories());
        if self.lost_by != ALL && (directories == 3 || directories == 5) {
            self.lost_by = directories & !bit(BASE);
        }
        if directories & bit(BASE) != 0 {
            for side in [OURS, THEIRS] {
                if directories & bit(side) == 0 {
                    let lost = if self.lost_by == ALL { Lost::Ancestor } else { Lost::Unneeded };
                    self.moves[side - 1].lost.insert(path.clone(), lost);
                }
            }
        }
        if self.lost_by == ALL && (files == bit(OURS) || files == bit(THEIRS)) {
            let other = if files == bit(OURS) { THEIRS } else { OURS };
            let (directory, _) = tree::split(path.as_bstr());
            self.moves[other - 1].lost.insert(directory.to_owned(), Lost::Own);
        }
        if files == 0 || files == ALL {
            return;
        }
        for side in [OURS, THEIRS] {
            let moves = &mut self.moves[side - 1];
            match (node.stages[BASE], node.stages[side]) {
                (Some(base), None) => {
                    if node.matching & files == 0 {
                        moves.needed.insert(path.clone(), Needed::Content);
                    } else if self.lost_by == ALL {
                        moves.needed.insert(path.clone(), Needed::Location);
                    }
                    moves.deleted.push((path.clone(), base));
                }
                (None, Some(entry)) => moves.added.push((path.clone(), entry)),
                _ => {}
            }
        }
    }
}
