//! What placeholders stand for: a word in capitals between angle brackets.

use std::collections::BTreeMap;

use super::program;

/// What a word stands for in all probes.
pub(super) type Words = BTreeMap<&'static str, String>;

/// Replaces every placeholder by what `lookup` says that it stands for.
///
/// # Errors
/// The first placeholder that stands for nothing here.
pub(in crate::escape) fn fill(template: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut text, mut rest) = (String::with_capacity(template.len()), template);
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        rest = match after.split_once('>').map(|(word, _)| word).filter(|word| is_word(word)) {
            Some(word) => {
                text.push_str(&lookup(word).ok_or_else(|| word.to_owned())?);
                &after[word.len() + 1..]
            }
            None => {
                text.push('<');
                after
            }
        };
    }
    text.push_str(rest);
    Ok(text)
}

fn is_word(text: &str) -> bool {
    let (system, own) = (text.strip_prefix("SYS_"), |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    // Perl reads its input by this name.
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text != "STDIN"
        && system.map_or_else(|| text.chars().all(own), |name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

macro_rules! numbers {
    ($($name:literal $call:ident),* $(,)?) => { [$((concat!("SYS_", $name), libc::$call)),*] };
}

/// The numbers of the system calls that probes make, and the programs that they carry.
pub(super) fn machine() -> Words {
    let calls = numbers![
        "acct" SYS_acct, "add_key" SYS_add_key, "adjtimex" SYS_adjtimex, "bpf" SYS_bpf, "capset" SYS_capset,
        "chroot" SYS_chroot, "clock_settime" SYS_clock_settime, "clone" SYS_clone, "clone3" SYS_clone3,
        "delete_module" SYS_delete_module, "execveat" SYS_execveat, "fallocate" SYS_fallocate,
        "fanotify_init" SYS_fanotify_init, "fchmod" SYS_fchmod, "fchmodat" SYS_fchmodat,
        "finit_module" SYS_finit_module, "fsopen" SYS_fsopen, "get_robust_list" SYS_get_robust_list,
        "getpid" SYS_getpid, "init_module" SYS_init_module, "inotify_add_watch" SYS_inotify_add_watch,
        "inotify_init1" SYS_inotify_init1, "io_uring_setup" SYS_io_uring_setup, "ioctl" SYS_ioctl,
        "ioprio_set" SYS_ioprio_set, "kcmp" SYS_kcmp, "kexec_load" SYS_kexec_load, "keyctl" SYS_keyctl,
        "linkat" SYS_linkat, "memfd_create" SYS_memfd_create, "memfd_secret" SYS_memfd_secret, "mknodat" SYS_mknodat,
        "mlock2" SYS_mlock2, "mmap" SYS_mmap, "mount" SYS_mount, "mount_setattr" SYS_mount_setattr,
        "move_mount" SYS_move_mount, "move_pages" SYS_move_pages, "mprotect" SYS_mprotect, "mq_open" SYS_mq_open,
        "mq_timedreceive" SYS_mq_timedreceive, "mq_timedsend" SYS_mq_timedsend, "mq_unlink" SYS_mq_unlink,
        "name_to_handle_at" SYS_name_to_handle_at, "open_by_handle_at" SYS_open_by_handle_at,
        "open_tree" SYS_open_tree, "openat" SYS_openat, "openat2" SYS_openat2, "perf_event_open" SYS_perf_event_open,
        "personality" SYS_personality, "pidfd_getfd" SYS_pidfd_getfd, "pidfd_open" SYS_pidfd_open,
        "pidfd_send_signal" SYS_pidfd_send_signal, "pivot_root" SYS_pivot_root, "prctl" SYS_prctl,
        "pread64" SYS_pread64, "prlimit64" SYS_prlimit64, "process_madvise" SYS_process_madvise,
        "process_vm_readv" SYS_process_vm_readv, "process_vm_writev" SYS_process_vm_writev, "ptrace" SYS_ptrace,
        "quotactl" SYS_quotactl, "read" SYS_read, "reboot" SYS_reboot, "renameat2" SYS_renameat2,
        "request_key" SYS_request_key, "rt_sigqueueinfo" SYS_rt_sigqueueinfo,
        "sched_setaffinity" SYS_sched_setaffinity, "sched_setattr" SYS_sched_setattr,
        "sched_setscheduler" SYS_sched_setscheduler, "setgroups" SYS_setgroups, "sethostname" SYS_sethostname,
        "setns" SYS_setns, "setpriority" SYS_setpriority, "setresuid" SYS_setresuid, "settimeofday" SYS_settimeofday,
        "setxattr" SYS_setxattr, "shmat" SYS_shmat, "socket" SYS_socket, "swapoff" SYS_swapoff, "swapon" SYS_swapon,
        "syslog" SYS_syslog, "tgkill" SYS_tgkill, "umount2" SYS_umount2, "unshare" SYS_unshare,
        "userfaultfd" SYS_userfaultfd,
    ];
    let mut words: Words = calls.into_iter().map(|(name, number)| (name, number.to_string())).collect();
    #[cfg(target_arch = "x86_64")]
    words.extend([
        ("SYS_creat", libc::SYS_creat.to_string()),
        ("SYS_iopl", libc::SYS_iopl.to_string()),
        ("SYS_kexec_file_load", libc::SYS_kexec_file_load.to_string()),
        ("SYS_modify_ldt", libc::SYS_modify_ldt.to_string()),
        ("SYS_open", libc::SYS_open.to_string()),
        ("ELF_TRUE", program::hex(&program::success())),
        ("ELF_IA32", program::hex(&program::foreign())),
    ]);
    // The process that a probe of its own begins with; a variable of the driver.
    words.insert("FIRST", "$FIRST".to_owned());
    // Probes that could do harm ask whether they are there.
    for (word, kind) in [("HOST_PROCESSES", "pid"), ("HOST_MOUNTS", "mnt")] {
        let here = std::fs::read_link(format!("/proc/self/ns/{kind}"));
        words.extend(here.ok().map(|here| (word, here.to_string_lossy().into_owned())));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_in_capitals_are_placeholders() {
        let lookup = |word: &str| (word == "ID").then(|| "it".to_owned());
        let code = "print <$f>, $a < $b, <STDIN>, '<ID>' if 1 <2>0;";
        assert_eq!(fill(code, lookup), Ok("print <$f>, $a < $b, <STDIN>, 'it' if 1 <2>0;".to_owned()));
        assert_eq!(fill("<NOBODY>", lookup), Err("NOBODY".to_owned()));
        assert_eq!(fill("<SYS_none>", lookup), Err("SYS_none".to_owned()));
    }
}
