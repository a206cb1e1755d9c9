//! What `.gitmodules` may hold.

use super::{config, url};

/// The size above which it is not looked at: git would, up to 512 MiB, and no real one is anywhere near.
const FILE_BYTES: usize = 16 << 20;

/// Why git would refuse this content, if so. As for git, one that cannot be read to its end counts as far as it can.
pub(super) fn problem(content: &[u8]) -> Option<String> {
    if content.len() > FILE_BYTES {
        return Some(format!("is larger than {FILE_BYTES} bytes"));
    }
    // What git has in memory ends for it at the first byte of this value, what it has in a file does not.
    let in_memory = content.split(|b| *b == 0xff).next().unwrap_or_default();
    let mut problem = None;
    for text in [content, in_memory] {
        config::read(text, &mut |name, value| {
            if problem.is_none() {
                problem = of_setting(until_nul(name), value.map(until_nul));
            }
        });
        if in_memory.len() == content.len() {
            break;
        }
    }
    problem
}

/// Names and values are text to git, which ends at a NUL.
fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|b| *b == 0).next().unwrap_or_default()
}

fn of_setting(setting: &[u8], value: Option<&[u8]>) -> Option<String> {
    let rest = setting.strip_prefix(b"submodule.")?;
    let dot = rest.iter().rposition(|b| *b == b'.')?;
    let (name, key) = (&rest[..dot], &rest[dot + 1..]);
    let shown = |text: &[u8]| format!("{:?}", String::from_utf8_lossy(text));
    if name.is_empty() || has_parent(name) {
        return Some(format!("has a submodule with the name {}", shown(name)));
    }
    let value = value?;
    let breaks = value.iter().any(|b| matches!(b, b'\n' | b'\r'));
    let (what, refused) = match key {
        b"url" => ("URL", url::is_refused(value)),
        // A line break in a path once made git write another one than it had checked.
        b"path" => ("path", value.starts_with(b"-") || breaks),
        b"update" => ("update command", value.starts_with(b"!")),
        _ => return None,
    };
    refused.then(|| format!("has a submodule with the {what} {}", shown(value)))
}

/// Whether a step of this path is `..`, whichever slash divides them.
fn has_parent(name: &[u8]) -> bool {
    name.split(|b| matches!(b, b'/' | b'\\')).any(|step| step == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, line: &str) -> Option<String> {
        problem(format!("[submodule \"{name}\"]\n\tpath = x\n\turl = https://example.com/x.git\n{line}\n").as_bytes())
    }

    #[test]
    fn what_could_run_a_program_or_leave_the_repository_is_refused() {
        assert_eq!(with("x", "update = rebase"), None);
        for name in ["", "..", "../x", "x/..", "x/../y", "x\\\\..\\\\y"] {
            assert!(with(name, "").is_some(), "{name}");
        }
        for line in [
            "url = -x",
            "URL=\"-x\"",
            "url = ./%0a",
            "path = -x",
            "path = \"x\\ny\"",
            "path = \"x\ry\"",
            "update = !x",
            "update = \"!x\" # x",
            "url = -x\n[",
        ] {
            assert!(with("x", line).is_some(), "{line}");
        }
        assert_eq!(problem(b"[submodule]\nurl = -x\n[other \"..\"]\nurl = -x\n[\n[submodule \"..\"]\nurl = x\n"), None);
        assert!(problem(b"[submodule.x]\nurl = -x\n").is_some());
        assert!(problem(b"[submodule \"x\"]\nurl = https://\xff@host/\n").is_some());
    }
}
