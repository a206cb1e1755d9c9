//! Telling from an engine's report how a command ended.

use std::path::Path;
use std::time::Duration;

use crate::{End, Error};

use super::{LANE, pool};

/// What the engine says about a container that is no longer running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) code: i64,
    pub(super) out_of_memory: bool,
}

/// What the supervisor knows beyond the engine's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Why we ended the command, if we did.
    pub(super) cause: Option<End>,
    /// Whether the engine was out of reach in between. An engine that restarts kills its containers, which is none of the
    /// command's doing.
    pub(super) lost_contact: bool,
}

/// Whether the default action of a signal ends a process: of all but those of a child, of stopping and going on, of urgent data
/// and of a window's size.
fn is_fatal(signal: i32) -> bool {
    matches!(signal, 1..=16 | 24..=27 | 29..=31 | 34..=64)
}

/// After this time a program was started for certain, on the slowest machine.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// How the runtime begins to say that it could not execute the init: for the arguments that it would pass on.
const RUNTIME: [&str; 2] = ["exec /sbin/docker-init: ", "standard_init_linux.go:"];

/// What the exit status of a container means.
///
/// The init in the container ends with 128 plus the number of the signal that ended its child, and the engine says the same of
/// one that was killed itself. Nothing of ours is the parent of the program: the shell that goes before some becomes it. So a
/// program that ends with such a status by itself cannot be told from one that was killed, and neither is claimed. A program
/// that got through although one of its children ran out of memory has not failed for it.
pub(super) fn end(report: Report, known: &Known) -> End {
    if let Some(cause) = &known.cause {
        return cause.clone();
    }
    if report.out_of_memory && report.code != 0 {
        return End::OutOfMemory;
    }
    // The last one is what an engine says of an end that it did not see.
    if known.lost_contact && matches!(report.code, 137 | 143 | 255) {
        let why = format!("the engine was out of reach, and the command was ended meanwhile (status {})", report.code);
        return End::Lost { why };
    }
    let code = i32::try_from(report.code).unwrap_or(i32::MAX);
    match code.checked_sub(128) {
        Some(signal) if is_fatal(signal) => End::ExitedOrSignaled { code },
        _ => End::Exited { code },
    }
}

/// The error that the init's last words stand for, if it could not execute the program.
///
/// The program is found by the init in the container, after the start that the engine reports as done. What it says then is
/// all that standard error holds. A program can say the same, and it has run; that is not believed of one that took longer than
/// it takes to be started.
pub(super) fn never_started(
    code: i64,
    stderr: Option<&[u8]>,
    lasted: Duration,
    program: &Path,
    image: &str,
) -> Option<Error> {
    let said = init_failed(stderr).filter(|_| lasted < STARTED_WITHIN)?;
    let hint = match code {
        127 => "give a path or a name in PATH that exists there",
        125 => "nothing of it has run; start it again",
        126 => "make it executable, and check its first line and its architecture",
        _ => "pass large arguments on standard input or in a file",
    };
    matches!(code, 1 | 125 | 126 | 127).then(|| Error::Program {
        lane: LANE,
        program: program.to_owned(),
        problem: format!("in image {image}: {said}; {hint}"),
    })
}

/// The reason why the runtime could not execute the init, or the init its child, if that is what standard error says.
pub(super) fn init_failed(stderr: Option<&[u8]>) -> Option<String> {
    let text = String::from_utf8_lossy(stderr?);
    if text.ends_with("argument list too long\n") && RUNTIME.iter().any(|prefix| text.starts_with(prefix)) {
        return Some("its arguments and environment are larger than the kernel takes".to_owned());
    }
    if let Some(said) = pool::complaint(&text) {
        return Some(said.to_owned());
    }
    let line = text.strip_prefix("[FATAL tini (")?.lines().next()?;
    let (_, message) = line.split_once(")] exec ")?;
    let (_, reason) = message.rsplit_once(" failed: ")?;
    Some(reason.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(code: i64) -> End {
        end(Report { code, out_of_memory: false }, &Known { cause: None, lost_contact: false })
    }

    #[test]
    fn a_status_above_128_may_be_a_signal_only_where_such_a_signal_kills() {
        assert_eq!(plain(0), End::Exited { code: 0 });
        assert_eq!(plain(127), End::Exited { code: 127 });
        assert_eq!(plain(137), End::ExitedOrSignaled { code: 137 });
        assert_eq!(plain(139), End::ExitedOrSignaled { code: 139 });
        assert_eq!(plain(145), End::Exited { code: 145 });
        assert_eq!(plain(255), End::Exited { code: 255 });
    }

    #[test]
    fn a_parent_that_reports_failure_after_its_child_ran_out_of_memory_is_out_of_memory() {
        let known = Known { cause: None, lost_contact: false };
        assert_eq!(end(Report { code: 1, out_of_memory: true }, &known), End::OutOfMemory);
        assert_eq!(end(Report { code: 0, out_of_memory: true }, &known), End::Exited { code: 0 });
    }

    #[test]
    fn a_kill_by_a_restarted_engine_is_no_crash_of_the_command() {
        let known = Known { cause: None, lost_contact: true };
        for code in [137, 143, 255] {
            assert!(matches!(end(Report { code, out_of_memory: false }, &known), End::Lost { .. }), "{code}");
        }
        assert_eq!(end(Report { code: 3, out_of_memory: false }, &known), End::Exited { code: 3 });
    }

    #[test]
    fn what_we_did_ourselves_comes_first() {
        let known = Known { cause: Some(End::Deadline), lost_contact: false };
        assert_eq!(end(Report { code: 0, out_of_memory: false }, &known), End::Deadline);
    }

    #[test]
    fn a_shell_that_misses_a_command_is_not_a_missing_program() {
        let program = Path::new("sh");
        let never_started =
            |code, said, program: &Path, image| never_started(code, said, Duration::ZERO, program, image);
        assert!(never_started(127, Some(b"sh: 1: nosuch: not found\n"), program, "i").is_none());
        let said: &[u8] = b"[FATAL tini (7)] exec nosuch failed: No such file or directory\n";
        let error = never_started(127, Some(said), Path::new("nosuch"), "i:1").expect("recognised").to_string();
        assert!(error.contains("nosuch") && error.contains("docker") && error.contains("i:1"), "{error}");
        assert!(error.contains("No such file or directory"), "{error}");
        assert!(never_started(0, Some(said), program, "i").is_none());
        assert!(never_started(125, Some(b"sh: no\n"), program, "i").is_none(), "a program's own 125");
        let large: &[u8] = b"exec /sbin/docker-init: argument list too long\n";
        assert!(never_started(1, Some(large), program, "i").is_some());
    }

    #[test]
    fn a_program_that_has_worked_for_a_while_cannot_pretend_that_it_never_ran() {
        let said: &[u8] = b"[FATAL tini (7)] exec nosuch failed: No such file or directory\n";
        let after = |lasted| never_started(127, Some(said), lasted, Path::new("nosuch"), "i");
        assert!(after(Duration::from_secs(5)).is_some());
        assert!(after(STARTED_WITHIN).is_none());
    }
}
