//! Cures one finding, after looking again under the lock of the repository.

use std::path::Path;

use super::super::layout::Layout;
use super::super::record::{self, Record};
use super::super::{admin, lease};
use super::backlink::Backlinks;
use super::busy::Processes;
use super::facts::Facts;
use super::finding::{Cure, Finding, Remedy, Trouble};
use super::ward::Ward;
use super::{entry, refs, shared, work};
use crate::capture::{self, fault};
use crate::{Result, WorktreeId, disk, quarantine};

/// Does what the finding says, if that is still so.
pub(super) fn mend(layout: &Layout, finding: &Finding) -> Result<Cure> {
    let why = match finding.remedy {
        Remedy::Complete | Remedy::Quarantine => None,
        Remedy::Recover => Some("a recovery does this"),
        Remedy::Wait => Some("somebody may be at work on it"),
        Remedy::ByHand => Some("only a person can tell what is right"),
    };
    if let Some(why) = why {
        return Ok(Cure::LeftAlone { why: format!("{why}: {}", finding.says) });
    }
    // Held until the end, so that nobody adopts what is being mended.
    let (owner, _lease) = match owner(layout, finding)? {
        None => (None, None),
        Some(record) => match lease::claim(layout, &record.parts.id)? {
            Some(lock) if !record.is_on_offer() => (Some(record.parts.id), Some(lock)),
            _ => return Ok(Cure::LeftAlone { why: format!("the owner of {} is alive", record.parts.id) }),
        },
    };
    let turn = layout.turn()?;
    let mut ward = Ward::look(layout, Processes::look(), &turn)?;
    if let Some(id) = &owner {
        // Our own hold on the lease makes its owner look alive.
        ward = ward.leased_by_caller(id);
    }
    let entries = entry::all(layout);
    let mut cure = once(&ward, &entries, finding)?;
    // What is completed now looks young, but what else is missing in the same entry was left behind by the same death.
    for _ in 0..STEPS {
        if cure != Cure::Completed {
            break;
        }
        ward.calm = Some(finding.path.clone());
        let entries = entry::all(layout);
        let judged = entries.iter().filter(|facts| facts.dir == finding.path);
        let mut next = judged.flat_map(|facts| entry::judge(&ward, facts, &entries));
        let Some(next) = next.find(|next| next.remedy == Remedy::Complete) else { break };
        cure = once(&ward, &entries, &next)?;
    }
    Ok(cure)
}

/// How many files of one entry may have to be completed.
const STEPS: usize = 6;

fn once(ward: &Ward<'_>, entries: &[Facts], finding: &Finding) -> Result<Cure> {
    let judged = match entries.iter().find(|facts| finding.path.starts_with(&facts.dir)) {
        Some(facts) => entry::judge(ward, facts, entries),
        None => shared::locks(ward).into_iter().chain(refs::judge(ward)).collect(),
    };
    let same = |now: &Finding| now.trouble == finding.trouble && now.path == finding.path;
    let Some(now) = judged.into_iter().find(same) else { return Ok(Cure::Gone) };
    match now.remedy {
        _ if matches!(now.trouble, Trouble::RefInTheWay { .. }) => refs::mend(ward, &now),
        Remedy::Quarantine => put_away(ward, entries, &now),
        Remedy::Complete => complete(ward, entries, &now),
        _ => Ok(Cure::LeftAlone { why: now.says }),
    }
}

/// The record of ours that the finding is about.
fn owner(layout: &Layout, finding: &Finding) -> Result<Option<Record>> {
    let dir = finding.path.strip_prefix(layout.admins()).ok().and_then(|path| path.components().next());
    let Some(name) = dir.map(|dir| dir.as_os_str()) else { return Ok(None) };
    for id in record::ids(layout)? {
        // One that cannot be read is found out about later.
        if let Ok(Some(record)) = Record::read(layout, &id)
            && name == record.admin.as_str()
        {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn put_away(ward: &Ward<'_>, entries: &[Facts], finding: &Finding) -> Result<Cure> {
    // A commit that only this entry names must survive the next garbage collection.
    if let (Some(facts), Some(repo)) = (of(entries, finding), &ward.repo)
        && let Some(commit) = work::head(repo, facts)
    {
        let Ok(id) = WorktreeId::new(facts.name().to_string_lossy()) else {
            return Ok(Cure::LeftAlone { why: format!("no rescue ref can have the name of {:?}", facts.dir) });
        };
        if facts.head.text().is_some_and(|text| !text.starts_with(b"ref: ")) {
            capture::rescue(repo, &id, commit)?;
        }
    }
    let to = quarantine::take(&ward.layout.state, &finding.path, &finding.says)?;
    Ok(Cure::Quarantined { to })
}

fn of<'a>(entries: &'a [Facts], finding: &Finding) -> Option<&'a Facts> {
    entries.iter().find(|facts| facts.dir == finding.path)
}

fn complete(ward: &Ward<'_>, entries: &[Facts], finding: &Finding) -> Result<Cure> {
    let (layout, dir) = (ward.layout, &finding.path);
    let unknown = || fault::strange(dir, "it changed while it was looked at");
    let facts = of(entries, finding).ok_or_else(unknown)?;
    let put =
        |file: &str, text: String| quarantine::put(&layout.state, &dir.join(file), text.as_bytes(), &finding.says);
    let names = |tree: &Path| format!("{}\n", tree.join(".git").display());
    match &finding.trouble {
        Trouble::CommondirEmpty | Trouble::CommondirMissing => put("commondir", "../..\n".into())?,
        Trouble::HeadMissing | Trouble::HeadNull | Trouble::HeadDamaged => {
            put("HEAD", entry::head_for(ward, facts).ok_or_else(unknown)?)?;
        }
        Trouble::TreeMoved { to } => put("gitdir", names(to))?,
        Trouble::GitdirDamaged => {
            let trees = Backlinks::new(layout).trees_of(dir, None, |_| true)?;
            put("gitdir", names(trees.first().ok_or_else(unknown)?))?;
        }
        Trouble::IndexMissing => index(ward, facts)?,
        Trouble::LeftLocked => {}
        _ => return Ok(Cure::LeftAlone { why: finding.says.clone() }),
    }
    let made = matches!(finding.trouble, Trouble::IndexMissing | Trouble::LeftLocked);
    if made && facts.initializing() {
        quarantine::take(&layout.state, &dir.join("locked"), &finding.says)?;
    }
    Ok(Cure::Completed)
}

/// Writes the index that a finished checkout would have left, under git's own lock, and never over another one.
fn index(ward: &Ward<'_>, facts: &Facts) -> Result<()> {
    let lock = facts.dir.join("index.lock");
    if lock.symlink_metadata().is_ok() {
        quarantine::take(&ward.layout.state, &lock, "its holder was dead")?;
    }
    let unborn = || fault::strange(&facts.dir, "its HEAD does not lead to a commit");
    let repo = ward.repo.as_ref().ok_or_else(unborn)?;
    let head = work::head(repo, facts).ok_or_else(unborn)?;
    let commit = repo.find_commit(head).map_err(fault::git("read the commit of HEAD"))?;
    let tree = commit.tree_id().map_err(fault::git("read the commit of HEAD"))?;
    let index = repo.index_from_tree(&tree).map_err(fault::git("read the tree of HEAD"))?;
    let temporary = quarantine::dir(&ward.layout.state)?.join(format!(".{}", disk::token()?));
    admin::write_index(&index, &temporary)?;
    let done = std::fs::hard_link(&temporary, &lock).and_then(|()| disk::rename_new(&lock, &facts.dir.join("index")));
    disk::remove_file(&temporary)?;
    done.map_err(fault::io("write the index of", &facts.dir))
}
