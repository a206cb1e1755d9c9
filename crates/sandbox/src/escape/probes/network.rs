//! Connections to anything.

use crate::Guarantee::NoNetwork;
use crate::escape::probe::{Effect, Expected, Probe, probe};

const fn heard(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoNetwork, code).seen(Effect::Heard).expect(Expected::Harmless)
}

const fn said(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoNetwork, code)
}

pub(super) const PROBES: &[Probe] = &[
    heard("network.tcp-loopback", "connect to a service on the host's loopback", "reach(PF_INET, SOCK_STREAM, 0, inet('127.0.0.1', <TCP>), '<ID>;');"),
    heard("network.tcp-loopback-6", "connect to a service on the host's loopback, with IPv6", "reach(PF_INET6, SOCK_STREAM, 0, pack_sockaddr_in6(<TCP6>, Socket::inet_pton(AF_INET6, '::1')), '<ID>;');").if_allowed(),
    heard("network.tcp-mapped", "connect to a service of the host, by an IPv4 address in IPv6", "reach(PF_INET6, SOCK_STREAM, 0, pack_sockaddr_in6(<TCP>, Socket::inet_pton(AF_INET6, '::ffff:127.0.0.1')), '<ID>;');").if_allowed(),
    heard("network.tcp-any", "connect to a service of the host at 0.0.0.0", "reach(PF_INET, SOCK_STREAM, 0, inet('0.0.0.0', <TCP>), '<ID>;');"),
    heard("network.tcp-address", "connect to the host's own network address", "alarm 3; reach(PF_INET, SOCK_STREAM, 0, inet('<ADDRESS>', <TCP>), '<ID>;');"),
    heard("network.tcp-gateway", "connect to the host at the address of its gateway for containers", "alarm 3; reach(PF_INET, SOCK_STREAM, 0, inet('<GATEWAY>', <TCP>), '<ID>;');").if_allowed(),
    heard("network.mptcp", "connect with multipath TCP", "reach(PF_INET, SOCK_STREAM, 262, inet('127.0.0.1', <TCP>), '<ID>;');").if_allowed(),
    heard("network.fast-open", "send with the first packet of a connection (MSG_FASTOPEN)", "socket(my $s, PF_INET, SOCK_STREAM, 0) or return tried(0); tried(defined send($s, '<ID>;', 0x20000000, inet('127.0.0.1', <TCP>)));").if_allowed(),
    heard("network.udp-loopback", "send a datagram to the host's loopback", "reach(PF_INET, SOCK_DGRAM, 0, inet('127.0.0.1', <UDP>), '<ID>;');"),
    heard("network.udp-address", "send a datagram to the host's own network address", "reach(PF_INET, SOCK_DGRAM, 0, inet('<ADDRESS>', <UDP>), '<ID>;');"),
    heard("network.dns", "ask a resolver on the host's loopback for a name that carries data", "my $name = join '', map { chr(length) . $_ } '<ID>;', 'hedgerow', 'invalid'; reach(PF_INET, SOCK_DGRAM, 0, inet('127.0.0.1', <UDP>), pack('n6', 7, 0x100, 1, 0, 0, 0) . $name . pack('C n2', 0, 1, 1));"),
    heard("network.abstract", "connect to an abstract unix socket of the host", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un(\"\\0<ABSTRACT>\"), '<ID>;');"),
    heard("network.abstract-datagram", "send to an abstract unix datagram socket of the host", "reach(PF_UNIX, SOCK_DGRAM, 0, pack_sockaddr_un(\"\\0<ABSTRACT>-d\"), '<ID>;');"),
    heard("network.unix", "connect to a unix socket in a directory of the user", "reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('<SOCKET>'), '<ID>;');"),
    heard("network.unix-link", "connect to a unix socket through a symlink in its tree", "symlink('<SOCKET>', '<ID>'); reach(PF_UNIX, SOCK_STREAM, 0, pack_sockaddr_un('<ID>'), '<ID>;');"),
    heard("network.leaked-socket", "write to a connection that the embedding program left open", "open(my $s, '>&=', <SOCKETFD>) or return tried(0); tried(syswrite($s, '<ID>;'));"),
    heard("network.listen", "listen on all addresses for somebody outside", "socket(my $s, PF_INET, SOCK_STREAM, 0) or return tried(0); bind($s, inet('0.0.0.0', <PORT>)) && listen($s, 5) or return tried(0); my $ready = ''; vec($ready, fileno $s, 1) = 1; tried(1); select($ready, undef, undef, 0.5) > 0 or return; accept(my $c, $s) or return; syswrite($c, '<ID>;'); nap();"),
    said("network.route", "find a route to the address of cloud metadata; no packet is sent", "socket(my $s, PF_INET, SOCK_DGRAM, 0) or return tried(0); tried(connect($s, inet('169.254.169.254', 80)));").if_allowed(),
    said("network.interfaces", "find a network interface that is not the loopback", "open(my $f, '<', '/proc/net/dev') or return tried(0); my @all = grep { /^\\s*(\\S+):/ && $1 !~ /^(lo|tunl|sit|gre|gretap|erspan|ip_vti|ip6_vti|ip6tnl|ip6gre|dummy)\\d*$/ } <$f>; $! = POSIX::ENODEV(); tried(scalar @all);").if_allowed(),
    said("network.sockets", "read the names of the host's unix sockets", "open(my $f, '<', '/proc/net/unix') or return tried(0); my @all = grep { /<ABSTRACT>/ } <$f>; $! = POSIX::ENOENT(); tried(scalar @all);"),
    said("network.raw", "open a raw socket, to send any packet", "tried(socket(my $s, PF_INET, SOCK_RAW, 1));").if_allowed(),
    said("network.packet", "open a packet socket, to hear all that passes", "tried(socket(my $s, 17, SOCK_RAW, 0x300));").if_allowed(),
    said("network.vsock", "make a socket to the hypervisor (AF_VSOCK)", "tried(socket(my $s, 40, SOCK_STREAM, 0));").if_allowed(),
    said("network.sctp", "make an SCTP socket", "tried(socket(my $s, PF_INET, SOCK_STREAM, 132));").if_allowed(),
    said("network.netfilter", "speak to the packet filter", "tried(socket(my $s, 16, SOCK_RAW, 12));").if_allowed(),
    said("network.kernel-events", "listen to the kernel's device events", "socket(my $s, 16, SOCK_RAW, 15) or return tried(0); tried(bind($s, pack('SSLL', 16, 0, 0, 1)));").if_allowed(),
    said("network.audit", "speak to the audit system", "tried(socket(my $s, 16, SOCK_RAW, 9));").if_allowed(),
    said("network.diagnostics", "ask the kernel for all sockets (sock_diag)", "tried(socket(my $s, 16, SOCK_RAW, 4));").if_allowed(),
];
