//! Using up the machine.

use crate::hostile::probe::{Control, Effect, Ending, Expect, Probe, Script};

const fn alone(id: &'static str, tries: &'static str, effect: Effect, script: &'static str) -> Probe {
    Probe {
        id,
        tries,
        script: Script::Perl(script),
        effect,
        control: Control::Withheld("it would use the machine up"),
        expect: Expect::Limited,
        end: Ending::FailsAlone,
    }
}

pub(super) const PROBES: &[Probe] = &[
    alone(
        "fork-bomb",
        "start 2000 processes",
        Effect::Crowds,
        "for my $n (1..2000) { my $pid = fork; if (!defined $pid) { print 'TRIED stopped after ', $n - 1, ': ', word(), \"\\n\"; exit }\n\
         if (!$pid) { sleep 20; POSIX::_exit(0) } }\ntried(1);",
    ),
    alone(
        "memory",
        "fill 6 GiB of memory",
        Effect::Hoards,
        "my @all; for my $n (1..96) { my $part = 'x' x (64 << 20); push @all, $part; print 'at ', $n * 64, \" MiB\\n\" }\ntried(1);",
    ),
    alone(
        "memory-spread",
        "fill 6 GiB of memory with 24 processes",
        Effect::Hoards,
        "my @pids; for (1..24) { my $pid = fork; last if !defined $pid;\n\
         if (!$pid) { my $part = 'x' x (256 << 20); sleep 5; POSIX::_exit(0) } push @pids, $pid }\n\
         my $whole = 0; for (@pids) { waitpid $_, 0; $whole++ if $? == 0 }\n\
         if ($whole == 24) { tried(1) } else { print \"TRIED stopped after $whole of 24\\n\" }",
    ),
    alone(
        "fill-tmp",
        "fill /tmp beyond its size",
        Effect::Said,
        "open(my $file, '>', '/tmp/filler') or do { tried(0); exit }; my $part = 'x' x (1 << 20);\n\
         for (1..256) { defined(syswrite($file, $part)) or do { tried(0); exit } } tried(1);",
    ),
    Probe {
        id: "flood",
        tries: "print 50 MB",
        script: Script::Perl("tried(1); print 'x' x (1 << 20) for 1..50;"),
        effect: Effect::Floods,
        control: Control::Plain,
        expect: Expect::Contained,
        end: Ending::FailsAlone,
    },
];
