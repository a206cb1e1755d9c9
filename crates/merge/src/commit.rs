//! The commit that a strategy makes: its message, its identity, its time, and its way to the disk.

use gix::ObjectId;
use gix::actor::Signature;
use gix::bstr::BString;
use gix::objs::{Commit, WriteTo};

use crate::{Change, Error, Identity, Result, Signer, graph};

mod message;
pub(crate) mod persist;
pub(crate) mod trailers;

pub(crate) use message::{lines_of, message, one_line};

/// The last second of the year 9999. A change may claim any time; later ones break other tools.
const LATEST: i64 = 253_402_300_799;
/// The header of a signature, in repositories with SHA-1 ids.
const SIGNATURE: &str = "gpgsig";

/// For whom a commit is made, and who signs it.
#[derive(Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) change: &'a Change,
    pub(crate) signer: Option<&'a dyn Signer>,
}

impl By<'_> {
    /// Signs a commit, if somebody does, and writes it into the session's object memory.
    fn write(self, session: &gix::Repository, mut commit: Commit) -> Result<ObjectId> {
        if let Some(signer) = self.signer {
            let mut unsigned = Vec::new();
            commit.write_to(&mut unsigned).map_err(Error::git("write the candidate"))?;
            let signature = signer.sign(&unsigned).map_err(|source| Error::Unsigned { source })?;
            if signature.trim().is_empty() || signature.contains('\0') {
                return Err(Error::Unsigned { source: "the signature is empty or holds a zero byte".into() });
            }
            commit.extra_headers.push((SIGNATURE.into(), signature.trim().into()));
        }
        Ok(session.write_object(&commit).map_err(Error::git("write the candidate"))?.detach())
    }
}

/// Writes the commit into the session's object memory.
///
/// The time is that of the latest parent, so that the same input makes the same id and history does not run backwards.
pub(crate) fn draft(session: &gix::Repository, tree: ObjectId, parents: &[ObjectId], by: By<'_>) -> Result<ObjectId> {
    let seconds = parents.iter().map(|id| seconds(session, *id)).max().unwrap_or_default();
    let who = signature(&by.change.committer, seconds)?;
    by.write(session, of_one(who, tree, parents, message(by.change)?))
}

/// Writes a commit of nobody's into the session's object memory, for a merge to start from.
pub(crate) fn scratch(session: &gix::Repository, tree: ObjectId, parents: &[ObjectId]) -> Result<ObjectId> {
    let commit = of_one(Signature::default(), tree, parents, String::new());
    Ok(session.write_object(&commit).map_err(Error::git("write a commit to merge"))?.detach())
}

/// Writes a commit of notes into the session's object memory.
pub(crate) fn noted(
    session: &gix::Repository,
    tree: ObjectId,
    parents: &[ObjectId],
    who: &Signature,
) -> Result<ObjectId> {
    let commit = of_one(who.clone(), tree, parents, "Notes added by hedgerow\n".into());
    Ok(session.write_object(&commit).map_err(Error::git("write a commit of notes"))?.detach())
}

/// A commit whose author and committer are the same.
fn of_one(who: Signature, tree: ObjectId, parents: &[ObjectId], message: String) -> Commit {
    Commit {
        tree,
        parents: parents.iter().copied().collect(),
        author: who.clone(),
        committer: who,
        encoding: None,
        message: message.into(),
        extra_headers: Vec::new(),
    }
}

/// A commit of somebody's work on another parent.
pub(crate) struct Copied {
    pub(crate) tree: ObjectId,
    pub(crate) parent: ObjectId,
    /// Who wrote it, and when.
    pub(crate) author: Signature,
    pub(crate) message: Vec<u8>,
    /// What the message is encoded in, if not in UTF-8.
    pub(crate) encoding: Option<BString>,
    /// The commit that it comes from; it was there before.
    pub(crate) after: ObjectId,
}

/// Writes such a commit into the session's object memory. The committer is the change's; the time is the later one of the
/// parent's and of the commit's that it comes from.
pub(crate) fn copy(session: &gix::Repository, copied: Copied, by: By<'_>) -> Result<ObjectId> {
    let seconds = seconds(session, copied.parent).max(seconds(session, copied.after));
    let commit = Commit {
        tree: copied.tree,
        parents: [copied.parent].into_iter().collect(),
        author: copied.author,
        committer: signature(&by.change.committer, seconds)?,
        encoding: copied.encoding,
        message: copied.message.into(),
        extra_headers: Vec::new(),
    };
    by.write(session, commit)
}

fn seconds(session: &gix::Repository, commit: ObjectId) -> i64 {
    let time = session.find_commit(commit).ok().and_then(|commit| commit.time().ok());
    time.map_or(0, |time| time.seconds.clamp(0, LATEST))
}

fn signature(who: &Identity, seconds: i64) -> Result<Signature> {
    let bad = |text: &str| text.contains(|c: char| matches!(c, '<' | '>') || c.is_control());
    let problem = match who {
        Identity { name, .. } if name.trim().is_empty() => "give a name",
        Identity { name, email } if bad(name) || bad(email) => "leave out '<', '>' and control characters",
        Identity { name, email } => {
            let time = gix::date::Time { seconds, offset: 0 };
            return Ok(Signature { name: name.trim().into(), email: email.trim().into(), time });
        }
    };
    Err(Error::InvalidName { what: "committer", name: format!("{} <{}>", who.name, who.email), problem })
}

/// Somebody's name and address with the time of a commit, so that the same input gives the same tag.
pub(crate) fn signed_off(session: &gix::Repository, commit: ObjectId, who: &Identity) -> Result<Signature> {
    signature(who, seconds(session, commit))
}

/// Name and address of whoever committed, for a reflog entry.
pub(crate) fn committer(session: &gix::Repository, commit: ObjectId) -> Result<Signature> {
    let found = session.find_commit(commit).map_err(Error::git(format!("read commit {commit}")))?;
    let who = found.committer().map_err(|_| graph::unusable(commit, "it is a damaged commit"))?;
    Ok(Signature { name: who.name.into(), email: who.email.into(), time: gix::date::Time::now_utc() })
}
