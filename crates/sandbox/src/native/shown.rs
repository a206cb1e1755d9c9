//! What of the host every native sandbox shows, and what of the kernel's it hides.
//!
//! Not part of the interface of this crate: measurements that compare with the same view read it, under the feature `escape`.

/// The system's directories, read-only.
pub const SYSTEM: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt"];

/// What programs need of `/etc`; the rest of it, with its keys and passwords, is not there.
pub const ETC: [&str; 16] = [
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "profile",
    "ssl/certs",
    "timezone",
];

/// Devices that can do no harm.
pub const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// What the kernel tells readers of `/proc` about the whole host: its memory, keys, messages, timers and hardware. What
/// compilers and runtimes size themselves by stays: processors, memory, load.
pub const HIDDEN: [&str; 18] = [
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/key-users",
    "proc/keys",
    "proc/kmsg",
    "proc/kpagecgroup",
    "proc/kpagecount",
    "proc/kpageflags",
    "proc/latency_stats",
    "proc/pagetypeinfo",
    "proc/sched_debug",
    "proc/scsi",
    "proc/slabinfo",
    "proc/timer_list",
    "proc/timer_stats",
    "proc/vmallocinfo",
];
