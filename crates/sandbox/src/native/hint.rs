//! What to do about a machine on which namespaces cannot be made.

use std::io::ErrorKind;

use super::found::kernel_says;
use crate::Error;

/// The problem, and its cure where it is known.
pub(super) fn explain(error: &Error) -> String {
    let Error::Lane { action, source } = error else { return error.to_string() };
    let kind = source.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let problem = format!("{error}: {source}");
    let cures = cures(action, kind, kernel_says);
    if cures.is_empty() { problem } else { format!("{problem}. {}", cures.join(" ")) }
}

/// Every kind of namespace that is used has a limit of its own.
const LIMITS: [&str; 7] = ["user", "mnt", "pid", "ipc", "uts", "net", "cgroup"];

fn cures(action: &str, kind: Option<ErrorKind>, says: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is = |path: &str, value: &str| says(path).as_deref() == Some(value);
    let refused = kind == Some(ErrorKind::PermissionDenied);
    let mut cures = Vec::new();
    for limit in LIMITS.map(|name| format!("max_{name}_namespaces")) {
        if is(&format!("/proc/sys/user/{limit}"), "0") {
            cures.push(format!("Namespaces are switched off: set the sysctl user.{limit} to 10000."));
        }
    }
    if cures.is_empty() && kind == Some(ErrorKind::StorageFull) {
        let cure = "There are as many namespaces as may be: raise the sysctls user.max_*_namespaces, also for the user \
                    namespaces around this process.";
        cures.push(cure.into());
    }
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        let cure = "User namespaces are for root only: set the sysctl kernel.unprivileged_userns_clone to 1.";
        cures.push(cure.into());
    }
    if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        let cure = "AppArmor restricts user namespaces: put 'abi <abi/4.0>, include <tunables/global> profile PROGRAM \
                    /path/to/PROGRAM flags=(unconfined) { userns, }' into /etc/apparmor.d/PROGRAM and run \
                    'apparmor_parser -r' on it; or set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0 for \
                    all programs.";
        cures.push(cure.into());
    }
    if kind == Some(ErrorKind::Unsupported) {
        cures.push("Linux 5.14 or later is needed, and no filter that hides its system calls.".into());
    }
    if refused && action.contains("/proc") {
        let cure = "If this runs in a container, parts of its /proc are masked, and the kernel shows no other /proc where \
                    one is: start it with an unmasked one (Docker: --security-opt systempaths=unconfined, Podman: \
                    --security-opt unmask=ALL), or use the docker lane.";
        cures.push(cure.into());
    } else if refused && cures.is_empty() {
        let cure = "If this runs in a container, its system call filter forbids namespaces inside: allow them there \
                    (Docker and Podman: --security-opt seccomp=FILE with a profile that allows unshare, clone and mount), or \
                    use the docker lane. If it runs in a chroot, the kernel refuses user namespaces there.";
        cures.push(cure.into());
    }
    cures
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(action: &str, kind: ErrorKind, wanted: &'static str, value: &'static str) -> String {
        cures(action, Some(kind), move |path| path.ends_with(wanted).then(|| value.to_owned())).join(" ")
    }

    #[test]
    fn each_switch_that_is_off_is_named_with_its_cure() {
        let refused = |wanted, value| on("leave the host's namespaces", ErrorKind::PermissionDenied, wanted, value);
        assert!(refused("max_user_namespaces", "0").contains("user.max_user_namespaces"));
        assert!(refused("max_net_namespaces", "0").contains("user.max_net_namespaces"));
        assert!(refused("unprivileged_userns_clone", "0").contains("kernel.unprivileged_userns_clone"));
        assert!(refused("apparmor_restrict_unprivileged_userns", "1").contains("flags=(unconfined) { userns, }"));
        assert!(refused("max_user_namespaces", "96365").contains("container"));
    }

    #[test]
    fn what_the_kernel_answers_tells_a_limit_from_a_container_and_from_age() {
        assert!(on("leave", ErrorKind::StorageFull, "max_user_namespaces", "7").contains("raise the sysctls"));
        assert!(on("build the root directory (/proc)", ErrorKind::PermissionDenied, "", "").contains("systempaths"));
        assert!(on("build", ErrorKind::Unsupported, "", "").contains("5.14"));
        assert_eq!(on("start a process", ErrorKind::WouldBlock, "", ""), "");
    }
}
