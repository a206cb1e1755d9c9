//! Whether an engine is the one that saw a container begin.

use std::time::Duration;

use bollard::models::ContainerState;

use super::ended::{Contact, ENGINES, Sight};
use super::run::Hold;
use super::{Lane, owner, time};

/// How long an engine takes at most to look through its containers when it begins.
const FIRST_LOOK: Duration = Duration::from_secs(10);

impl Lane {
    /// What is known of an end when the engine's own beginning is taken into account; `taken_over` is how much of the end this
    /// process could have seen.
    ///
    /// Where it cannot be told when the engine began, what was broken off under our eyes counts as not seen, and what was over
    /// when it was taken over is believed. What was taken over alive and ended as an engine ends things may have been ended by
    /// one that had just begun: behind a socket that somebody else holds, nobody can tell.
    pub(super) async fn look_back(
        &self,
        state: &ContainerState,
        mut contact: Contact,
        sight: Sight,
        taken_over: Sight,
        hold: Hold,
    ) -> (Contact, Sight) {
        let at = |time: &Option<String>| time.as_deref().and_then(time::since_epoch);
        let (Some(began), Some(started), Some(finished)) =
            (owner::engine_began(&self.facts.socket).await, at(&state.started_at), at(&state.finished_at))
        else {
            if hold == Hold::TakenOver && taken_over == Sight::Seen && is_engines(state) {
                contact.lost();
            }
            return (contact, if taken_over == Sight::Unseen { Sight::Seen } else { sight });
        };
        if began <= started {
            return (contact, Sight::Seen);
        }
        // An engine that begins ends what runs, and may answer before it has.
        if is_engines(state) {
            contact.lost();
        }
        let later = taken_over == Sight::Unseen && finished > began + FIRST_LOOK;
        (contact, if later { Sight::Seen } else { sight })
    }
}

/// Whether it ended as what an engine ends does.
fn is_engines(state: &ContainerState) -> bool {
    state.exit_code.is_some_and(|code| ENGINES.contains(&code))
}
