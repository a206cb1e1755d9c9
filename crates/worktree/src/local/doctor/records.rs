//! Judges our own records, and what lies in our places without belonging to one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::layout::Layout;
use super::super::moved;
use super::super::record::{Record, Stage};
use super::facts::{Facts, Named};
use super::finding::{Finding, Holds, Remedy, Severity, Trouble};
use super::ward::{Chart, Ward};
use super::{busy, facts};
use crate::capture::fault;
use crate::{disk, view};

/// What is wrong with the records.
pub(super) fn judge(ward: &Ward<'_>) -> Vec<Finding> {
    ward.charts.iter().flat_map(|chart| of(ward, chart)).collect()
}

fn of(ward: &Ward<'_>, chart: &Chart) -> Vec<Finding> {
    let path = ward.layout.record(&chart.id);
    let record = match &chart.record {
        Ok(record) => record,
        Err(problem) => {
            let says = format!("the record of {} is damaged: {problem}", chart.id);
            return vec![Finding::new(Trouble::RecordDamaged, &path, says).holds(Holds::Work)];
        }
    };
    match record.stage {
        Stage::Leased | Stage::Kept => whole(ward, chart, record, &path),
        _ if chart.living => Vec::new(),
        _ => {
            let says = format!("{} was being made or removed when its owner died; a recovery ends that", chart.id);
            let finding = Finding::new(Trouble::HalfDone, &path, says).severity(Severity::Notice);
            vec![finding.holds(Holds::Work).remedy(Remedy::Recover)]
        }
    }
}

/// A worktree that should be complete.
fn whole(ward: &Ward<'_>, chart: &Chart, record: &Record, path: &Path) -> Vec<Finding> {
    let (id, parts) = (&chart.id, &record.parts);
    let tree = record.has_tree();
    let admin = record.admin_dir(ward.layout);
    let entry = disk::identity(&admin).is_some();
    let view = disk::identity(&view::dir(&ward.layout.common, id)).is_some();
    let mut found = Vec::new();
    let find = || ward.backlinks.trees_of(&admin, Some(&parts.path), |found| moved::may_be(record, found));
    let moved = if tree { Ok(Vec::new()) } else { find() };
    if !tree && !entry && !view && !chart.living && moved.as_ref().is_ok_and(Vec::is_empty) {
        let says = format!("{id} was removed by other means; a recovery forgets it, its branch stays");
        return vec![Finding::new(Trouble::RecordWithoutTree, path, says).remedy(Remedy::Recover)];
    }
    if !tree {
        let way = match moved.as_deref() {
            Ok([at]) => format!("it is at {at:?} now: move it back"),
            Err(e) => format!("it could not be told whether it was moved: {}", fault::with_causes(e)),
            Ok(_) => "put it back, or adopt and release it to save its commits".to_owned(),
        };
        let says = format!("the tree of {id} is not at {:?}; {way}", parts.path);
        found.push(Finding::new(Trouble::RecordWithoutTree, path, says).holds(Holds::Work));
    }
    if !entry {
        let says =
            format!("git does not know {id} any more; copy what is needed out of {:?}, its branch stays", parts.path);
        found.push(Finding::new(Trouble::RecordWithoutEntry, path, says).holds(Holds::Work));
    }
    if record.stage == Stage::Leased && !chart.living {
        let says = format!("the owner of {id} is dead (it was process {}); a recovery adopts it", record.holder.pid);
        let finding = Finding::new(Trouble::Orphaned, path, says).severity(Severity::Notice);
        found.push(finding.holds(Holds::Work).remedy(Remedy::Recover));
    }
    found
}

/// Something in our places that belongs to no record.
#[derive(Debug)]
pub(super) enum Stray {
    /// In the staging area or in the trash.
    LeftOver(PathBuf),
    /// A tree.
    Tree(PathBuf),
}

/// What lies in our places and belongs to no record.
pub(super) fn strays(ward: &Ward<'_>, entries: &[Facts]) -> Vec<Stray> {
    let layout = ward.layout;
    let mut found = Vec::new();
    let records = || ward.charts.iter().filter_map(|chart| chart.record.as_ref().ok());
    if ward.charts.iter().all(|chart| chart.record.is_ok()) {
        let ours = |name: &str| records().any(|r| name.starts_with(&r.token) || Layout::whose(name) == r.admin);
        let leaves = |name: &str| layout.leaving(Layout::whose(name)).symlink_metadata().is_ok();
        let left = children(&layout.staging()).into_iter().chain(children(&layout.trash()));
        found.extend(left.filter(|path| !ours(&name(path)) && !leaves(&name(path))).map(Stray::LeftOver));
    }
    let mut known: HashSet<PathBuf> = ward.charts.iter().map(|chart| layout.tree(&chart.id)).collect();
    for record in records() {
        known.extend([&record.parts.path, &record.temporary, &record.trash].map(Clone::clone));
    }
    known.extend(entries.iter().filter_map(|entry| entry.tree.clone()));
    let dirs: HashSet<&Path> = entries.iter().map(|entry| entry.dir.as_path()).collect();
    let is_named = |tree: &Path| matches!(facts::named_by(tree), Named::Entry(named) if dirs.contains(named.as_path()));
    let is_tree = |path: &PathBuf| {
        disk::identity(path).is_some()
            && !name(path).starts_with('.')
            && facts::is_stray(path)
            && !known.contains(path)
            && !is_named(path)
    };
    found.extend(children(&layout.trees).into_iter().filter(is_tree).map(Stray::Tree));
    found
}

impl Stray {
    pub(super) fn judge(self, ward: &Ward<'_>) -> Option<Finding> {
        match self {
            Self::LeftOver(path) => {
                let says = format!("{path:?} is left of something long over; a recovery deletes it");
                let finding = Finding::new(Trouble::LeftOver, &path, says).severity(Severity::Notice);
                busy::busy(&ward.processes, &path, None).is_none().then(|| finding.remedy(Remedy::Recover))
            }
            Self::Tree(path) => {
                let says = format!(
                    "{path:?} belongs to no worktree that is known: git does not see it, and its name is taken; copy \
                     out what is needed, and move it away"
                );
                Some(Finding::new(Trouble::StrayTree, &path, says).holds(Holds::Work))
            }
        }
    }
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
