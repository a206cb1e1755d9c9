//! What the next command, the next sandbox or the host finds afterwards.

use crate::Guarantee::{KillComplete, NoHostWrites, ProcessIsolation, SyscallFilter};
use crate::escape::probe::{Effect, Expected, Probe, Proof, Rest, probe};

const NOTHING: Proof = Proof::None("without a sandbox there is none to clean up");

const fn finds(id: &'static str, tries: &'static str, plant: &'static str, look: &'static str) -> Probe {
    probe(id, tries, NoHostWrites, plant).then(look).expect(Expected::Harmless)
}

const fn rest(id: &'static str, tries: &'static str, rest: Rest) -> Probe {
    probe(id, tries, KillComplete, "").seen(Effect::Remains(rest)).expect(Expected::Harmless).proof(NOTHING).after()
}

pub(super) const PROBES: &[Probe] = &[
    finds("left.tmp", "leave a file in /tmp for the next command", "put('/tmp/<MARK>');", "get('/tmp/<MARK>');"),
    finds("left.var-tmp", "leave a file in /var/tmp for the next command", "put('/var/tmp/<MARK>');", "get('/var/tmp/<MARK>');"),
    finds("left.shm", "leave a file in /dev/shm for the next command", "put('/dev/shm/<MARK>');", "get('/dev/shm/<MARK>');"),
    finds("left.home", "leave a file in its home for the next command", "put(\"$ENV{HOME}/.<MARK>\");", "get(\"$ENV{HOME}/.<MARK>\");"),
    finds("left.temporary", "leave a file in TMPDIR for the next command", "put(($ENV{TMPDIR} // '/tmp') . '/<MARK>-t');", "get(($ENV{TMPDIR} // '/tmp') . '/<MARK>-t');"),
    finds("left.system", "leave a program in the system for the next command", "put('/usr/local/bin/<MARK>');", "get('/usr/local/bin/<MARK>');").if_allowed(),
    probe("left.shared-memory", "leave a shared memory segment for the next command", ProcessIsolation, "tried(defined shmget(<KEY>, 64, 0600 | 01000));").expect(Expected::Harmless).then("tried(defined shmget(<KEY>, 64, 0));").if_allowed(),
    probe("left.message-queue", "leave a message queue for the next command", ProcessIsolation, "tried(defined msgget(<KEY>, 0600 | 01000));").expect(Expected::Harmless).then("tried(defined msgget(<KEY>, 0));").if_allowed(),
    probe("left.key", "leave a key in the user's keyring for the next command", SyscallFilter, "my ($type, $name) = (\"user\\0\", \"<MARK>-left\\0\"); call(<SYS_add_key>, $type, $name, $name, 4, -4);").expect(Expected::Harmless).then("my ($type, $name) = (\"user\\0\", \"<MARK>-left\\0\"); call(<SYS_keyctl>, 10, -4, $type, $name, 0);").if_allowed(),
    probe("left.socket", "leave a service on the loopback for the next command", KillComplete, "socket(my $s, PF_INET, SOCK_STREAM, 0) or return tried(0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1) && bind($s, inet('127.0.0.1', <PORT>)) && listen($s, 5) or return tried(0); my $fd = fileno $s; my $pid = fork; if (!$pid) { POSIX::setsid(); $0 = '<SIGN>'; POSIX::close($_) for grep { $_ != $fd } 0 .. 63; sleep 600; POSIX::_exit(0) } tried(1);").expect(Expected::Harmless).then("reach(PF_INET, SOCK_STREAM, 0, inet('127.0.0.1', <PORT>), 'x');"),
    probe("left.process", "leave a process for the next command", KillComplete, "daemon('<SIGN>'); nap(); tried(1);").expect(Expected::Harmless).then("my $found = 0; for my $line (glob '/proc/[0-9]*/cmdline') { open(my $f, '<', $line) or next; $found++ if <$f> =~ /<SIGN>/ } $! = POSIX::ENOENT(); tried($found);"),
    probe("left.lock", "leave a lock on a file of its tree", KillComplete, "daemon('<SIGN>', sub { open(my $f, '>', '<TREE>/<ID>'); flock($f, 2); sleep 600 }); nap(); tried(1);").expect(Expected::Harmless).then("open(my $f, '>', '<TREE>/<ID>') or return tried(0); my $free = flock($f, 2 | 4); $! = 0; told($free ? 'free' : 'ok');"),
    rest("left.processes", "leave any process behind when all is over", Rest::Processes),
    rest("left.mounts", "leave a mount on the host when all is over", Rest::Mounts),
    rest("left.sandboxes", "leave a sandbox that the lane still lists when all is over", Rest::Sandboxes),
    rest("left.files", "leave files beside the mounted ones when all is over", Rest::Files),
];
