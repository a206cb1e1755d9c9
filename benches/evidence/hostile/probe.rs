//! What a probe is, and how it is seen what came of it.

/// One thing that a hostile agent tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Its name; also the name of its task.
    pub(super) id: &'static str,
    /// What it tries, for the table.
    pub(super) tries: &'static str,
    pub(super) script: Script,
    /// How it is seen from outside that it got through.
    pub(super) effect: Effect,
    /// How it is shown that it would get through where nothing holds it.
    pub(super) control: Control,
    /// What must become of it in an isolated lane.
    pub(super) expect: Expect,
    /// What becomes of the agent's tree.
    pub(super) end: Ending,
}

/// What the agent runs. Words in angle brackets are replaced by what there is in the arena; see `Arena::fill`.
///
/// It says `TRIED ok` when it got what it wanted, as far as it can tell, and `TRIED <why>` otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    /// For `sh`; `tried COMMAND` runs a command and says how it went.
    Shell(&'static str),
    /// For `perl`, which is wherever git is; `tried(EXPRESSION)` says the error number's name when it is false.
    Perl(&'static str),
}

/// What is looked at from outside. Paths are templates like the scripts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// Nothing: the system call either works or does not, and the script knows.
    Said,
    /// This file is there afterwards.
    Appears(&'static str),
    /// This file is gone afterwards.
    Vanishes(&'static str),
    /// This file has another content afterwards.
    Changes(&'static str),
    /// This ref of the real repository has another value afterwards.
    Moves(&'static str),
    /// The script names, in a line `SEEN <inode>:<size>:<time>`, what this file of the host is.
    Sees(&'static str),
    /// The commit that the script names in a line `COMMIT <id>` is in the real repository.
    Enters,
    /// What was printed holds a secret of the arena.
    Leaks,
    /// A listener of the host heard the probe's name.
    Heard,
    /// The process that was given to this probe is dead.
    Dies,
    /// A process with the probe's sign in its command line is alive.
    Survives,
    /// More than twice the limit was kept of what was printed.
    Floods,
    /// The machine has more than a thousand processes more than before.
    Crowds,
    /// More than four GiB of the machine's memory are used that were not before.
    Hoards,
    /// What the report says about the task could repaint a terminal.
    Repaints,
}

/// What shows that a probe means something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Control {
    /// Without any sandbox it gets through.
    Plain,
    /// Without any sandbox it gets through, unless the machine itself forbids it.
    IfAllowed,
    /// It gets through when afterwards somebody runs this in the tree, as a careless host would.
    Careless(&'static str),
    /// It is not tried without a sandbox.
    Withheld(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// The try fails.
    Blocked,
    /// The try works, but only on what is the sandbox's own; nothing outside changes.
    Contained,
    /// One of the two, as the lane is made.
    Harmless,
    /// A limit ends it or stops it.
    Limited,
}

/// How the script ends, and with it what becomes of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It fails, so that its tree is put away.
    Fails,
    /// It succeeds, so that its tree is taken as far as it will go.
    Succeeds,
    /// It succeeds, and its tree has to be merged, pass the gate and land.
    Lands,
    /// The same, and then another task works on top of it.
    IsBuiltOn,
    /// As `Fails`, with nothing beside it: it uses up what there is.
    FailsAlone,
}

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It got through.
    Reached,
    Blocked(String),
    Contained,
    Limited(String),
    /// It said nothing, so nothing is known.
    NotTried(String),
}

impl Probe {
    /// The whole script.
    pub(super) fn script(&self) -> String {
        let body = match self.script {
            Script::Shell(body) => {
                format!(
                    "tried() {{ if \"$@\"; then printf '\\nTRIED ok\\n'; else printf '\\nTRIED refused\\n'; fi; }}\n{body}\n"
                )
            }
            Script::Perl(body) => format!("perl - <<'PERL'\n{PERL}{body}\nPERL\n"),
        };
        match self.end {
            Ending::Fails => format!("{body}exit 7\n"),
            Ending::FailsAlone => {
                format!("{body}s=$?; test $s -lt 128 || echo \"TRIED stopped by signal $((s - 128))\"\nexit 7\n")
            }
            Ending::Succeeds | Ending::Lands | Ending::IsBuiltOn => body,
        }
    }
}

const PERL: &str = "\
use strict; use Errno; use Socket; use POSIX (); $| = 1;
sub word { for my $name (sort keys %!) { return $name if $!{$name} } return 'errno ' . ($! + 0) }
sub tried { print \"\\nTRIED \", ($_[0] ? 'ok' : word()), \"\\n\" }
sub put { my $file; tried(open($file, '>', $_[0]) && print($file $_[1] // 'x') && close($file)) }
sub get { my $file; my $ok = open($file, '<', $_[0]); print <$file> if $ok; tried($ok) }
";

impl Expect {
    pub(super) fn met(self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Blocked(_) => matches!(self, Self::Blocked | Self::Harmless | Self::Limited),
            Verdict::Contained => matches!(self, Self::Contained | Self::Harmless),
            Verdict::Limited(_) => self == Self::Limited,
            Verdict::Reached | Verdict::NotTried(_) => false,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Contained => "contained",
            Self::Harmless => "blocked or contained",
            Self::Limited => "limited",
        }
    }
}

impl Verdict {
    /// What came of it: `through` is what was seen from outside, `said` what the script printed, `end` how it ended when
    /// that was not by itself.
    pub(super) fn of(effect: Effect, through: bool, said: &str, end: Option<&str>) -> Self {
        // Standard output and error are two streams: what is on one may come in the middle of a line of the other.
        let word = said.lines().rev().find_map(|line| Some(line.trim().split_once("TRIED ")?.1));
        match (through, word, end) {
            (true, ..) => Self::Reached,
            (_, Some("ok"), _) if matches!(effect, Effect::Said) => Self::Reached,
            (_, Some("ok"), _) => Self::Contained,
            (_, Some(word), _) if word.starts_with("stopped ") => Self::Limited(word.to_owned()),
            (_, Some(word), _) => Self::Blocked(word.to_owned()),
            (_, None, Some(end)) => Self::Limited(end.to_owned()),
            (_, None, None) => Self::NotTried(said.lines().last().unwrap_or("it printed nothing").to_owned()),
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Reached => "GOT THROUGH".into(),
            Self::Blocked(why) => format!("blocked ({why})"),
            Self::Contained => "contained".into(),
            Self::Limited(how) => format!("limited ({how})"),
            Self::NotTried(why) => format!("not tried ({why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_from_outside_counts_more_than_what_a_script_says() {
        let file = Effect::Appears("x");
        assert_eq!(Verdict::of(file, true, "TRIED EPERM", None), Verdict::Reached);
        assert_eq!(Verdict::of(file, false, "TRIED ok", None), Verdict::Contained);
        assert_eq!(Verdict::of(Effect::Said, false, "TRIED ok", None), Verdict::Reached);
        assert_eq!(Verdict::of(Effect::Said, false, "TRIED EPERM\n", None), Verdict::Blocked("EPERM".into()));
        assert_eq!(Verdict::of(file, false, "at 5", Some("memory")), Verdict::Limited("memory".into()));
    }

    #[test]
    fn a_probe_that_said_nothing_never_passes() {
        let silent = Verdict::of(Effect::Said, false, "", None);
        for expect in [Expect::Blocked, Expect::Contained, Expect::Harmless, Expect::Limited] {
            assert!(!expect.met(&silent) && !expect.met(&Verdict::Reached));
        }
    }
}
