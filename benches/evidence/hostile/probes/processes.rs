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
    Probe {
        id: "kill-everything",
        tries: "kill every process (kill -9 -1)",
        // Whoever kills all others should be the one that is waited for; `<PID>` is among the others.
        script: Script::Shell(
            "exec perl -e 'print kill(\"KILL\", -1) ? \"TRIED ok\\n\" : \"TRIED refused\\n\"; exit 7' <PID>",
        ),
        effect: Effect::Dies,
        control: Control::Withheld("it would"),
        expect: Expect::Harmless,
        end: Ending::Fails,
    },
    Probe {
        id: "trace",
        tries: "trace a process of the host",
        script: Script::Perl("call(<SYS_PTRACE>, 0x4206, <PID>, 0, 0);"),
        effect: Effect::Said,
        control: Control::IfAllowed,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "environment",
        tries: "read the environment of a process of the host",
        script: Script::Perl("get('/proc/<PID>/environ');"),
        effect: Effect::Leaks,
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
];
