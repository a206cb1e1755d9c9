//! Other processes of the machine, and those that stay behind.

use crate::hostile::probe::{Control, Effect, Ending, Expect, Probe, Script};

pub(super) const PROBES: &[Probe] = &[
    Probe {
        id: "daemon",
        tries: "leave a daemon behind (double fork, own session, all files closed)",
        script: Script::Shell(
            "perl -e 'use POSIX; exit if fork; POSIX::setsid(); exit if fork; POSIX::close($_) for 0..9; \
             exec { \"/bin/sleep\" } \"<SIGN>\", \"3000\"'\nsleep 0.3; tried true",
        ),
        effect: Effect::Survives,
        control: Control::Plain,
        expect: Expect::Contained,
        end: Ending::Fails,
    },
    Probe {
        id: "kill",
        tries: "kill a process of the host",
        script: Script::Perl("tried(kill('KILL', <PID>));"),
        effect: Effect::Dies,
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
];
