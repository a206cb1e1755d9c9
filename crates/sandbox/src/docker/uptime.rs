//! Whether an engine is the one that saw a container begin.

use std::time::Duration;

use bollard::models::ContainerState;

use super::ended::{Contact, ENGINES, Sight};
use super::{Lane, owner, time};

/// How long an engine takes at most to look through its containers when it begins.
const FIRST_LOOK: Duration = Duration::from_secs(10);

impl Lane {
    /// What is known of an end when the engine's own beginning is taken into account; `taken_over` is how much of the end this
    /// process could have seen.
    ///
    /// Where it cannot be told when the engine began, what was broken off under our eyes counts as not seen, and what was over
    /// when it was taken over is believed.
    pub(super) async fn look_back(
        &self,
        state: &ContainerState,
        mut contact: Contact,
        sight: Sight,
        taken_over: Sight,
    ) -> (Contact, Sight) {
        let at = |time: &Option<String>| time.as_deref().and_then(time::since_epoch);
        let (Some(began), Some(started), Some(finished)) =
            (owner::engine_began(&self.facts.socket).await, at(&state.started_at), at(&state.finished_at))
        else {
            return (contact, if taken_over == Sight::Unseen { Sight::Seen } else { sight });
        };
        if began <= started {
            return (contact, Sight::Seen);
        }
        // An engine that begins ends what runs, and may answer before it has.
        if state.exit_code.is_some_and(|code| ENGINES.contains(&code)) {
            contact.lost();
        }
        let later = taken_over == Sight::Unseen && finished > began + FIRST_LOOK;
        (contact, if later { Sight::Seen } else { sight })
    }
}
