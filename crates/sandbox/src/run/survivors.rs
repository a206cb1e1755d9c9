//! What of a command would not die in the time that it was given.

use std::sync::Arc;
use std::time::Duration;

use super::group::{Emptied, Group};
#[cfg(feature = "native")]
use super::held::Held;
use super::marked::{Mark, Swept};
use super::tree;

/// How many processes an error names.
const NAMED: usize = 5;
/// How long what is found again may take to die of another signal.
const AGAIN: Duration = Duration::from_millis(100);

/// By what processes are found again that were killed and may still be there; mostly nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survivors {
    /// What they carry.
    pub(crate) mark: Option<Mark>,
    /// The group that they are in.
    pub(crate) group: Option<Arc<Group>>,
    /// One on whose end that of the others depends.
    #[cfg(feature = "native")]
    pub(crate) process: Option<Arc<Held>>,
}

impl Survivors {
    /// What there still is of them, in words, after they were killed again; nothing when all are gone for certain.
    pub(crate) async fn now(&self) -> Option<String> {
        let nothing = self.mark.is_none() && self.group.is_none();
        #[cfg(feature = "native")]
        let nothing = nothing && self.process.is_none();
        if nothing {
            return None;
        }
        let survivors = self.clone();
        // It may have to wait for what does not answer.
        let looked = tokio::task::spawn_blocking(move || survivors.look()).await;
        looked.unwrap_or_else(|_| Some("it could not be looked what is left".into()))
    }

    fn look(&self) -> Option<String> {
        let group = self.group.as_ref().filter(|group| group.end(AGAIN) == Emptied::No);
        let mut pids = group.map_or_else(Vec::new, |group| group.members().pids().to_vec());
        #[cfg(feature = "native")]
        pids.extend(self.process.iter().filter(|process| process.kill(AGAIN)).map(|p| p.pid().as_raw_nonzero().get()));
        let Swept { left, unknown, .. } = self.mark.as_ref().map_or_else(Swept::default, |mark| mark.kill(AGAIN));
        pids.extend(left);
        pids.sort_unstable();
        pids.dedup();
        let mut said = Vec::new();
        if !pids.is_empty() {
            let all: Vec<_> = pids.iter().map(|pid| tree::named(*pid)).collect();
            said.push(format!("after SIGKILL the kernel still holds {} of its processes: {}", all.len(), named(&all)));
        } else if let Some(group) = group {
            let place = group.directory().display();
            said.push(format!(
                "after SIGKILL the kernel still holds processes that cannot be seen, in the control group {place}"
            ));
        }
        if !unknown.is_empty() {
            said.push(format!("it cannot be told whether something of it is left: {}", named(&unknown)));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// The first of them.
pub(super) fn named(left: &[String]) -> String {
    left.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}
