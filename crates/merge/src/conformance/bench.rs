//! The strategy that is checked, and repositories to check it in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::ObjectId;
use gix::objs::tree::EntryKind;
use tempfile::TempDir;

use super::Failure;
use super::situations::{Edit, Situation};
use crate::{
    BranchName, Candidate, Change, CommitId, Error, Identity, MergeStrategy, Prepared, Repository, Result, Target,
    graph,
};

/// The strategy that is checked.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) strategy: Arc<dyn MergeStrategy>,
}

/// Ends a check with what was found, unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($found:tt)+) => {
        if !$condition {
            return Err($crate::conformance::Failure::Broken(format!($($found)+)));
        }
    };
}
pub(super) use ensure;

/// A repository in which a change waits.
pub(super) struct Place {
    dir: TempDir,
    pub(super) repository: Repository,
    pub(super) target: Target,
    pub(super) change: Change,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::NotChecked(format!("the check itself failed: {error} ({error:?})"))
    }
}

impl Bench {
    /// What the strategy makes of a change; it must be a value.
    pub(super) fn prepare(&self, place: &Place) -> std::result::Result<Prepared, Failure> {
        self.prepare_in(place, &place.repository)
    }

    /// The same, by another handle.
    pub(super) fn prepare_in(&self, place: &Place, repository: &Repository) -> std::result::Result<Prepared, Failure> {
        self.strategy
            .prepare(repository, &place.target, &place.change)
            .map_err(|error| Failure::Broken(format!("it was an error: {error} ({error:?}).")))
    }

    /// The candidates that the strategy makes of these, each with its repository.
    pub(super) fn candidates(
        &self,
        situations: &[Situation],
    ) -> std::result::Result<Vec<(&'static str, Place, Candidate)>, Failure> {
        let mut made = Vec::new();
        for situation in situations {
            let place = Place::new(situation)?;
            if let Prepared::Candidate(candidate) = self.prepare(&place)? {
                made.push((situation.name, place, candidate));
            }
        }
        if made.is_empty() {
            return Err(Failure::NotChecked("the strategy made no candidate of anything".into()));
        }
        Ok(made)
    }
}

impl Place {
    /// Makes the repository. The same situation makes the same commits.
    pub(super) fn new(situation: &Situation) -> Result<Self> {
        let failed = || "make a repository for a check";
        let dir = tempfile::tempdir().map_err(Error::git(failed()))?;
        let path = dir.path().join("repository");
        gix::init(&path).map_err(Error::git(failed()))?;
        // What a user has lying about; the target is checked out nowhere.
        let user = |name: &str, bytes: &[u8]| fs::write(path.join(name), bytes).map_err(Error::git(failed()));
        user("mine", b"of the user\n")?;
        user(".git/HEAD", b"ref: refs/heads/elsewhere\n")?;
        user(".git/index", b"DIRC\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")?;
        let repository = Repository::open(&path)?;
        let session = repository.session();
        let base = commit(&session, None, &[], situation.base, 0)?;
        let (mut expected, mut tip) = (base, base);
        for (n, edits) in situation.target.iter().enumerate() {
            expected = commit(&session, Some(expected), &[expected], edits, 1 + 2 * n)?;
            if situation.name == super::situations::MERGED && n == 0 {
                tip = expected;
            }
        }
        for (n, edits) in situation.change.iter().enumerate() {
            let parents: &[ObjectId] = if situation.unrelated && n == 0 { &[] } else { &[tip] };
            tip = commit(&session, Some(tip), parents, edits, 2 + 2 * n)?;
        }
        for (name, id) in [("trunk", expected), ("change", tip)] {
            fs::write(path.join(".git/refs/heads").join(name), format!("{id}\n")).map_err(Error::git(failed()))?;
        }
        let target = Target { branch: BranchName::new("trunk")?, expected: graph::public(expected)? };
        let change = Change {
            tip: graph::public(tip)?,
            subject: "Bring in a change".into(),
            trailers: vec![("Task".into(), "fix-42".into())],
            committer: Identity { name: "Queue".into(), email: "queue@example.com".into() },
        };
        Ok(Self { dir, repository, target, change })
    }

    /// A handle that knows of nothing that is only in memory.
    pub(super) fn opened_again(&self) -> Result<Repository> {
        Repository::open(self.dir.path().join("repository"))
    }

    /// Every file but the objects, with its content.
    pub(super) fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut files = BTreeMap::new();
        let root = self.dir.path().join("repository");
        collect(&root, &root.join(".git/objects"), &mut files).map_err(Error::git("read a repository"))?;
        Ok(files)
    }

    /// The files of a commit, with their modes and objects, all of which must be there.
    pub(super) fn tree(&self, commit: &CommitId) -> Result<BTreeMap<String, (u16, ObjectId)>> {
        let session = self.opened_again()?.session();
        let mut files = BTreeMap::new();
        let tree = graph::tree_of(&session, graph::commit(&session, commit)?)?;
        let mut pending = vec![(String::new(), tree)];
        while let Some((above, tree)) = pending.pop() {
            let tree = session.find_tree(tree).map_err(Error::git("read a tree"))?;
            for entry in tree.iter() {
                let entry = entry.map_err(Error::git("read a tree"))?;
                let path = format!("{above}{}", entry.filename());
                if entry.mode().is_tree() {
                    pending.push((format!("{path}/"), entry.object_id()));
                } else {
                    session.find_header(entry.object_id()).map_err(Error::git(format!("find {path:?}")))?;
                    files.insert(path, (entry.mode().value(), entry.object_id()));
                }
            }
        }
        Ok(files)
    }
}

fn collect(directory: &Path, without: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path == without {
            continue;
        }
        if path.is_dir() {
            collect(&path, without, files)?;
            // An empty directory is one too many as well.
            files.insert(path, Vec::new());
        } else {
            let bytes = fs::read(&path)?;
            files.insert(path, bytes);
        }
    }
    Ok(())
}

/// A commit with the files of another one and some edits.
fn commit(
    session: &gix::Repository,
    from: Option<ObjectId>,
    parents: &[ObjectId],
    edits: &[Edit],
    number: usize,
) -> Result<ObjectId> {
    let failed = || "make a commit for a check";
    let tree = match from {
        Some(from) => graph::tree_of(session, from)?,
        None => graph::empty_tree(session)?,
    };
    let mut editor = session.edit_tree(tree).map_err(Error::git(failed()))?;
    for Edit { path, content, executable } in edits {
        match content {
            Some(content) => {
                let blob = session.write_blob(content()).map_err(Error::git(failed()))?;
                let kind = if *executable { EntryKind::BlobExecutable } else { EntryKind::Blob };
                editor.upsert(*path, kind, blob).map_err(Error::git(failed()))?;
            }
            None => _ = editor.remove(*path).map_err(Error::git(failed()))?,
        }
    }
    let tree = editor.write().map_err(Error::git(failed()))?.detach();
    let time = gix::date::Time { seconds: 1_700_000_000 + i64::try_from(number).unwrap_or_default(), offset: 3600 };
    let who = gix::actor::Signature { name: "Writer".into(), email: "writer@example.com".into(), time };
    let commit = gix::objs::Commit {
        tree,
        parents: parents.iter().copied().collect(),
        author: who.clone(),
        committer: who,
        encoding: None,
        message: format!("Commit {number}\n").into(),
        extra_headers: Vec::new(),
    };
    Ok(session.write_object(&commit).map_err(Error::git(failed()))?.detach())
}
