//! What was rescued, of all worktrees, and how it is given up.

use std::time::{Duration, UNIX_EPOCH};

use super::base::{commit_id, object_id};
use super::manager::LocalWorktrees;
use crate::swap::{self, Value};
use crate::{Error, NameKind, Rescue, Rescued, Result, WorktreeId};

const PREFIX: &str = "refs/hedgerow/rescue/";

impl LocalWorktrees {
    /// Everything that was rescued and not forgotten, by worktree, the oldest of each first.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub async fn all_rescues(&self) -> Result<Vec<Rescued>> {
        self.blocking(|layout| {
            let mut found = Vec::new();
            for (reference, value) in swap::below(&layout.common, PREFIX)? {
                let Value::Id(commit) = value else { continue };
                let parts = reference.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('/'));
                let Some((id, number)) = parts else { continue };
                let (Ok(id), Ok(number)) = (WorktreeId::new(id), number.parse::<u64>()) else { continue };
                let time = swap::last_told(&layout.common, &reference)
                    .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
                let rescue = Rescue { reference: reference.clone(), commit: commit_id(commit) };
                found.push((number, Rescued { id, rescue, time }));
            }
            found.sort_by(|(a, one), (b, other)| one.id.cmp(&other.id).then(a.cmp(b)));
            Ok(found.into_iter().map(|(_, rescued)| rescued).collect())
        })
        .await
    }

    /// Deletes a rescue ref, so that git may delete what only it holds. Nothing else in this crate does that to one that
    /// was there before: a release takes back those that it has just made itself if a garbage collection has deleted part of
    /// what they name.
    ///
    /// One that is gone already is no error. Cancelled, it has either not begun or ends in the background; asking again
    /// does no harm.
    ///
    /// # Errors
    /// [`Error::RefMoved`] when the ref names another commit by now, [`Error::InvalidName`] when it is no rescue ref; it
    /// is still there then.
    pub async fn forget(&self, rescue: &Rescue) -> Result<()> {
        let rescue = rescue.clone();
        self.blocking(move |layout| {
            let reference = &rescue.reference;
            let rest = reference.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('/'));
            let named = rest.is_some_and(|(id, n)| WorktreeId::new(id).is_ok() && n.parse::<u64>().is_ok());
            if !named {
                let problem = "only what is below refs/hedgerow/rescue can be forgotten";
                return Err(Error::InvalidName { what: NameKind::RescueRef, name: reference.clone(), problem });
            }
            let expected = Value::Id(object_id(&rescue.commit)?);
            // Whoever releases a worktree relies on the rescue refs that it finds, under this lock.
            let _turn = layout.turn()?;
            let found = swap::delete(&layout.common, reference, |value| value == expected)?;
            if found == expected || found == Value::Missing {
                return Ok(());
            }
            let problem = format!("it no longer names {}, and was left as it is", rescue.commit);
            Err(Error::RefMoved { reference: reference.clone(), problem })
        })
        .await
    }
}
