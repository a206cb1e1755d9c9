//! Resolutions that passed a gate before.
//!
//! The idea is that of git's `rerere`: a conflict is known by its hunks, whichever side they are on, and what was made of
//! the file then is merged with the file of now. Here it is kept under a ref, so that all worktrees share it, and nothing
//! is recorded that no gate has passed.

use async_trait::async_trait;
use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;
use serde::{Deserialize, Serialize};

use super::union::one_mode;
use super::{Answer, Case, Content, File, Reply, ResolvedPath, Resolver, involved};
use crate::certificate::is_so;
use crate::conflict::{entry_in, versions};
use crate::engine::{Merged, merge, merge_lines};
use crate::ledger::{self, Entry};
use crate::refs::{self, RefName};
use crate::text::{Taken, Texts, conflicting_regions};
use crate::{Conflict, ConflictPath, Error, LandingCertificate, Repository, Resolution, Result, TreeId, commit, graph};

/// Where they are: for each conflict a directory with what it was and what was made of it.
const RECORDED: &str = "refs/hedgerow/resolutions";
/// Of longer files nothing is recorded, and hostile ones are not read.
const LONGEST: u64 = 16 << 20;
/// Signs that no line of code is likely to have.
const MARKER: usize = 40;

/// Answers as somebody answered before, when the result passed a gate.
///
/// Texts are known by the lines that conflict, whatever else is in the file; other conflicts by their ids, so only when all
/// versions are the same again. What it answers goes through the gate like everything else:
/// what fitted once need not fit again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded;

#[async_trait]
impl Resolver for Recorded {
    fn name(&self) -> &str {
        "recorded"
    }

    async fn resolve(&self, case: &Case<'_>) -> Result<Reply> {
        case.repository.in_memory(|session| {
            let Some(tip) = refs::read(session, &RefName::own(RECORDED))? else { return Ok(Reply::default()) };
            let tree = graph::tree_of(session, tip)?;
            let mut reply = Reply::default();
            for path in case.open {
                let known = match shape(session, case.conflict, path)? {
                    Some(shape) => text(session, tree, path, &shape)?,
                    None => None,
                };
                reply.answers.extend(known.map_or_else(|| whole(session, tree, path), |answer| Ok(Some(answer)))?);
            }
            Ok(reply)
        })
    }
}

impl Repository {
    /// Records what was resolved in a landing, for [`Recorded`], and says how many conflicts that were.
    ///
    /// Only of a certificate that is proven again by this, and that names a gate that passed on the landed tree; otherwise nothing is
    /// recorded. What is recorded is what landed, so a file that was mended after the resolution is recorded as it is then. A resolution
    /// takes the place of an earlier one of the same conflict. Durable when it returns.
    ///
    /// # Errors
    /// When an object or the ref cannot be read or written.
    pub fn remember(&self, certificate: &LandingCertificate) -> Result<usize> {
        self.in_memory(|session| {
            let landed = graph::commit(session, &certificate.commit)?;
            let tree = graph::tree_of(session, landed)?;
            let on_it = TreeId::new(tree.to_string())?;
            if !certificate.passes.iter().any(|pass| pass.tree == on_it)
                || !is_so(session, certificate, self.rules().fallback)?
            {
                return Ok(0);
            }
            let who = commit::committer(session, landed)?;
            let mut notes = Vec::new();
            for resolution in &certificate.resolved {
                notes.extend(learnt(session, resolution, tree)?);
            }
            if notes.is_empty() {
                return Ok(0);
            }
            let message = format!("remember {}", certificate.commit);
            ledger::add(
                session,
                &RefName::own(RECORDED),
                Entry { message: &message, who: &who, keep: None },
                |session, tree| {
                    let failed = || "record a resolution";
                    let mut editor = session.edit_tree(tree).map_err(Error::git(failed()))?;
                    for (directory, files) in &notes {
                        editor.remove(directory.as_str()).map_err(Error::git(failed()))?;
                        for (name, content) in files {
                            let id = session.write_blob(content).map_err(Error::git(failed()))?.detach();
                            let path = format!("{directory}/{name}");
                            editor.upsert(path.as_str(), EntryKind::Blob, id).map_err(Error::git(failed()))?;
                        }
                    }
                    Ok(editor.write().map_err(Error::git(failed()))?.detach())
                },
            )?;
            Ok(notes.len())
        })
    }
}

/// A directory, and the files in it.
type Note = (String, Vec<(String, Vec<u8>)>);

/// What to record of a resolution.
fn learnt(session: &gix::Repository, resolution: &Resolution, landed: ObjectId) -> Result<Vec<Note>> {
    let (ours, theirs) = (graph::commit(session, &resolution.ours)?, graph::commit(session, &resolution.theirs)?);
    let Merged::Conflict(conflict) = merge(session, ours, theirs)? else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    for ResolvedPath { conflict: id, files, .. } in &resolution.resolved {
        let Some(path) = conflict.paths.iter().find(|path| path.id == *id) else { continue };
        let (mut landed_files, mut contents, mut too_long) = (Vec::new(), Vec::new(), false);
        for old in files.iter().filter(|entry| entry.mode != 0o160_000) {
            let Some(entry) = entry_in(session, landed, old.path.as_bytes().as_bstr())? else { continue };
            let id = ObjectId::from_hex(entry.id.as_bytes()).map_err(Error::git("read a resolution"))?;
            match session.find_header(id).map_err(Error::git("read a resolution"))?.size() {
                size if size > LONGEST => too_long = true,
                _ => contents.push(ledger::content(session, id, LONGEST)?),
            }
            landed_files.push(entry);
        }
        let files = landed_files;
        let shape = shape(session, &conflict, path)?;
        if too_long || shape.as_ref().is_some_and(|shape| shape.text.len() as u64 > LONGEST) {
            continue;
        }
        notes.push(match (shape, files.as_slice(), contents.as_slice()) {
            (Some(shape), [entry], [after]) if entry.path == path.path => {
                (shape.directory, vec![("before".to_owned(), shape.text), ("after".to_owned(), after.clone())])
            }
            _ => {
                let list = serde_json::to_vec(&Listed { files: files.clone() });
                let mut all = vec![("files".to_owned(), list.map_err(Error::git("record a resolution"))?)];
                // Beside the list, so that they stay in the repository.
                all.extend(contents.into_iter().enumerate().map(|(number, content)| (number.to_string(), content)));
                (directory(id.as_str()), all)
            }
        });
    }
    Ok(notes)
}

/// The files of an answer that is known by the conflict's id.
#[derive(Serialize, Deserialize)]
struct Listed {
    files: Vec<crate::Entry>,
}

/// A conflicting text in a form that is the same from both sides.
struct Shape {
    /// Where it is recorded: made of the conflicting lines alone.
    directory: String,
    /// The file with both sides of each conflict between signs, in an order that does not depend on whose they are.
    text: Vec<u8>,
}

fn shape(session: &gix::Repository, conflict: &Conflict, path: &ConflictPath) -> Result<Option<Shape>> {
    let Some(versions) = versions(session, conflict, path)? else { return Ok(None) };
    let texts = Texts::new(&versions.base, &versions.ours, &versions.theirs);
    let (mut out, mut key) = (Vec::new(), b"hunks\0".to_vec());
    let (ours, mut done) = (&texts.ours.lines, 0);
    for region in conflicting_regions(&texts) {
        if !matches!(region.taken, Taken::Theirs | Taken::Conflict) {
            continue;
        }
        out.extend(ours[done..region.ours.start].concat());
        done = region.ours.end;
        let theirs = texts.theirs.lines[region.theirs.clone()].concat();
        if region.taken == Taken::Theirs {
            out.extend(theirs);
            continue;
        }
        let mut sides = [ours[region.ours.clone()].concat(), theirs];
        sides.sort();
        for (sign, side) in [(b'<', &sides[0]), (b'=', &sides[1])] {
            out.extend(line_of(sign));
            out.extend_from_slice(side);
            key.extend_from_slice(side);
            key.push(0);
        }
        out.extend(line_of(b'>'));
    }
    out.extend(ours[done..].concat());
    let digest =
        gix::objs::compute_hash(session.object_hash(), Kind::Blob, &key).map_err(Error::git("name a conflict"))?;
    Ok(Some(Shape { directory: directory(&digest.to_string()), text: out }))
}

/// A sign on a line of its own, also behind a last line that has no end.
fn line_of(sign: u8) -> Vec<u8> {
    [b"\n".as_slice(), &[sign].repeat(MARKER), b"\n"].concat()
}

fn directory(id: &str) -> String {
    let (first, rest) = id.split_at(2);
    format!("{first}/{rest}")
}

/// What was made of a text with the same conflicting lines, merged with the text of now.
fn text(session: &gix::Repository, tree: ObjectId, path: &ConflictPath, now: &Shape) -> Result<Option<Answer>> {
    let read = |name: &str| ledger::file(session, tree, &format!("{}/{name}", now.directory), LONGEST);
    let (Some(before), Some(after), Some(mode)) = (read("before")?, read("after")?, one_mode(path)) else {
        return Ok(None);
    };
    let merged = merge_lines(&before, &now.text, &after);
    let settled = merged.filter(|text| [b'<', b'=', b'>'].iter().all(|sign| text.find(line_of(*sign)).is_none()));
    Ok(settled.map(|text| Answer::file(path, File { mode, content: Content::Bytes(text) })))
}

/// What was made of exactly these versions.
fn whole(session: &gix::Repository, tree: ObjectId, path: &ConflictPath) -> Result<Option<Answer>> {
    let Some(list) = ledger::file(session, tree, &format!("{}/files", directory(path.id.as_str())), LONGEST)? else {
        return Ok(None);
    };
    let Ok(Listed { files }) = serde_json::from_slice(&list) else { return Ok(None) };
    let involved = involved(path);
    if files.iter().any(|entry| !involved.contains(&&entry.path)) {
        return Ok(None);
    }
    let files = files.iter().map(|entry| (entry.path.clone(), File::of(entry))).collect();
    Ok(Some(Answer { conflict: path.id.clone(), files }))
}
