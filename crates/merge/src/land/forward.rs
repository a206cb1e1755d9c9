//! Brings a clean checkout from one commit to another.
//!
//! Everything is checked before anything is touched. `git read-tree -m -u` then checks again what it is about to write,
//! so a file that is edited in between is refused, not overwritten.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};

use super::checkouts::Holder;
use super::git::{Ran, run};
use super::in_the_way;
use crate::engine::changed_files;
use crate::{Result, graph};

/// Which changes of the user's may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carry {
    /// None.
    Nothing,
    /// Those to files that are the same in both commits.
    Untouched,
}

/// Exists while a git process changes the index.
const INDEX_LOCK: &str = "index.lock";
/// How long another git process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is underway in a checkout when one of these exists in its git directory.
pub(super) const UNDERWAY: [(&str, &str); 8] = [
    (INDEX_LOCK, "another git process works here; if none does, remove its index.lock"),
    ("MERGE_HEAD", "a merge is underway here; commit or abort it"),
    ("CHERRY_PICK_HEAD", "a cherry-pick is underway here; finish or abort it"),
    ("REVERT_HEAD", "a revert is underway here; finish or abort it"),
    ("rebase-merge", "a rebase is underway here; finish or abort it"),
    ("rebase-apply", "a rebase or patch series is underway here; finish or abort it"),
    ("sequencer", "a series of picks is underway here; finish or abort it"),
    ("BISECT_LOG", "a bisection is underway here; run 'git bisect reset'"),
];

/// Says why not, in a sentence for the person who owns the checkout.
type Refusable<T> = std::result::Result<T, String>;

/// A checkout that was brought forward and whose branch was not yet.
pub(super) struct Forward<'h> {
    holder: &'h Holder,
    old: ObjectId,
    new: ObjectId,
    /// The files that differ between the two, if changes to others may stay.
    touched: Option<BTreeSet<BString>>,
}

/// Brings files and index from `old` to `new`, or says what stands in the way; then nothing was touched.
pub(super) fn bring<'h>(
    session: &gix::Repository,
    holder: &'h Holder,
    (old, new): (ObjectId, ObjectId),
    carry: Carry,
) -> Result<Refusable<Forward<'h>>> {
    let touched = match carry {
        Carry::Nothing => None,
        Carry::Untouched => Some(changed_files(session, graph::tree_of(session, old)?, graph::tree_of(session, new)?)?),
    };
    let forward = Forward { holder, old, new, touched };
    forward.wait_for_others();
    match forward.state() {
        Ok(State::Clean) => {}
        // A landing was interrupted here, after this and before the branch moved.
        Ok(State::Forward) => return Ok(Ok(forward)),
        Err(why) => return Ok(Err(why)),
    }
    if let Some(path) = in_the_way::find(session, &holder.work_tree, old, new)? {
        return Ok(Err(format!("{path:?} is not tracked and would be overwritten; move it away")));
    }
    Ok(forward.write().map(|()| forward))
}

enum State {
    /// Files, index and `old` agree.
    Clean,
    /// Files, index and `new` agree.
    Forward,
}

impl Forward<'_> {
    /// Lets another git process finish: a person's, or our own whose parent was killed and that is still writing.
    fn wait_for_others(&self) {
        let lock = self.holder.git_dir.join(INDEX_LOCK);
        let begun = Instant::now();
        while lock.exists() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn state(&self) -> Refusable<State> {
        if let Some((_, why)) = UNDERWAY.iter().find(|(name, _)| self.holder.git_dir.join(name).exists()) {
            return Err((*why).to_owned());
        }
        // The files inside a submodule are not touched, so only the commit that it is at counts.
        let status =
            ["status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=dirty", "--no-renames"];
        let output = match run(self.holder, &status)? {
            Ran::Done(output) => output,
            Ran::Refused(said) => return Err(format!("git could not tell whether it is clean: {said}")),
        };
        let entries = output.split(|byte| *byte == 0).filter(|entry| entry.len() > 3);
        let entries: Vec<_> = entries.filter(|entry| self.matters(&entry[3..])).collect();
        let Some(first) = entries.first() else { return Ok(State::Clean) };
        // The second column compares files and index.
        let only_staged = entries.iter().all(|entry| entry[1] == b' ');
        let new = self.new.to_string();
        let staged = ["diff-index", "--cached", "--name-only", "--no-renames", "-z", &new, "--"];
        if only_staged && let Ran::Done(names) = run(self.holder, &staged)? {
            let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            if !names.into_iter().any(|name| self.matters(name)) {
                return Ok(State::Forward);
            }
        }
        let path = String::from_utf8_lossy(&first[3..]);
        Err(format!("{} changed file(s) here, {path:?} among them; commit, stash or undo them", entries.len()))
    }

    /// Whether a change of the user's at a path is in the way.
    fn matters(&self, path: &[u8]) -> bool {
        self.touched.as_ref().is_none_or(|touched| touched.contains(path.as_bstr()))
    }

    fn write(&self) -> Refusable<()> {
        // read-tree goes by the times in the index; where they are stale it would refuse files that did not change.
        run(self.holder, &["update-index", "-q", "--refresh"])?;
        match self.read_tree(self.old, self.new)? {
            Ran::Done(_) => Ok(()),
            Ran::Refused(said) => Err(format!("git refused to bring it forward: {said}")),
        }
    }

    /// Goes back after the branch could not be moved. If that fails too, the checkout has the candidate staged: nothing
    /// is lost, and the next landing or a reset cleans it up.
    pub(super) fn undo(&self) {
        let _ = self.read_tree(self.new, self.old);
    }

    fn read_tree(&self, from: ObjectId, to: ObjectId) -> Refusable<Ran> {
        run(self.holder, &["read-tree", "-m", "-u", &from.to_string(), &to.to_string()])
    }
}
