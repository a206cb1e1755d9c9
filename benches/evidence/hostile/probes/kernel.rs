//! What the kernel offers beyond files and sockets.

use crate::hostile::probe::{Control, Effect, Ending, Expect, Probe, Script};

const fn said(id: &'static str, tries: &'static str, script: &'static str) -> Probe {
    Probe {
        id,
        tries,
        script: Script::Perl(script),
        effect: Effect::Said,
        control: Control::IfAllowed,
        expect: Expect::Blocked,
        end: Ending::Fails,
    }
}

pub(super) const PROBES: &[Probe] = &[
    said("setuid", "make a setuid program", "put('program'); tried(chmod(04755, 'program'));"),
    said("device", "make a device file", "my $path = 'device'; call(<SYS_MKNODAT>, -100, $path, 0020666, 0x103);"),
    said(
        "mount",
        "mount a file system",
        "my ($type, $at, $none) = ('tmpfs', 'mounted', ''); mkdir $at;\n\
         call(<SYS_MOUNT>, $type, $at, $type, 0, $none); syscall(<SYS_UMOUNT2>, $at, 0);",
    ),
    said("unshare", "make a user namespace, to be root in it", "call(<SYS_UNSHARE>, 0x10000000);"),
    said("keyring", "open the user's keyring", "call(<SYS_KEYCTL>, 0, -4, 1);"),
    said(
        "io-uring",
        "set up an io_uring",
        "my $parameters = \"\\0\" x 120; call(<SYS_IO_URING_SETUP>, 1, $parameters);",
    ),
    said("userfaultfd", "make a userfaultfd", "call(<SYS_USERFAULTFD>, 1);"),
    said(
        "core-pattern",
        "open /proc/sys/kernel/core_pattern to write",
        "tried(sysopen(my $f, '/proc/sys/kernel/core_pattern', 1));",
    ),
    said("kernel-log", "open the kernel's log", "tried(sysopen(my $f, '/dev/kmsg', 0));"),
];
