//! What a doctor looks at: the repository, our records and the processes of the machine, as they are now.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::super::layout::Layout;
use super::super::lease;
use super::super::lock::Turn;
use super::super::record::{self, Record};
use super::backlink::Backlinks;
use super::busy::Processes;
use crate::{Result, WorktreeId, repo};

/// The state of things.
#[derive(Debug)]
pub(super) struct Ward<'a> {
    pub(super) layout: &'a Layout,
    /// None when it cannot be opened.
    pub(super) repo: Option<gix::Repository>,
    pub(super) processes: Processes,
    pub(super) charts: Vec<Chart>,
    pub(super) backlinks: Backlinks<'a>,
    /// An entry that nobody is at work on, although it was changed just now: by us.
    pub(super) calm: Option<PathBuf>,
}

/// One record.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) id: WorktreeId,
    /// The record, or what is wrong with it.
    pub(super) record: std::result::Result<Record, String>,
    /// Whether a living process holds its lease, or it is being handed over to one.
    pub(super) living: bool,
}

/// Whose an entry is.
#[derive(Debug)]
pub(super) enum Keeper<'a> {
    /// Ours.
    Ours(&'a Record),
    /// Perhaps that of a record which cannot be read.
    Unclear(&'a WorktreeId),
    /// Somebody else's.
    Foreign,
}

impl<'a> Ward<'a> {
    /// Looks at all records. The caller holds the lock of the repository, so that a probe keeps nobody from a lease.
    pub(super) fn look(layout: &'a Layout, processes: Processes, _turn: &Turn) -> Result<Self> {
        let mut charts = Vec::new();
        for id in record::ids(layout)? {
            let living = lease::is_held(layout, &id);
            match Record::read(layout, &id) {
                Ok(None) => {}
                Ok(Some(record)) => {
                    let living = living || record.is_on_offer();
                    charts.push(Chart { id, record: Ok(record), living });
                }
                Err(e) => charts.push(Chart { id, record: Err(e.to_string()), living }),
            }
        }
        let (repo, backlinks) = (repo::open(&layout.common).ok(), Backlinks::new(layout));
        Ok(Self { layout, repo, processes, charts, backlinks, calm: None })
    }

    /// The same, knowing that the lease of this entry's record is held by nobody but the caller.
    pub(super) fn leased_by_caller(mut self, id: &WorktreeId) -> Self {
        for chart in self.charts.iter_mut().filter(|chart| chart.id == *id) {
            chart.living = false;
        }
        self
    }

    /// Whose the entry of this name is.
    pub(super) fn keeper(&self, name: &OsStr) -> Keeper<'_> {
        let named = |chart: &&Chart| chart.record.as_ref().is_ok_and(|record| name == OsStr::new(&record.admin));
        if let Some(Ok(record)) = self.charts.iter().find(named).map(|chart| &chart.record) {
            return Keeper::Ours(record);
        }
        let text = name.to_string_lossy();
        let may_name = |chart: &&Chart| {
            let rest = text.strip_prefix(chart.id.as_str()).and_then(|rest| rest.strip_prefix('-'));
            chart.record.is_err() && rest.is_some_and(|rest| rest.len() == 8)
        };
        self.charts.iter().find(may_name).map_or(Keeper::Foreign, |chart| Keeper::Unclear(&chart.id))
    }
}
