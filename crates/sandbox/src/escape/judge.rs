//! What was seen of a probe, and what that means.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Expected;
use super::probe::{Effect, Proof};
use crate::Coverage;

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Seen {
    /// It got what it wanted.
    Through,
    /// It worked on what is the sandbox's own; nothing outside changed.
    Contained,
    /// It failed.
    Blocked {
        /// The name of the error, mostly.
        why: String,
    },
    /// A limit stopped or ended it.
    Limited {
        /// Which one, or how.
        how: String,
    },
    /// It works, as it must.
    Works,
    /// It does not work, though it must.
    Broken {
        /// What it said.
        why: String,
    },
    /// It was not run, or said nothing, so nothing is known.
    NotRun {
        /// Why not.
        why: String,
    },
    /// It was not run, because what it needs is not there.
    Skipped {
        /// What is missing.
        why: String,
    },
}

/// What a probe does without a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Control {
    /// It, or a harmless one in its place, gets through: what blocks it in a lane is the lane.
    GetsThrough,
    /// It does not get through on this machine either.
    ProvesNothing {
        /// What stops it.
        why: String,
    },
    /// There is nothing to compare it with.
    Incomparable {
        /// Why.
        why: String,
    },
}

/// What a probe says about a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Verdict {
    /// It was held, and without a sandbox it is not; or it works as it must.
    Held,
    /// It got through where the lane does not promise otherwise, or only in part.
    Open,
    /// It was held, but is so without a sandbox too.
    ProvesNothing,
    /// It was not run.
    NotRun,
    /// The lane promises something else; or the probe had to get through without a sandbox and did not; or it had to show
    /// something and was not heard of, though nothing that it needs was missing.
    Unexpected,
}

impl Expected {
    /// Whether this is what must become of a probe.
    pub fn met(self, seen: &Seen) -> bool {
        match seen {
            Seen::Blocked { .. } => matches!(self, Self::Blocked | Self::Harmless | Self::Limited),
            Seen::Contained => self == Self::Harmless,
            Seen::Limited { .. } => matches!(self, Self::Limited | Self::Harmless),
            Seen::Works => self == Self::Works,
            Seen::Through | Seen::Broken { .. } | Seen::NotRun { .. } | Seen::Skipped { .. } => false,
        }
    }
}

/// What a probe said last: its word, or why there is none.
pub(super) fn word(said: &str) -> Result<&str, Seen> {
    let not_run = |why: &str| Err(Seen::NotRun { why: why.to_owned() });
    // What is on one stream may come in the middle of a line of the other.
    let mut lines = said.lines().rev().map(str::trim);
    match lines.find(|line| line.contains("TRIED ") || line.starts_with("SKIP ")) {
        Some(line) => match (line.split_once("TRIED "), line.strip_prefix("SKIP ")) {
            (Some((_, word)), _) => Ok(word),
            (None, Some(why)) => Err(Seen::Skipped { why: why.to_owned() }),
            (None, None) => not_run(line),
        },
        None => not_run(said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")),
    }
}

/// Puts together what was seen from outside (`through`), what the probe said, and how its command ended when it had one of its own.
pub(super) fn seen(effect: Effect, expected: Expected, through: bool, said: &str, end: Option<&str>) -> Seen {
    let word = word(said);
    if expected == Expected::Works {
        return match word {
            Ok("ok") => Seen::Works,
            Ok(why) => Seen::Broken { why: why.to_owned() },
            Err(seen) => seen,
        };
    }
    match (through, word, end) {
        (true, ..) => Seen::Through,
        // It has all that it wanted, whatever became of it then.
        (_, Ok("ok"), _) if matches!(effect, Effect::Crowds | Effect::Hoards) => Seen::Through,
        (_, Ok("ok"), Some(end)) => Seen::Limited { how: end.to_owned() },
        (_, Ok("ok"), None) if effect == Effect::Said => Seen::Through,
        (_, Ok("ok"), None) => Seen::Contained,
        (_, Ok(word), _) if word.starts_with("stopped") => Seen::Limited { how: word.to_owned() },
        // Ended by us, which is no wall.
        (_, Ok("late"), _) => Seen::NotRun { why: "it did not end in time".to_owned() },
        (_, Ok(word), _) if word == "nothing" || word.starts_with("failed: ") => Seen::NotRun { why: word.to_owned() },
        (_, Ok(word), _) => Seen::Blocked { why: word.to_owned() },
        (_, Err(_), Some(end)) => Seen::Limited { how: end.to_owned() },
        (_, Err(seen), None) => seen,
    }
}

/// What a probe shows without a sandbox.
pub(super) fn control(effect: Effect, seen: &Seen) -> Control {
    match seen {
        Seen::Through | Seen::Works => Control::GetsThrough,
        Seen::Contained if effect == Effect::Own => Control::GetsThrough,
        other => Control::ProvesNothing { why: other.to_string() },
    }
}

/// What a probe says about a lane that keeps what it attacks as well as `coverage` says.
pub(super) fn verdict(
    expected: Expected,
    proof: Proof,
    coverage: Option<&Coverage>,
    control: &Control,
    seen: &Seen,
) -> Verdict {
    let proves = !matches!(control, Control::ProvesNothing { .. });
    if proof == Proof::Must && !proves {
        return Verdict::Unexpected;
    }
    match (seen, coverage) {
        // It gets through anywhere else, so its silence is no proof that a lane holds what it promises.
        (Seen::NotRun { .. }, Some(Coverage::Enforced)) if proof == Proof::Must => Verdict::Unexpected,
        (Seen::NotRun { .. } | Seen::Skipped { .. }, _) => Verdict::NotRun,
        _ if expected.met(seen) && proves => Verdict::Held,
        _ if expected.met(seen) => Verdict::ProvesNothing,
        // A tool that does not work here at all says nothing about a sandbox.
        (Seen::Broken { .. }, _) if !proves => Verdict::NotRun,
        (_, Some(Coverage::Partial(_) | Coverage::Unenforced(_))) => Verdict::Open,
        _ => Verdict::Unexpected,
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Through => f.pad("GOT THROUGH"),
            Self::Contained => f.pad("contained"),
            Self::Blocked { why } => write!(f, "blocked ({why})"),
            Self::Limited { how } => write!(f, "limited ({how})"),
            Self::Works => f.pad("works"),
            Self::Broken { why } => write!(f, "BROKEN ({why})"),
            Self::NotRun { why } | Self::Skipped { why } => write!(f, "not run ({why})"),
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GetsThrough => f.pad("gets through"),
            Self::ProvesNothing { why } => write!(f, "proves nothing: {why}"),
            Self::Incomparable { why } => write!(f, "no control: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(effect: Effect, through: bool, said: &str) -> Seen {
        seen(effect, Expected::Harmless, through, said, None)
    }

    #[test]
    fn what_is_seen_from_outside_counts_more_than_what_a_probe_says() {
        let file = Effect::Appears("x");
        assert_eq!(outcome(file, true, "TRIED EPERM"), Seen::Through);
        assert_eq!(outcome(file, false, "noise TRIED ok"), Seen::Contained);
        assert_eq!(outcome(Effect::Said, false, "TRIED ok"), Seen::Through);
        assert_eq!(outcome(Effect::Said, false, "\nTRIED EPERM\n"), Seen::Blocked { why: "EPERM".into() });
    }

    #[test]
    fn a_probe_that_said_nothing_or_could_not_be_tried_never_passes() {
        let all = [Expected::Blocked, Expected::Harmless, Expected::Limited, Expected::Works];
        for said in [
            "",
            "SKIP make is not there",
            "perl: not found",
            "TRIED failed: syntax error",
            "TRIED nothing",
            "TRIED late",
        ] {
            for expected in all {
                let seen = seen(Effect::Said, expected, false, said, None);
                assert!(!expected.met(&seen), "{said}: {seen:?}");
            }
        }
    }

    #[test]
    fn a_probe_that_does_nothing_without_a_sandbox_is_no_success() {
        let (held, nothing) = (Seen::Blocked { why: "EPERM".into() }, Control::ProvesNothing { why: "EPERM".into() });
        let say = |proof, coverage: Coverage, control: &Control, seen: &Seen| {
            verdict(Expected::Blocked, proof, Some(&coverage), control, seen)
        };
        assert_eq!(say(Proof::IfAllowed, Coverage::Enforced, &nothing, &held), Verdict::ProvesNothing);
        assert_eq!(say(Proof::Must, Coverage::Enforced, &nothing, &held), Verdict::Unexpected);
        assert_eq!(say(Proof::Must, Coverage::Enforced, &Control::GetsThrough, &held), Verdict::Held);
        assert_eq!(say(Proof::IfAllowed, Coverage::Enforced, &nothing, &Seen::Through), Verdict::Unexpected);
        let open = Coverage::Unenforced("no".into());
        assert_eq!(say(Proof::Must, open, &Control::GetsThrough, &Seen::Through), Verdict::Open);
        assert_eq!(say(Proof::Must, Coverage::Enforced, &Control::GetsThrough, &Seen::Contained), Verdict::Unexpected);
    }

    #[test]
    fn a_probe_that_falls_silent_in_a_lane_is_no_success() {
        let say = |proof, coverage: Coverage, said: &str| {
            let seen = seen(Effect::Said, Expected::Blocked, false, said, None);
            verdict(Expected::Blocked, proof, Some(&coverage), &Control::GetsThrough, &seen)
        };
        for said in ["", "perl: not found", "TRIED nothing", "TRIED failed: syntax error", "TRIED late"] {
            assert_eq!(say(Proof::Must, Coverage::Enforced, said), Verdict::Unexpected, "{said}");
            assert_eq!(say(Proof::IfAllowed, Coverage::Enforced, said), Verdict::NotRun, "{said}");
            assert_eq!(say(Proof::Must, Coverage::Unenforced("no".into()), said), Verdict::NotRun, "{said}");
        }
        assert_eq!(say(Proof::Must, Coverage::Enforced, "SKIP make is not there"), Verdict::NotRun);
    }
}
