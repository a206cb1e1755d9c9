//! Which repository a record belongs to.
//!
//! Records hold absolute paths. Whoever copies a repository copies its records as well, and what they name is still that
//! of the original. A repository that is renamed stays what it is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::lease;
use crate::capture::fault;
use crate::disk::{self, Identity};
use crate::{Error, Result};

/// The repository for which a record was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Home {
    /// Its common directory.
    pub(super) common: Identity,
    /// The boot in which that was looked at.
    pub(super) boot: String,
}

impl Home {
    /// The repository that is open.
    pub(super) fn of(layout: &Layout) -> Result<Self> {
        Ok(Self { common: common(layout)?, boot: lease::boot() })
    }

    /// Whether the repository that is open is this one. When that cannot be told, it is an error.
    fn is_here(&self, layout: &Layout) -> Result<bool> {
        let now = common(layout)?;
        // Device numbers may change with the boot, and records must not be called copies for that.
        Ok(now == self.common || now.is_alike(&self.common) && self.boot != lease::boot())
    }
}

/// Fails for the record at this path if it was written for another repository. Records of an earlier version do not say.
pub(super) fn check(layout: &Layout, home: Option<&Home>, record: &Path) -> Result<()> {
    match home {
        Some(home) if !home.is_here(layout)? => Err(Error::Repository {
            path: record.to_owned(),
            problem: "this record was copied with the repository; delete it. What it names is the original's and is \
                      left alone"
                .into(),
        }),
        _ => Ok(()),
    }
}

fn common(layout: &Layout) -> Result<Identity> {
    let strange = || fault::strange(&layout.common, "the repository is not a directory any more");
    disk::identity(&layout.common).ok_or_else(strange)
}
