//! The container engine and other daemons of the host.

use crate::Guarantee::{NoHostReads, NoHostWrites, NoNetwork};
use crate::escape::probe::{Effect, Expected, Manner, Probe, Proof, probe};

const fn socket(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoNetwork, code).if_allowed()
}

pub(super) const PROBES: &[Probe] = &[
    socket("engine.docker", "connect to the Docker engine", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/var/run/docker.sock'), \"GET /version HTTP/1.0\\r\\n\\r\\n\");"),
    socket("engine.docker-run", "connect to the Docker engine at its other path", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/run/docker.sock'), \"GET /version HTTP/1.0\\r\\n\\r\\n\");"),
    socket("engine.docker-link", "connect to the Docker engine through a symlink in its tree", "symlink('/var/run/docker.sock', '<ID>'); reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('<ID>'), 'x');"),
    socket("engine.containerd", "connect to containerd", "for my $at ('/run/containerd/containerd.sock', '/run/docker/containerd/containerd.sock', '/var/run/docker/containerd/containerd.sock') { socket(my $s, PF_UNIX, SOCK_STREAM, 0) or return tried(0); connect($s, pack_sockaddr_un($at)) and return tried(1) } tried(0);"),
    socket("engine.podman", "connect to Podman", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/run/podman/podman.sock'), 'x');"),
    socket("engine.bus", "connect to the system's message bus", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/run/dbus/system_bus_socket'), \"\\0\");"),
    socket("engine.systemd", "connect to the service manager", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('/run/systemd/private'), \"\\0\");"),
    socket("engine.journal", "write into the system's journal", "reach(PF_UNIX, SOCK_DGRAM, 0, pack_sockaddr_un('/run/systemd/journal/socket'), \"MESSAGE=<ID>\\n\");"),
    socket("engine.syslog", "write into the system's log", "socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or return tried(0); tried(connect($s, pack_sockaddr_un('/dev/log')));"),
    probe("engine.data", "look at the engine's data", NoHostReads, "see('/var/lib/docker');")
        .seen(Effect::Sees("/var/lib/docker"))
        .if_allowed(),
    probe("engine.state", "look at the state of the engine's containers", NoHostReads, "see('/run/docker');")
        .seen(Effect::Sees("/run/docker"))
        .if_allowed(),
    probe("engine.release-agent", "have the kernel run a program when a control group is empty", NoHostWrites, "own_mounts(); mkdir '<ID>'; my ($type, $at, $what) = (\"cgroup\\0\", \"<ID>\\0\", \"pids\\0\"); my $got = syscall(<SYS_mount>, $type, $at, $type, 0, $what); my $why = $!; opens(O_WRONLY, '<ID>/release_agent'); syscall(<SYS_umount2>, $at, 2) if $got == 0;").if_allowed(),
    probe("engine.core-pattern", "have the kernel run a program when one crashes", NoHostWrites, "opens(O_WRONLY, '/proc/sys/kernel/core_pattern');").if_allowed(),
    probe("engine.modprobe", "have the kernel run a program when it looks for a module", NoHostWrites, "opens(O_WRONLY, '/proc/sys/kernel/modprobe');").if_allowed(),
    probe("engine.hotplug", "have the kernel run a program for every device", NoHostWrites, "opens(O_WRONLY, '/sys/kernel/uevent_helper');").if_allowed(),
    probe("engine.interpreter", "have the kernel run a program for files of a kind", NoHostWrites, "opens(O_WRONLY, '/proc/sys/fs/binfmt_misc/register');").if_allowed(),
    probe("engine.runtime-file", "overwrite the program that starts containers, through /proc/1/exe", NoHostWrites, "opens(O_RDWR, '/proc/1/exe');").if_allowed(),
    probe("engine.workdir", "begin in a directory that a starter left open, and read what lies above", NoHostReads, "get('../' x 20 . substr('<SECRET>', 1));")
        .seen(Effect::Leaks)
        .expect(Expected::Blocked)
        .proof(Proof::Instead("get('../' x 20 . substr('<SECRET>', 1));"))
        .alone(Manner::Through),
];
