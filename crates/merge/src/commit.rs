//! The commit that a strategy makes: its message, its identity, its time, and its way to the disk.

use gix::ObjectId;
use gix::actor::Signature;
use gix::bstr::BString;

use crate::{Change, Error, Identity, Result, graph};

mod message;
pub(crate) mod persist;
pub(crate) mod trailers;

pub(crate) use message::{lines_of, message, one_line};

/// The last second of the year 9999. A change may claim any time; later ones break other tools.
const LATEST: i64 = 253_402_300_799;

/// Writes the commit into the session's object memory.
///
/// The time is that of the latest parent, so that the same input makes the same id and history does not run backwards.
pub(crate) fn draft(
    session: &gix::Repository,
    tree: ObjectId,
    parents: &[ObjectId],
    change: &Change,
) -> Result<ObjectId> {
    let seconds = parents.iter().map(|id| seconds(session, *id)).max().unwrap_or_default();
    let who = signature(&change.committer, seconds)?;
    let commit = of_one(who, tree, parents, message(change)?);
    Ok(session.write_object(&commit).map_err(Error::git("write the candidate"))?.detach())
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
    parent: Option<ObjectId>,
    who: &Signature,
) -> Result<ObjectId> {
    let commit = of_one(who.clone(), tree, parent.as_slice(), "Notes added by hedgerow\n".into());
    Ok(session.write_object(&commit).map_err(Error::git("write a commit of notes"))?.detach())
}

/// A commit whose author and committer are the same.
fn of_one(who: Signature, tree: ObjectId, parents: &[ObjectId], message: String) -> gix::objs::Commit {
    gix::objs::Commit {
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
pub(crate) fn copy(session: &gix::Repository, copied: Copied, change: &Change) -> Result<ObjectId> {
    let seconds = seconds(session, copied.parent).max(seconds(session, copied.after));
    let commit = gix::objs::Commit {
        tree: copied.tree,
        parents: [copied.parent].into_iter().collect(),
        author: copied.author,
        committer: signature(&change.committer, seconds)?,
        encoding: copied.encoding,
        message: copied.message.into(),
        extra_headers: Vec::new(),
    };
    Ok(session.write_object(&commit).map_err(Error::git("write a commit of the candidate"))?.detach())
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

/// Name and address of whoever committed, for a reflog entry.
pub(crate) fn committer(session: &gix::Repository, commit: ObjectId) -> Result<Signature> {
    let found = session.find_commit(commit).map_err(Error::git(format!("read commit {commit}")))?;
    let who = found.committer().map_err(|_| graph::unusable(commit, "it is a damaged commit"))?;
    Ok(Signature { name: who.name.into(), email: who.email.into(), time: gix::date::Time::now_utc() })
}
