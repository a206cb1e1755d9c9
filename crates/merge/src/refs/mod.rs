//! Reading, moving and flushing refs: of branches, notes and archived changes.
//!
//! This is git's own protocol for refs in files, done here and not by gix: gix compares with a copy of `packed-refs`
//! that it may have read before it had the lock, so an update that is packed in between would be overwritten unseen.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use gix::ObjectId;
use gix::actor::Signature;

use crate::flush::Unflushed;
use crate::{BranchName, Error, Result, graph};

pub(crate) mod lock;
pub(crate) mod reflog;
mod signed;

/// The full name of a ref that this crate reads or writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefName(String);

impl RefName {
    /// A branch.
    pub(crate) fn branch(branch: &BranchName) -> Self {
        Self(format!("refs/heads/{branch}"))
    }

    /// A ref of this crate's own; the name must be valid.
    pub(crate) fn own(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As people call it.
    fn short(&self) -> &str {
        self.0.strip_prefix("refs/heads/").unwrap_or(&self.0)
    }
}

/// A move of a ref.
pub(crate) struct Move<'a> {
    /// What it must name before; nothing for one that must not exist.
    pub(crate) expected: Option<ObjectId>,
    pub(crate) new: ObjectId,
    /// One line for its log.
    pub(crate) message: &'a str,
    pub(crate) who: &'a Signature,
}

/// Why a move is refused that nothing has to be done for first.
pub(crate) enum Never {}

/// What came of a compare-and-swap.
pub(crate) enum Swap<R = Never> {
    Moved,
    /// Nothing was written; this is what the branch names.
    Elsewhere(Option<ObjectId>),
    /// Nothing was written, because of what had to be done first.
    Refused(R),
}

/// What the ref names, or `None` when it does not exist.
pub(crate) fn read(session: &gix::Repository, name: &RefName) -> Result<Option<ObjectId>> {
    let path = session.common_dir().join(name.as_str());
    // A ref is packed first and its file removed then, so whoever finds no file finds it packed.
    match loose(&path)? {
        Some(text) => parse(name, text.trim_end()).map(Some),
        None => packed(session.common_dir(), name.as_str())?.map(|id| parse(name, &id)).transpose(),
    }
}

/// Moves a ref, with an entry in its log, once what it will name is on the disk. Durable when it returns.
pub(crate) fn compare_and_swap(
    session: &gix::Repository,
    name: &RefName,
    to: &Move<'_>,
    named: Unflushed,
) -> Result<Swap> {
    swap_after(session, name, to, named, || Ok(None))
}

/// The same, with something that has to be done first: when it is, the ref is where it is expected to be, and cannot be moved by
/// anybody else.
pub(crate) fn swap_after<R>(
    session: &gix::Repository,
    name: &RefName,
    to: &Move<'_>,
    named: Unflushed,
    first: impl FnOnce() -> Result<Option<R>>,
) -> Result<Swap<R>> {
    let path = session.common_dir().join(name.as_str());
    let lock = lock::acquire(session.common_dir(), &path, format!("{}\n", to.new).as_bytes())?;
    // Only under the lock does the comparison mean anything: nobody may write the file or remove it now.
    let now = read(session, name)?;
    if now != to.expected {
        return Ok(Swap::Elsewhere(now));
    }
    if now.is_none() {
        fits_beside_packed(session.common_dir(), name)?;
    }
    if let Some(refused) = first()? {
        return Ok(Swap::Refused(refused));
    }
    let old = now.unwrap_or_else(|| ObjectId::null(to.new.kind()));
    // The entry goes first: one for a move that did not happen is harmless, a move without one is lost to sight.
    let log = session.common_dir().join("logs").join(name.as_str());
    let entry = reflog::append(&log, old, to.new, to.message, to.who)?;
    lock.commit(named.and(entry))?;
    Ok(Swap::Moved)
}

/// Makes what the ref names survive a power failure, and finishes what a killed process of ours did to it.
pub(crate) fn flush(session: &gix::Repository, name: &RefName) -> Result<()> {
    let common = session.common_dir();
    let (loose, log) = (common.join(name.as_str()), common.join("logs").join(name.as_str()));
    lock::sweep(common, &loose)?;
    let mut all = Unflushed::default();
    // Packed, never packed, or without a log: what does not exist is passed over.
    all.add(common.join("packed-refs"));
    all.add_named(&loose);
    all.add_named(&log);
    all.flush()
}

/// The content of a ref's own file.
fn loose(path: &Path) -> Result<Option<String>> {
    if let Ok(target) = fs::read_link(path) {
        // The oldest form of a symbolic ref.
        return Ok(Some(format!("ref: {}", target.display())));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(Error::git(format!("read {path:?}"))(error)),
    }
}

/// The id of a packed ref, read from the disk each time.
fn packed(common: &Path, name: &str) -> Result<Option<String>> {
    let bytes = packed_file(common)?;
    Ok(packed_lines(&bytes).find(|(_, packed)| *packed == name).map(|(id, _)| id.to_owned()))
}

/// A ref and a directory of refs cannot have the same name. Loose ones see to that themselves.
fn fits_beside_packed(common: &Path, name: &RefName) -> Result<()> {
    let bytes = packed_file(common)?;
    let below = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('/'));
    match packed_lines(&bytes).find(|(_, packed)| below(packed, name.as_str()) || below(name.as_str(), packed)) {
        None => Ok(()),
        Some((_, other)) => Err(graph::unusable(name.as_str(), format!("the ref {other} has its place; rename that"))),
    }
}

fn packed_file(common: &Path) -> Result<Vec<u8>> {
    let path = common.join("packed-refs");
    match fs::read(&path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if absent(&error) => Ok(Vec::new()),
        Err(error) => Err(Error::git(format!("read {path:?}"))(error)),
    }
}

/// Ids and names.
fn packed_lines(bytes: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines.filter_map(|line| line.split_once(' ')).map(|(id, name)| (id, name.trim_end()))
}

fn parse(name: &RefName, text: &str) -> Result<ObjectId> {
    if let Some(other) = text.strip_prefix("ref:") {
        return Err(Error::NoBranch {
            branch: name.short().to_owned(),
            problem: format!("it is another name for {}; name that branch", other.trim()),
        });
    }
    ObjectId::from_hex(text.as_bytes()).map_err(Error::git(format!("read {}: it is damaged", name.as_str())))
}

/// Whether there is no file; a directory may be what is left of branches with longer names.
fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
}
