//! Changes that did not land, kept under refs of their own.

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::{Kind, Tag};
use serde::{Deserialize, Serialize};

use crate::commit::{self, one_line, persist, trailers};
use crate::queue::ChangeId;
use crate::refs::{self, Move, RefName, Swap};
use crate::{CommitId, Error, Identity, Repository, Result, graph};

/// Where they are.
const ARCHIVE: &str = "refs/hedgerow/archive/";
/// How long a name may be in a ref; a file's may have 255 bytes, and a lock's is longer.
const LONGEST: usize = 120;

/// No reason is longer.
const LARGEST: u64 = 1 << 20;

/// A change that is kept though it did not land.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedChange {
    /// The change.
    pub change: ChangeId,
    /// Its attempt.
    pub attempt: u32,
    /// The tip of its commits.
    pub tip: CommitId,
    /// Why it did not land, on one line.
    pub why: String,
}

/// What came of archiving a change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the change may not be kept"]
pub enum Archiving {
    /// It is kept, or was already. Durable.
    Kept,
    /// Something else is kept under this attempt. Nothing changed; take another number.
    Taken {
        /// What is kept there.
        by: ArchivedChange,
    },
}

impl Repository {
    /// Keeps a change that did not land, with the reason, so that its branch can be deleted without losing a commit.
    ///
    /// The ref is `refs/hedgerow/archive/<change>/<attempt>` and names a tag, so `git show` says why. Changes whose names
    /// are a part of each other (`ag` and `ag/1`) or differ in case alone do not get into each other's way: characters
    /// other than small letters, digits, `_` and `-` are written as `%` and two digits, and a name that is longer than 120 bytes then
    /// ends in its hash. The same call again does nothing.
    ///
    /// # Errors
    /// [`Error::Object`] when the tip is missing or is no commit; [`Error::InvalidName`] when the name or address of `who`
    /// cannot be written; others when the repository cannot be written.
    pub fn archive(&self, change: &ArchivedChange, who: &Identity) -> Result<Archiving> {
        self.in_memory(|session| {
            let tip = graph::commit(session, &change.tip)?;
            let who = commit::signed_off(session, tip, who)?;
            let name = ref_name(session, change)?;
            let tag = Tag {
                target: tip,
                target_kind: Kind::Commit,
                name: name.as_str().trim_start_matches("refs/").into(),
                tagger: Some(who.clone()),
                message: message(change)?.into(),
                signature: None,
            };
            let tag = session.write_object(&tag).map_err(Error::git("write a tag"))?.detach();
            let written = persist::write(session, tag)?;
            let message = format!("archive: {}", one_line(&change.why));
            let to = Move { expected: None, new: tag, message: &message, who: &who };
            match refs::compare_and_swap(session, &name, &to, written)? {
                Swap::Refused(never) => match never {},
                Swap::Moved => Ok(Archiving::Kept),
                Swap::Elsewhere(Some(there)) if there == tag => {
                    // Whoever wrote it may have been killed before it was on the disk.
                    refs::flush(session, &name)?;
                    Ok(Archiving::Kept)
                }
                Swap::Elsewhere(there) => match there.map(|there| read(session, there)).transpose()?.flatten() {
                    Some(by) => Ok(Archiving::Taken { by }),
                    None => Err(graph::unusable(name.as_str(), "it is no archived change; delete or rename that ref")),
                },
            }
        })
    }

    /// All changes that are kept, by their refs' names. Refs that are not of [`archive`](Self::archive) are passed over.
    ///
    /// To give one up, delete its ref.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub fn archives(&self) -> Result<Vec<ArchivedChange>> {
        let failed = || "list the archived changes";
        let session = self.session();
        let platform = session.references().map_err(Error::git(failed()))?;
        let mut found = Vec::new();
        for reference in platform.prefixed(ARCHIVE).map_err(Error::git(failed()))? {
            let reference = reference.map_err(Error::git(failed()))?;
            if let Some(id) = reference.target().try_id() {
                found.extend(read(&session, id.to_owned())?);
            }
        }
        Ok(found)
    }
}

fn ref_name(session: &gix::Repository, change: &ArchivedChange) -> Result<RefName> {
    let mut name = String::new();
    for byte in change.change.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    if name.len() > LONGEST || name.is_empty() {
        let digest = gix::objs::compute_hash(session.object_hash(), Kind::Blob, change.change.as_str().as_bytes());
        let digest = digest.map_err(Error::git("hash the name of a change"))?;
        // No name that is short enough has this: a percent sign is followed by two digits there.
        name = format!("{}%-{digest}", name.get(..LONGEST / 2).unwrap_or_default());
    }
    Ok(RefName::own(format!("{ARCHIVE}{name}/{}", change.attempt)))
}

/// The reason, and what the ref's name does not tell.
fn message(change: &ArchivedChange) -> Result<String> {
    let why = match one_line(&change.why) {
        why if why.is_empty() => "Not landed".to_owned(),
        why => why,
    };
    let id = serde_json::to_string(change.change.as_str()).map_err(Error::git("write the name of a change"))?;
    Ok(format!("{why}\n\nChange: {id}\nAttempt: {}\n", change.attempt))
}

fn read(session: &gix::Repository, id: ObjectId) -> Result<Option<ArchivedChange>> {
    // Somebody's ref may name anything, however large.
    let header = session.try_find_header(id).map_err(Error::git(format!("read object {id}")))?;
    if !header.is_some_and(|header| header.kind() == Kind::Tag && header.size() <= LARGEST) {
        return Ok(None);
    }
    let Some(object) = session.try_find_object(id).map_err(Error::git(format!("read object {id}")))? else {
        return Ok(None);
    };
    let Ok(tag) = object.try_into_tag() else { return Ok(None) };
    let Ok(decoded) = tag.decode() else { return Ok(None) };
    let lines = trailers::parse(decoded.message);
    let value = |key: &str| lines.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let change = value("Change").and_then(|text| serde_json::from_str::<String>(text).ok());
    let attempt = value("Attempt").and_then(|text| text.parse().ok());
    let (Some(change), Some(attempt)) = (change, attempt) else { return Ok(None) };
    let why = decoded.message.lines().next().unwrap_or_default().to_str_lossy().into_owned();
    let tip = CommitId::new(decoded.target().to_string())?;
    Ok(Some(ArchivedChange { change: ChangeId::new(change), attempt, tip, why }))
}
