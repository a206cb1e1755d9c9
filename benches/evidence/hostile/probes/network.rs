//! Ways out of the machine, and to what runs beside the agent on it.

use crate::hostile::probe::{Control, Effect, Ending, Expect, Probe, Script};

pub(super) const PROBES: &[Probe] = &[
    Probe {
        id: "tcp-loopback",
        tries: "connect to a service on the host's loopback",
        script: Script::Perl(
            "socket(my $s, PF_INET, SOCK_STREAM, 0) or do { tried(0); exit };\
             \ntried(connect($s, sockaddr_in(<TCP>, inet_aton('127.0.0.1'))) && syswrite($s, \"<ID>\\n\"));",
        ),
        effect: Effect::Heard,
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
    Probe {
        id: "dns",
        tries: "ask a resolver on the host's loopback for a name that carries data",
        script: Script::Perl(
            "socket(my $s, PF_INET, SOCK_DGRAM, 0) or do { tried(0); exit };\
             \nmy $name = join '', map { chr(length) . $_ } '<ID>', 'hedgerow', 'invalid';\
             \nmy $query = pack('n6', 7, 0x100, 1, 0, 0, 0) . $name . pack('C n2', 0, 1, 1);\
             \ntried(send($s, $query, 0, sockaddr_in(<UDP>, inet_aton('127.0.0.1'))));",
        ),
        effect: Effect::Heard,
        control: Control::Plain,
        expect: Expect::Harmless,
        end: Ending::Fails,
    },
    Probe {
        id: "unix-path",
        tries: "connect to a unix socket in a directory of the user",
        script: Script::Perl(
            "socket(my $s, PF_UNIX, SOCK_STREAM, 0) or do { tried(0); exit };\
             \ntried(connect($s, pack_sockaddr_un('<ARENA>/socket')) && syswrite($s, \"<ID>\\n\"));",
        ),
        effect: Effect::Heard,
        control: Control::Plain,
        expect: Expect::Blocked,
        end: Ending::Fails,
    },
];
