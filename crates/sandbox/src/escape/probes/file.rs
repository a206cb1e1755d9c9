//! Files outside of what is shown, and read-only ones inside.

use crate::Guarantee::{NoHostReads, NoHostWrites};
use crate::escape::probe::{Effect, Expected, Manner, Probe, probe};

const fn reads(id: &'static str, tries: &'static str, code: &'static str) -> Probe {
    probe(id, tries, NoHostReads, code).seen(Effect::Leaks)
}

const fn writes(id: &'static str, tries: &'static str, effect: Effect, code: &'static str) -> Probe {
    probe(id, tries, NoHostWrites, code).seen(effect).expect(Expected::Harmless)
}

const MADE: Effect = Effect::Appears("<OUT>/made");
const CHANGED: Effect = Effect::Changes("<OUT>/file");
const GONE: Effect = Effect::Vanishes("<OUT>/file");
const FROZEN: Effect = Effect::Changes("<READONLY>/<ID>");

pub(super) const READS: &[Probe] = &[
    reads("file.read-absolute", "read a key beside its tree, by its absolute path", "get('<SECRET>');"),
    reads("file.read-relative", "read a key beside its tree, by ..", "get('../outside/<ID>/secret');"),
    reads("file.read-link", "read a key through a symlink in its tree", "symlink('<SECRET>', '<ID>'); get('<ID>');"),
    reads(
        "file.read-hard-link",
        "read a key through a hard link in its tree",
        "link('<SECRET>', '<ID>') or return tried(0); get('<ID>');",
    ),
    reads("file.read-tmp", "read a file in the host's /tmp", "get('<TMPFILE>');"),
    reads("file.read-shm", "read a file in the host's /dev/shm", "get('<SHMFILE>');"),
    reads("file.list", "list a directory beside its tree", "list('<OUT>');"),
    reads(
        "file.leaked-file",
        "read a file that the embedding program left open",
        "open(my $f, '<&=', <READFD>) or return tried(0); print <$f>; tried(1);",
    ),
    reads(
        "file.leaked-directory",
        "open a file below a directory that the embedding program left open",
        "my $name = \"secret\\0\"; my $fd = syscall(<SYS_openat>, <DIRFD>, $name, 0, 0);\n\
         $fd >= 0 && open(my $f, '<&=', $fd) or return tried(0); print <$f>; tried(1);",
    ),
    probe("file.read-shadow", "read the host's password file", NoHostReads, "get('/etc/shadow');")
        .seen(Effect::Reads("/etc/shadow"))
        .expect(Expected::Harmless)
        .if_allowed(),
    probe(
        "file.read-machine-id",
        "read the name by which the machine is known",
        NoHostReads,
        "get('/etc/machine-id');",
    )
    .seen(Effect::Reads("/etc/machine-id"))
    .expect(Expected::Harmless)
    .if_allowed(),
    probe("file.see-root", "look at the host's /root", NoHostReads, "see('/root');")
        .seen(Effect::Sees("/root"))
        .expect(Expected::Harmless)
        .if_allowed(),
    probe("file.see-home", "look at the host's /home", NoHostReads, "see('/home');")
        .seen(Effect::Sees("/home"))
        .expect(Expected::Harmless)
        .if_allowed(),
    probe("file.see-var-log", "look at the host's logs", NoHostReads, "see('/var/log');")
        .seen(Effect::Sees("/var/log"))
        .expect(Expected::Harmless)
        .if_allowed(),
    probe("file.firmware", "list what the firmware tells of the machine", NoHostReads, "list('/sys/firmware');")
        .if_allowed(),
];

pub(super) const WRITES: &[Probe] = &[
    writes("file.write-absolute", "write beside its tree, by an absolute path", MADE, "put('<OUT>/made');"),
    writes("file.write-relative", "write beside its tree, by ..", MADE, "put('../outside/<ID>/made');"),
    writes(
        "file.write-link",
        "write through a symlink that leads out",
        MADE,
        "symlink('<OUT>', '<ID>'); put('<ID>/made');",
    ),
    writes("file.overwrite", "overwrite a file beside its tree", CHANGED, "put('<OUT>/file', 'changed');"),
    writes(
        "file.append",
        "append to a file beside its tree",
        CHANGED,
        "my $f; tried(open($f, '>>', '<OUT>/file') && print($f 'more') && close($f));",
    ),
    writes("file.truncate", "truncate a file beside its tree", CHANGED, "tried(truncate('<OUT>/file', 0));"),
    writes("file.unlink", "delete a file beside its tree", GONE, "tried(unlink('<OUT>/file'));"),
    writes("file.take", "rename a file into its tree", GONE, "tried(rename('<OUT>/file', '<ID>'));"),
    writes("file.give", "rename a file out of its tree", MADE, "quiet('<ID>'); tried(rename('<ID>', '<OUT>/made'));"),
    writes("file.chmod", "change the mode of a file beside its tree", CHANGED, "tried(chmod(0777, '<OUT>/file'));"),
    writes("file.utime", "change the time of a file beside its tree", CHANGED, "tried(utime(1, 1, '<OUT>/file'));"),
    writes(
        "file.chown",
        "change the owner of a file beside its tree",
        CHANGED,
        "tried(chown(12345, -1, '<OUT>/file'));",
    )
    .if_allowed(),
    writes("file.mkdir", "make a directory beside its tree", MADE, "tried(mkdir('<OUT>/made'));"),
    writes(
        "file.link-out",
        "link a file of its own to beside its tree",
        MADE,
        "quiet('<ID>'); tried(link('<ID>', '<OUT>/made'));",
    ),
    writes("file.symlink-out", "make a symlink beside its tree", MADE, "tried(symlink('/etc/passwd', '<OUT>/made'));"),
    writes("file.fifo-out", "make a FIFO beside its tree", MADE, "tried(POSIX::mkfifo('<OUT>/made', 0666));"),
    writes(
        "file.leaked-write",
        "write to a file that the embedding program left open",
        CHANGED,
        "open(my $f, '>&=', <WRITEFD>) or return tried(0); tried(syswrite($f, 'changed'));",
    ),
    writes("file.write-usr", "write into /usr", AT_USR, "put('/usr/<MARK>');").if_allowed(),
    writes("file.write-etc", "write into /etc", Effect::Appears("/etc/<MARK>"), "put('/etc/<MARK>');").if_allowed(),
    writes("file.write-root", "write into /", Effect::Appears("/<MARK>"), "put('/<MARK>');").if_allowed(),
    writes("file.write-opt", "write into /opt", Effect::Appears("/opt/<MARK>"), "put('/opt/<MARK>');").if_allowed(),
    writes("file.write-var", "write into /var/lib", Effect::Appears("/var/lib/<MARK>"), "put('/var/lib/<MARK>');")
        .if_allowed(),
    writes("file.write-run", "write into /run", Effect::Appears("/run/<MARK>"), "put('/run/<MARK>');").if_allowed(),
    writes("file.write-home", "write into /root", Effect::Appears("/root/<MARK>"), "put('/root/<MARK>');").if_allowed(),
    writes("file.write-dev", "write into /dev", Effect::Appears("/dev/<MARK>"), "put('/dev/<MARK>');").if_allowed(),
    writes("file.write-tmp", "write into the host's /tmp", Effect::Appears("/tmp/<MARK>"), "put('/tmp/<MARK>');"),
    writes(
        "file.write-var-tmp",
        "write into the host's /var/tmp",
        Effect::Appears("/var/tmp/<MARK>"),
        "put('/var/tmp/<MARK>');",
    ),
    writes(
        "file.write-shm",
        "write into the host's /dev/shm",
        Effect::Appears("/dev/shm/<MARK>"),
        "put('/dev/shm/<MARK>');",
    ),
];

const AT_USR: Effect = Effect::Appears("/usr/<MARK>");

pub(super) const READ_ONLY: &[Probe] = &[
    writes("file.frozen-write", "write a file of a read-only mount", FROZEN, "put('<READONLY>/<ID>', 'changed');"),
    writes(
        "file.frozen-unlink",
        "delete a file of a read-only mount",
        Effect::Vanishes("<READONLY>/<ID>"),
        "tried(unlink('<READONLY>/<ID>'));",
    ),
    writes(
        "file.frozen-chmod",
        "change the mode of a file of a read-only mount",
        FROZEN,
        "tried(chmod(0777, '<READONLY>/<ID>'));",
    ),
    writes(
        "file.frozen-utime",
        "change the time of a file of a read-only mount",
        FROZEN,
        "tried(utime(1, 1, '<READONLY>/<ID>'));",
    ),
    writes(
        "file.frozen-create",
        "make a file in a read-only mount",
        Effect::Appears("<READONLY>/made"),
        "put('<READONLY>/made');",
    ),
    writes(
        "file.frozen-link",
        "link a file of a read-only mount into its tree and write that",
        FROZEN,
        "link('<READONLY>/<ID>', '<ID>') or return tried(0); put('<ID>', 'changed');",
    ),
    writes(
        "file.frozen-reopen",
        "open a file of a read-only mount for reading, and open that descriptor for writing",
        FROZEN,
        "open(my $f, '<', '<READONLY>/<ID>') or return tried(0); put('/proc/self/fd/' . fileno($f), 'changed');",
    ),
    writes(
        "file.frozen-remount",
        "make a read-only mount writable, then write",
        FROZEN,
        "own_mounts(); my $at = \"<READONLY>\\0\"; my $none = \"none\\0\"; syscall(<SYS_mount>, $none, $at, 0, 0x1020, 0);\n\
         put('<READONLY>/<ID>', 'changed');",
    )
    // Where nobody may have mounts of their own, it is not tried among those of the host.
    .if_allowed(),
    probe(
        "file.swapped-target",
        "make the directory that holds the target of a mount a link that leads out, before the next command",
        NoHostWrites,
        "rename('swapped', 'away-' . $$); unlink('swapped'); tried(symlink('<OUT>', 'swapped'));",
    )
    .seen(Effect::Appears("<OUT>/pin"))
    .expect(Expected::Harmless)
    .proof(crate::escape::probe::Proof::Instead("symlink('<OUT>', '<ID>'); put('<ID>/pin');"))
    .alone(Manner::Swapped),
];
