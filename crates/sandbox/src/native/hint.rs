//! What to do about a machine on which namespaces cannot be made.

use super::found::{kernel_says, refused};
use crate::Error;

/// The problem, and its cure where it is known.
pub(super) fn explain(error: &Error) -> String {
    let mut chain = error.to_string();
    if let Error::Lane { source, .. } = error {
        chain = format!("{chain}: {source}");
    }
    let cures = cures(refused(error), kernel_says);
    if cures.is_empty() { chain } else { format!("{chain}. {}", cures.join(" ")) }
}

fn cures(refused: bool, says: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let zero = |path: &str| says(path).as_deref() == Some("0");
    let mut cures = Vec::new();
    if zero("/proc/sys/user/max_user_namespaces") {
        cures.push("User namespaces are switched off: set the sysctl user.max_user_namespaces to 10000.");
    }
    if zero("/proc/sys/kernel/unprivileged_userns_clone") {
        cures.push("User namespaces are for root only: set the sysctl kernel.unprivileged_userns_clone to 1.");
    }
    if says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        cures.push(
            "AppArmor restricts user namespaces: give the program a profile with the rule 'userns,', or set the sysctl \
             kernel.apparmor_restrict_unprivileged_userns to 0.",
        );
    }
    if cures.is_empty() && refused {
        cures.push(
            "If this runs in a container, its system call filter or its masked /proc forbids namespaces inside: allow \
             them there, or use the docker lane.",
        );
    }
    cures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_that_is_off_is_named_with_its_cure() {
        let on = |wanted: &'static str, value: &'static str| {
            cures(true, move |path| path.ends_with(wanted).then(|| value.to_owned())).join(" ")
        };
        assert!(on("max_user_namespaces", "0").contains("user.max_user_namespaces"));
        assert!(on("unprivileged_userns_clone", "0").contains("kernel.unprivileged_userns_clone"));
        assert!(on("apparmor_restrict_unprivileged_userns", "1").contains("AppArmor"));
        assert!(on("max_user_namespaces", "96365").contains("container"));
    }
}
