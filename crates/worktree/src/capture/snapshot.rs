//! What lies in the tree, as a tree of git.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use gix::objs::tree::EntryKind;
use rustix::fs::{FileType, Stat};

use super::base::Item;
use super::beneath::{self, Dir};
use super::convert::Converter;
use super::files::{self, Stored};
use super::follow::Stats;
use super::ignore::Ignore;
use super::notices::Notices;
use super::observe::own_dir;
use super::own::Own;
use super::pointer::{self, Pointer};
use super::tree::{Changes, Tree};
use super::walk::{Kinds, Told};
use super::{Input, Keep, cache, fault, limits, nested, verify, walk};
use crate::{HiddenRepositories, Notice, Result};

/// Longer than the clock stands still by which files get their times.
const TICK: Duration = Duration::from_millis(20);

/// Takes a snapshot of one tree.
struct Snapshot<'a> {
    repo: &'a gix::Repository,
    common: &'a Dir,
    root: &'a Dir,
    agent: &'a Tree<'a>,
    case: Case,
    kinds: Kinds,
    keep: Keep,
    /// How many bytes of large files may still be read.
    room: u64,
    /// Made for the first file that has to be stored; most of the time none has.
    converter: Option<Option<Converter<'a>>>,
    content: Tree<'a>,
}

/// Stores every file of the tree at `root` that is not as it was checked out. `agent` is the tree of the agent's last
/// commit.
///
/// Also returns what is known of the files that were stored, but for those that were changed so lately that a further
/// change might not be seen in it.
pub(super) fn take<'a>(
    repo: &'a gix::Repository,
    common: &'a Dir,
    root: &'a Dir,
    input: &Input,
    agent: &'a Tree<'a>,
    notices: &mut Notices,
) -> Result<(Tree<'a>, Stats)> {
    let settled = SystemTime::now().checked_sub(TICK).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let settled = settled.unwrap_or_default();
    if !walk::names_admin(root, &input.admin) {
        notices.push(Notice::GitFileReplaced);
    }
    let config = repo.config_snapshot();
    let fold = config.boolean("core.ignoreCase").unwrap_or(false);
    let case = if fold { Case::Fold } else { Case::Sensitive };
    let told = |key: &str| if config.boolean(key).unwrap_or(true) { Told::ByFile } else { Told::ByTree };
    let kinds = Kinds { executable: told("core.fileMode"), links: told("core.symlinks") };
    let base = agent.base();
    let own = Own::new(base, own_dir(input));
    let ignore = Ignore::new(common, case);
    let found = walk::walk(root, agent, &own, kinds, &ignore, input.threads, notices)?;
    if input.hidden == HiddenRepositories::Keep && !found.ignored.is_empty() {
        nested::search(root, &ignore, found.ignored, notices)?;
    }
    let content = Tree::new(base, Changes::new());
    let (keep, room, converter) = (input.keep, limits::LARGE_BYTES, None);
    let mut snapshot = Snapshot { repo, common, root, agent, case, kinds, keep, room, converter, content };
    let mut stats = Stats::new();
    let mut seen = vec![false; base.len()];
    for position in found.same {
        seen[position] = true;
    }
    let mut kept = found.submodules;
    kept.extend(found.unknown);
    for (path, stat, position) in found.files {
        match snapshot.file(path.as_bstr(), &stat)? {
            Stored::As(id) => {
                let kind = snapshot.kinds.of(&stat, || agent.get(path.as_bstr()).or_else(|| base.get(path.as_bstr())));
                if let Some(why) = snapshot.settings(path.as_bstr(), kind, id)? {
                    notices.unstorable(path.as_bstr(), why);
                    kept.push(path);
                    continue;
                }
                let seconds = u64::try_from(stat.st_mtime).unwrap_or(u64::MAX);
                if (seconds, stat.st_mtime_nsec) < (settled.as_secs(), settled.subsec_nanos().into()) {
                    stats.insert(path.clone(), cache::of(&stat));
                }
                snapshot.content.set(path, Some(Item { kind, id }));
                if let Some(position) = position {
                    seen[position] = true;
                }
            }
            Stored::Gone => {}
            Stored::Unreadable(why) => {
                notices.unstorable(path.as_bstr(), format!("it cannot be read: {why}"));
                kept.push(path);
            }
        }
    }
    for (position, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
        snapshot.content.set(base.at(position).0.to_owned(), None);
    }
    let is_gone =
        |(path, item): (&BString, &Option<Item>)| item.is_some() && snapshot.content.get(path.as_bstr()).is_none();
    let gone = seen.contains(&false) || agent.changes().iter().any(is_gone);
    let left_out = if gone { own.left_out() } else { &[] };
    for path in kept.iter().chain(&base.index().left_out()).chain(left_out) {
        snapshot.keep(path.as_bstr());
    }
    if let Some(why) = own.problem() {
        notices.push(Notice::NotStaged { why: why.clone() });
    }
    Ok((snapshot.content, stats))
}

impl Snapshot<'_> {
    fn file(&mut self, path: &BStr, stat: &Stat) -> Result<Stored> {
        if self.converter.is_none() {
            self.converter = Some(Converter::new(self.repo, self.common, self.agent.base(), self.case)?);
        }
        let previous = self.agent.get(path).or_else(|| self.agent.base().get(path));
        if let Some(item) = previous.filter(|item| self.is_pointed_at(path, stat, *item)) {
            return Ok(Stored::As(item.id));
        }
        // Where there are no symlinks, the target of one is no text either.
        let is_link = self.kinds.of(stat, || previous) == EntryKind::Link;
        let converter = self.converter.as_mut().and_then(Option::as_mut).filter(|_| !is_link);
        let previous = previous.map(|item| item.id);
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size > limits::IN_MEMORY_BYTES && size <= limits::FILE_BYTES {
            match self.room.checked_sub(size) {
                Some(left) => self.room = left,
                None => return Ok(Stored::Unreadable("the large files have more bytes than are read".into())),
            }
        }
        files::store(self.repo, self.root, path, stat, converter, previous, self.keep)
    }

    /// Why git must not read this file in a tree of ours, if it is one that git itself reads.
    fn settings(&self, path: &BStr, kind: EntryKind, id: ObjectId) -> Result<Option<String>> {
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let Some(settings) = verify::settings(name).filter(|_| kind != EntryKind::Link) else { return Ok(None) };
        let problem = match self.keep {
            Keep::Nothing => match self.root.read(path, limits::OBJECT_BYTES) {
                Ok(content) => settings.problem(&content),
                Err(e) => Some(format!("it {e}")),
            },
            Keep::Objects => {
                let header = self.repo.find_header(id).map_err(fault::git("read a file that was stored"))?;
                if header.size() > limits::OBJECT_BYTES {
                    return Ok(Some("it is too large for git to read".into()));
                }
                settings.problem(&self.repo.find_object(id).map_err(fault::git("read a file that was stored"))?.data)
            }
        };
        Ok(problem.filter(|_| !self.agent.base().reads(id, settings)))
    }

    /// Whether what is tracked is a pointer of Git LFS, and the file what it stands for.
    fn is_pointed_at(&mut self, path: &BStr, stat: &Stat, tracked: Item) -> bool {
        let regular = beneath::kind(stat) == FileType::RegularFile && tracked.kind != EntryKind::Link;
        let short = |id| self.repo.find_header(id).is_ok_and(|header| header.size() <= pointer::LONGEST);
        let converter = self.converter.as_mut().and_then(Option::as_mut);
        if !regular || !short(tracked.id) || !converter.is_some_and(|converter| converter.is_large(path)) {
            return false;
        }
        let Ok(blob) = self.repo.find_blob(tracked.id) else { return false };
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        Pointer::parse(&blob.data).is_some_and(|p| p.size == size && p.stands_for(self.root, path))
    }

    /// Leaves a path, or what is below it, as the agent's last commit has it.
    fn keep(&mut self, path: &BStr) {
        for (path, item) in self.agent.at_or_below(path) {
            // A file that is there although it was left out of the tree is what somebody made of it.
            let absent = self.content.get(path.as_bstr()).is_none();
            if absent && fits(&self.content, path.as_bstr()) {
                self.content.set(path, Some(item));
            }
        }
    }
}

/// Whether neither a directory stands where this file would, nor a file where one of its directories would.
fn fits(content: &Tree<'_>, path: &BStr) -> bool {
    let dirs = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| &path[..at]);
    let mut dirs = dirs.into_iter();
    !content.has_below(path) && dirs.all(|dir| content.get(BString::from(dir).as_ref()).is_none())
}
