//! Judges what is in the places of this crate's own refs: somebody may have put something else there.

use std::collections::BTreeSet;

use gix::ObjectId;

use super::super::layout::Layout;
use super::super::record::{self, Record};
use super::super::{base, refs};
use super::finding::{Cure, Finding, Remedy, Severity, Trouble};
use super::ward::Ward;
use crate::capture::rescue_prefix;
use crate::capture::way::{self, Found, PINS};
use crate::swap::Staged;
use crate::{Result, WorktreeId, swap};

/// The directories of our refs, none of which may be a ref itself.
const DIRECTORIES: [&str; 3] = ["refs/hedgerow", "refs/hedgerow/base", "refs/hedgerow/rescue"];
/// The worktree that what was in the way of all of them becomes a rescue of, or what has no name that an id could have.
const NOBODY: &str = "in-the-way";

/// A place, whose it is, and what should be there: nothing, if it is a directory.
struct Place {
    name: String,
    id: WorktreeId,
    wanted: Option<ObjectId>,
}

/// What is in the way of our refs.
pub(super) fn judge(ward: &Ward<'_>) -> Vec<Finding> {
    let Some(repo) = &ward.repo else { return Vec::new() };
    let mut found: Vec<Finding> = places(ward).iter().filter_map(|place| judge_place(ward, repo, place)).collect();
    found.extend(strangers(ward, repo));
    found
}

fn places(ward: &Ward<'_>) -> Vec<Place> {
    let nobody = WorktreeId::new(NOBODY);
    let shared = nobody
        .iter()
        .flat_map(|id| DIRECTORIES.iter().map(|name| Place { name: (*name).to_owned(), id: id.clone(), wanted: None }));
    let mut found: Vec<Place> = shared.collect();
    for chart in &ward.charts {
        let name = rescue_prefix(&chart.id).trim_end_matches('/').to_owned();
        found.push(Place { name, id: chart.id.clone(), wanted: None });
        let record = chart.record.as_ref().ok();
        let pin = record.and_then(|record| Some((way::pin(&record.admin), base::object_id(&record.parts.base).ok()?)));
        found.extend(pin.map(|(name, base)| Place { name, id: chart.id.clone(), wanted: Some(base) }));
    }
    found
}

fn judge_place(ward: &Ward<'_>, repo: &gix::Repository, place: &Place) -> Option<Finding> {
    let name = &place.name;
    let says = match (way::look(repo, name).ok()?, place.wanted) {
        (Found::Nothing, None) => return None,
        (_, Some(_)) if has_below(ward, name) => format!("below {name} is something, in the way of a ref of ours"),
        // The worktree of a base that is not pinned is just coming or going.
        (Found::Nothing, Some(_)) => return None,
        (Found::Object(id), Some(wanted)) if id == wanted => return None,
        (Found::Object(id), None) => format!("{name} is a ref, of {id}, and beside it git can have none below it"),
        (Found::Object(id), Some(wanted)) => format!("{name} names {id}, and not the base {wanted} that it must hold"),
        (Found::Junk, _) => format!("{name} is something that holds nothing, in the way of refs of ours"),
    };
    Some(finding(ward, name, &says))
}

fn has_below(ward: &Ward<'_>, name: &str) -> bool {
    let common = &ward.layout.common;
    let is_dir = common.join(name).symlink_metadata().is_ok_and(|meta| meta.is_dir());
    is_dir || swap::is_packed_over(common, name).unwrap_or(false)
}

fn finding(ward: &Ward<'_>, name: &str, says: &str) -> Finding {
    let loose = ward.layout.common.join(name);
    let path = if loose.symlink_metadata().is_ok() { loose } else { ward.layout.common.join("packed-refs") };
    let says = format!("{says}; mending puts what it holds under a rescue ref, and the rest into the quarantine");
    let trouble = Trouble::RefInTheWay { reference: name.to_owned() };
    Finding::new(trouble, &path, says).severity(Severity::Worktree).remedy(Remedy::Complete)
}

/// Refs among the bases that no worktree has.
fn strangers(ward: &Ward<'_>, repo: &gix::Repository) -> Vec<Finding> {
    if ward.charts.iter().any(|chart| chart.record.is_err()) {
        return Vec::new();
    }
    let pins = swap::below(&ward.layout.common, PINS).unwrap_or_default();
    let names: BTreeSet<&str> = pins.keys().filter_map(|name| name.strip_prefix(PINS)?.split('/').next()).collect();
    let mut found = Vec::new();
    for admin in names {
        let name = way::pin(admin);
        let is_there = || has_below(ward, &name) || way::look(repo, &name).is_ok_and(|found| found != Found::Nothing);
        if !is_known(ward.layout, admin) && is_there() {
            let says = format!("{name} is in the place of the base of a worktree that is not there");
            found.push(finding(ward, &name, &says).severity(Severity::Notice));
        }
    }
    found
}

/// Whether there is a worktree with this admin directory, or one that is not purged yet. The record of a new one is written
/// before its pin, and that of one that has left is deleted after it.
fn is_known(layout: &Layout, admin: &str) -> bool {
    let record = record::owner_of(admin).and_then(|id| Record::read(layout, &id).ok()?);
    record.is_some_and(|record| record.admin == admin) || layout.leaving(admin).symlink_metadata().is_ok()
}

/// Puts aside what is in the way.
pub(super) fn mend(ward: &Ward<'_>, now: &Finding) -> Result<Cure> {
    let (Trouble::RefInTheWay { reference }, Some(repo)) = (&now.trouble, &ward.repo) else {
        return Ok(Cure::LeftAlone { why: now.says.clone() });
    };
    let place = places(ward).into_iter().find(|place| place.name == *reference);
    match place {
        Some(Place { name, id, wanted: Some(base) }) => {
            refs::pin_base(repo, &id, name, &Staged::durable(repo.common_dir(), base)?)?;
        }
        Some(Place { name, id, wanted: None }) => way::displace(repo, &id, &name)?,
        None => {
            // Of a worktree that is not there any more, or of nobody.
            let admin = reference.strip_prefix(PINS).unwrap_or_default();
            let id = record::owner_of(admin).or_else(|| WorktreeId::new(admin).ok());
            let id = id.map_or_else(|| WorktreeId::new(NOBODY), Ok)?;
            way::clear_all(repo, &id, reference)?;
        }
    }
    Ok(Cure::Completed)
}
