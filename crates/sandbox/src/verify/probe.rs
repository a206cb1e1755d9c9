//! What is asked inside, and how the answer is read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::Access;
use crate::pinned::Place;

/// The last word of a whole report.
const END: &str = "end of the report";

/// What was seen inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Fields of the kernel's about the shell: capabilities, `NoNewPrivs`, `Seccomp`.
    pub(super) status: BTreeMap<String, String>,
    pub(super) interfaces: Vec<String>,
    /// Interfaces that packets are sent to.
    pub(super) routed: Vec<String>,
    pub(super) mounts: Vec<Place>,
    /// Directories of the system, or the sentinel, that can be written.
    pub(super) writable: Vec<String>,
    /// Devices that lead to the machine.
    pub(super) devices: Vec<String>,
    pub(super) sentinel_seen: bool,
    /// When the process began that has the number of the embedding program.
    pub(super) namesake: Option<String>,
}

/// Tells everything in lines of a word and what belongs to it. Only looks, and opens the sentinel.
pub(super) fn script(sentinel: Option<&Path>) -> String {
    let mut script = String::from(
        "say() { printf '%s\\n' \"$*\"; }
        while read -r key value; do
            case $key in CapEff: | CapBnd: | NoNewPrivs: | Seccomp:) say status $key $value;; esac
        done < /proc/self/status
        while read -r name rest; do case $name in *:*) say net ${name%%:*};; esac; done < /proc/net/dev
        while read -r name rest; do say routed $name; done < /proc/net/route
        if test -e /proc/net/ipv6_route; then
            while read -r route; do say routed ${route##* }; done < /proc/net/ipv6_route
        fi
        while read -r id parent device root at options rest; do say mount $options $at; done < /proc/self/mountinfo
        for at in / /usr /etc /bin; do test -w $at && say writable $at; done
        for at in /dev/*; do test -b $at && say device $at; done
        for at in /dev/mem /dev/kmem /dev/port /dev/kmsg; do test -r $at && say device $at; done
        ",
    );
    // Writing to a string cannot fail.
    let _written = writeln!(
        script,
        "if read -r stat < /proc/{0}/stat; then set -- ${{stat##*)}}; shift 19; say namesake $1; fi 2> /dev/null",
        std::process::id()
    );
    if let Some(sentinel) = sentinel {
        let at = sentinel.display();
        // Opened, not only asked for: what Landlock refuses, the mode of a file does not tell.
        let _written = writeln!(
            script,
            "if test -e {at}; then say sentinel; if true >> {at}; then say writable {at}; fi; fi 2> /dev/null"
        );
    }
    script + "say " + END + "\n"
}

impl Report {
    /// Reads a report; none when it is not whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.trim_end().strip_suffix(END)?;
        let mut report = Self::default();
        for line in lines.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "status" => {
                    let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
                    report.status.insert(key.trim_end_matches(':').into(), value.trim().into());
                }
                "net" => report.interfaces.push(rest.into()),
                // The first line is a heading.
                "routed" if rest != "Iface" => report.routed.push(rest.into()),
                "mount" => {
                    let (options, at) = rest.split_once(' ').unwrap_or(("", rest));
                    let read_only = options.split(',').any(|option| option == "ro");
                    let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
                    report.mounts.push(Place { at: PathBuf::from(unescaped(at)), access });
                }
                "writable" => report.writable.push(rest.into()),
                "device" => report.devices.push(rest.into()),
                "sentinel" => report.sentinel_seen = true,
                "namesake" => report.namesake = Some(rest.into()),
                _ => {}
            }
        }
        Some(report)
    }
}

/// The kernel writes spaces, tabs, line ends and backslashes in paths as numbers.
fn unescaped(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(path.to_owned(), |path, (code, plain)| path.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_is_cut_off_is_none() {
        let whole =
            "status NoNewPrivs: 1\nnet lo\nrouted Iface\nmount ro,nosuid /a\\040b\nsentinel\nend of the report\n";
        let report = Report::read(whole.as_bytes()).unwrap();
        assert_eq!(report.status["NoNewPrivs"], "1");
        assert_eq!((report.interfaces, report.routed), (vec!["lo".to_owned()], vec![]));
        assert_eq!(report.mounts, [Place { at: "/a b".into(), access: Access::ReadOnly }]);
        assert!(report.sentinel_seen);
        assert_eq!(Report::read(&whole.as_bytes()[..whole.len() - 5]), None);
        assert_eq!(Report::read(b"\xff\xfe"), None);
    }
}
