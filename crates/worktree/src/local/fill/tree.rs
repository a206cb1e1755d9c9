//! Lists the tree of a commit as an index, with the ids of its directories.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::index::entry::{Flags, Mode, Stat};
use gix::index::{State, decode};
use gix::objs::tree::{EntryKind, EntryMode};
use gix::objs::{Kind, TreeRefIter};
use gix::validate::path::component;

use super::worker::present;
use crate::capture::fault;
use crate::{Error, Result};

/// How many directories may lie in one another; a path of the file system has room for fewer.
const DEPTH: usize = 2048;

/// The index of a tree, without stat data. Every name in it is one that may be written, as `validate` says.
pub(super) fn list(repo: &gix::Repository, root: ObjectId, validate: component::Options) -> Result<State> {
    let mut walk = Walk::new(repo, validate);
    walk.tree(root, BString::default(), 0)?;
    let mut state = walk.empty().map_err(fault::git("make an index"))?;
    for leaf in walk.leaves {
        state.dangerously_push_entry(
            Stat::default(),
            leaf.id,
            Flags::empty(),
            leaf.mode,
            walk.paths[leaf.start..leaf.end].as_bstr(),
        );
    }
    Ok(state)
}

/// What is listed.
struct Leaf {
    mode: Mode,
    id: ObjectId,
    start: usize,
    end: usize,
}

/// A directory, before those in it.
struct Node {
    name: BString,
    id: ObjectId,
    leaves: usize,
    dirs: usize,
}

struct Walk<'a> {
    repo: &'a gix::Repository,
    validate: component::Options,
    path: BString,
    paths: BString,
    leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    /// Whether every tree is written as git writes it from an index, so that its id can stand for its entries.
    canonical: bool,
    spare: Vec<Vec<u8>>,
}

impl<'a> Walk<'a> {
    fn new(repo: &'a gix::Repository, validate: component::Options) -> Self {
        Self {
            repo,
            validate,
            path: BString::default(),
            paths: BString::default(),
            leaves: Vec::new(),
            nodes: Vec::new(),
            canonical: true,
            spare: Vec::new(),
        }
    }

    /// Lists the tree `id`, which lies at the current path.
    fn tree(&mut self, id: ObjectId, name: BString, depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(self.invalid("it lies too deep".into()));
        }
        let mut data = self.spare.pop().unwrap_or_default();
        let found = present(&self.repo.objects, &id, &mut data).map_err(fault::git(format!("read the tree {id}")))?;
        if found != Some(Kind::Tree) {
            let problem = "it is not there, or no tree; an object may be missing (partial clone)";
            return Err(Error::Git { action: format!("read the tree {id}"), source: problem.into() });
        }
        let (node, first) = (self.nodes.len(), self.leaves.len());
        self.nodes.push(Node { name, id, leaves: 0, dirs: 0 });
        for entry in TreeRefIter::from_bytes(&data, self.repo.object_hash()) {
            let entry = entry.map_err(fault::git(format!("read the tree {id}")))?;
            let above = self.path.len();
            if above > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(entry.filename);
            let link = (entry.mode.kind() == EntryKind::Link).then_some(component::Mode::Symlink);
            if let Err(problem) = component(entry.filename, link, self.validate) {
                return Err(self.invalid(problem.into()));
            }
            self.canonical &= is_canonical(entry.mode);
            if let Some(mode) = mode(entry.mode.kind()) {
                let start = self.paths.len();
                self.paths.extend_from_slice(&self.path);
                self.leaves.push(Leaf { mode, id: entry.oid.to_owned(), start, end: self.paths.len() });
            } else {
                self.nodes[node].dirs += 1;
                self.tree(entry.oid.to_owned(), entry.filename.to_owned(), depth + 1)?;
            }
            self.path.truncate(above);
        }
        self.spare.push(data);
        let leaves = self.leaves.len() - first;
        // git never writes an empty directory.
        self.canonical &= leaves > 0 || depth == 0;
        self.nodes[node].leaves = leaves;
        Ok(())
    }

    fn invalid(&self, problem: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Git { action: format!("list the path {:?}", self.path), source: problem }
    }

    /// An index without entries that knows the ids of the directories: git then need not compute them.
    fn empty(&self) -> gix::Result<State> {
        let hash = self.repo.object_hash();
        let mut bytes = b"DIRC\0\0\0\x02\0\0\0\0".to_vec();
        let trees = self.trees();
        if let (true, Ok(length)) = (self.canonical, u32::try_from(trees.len())) {
            bytes.extend_from_slice(b"TREE");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&trees);
        }
        bytes.extend_from_slice(hash.null().as_slice());
        let now = State::new(hash).timestamp();
        State::from_bytes(&bytes, now, hash, decode::Options::default()).map(|(state, _)| state)
    }

    /// The directories as git's extension of the index has them.
    fn trees(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for node in &self.nodes {
            text.extend_from_slice(&node.name);
            text.extend_from_slice(format!("\0{} {}\n", node.leaves, node.dirs).as_bytes());
            text.extend_from_slice(node.id.as_slice());
        }
        text
    }
}

fn mode(kind: EntryKind) -> Option<Mode> {
    Some(match kind {
        EntryKind::Tree => return None,
        EntryKind::Blob => Mode::FILE,
        EntryKind::BlobExecutable => Mode::FILE_EXECUTABLE,
        EntryKind::Link => Mode::SYMLINK,
        EntryKind::Commit => Mode::COMMIT,
    })
}

fn is_canonical(mode: EntryMode) -> bool {
    mode.value() == EntryMode::from(mode.kind()).value()
}
