//! What lies in the tree, as a tree of git.

use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use rustix::fs::Stat;

use super::base::Item;
use super::beneath::Dir;
use super::convert::Converter;
use super::files::{self, Stored};
use super::ignore::Ignore;
use super::notices::Notices;
use super::tree::{Changes, Tree};
use super::walk::Kinds;
use super::{Input, Keep, walk};
use crate::{Notice, Result};

/// Takes a snapshot of one tree.
struct Snapshot<'a> {
    repo: &'a gix::Repository,
    common: &'a Dir,
    root: &'a Dir,
    agent: &'a Tree<'a>,
    case: Case,
    kinds: Kinds,
    keep: Keep,
    /// Made for the first file that has to be stored; most of the time none has.
    converter: Option<Option<Converter<'a>>>,
    content: Tree<'a>,
}

/// Stores every file of the tree at `root` that is not as it was checked out. `agent` is the tree of the agent's last
/// commit.
pub(super) fn take<'a>(
    repo: &'a gix::Repository,
    common: &'a Dir,
    root: &'a Dir,
    input: &Input,
    agent: &'a Tree<'a>,
    notices: &mut Notices,
) -> Result<Tree<'a>> {
    if !walk::names_admin(root, &input.admin) {
        notices.push(Notice::GitFileReplaced);
    }
    let config = repo.config_snapshot();
    let fold = config.boolean("core.ignoreCase").unwrap_or(false);
    let case = if fold { Case::Fold } else { Case::Sensitive };
    let kinds = if config.boolean("core.fileMode").unwrap_or(true) { Kinds::ByMode } else { Kinds::ByTree };
    let base = agent.base();
    let found = walk::walk(root, agent, kinds, &Ignore::new(common, case), notices)?;
    let content = Tree::new(base, Changes::new());
    let mut snapshot = Snapshot { repo, common, root, agent, case, kinds, keep: input.keep, converter: None, content };
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
    for path in kept.into_iter().chain(base.index().left_out()) {
        snapshot.keep(path.as_bstr());
    }
    Ok(snapshot.content)
}

impl Snapshot<'_> {
    fn file(&mut self, path: &BStr, stat: &Stat) -> Result<Stored> {
        if self.converter.is_none() {
            self.converter = Some(Converter::new(self.repo, self.common, self.agent.base(), self.case)?);
        }
        let converter = self.converter.as_mut().and_then(Option::as_mut);
        let previous = self.agent.get(path).or_else(|| self.agent.base().get(path)).map(|item| item.id);
        files::store(self.repo, self.root, path, stat, converter, previous, self.keep)
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
