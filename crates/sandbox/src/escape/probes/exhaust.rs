//! More ways to use up what is limited.

use crate::Guarantee::{self, Disk, Memory};
use crate::escape::probe::{Effect, Expected, Manner, Probe, Proof, probe};

/// Twice of what is allowed, and no more, so that it does no harm where nothing limits it.
const fn bomb(id: &'static str, tries: &'static str, attacks: Guarantee, code: &'static str) -> Probe {
    probe(id, tries, attacks, code).seen(Effect::Said).expect(Expected::Limited).alone(Manner::Plain)
}

/// One takes about a kilobyte.
macro_rules! names {
    ($most:literal) => {
        concat!(
            "my ($dir, $made, $most) = ('/tmp/<MARK>', 0, ",
            $most,
            "); mkdir $dir or return tried(0); ",
            "for (1 .. $most) { open(my $f, '>', \"$dir/$_\") or last; $made++ } my $why = word(); ",
            "unlink map { \"$dir/$_\" } 1 .. $made; rmdir $dir; told($made == $most ? 'ok' : $why);"
        )
    };
}

pub(super) const PROBES: &[Probe] = &[
    bomb(
        "resource.disk-deep",
        "write twice as much to its tree as it may, deeper than any path reaches",
        Disk,
        "my $name = 'd' x 200; my $part = chr(65 + $$ % 26) x (1 << 20); mkdir '<ID>'; chdir '<ID>'; for (1 .. 40) { mkdir $name; chdir $name or return tried(0) } for my $n (1 .. 4) { open(my $f, '>', $n) or return tried(0); for (1 .. <DISK> / 2) { defined syswrite($f, $part) or return tried(0) } } tried(1); sleep <WAIT>;",
    ),
    bomb(
        "resource.disk-nameless",
        "write twice as much to its tree as it may, in files without a name",
        Disk,
        "my ($part, @all) = (chr(65 + $$ % 26) x (1 << 20)); for my $n (1 .. 4) { open(my $f, '>', '<ID>') or return tried(0); unlink '<ID>'; push @all, $f; for (1 .. <DISK> / 2) { defined syswrite($f, $part) or return tried(0) } } tried(1); sleep <WAIT>;",
    ),
    bomb(
        "resource.disk-allocate",
        "have the disk set twice as much aside for it as it may",
        Disk,
        "mkdir '<ID>'; for my $n (1 .. 4) { open(my $f, '>', \"<ID>/$n\") or return tried(0); syscall(<SYS_fallocate>, fileno($f), 0, 0, <DISK> << 19) == 0 or return tried(0) } tried(1); sleep <WAIT>;",
    ),
    bomb(
        "resource.disk-hidden",
        "write twice as much to its tree as it may, in a directory that nobody may look into",
        Disk,
        "my ($part, @all) = (chr(65 + $$ % 26) x (1 << 20)); mkdir '<ID>'; for my $n (1 .. 4) { open(my $f, '>', \"<ID>/$n\") or return tried(0); push @all, $f } chmod 0, '<ID>'; for my $f (@all) { for (1 .. <DISK> / 2) { defined syswrite($f, $part) or return tried(0) } } tried(1); sleep <WAIT>;",
    ),
    bomb(
        "resource.disk-names",
        "make more empty files in its tree than its limit has room for",
        Disk,
        "mkdir '<ID>'; for (1 .. 256 * <DISK>) { open(my $f, '>', \"<ID>/$_\") or return tried(0) } tried(1); sleep <WAIT>;",
    ),
    bomb(
        "resource.disk-sparse",
        "make a file that is a terabyte long",
        Disk,
        "open(my $f, '>', '<ID>') or return tried(0); tried(truncate($f, 1 << 40));",
    ),
    bomb(
        "resource.memory-sockets",
        "fill twice as much memory as it may, with what nobody reads from sockets",
        Memory,
        "my ($sum, $part, @all) = (0, 'x' x 65536); my $old = pack('QQ', 0, 0); syscall(<SYS_prlimit64>, 0, 7, 0, $old); my (undef, $most) = unpack('QQ', $old); my $new = pack('QQ', $most, $most); syscall(<SYS_prlimit64>, 0, 7, $new, 0); while ($sum < 2 * <MEMORY> << 20) { socketpair(my $one, my $two, AF_UNIX, SOCK_STREAM, 0) or return tried(0); push @all, $one, $two; for my $s ($one, $two) { fcntl($s, F_SETFL, O_NONBLOCK); while (my $got = syswrite($s, $part)) { $sum += $got } } } tried(1);",
    ),
    bomb(
        "resource.memory-segments",
        "fill twice as much memory as it may, with shared memory segments",
        Memory,
        "open(my $zero, '<', '/dev/zero') or return tried(0); for (1 .. 2 * <MEMORY> / 8) { my $id = shmget(0, 8 << 20, 0600 | 01000) // return tried(0); my $at = syscall(<SYS_shmat>, $id, 0, 0); my $why = $!; shmctl($id, 0, 0); $! = $why; $at != -1 or return tried(0); syscall(<SYS_read>, fileno($zero), $at, 8 << 20) > 0 or return tried(0) } tried(1);",
    ),
    bomb(
        "resource.names",
        "fill twice as much memory as it may, with the names of empty files in /tmp",
        Memory,
        names!("2048 * <MEMORY>"),
    )
    .proof(Proof::Instead(names!("2048 * <TMP>"))),
];
