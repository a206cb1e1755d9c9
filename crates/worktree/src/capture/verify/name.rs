//! Which names an entry of a tree may have.

use gix::bstr::BStr;
use gix::validate::path::component;

use super::Settings;

/// The longest name that git finds nothing wrong with.
const LONGEST: usize = 4096;

/// Why git would refuse to have this name in a tree, if so.
///
/// It must not be `.git`, nor what some file system takes for it: other case, `git~1`, trailing dots and spaces, code
/// points that are ignored, or the same behind a backslash.
pub(in super::super) fn problem(name: &[u8], is_link: bool) -> Option<&'static str> {
    let options = component::Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
    if name.is_empty() || name.contains(&0) {
        return Some("its name is empty or has a NUL byte");
    }
    if name.len() > LONGEST {
        return Some("its name is too long");
    }
    if is_dot_git(name) {
        return Some("its name is taken for `.git` on some file system");
    }
    if is_link && settings(name) == Some(Settings::Modules) {
        return Some("`.gitmodules` must not be a symlink");
    }
    for part in name.split(|b| *b == b'\\').filter(|part| !part.is_empty()) {
        match component(BStr::new(part), None, options) {
            Ok(_) => {}
            // Only the whole name is a step of a path where a backslash is an ordinary character.
            Err(component::Error::Relative) if part.len() != name.len() => {}
            Err(component::Error::DotGitDir) => return Some("its name is taken for `.git` on some file system"),
            Err(_) => return Some("its name is not allowed in git"),
        }
    }
    None
}

/// Which of the files that git itself reads some file system takes this name for, if any.
pub(in super::super) fn settings(name: &[u8]) -> Option<Settings> {
    // Behind a backslash git looks for one of them only.
    let after_backslash = || name.split(|b| *b == b'\\').skip(1);
    if is_ntfs(name, b"gitmodules", b"gi7eba") || is_hfs(name, b".gitmodules") {
        return Some(Settings::Modules);
    }
    if is_ntfs(name, b"gitattributes", b"gi7d29") || is_hfs(name, b".gitattributes") {
        return Some(Settings::Attributes);
    }
    after_backslash().any(|part| is_ntfs(part, b"gitmodules", b"gi7eba")).then_some(Settings::Modules)
}

/// Whether HFS+ or NTFS would make `.git` of it, or of what is behind one of its backslashes.
fn is_dot_git(name: &[u8]) -> bool {
    let starts = name.iter().enumerate().filter(|(_, b)| **b == b'\\').map(|(at, _)| at + 1);
    is_hfs(name, b".git") || std::iter::once(0).chain(starts).any(|at| is_ntfs_dot_git(&name[at..]))
}

fn is_ntfs_dot_git(name: &[u8]) -> bool {
    let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let rest = match () {
        () if begins(b".git") => &name[4..],
        () if begins(b"git~1") => &name[5..],
        () => return false,
    };
    let end = rest.iter().find(|b| !matches!(b, b'.' | b' '));
    end.is_none_or(|b| matches!(b, b'\\' | b'/' | b':'))
}

/// Whether NTFS takes a name for a dot and `long`, or for a short name of that: the first six characters and a number, or
/// where these are taken, six characters that are made of a hash.
fn is_ntfs(name: &[u8], long: &[u8], hashed: &[u8; 6]) -> bool {
    let begins =
        |name: &[u8], with: &[u8]| name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let ends = |rest: &[u8]| {
        let end = rest.iter().find(|b| !matches!(b, b'.' | b' '));
        end.is_none_or(|b| *b == b':')
    };
    if name.first() == Some(&b'.') && begins(&name[1..], long) && ends(&name[1 + long.len()..]) {
        return true;
    }
    if begins(name, &long[..6])
        && name.get(6) == Some(&b'~')
        && matches!(name.get(7), Some(b'1'..=b'4'))
        && ends(&name[8..])
    {
        return true;
    }
    let Some(short) = name.get(..8) else { return false };
    let Some(tilde) = short.iter().position(|b| *b == b'~').filter(|at| *at <= 6) else { return false };
    let number = &short[tilde + 1..];
    let numbered = matches!(number.first(), Some(b'1'..=b'9')) && number.iter().all(u8::is_ascii_digit);
    numbered && short[..tilde].eq_ignore_ascii_case(&hashed[..tilde]) && ends(&name[8..])
}

/// Whether HFS+ takes a name for `wanted`: it ignores case and some code points.
fn is_hfs(name: &[u8], wanted: &[u8]) -> bool {
    // A name is over for git where it is no text any more.
    let valid = name.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut seen = valid.chars().take_while(|c| !matches!(*c, '\u{fffe}' | '\u{ffff}')).filter(|c| !is_ignored(*c));
    wanted.iter().all(|b| seen.next().is_some_and(|c| c.to_ascii_lowercase() == char::from(*b)))
        && seen.next().is_none_or(|c| c == '/')
}

const fn is_ignored(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_a_file_system_takes_for_gits_own_is_known() {
        for name in [
            &b".gitmodules"[..],
            b".GITmodules",
            b".gitmodules ",
            b".gitmodules . .",
            b".gitmodules::$DATA",
            b".gitmodules:x",
            b"gitmod~1",
            b"GITMOD~4",
            b"gitmod~1 .:x",
            b"gi7eba~1",
            b"GI7EB~10",
            b"gi~12345",
            b"~1000000",
            b".gitmodules\xff",
            b"x\\.gitmodules",
            b"x\\gitmod~2",
            ".git\u{200c}modules".as_bytes(),
            "\u{feff}.gitModules".as_bytes(),
        ] {
            assert_eq!(settings(name), Some(Settings::Modules), "{:?}", String::from_utf8_lossy(name));
        }
        for name in [&b".gitattributes"[..], b"gitatt~1", b"gi7d29~1", b".GitAttributes.", b".gitattributes:x"] {
            assert_eq!(settings(name), Some(Settings::Attributes), "{:?}", String::from_utf8_lossy(name));
        }
        for name in [
            &b"gitmodules"[..],
            b".gitmodulesx",
            b"gitmod~5",
            b"gitmod~0",
            b"gi7eba~0",
            b"gi7eba~",
            b"gi7ebb~1",
            b".gitmodules\\x",
            b"x\\.gitattributes",
            b"",
            b".",
        ] {
            assert!(settings(name).is_none(), "{:?}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn a_name_that_could_become_a_git_directory_is_refused() {
        for name in [
            &b".git"[..],
            b".GIT",
            b"git~1",
            b"GIT~1",
            b".git ",
            b".git.",
            b".git::$INDEX_ALLOCATION",
            b"git~1:x",
            b"..",
            b".",
            b"",
            b"a/b",
            b".git\\hooks",
            b"x\\.git",
            b"x\\.git\\y",
            b".git\xff",
            ".g\u{200c}it".as_bytes(),
            b"\xef\xbb\xbf.git",
        ] {
            assert!(problem(name, false).is_some(), "{:?}", String::from_utf8_lossy(name));
        }
        assert!(problem(b".gitmodules", true).is_some());
        assert!(problem(&[b'a'; 4097], false).is_some());
        for name in [
            &b".gitmodules"[..],
            b".gitignore",
            b"git",
            b"a\\b",
            b"\xff\xfe",
            b"a\nb",
            b"..a",
            b"CON",
            b"git~2",
            b"a\\..\\b",
        ] {
            assert!(problem(name, false).is_none(), "{:?}", String::from_utf8_lossy(name));
        }
        assert!(problem(&[b'a'; 4096], false).is_none());
    }
}
