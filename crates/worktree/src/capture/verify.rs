//! The rules that an agent's commits and trees must keep: those of `git fsck --strict`.

use std::collections::HashSet;

use gix::ObjectId;
use gix::bstr::BStr;
use gix::objs::tree::EntryKind;
use gix::validate::path::component;

/// One entry of a tree that keeps the rules.
#[derive(Debug)]
pub(super) struct TreeEntry<'a> {
    pub(super) kind: EntryKind,
    pub(super) name: &'a [u8],
    pub(super) id: ObjectId,
}

/// What a commit refers to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
}

/// Why git would refuse to have this name in a tree, if so.
///
/// It must not be `.git`, nor what some file system takes for it: other case, `git~1`, trailing dots and spaces, code
/// points that are ignored, or the same behind a backslash.
pub(super) fn name_problem(name: &[u8], is_link: bool) -> Option<&'static str> {
    let options = component::Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
    let mode = is_link.then_some(component::Mode::Symlink);
    if name.is_empty() || name.contains(&0) {
        return Some("its name is empty or has a NUL byte");
    }
    for part in name.split(|b| *b == b'\\').filter(|part| !part.is_empty()) {
        match component(BStr::new(part), mode, options) {
            Ok(_) => {}
            // Only the whole name is a step of a path where a backslash is an ordinary character.
            Err(component::Error::Relative) if part.len() != name.len() => {}
            Err(component::Error::DotGitDir) => return Some("its name is taken for `.git` on some file system"),
            Err(component::Error::SymlinkedGitModules) => return Some("`.gitmodules` must not be a symlink"),
            Err(_) => return Some("its name is not allowed in git"),
        }
    }
    None
}

/// Decodes a tree and checks every entry.
pub(super) fn tree(id: ObjectId, data: &[u8]) -> Result<Vec<TreeEntry<'_>>, String> {
    let flaw = |why: &str| format!("tree {id}: {why}");
    let mut rest = data;
    let mut entries: Vec<TreeEntry<'_>> = Vec::new();
    let mut names = HashSet::new();
    while !rest.is_empty() {
        let entry = next_entry(&mut rest, id.kind()).map_err(flaw)?;
        let problem = name_problem(entry.name, entry.kind == EntryKind::Link);
        if let Some(why) = problem {
            return Err(flaw(&format!("entry {:?}: {why}", String::from_utf8_lossy(entry.name))));
        }
        if entry.id.is_null() {
            return Err(flaw("an entry has no object"));
        }
        let sorted = entries.last().is_none_or(|last| key(last).lt(key(&entry)));
        if !sorted || !names.insert(entry.name) {
            return Err(flaw("its entries are not sorted, or not unique"));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn key<'a>(entry: &TreeEntry<'a>) -> impl Iterator<Item = u8> + use<'a> {
    let end = (entry.kind == EntryKind::Tree).then_some(b'/');
    entry.name.iter().copied().chain(end)
}

fn next_entry<'a>(rest: &mut &'a [u8], hash: gix::hash::Kind) -> Result<TreeEntry<'a>, &'static str> {
    let space = rest.iter().take(8).position(|b| *b == b' ').ok_or("an entry has no mode")?;
    let kind = match &rest[..space] {
        b"40000" => EntryKind::Tree,
        b"100644" => EntryKind::Blob,
        b"100755" => EntryKind::BlobExecutable,
        b"120000" => EntryKind::Link,
        b"160000" => EntryKind::Commit,
        _ => return Err("an entry has a mode that git does not write"),
    };
    let after = &rest[space + 1..];
    let end = after.iter().position(|b| *b == 0).ok_or("an entry has no name")?;
    let bytes = after.get(end + 1..end + 1 + hash.len_in_bytes()).ok_or("its last entry is cut off")?;
    *rest = &after[end + 1 + hash.len_in_bytes()..];
    let id = ObjectId::try_from(bytes).map_err(|_| "an entry has no object")?;
    Ok(TreeEntry { kind, name: &after[..end], id })
}

/// Decodes a commit and checks its header.
pub(super) fn commit(id: ObjectId, data: &[u8]) -> Result<Links, String> {
    let flaw = |why: &str| format!("commit {id}: {why}");
    if data.contains(&0) {
        return Err(flaw("it has a NUL byte"));
    }
    let end = data.windows(2).position(|w| w == b"\n\n").map_or(data.len(), |at| at + 1);
    let mut lines = data[..end].split_inclusive(|b| *b == b'\n').peekable();
    let mut field = |name: &[u8]| -> Option<&[u8]> {
        let line = lines.next_if(|line| line.starts_with(name))?;
        line[name.len()..].strip_suffix(b"\n")
    };
    let hex = |text: &[u8]| ObjectId::from_hex(text).ok().filter(|found| found.kind() == id.kind() && !found.is_null());
    let tree = field(b"tree ").and_then(hex).ok_or_else(|| flaw("it has no tree"))?;
    let mut parents = Vec::new();
    while let Some(text) = field(b"parent ") {
        parents.push(hex(text).ok_or_else(|| flaw("a parent is not an object id"))?);
    }
    for (name, what) in [(&b"author "[..], "author"), (b"committer ", "committer")] {
        let text = field(name).ok_or_else(|| flaw(&format!("it has no {what}")))?;
        identity(text).map_err(|why| flaw(&format!("its {what} {why}")))?;
    }
    let known = [&b"tree "[..], b"parent ", b"author ", b"committer "];
    if lines.any(|line| known.iter().any(|name| line.starts_with(name))) {
        return Err(flaw("a line of its header is repeated"));
    }
    Ok(Links { tree, parents })
}

/// Checks `Name <mail> seconds +zone`.
fn identity(text: &[u8]) -> Result<(), &'static str> {
    let open = text.iter().position(|b| matches!(b, b'<' | b'>')).ok_or("has no mail address")?;
    if text[open] == b'>' || open == 0 || text[open - 1] != b' ' {
        return Err("has a malformed name");
    }
    let after = &text[open + 1..];
    let close = after.iter().position(|b| matches!(b, b'<' | b'>')).ok_or("has no end of its mail address")?;
    if after[close] == b'<' {
        return Err("has a malformed mail address");
    }
    let date = after[close + 1..].strip_prefix(b" ").ok_or("has no date")?;
    let date = std::str::from_utf8(date).map_err(|_| "has a malformed date")?;
    let (seconds, zone) = date.split_once(' ').ok_or("has no time zone")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let padded = seconds.len() > 1 && seconds.starts_with('0');
    if !digits(seconds) || padded || seconds.parse::<i64>().is_err() {
        return Err("has a malformed date");
    }
    let sign = zone.strip_prefix(['+', '-']).ok_or("has a malformed time zone")?;
    if sign.len() == 4 && digits(sign) { Ok(()) } else { Err("has a malformed time zone") }
}

/// The object that an annotated tag names, and its kind.
pub(super) fn tag_target(id: ObjectId, data: &[u8]) -> Option<ObjectId> {
    let line = data.split(|b| *b == b'\n').next()?;
    ObjectId::from_hex(line.strip_prefix(b"object ")?).ok().filter(|found| found.kind() == id.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        ObjectId::from_hex(&[b'1'; 40]).unwrap()
    }

    fn entry(mode: &str, name: &[u8]) -> Vec<u8> {
        [mode.as_bytes(), b" ", name, b"\0", &[7; 20]].concat()
    }

    #[test]
    fn a_tree_entry_that_could_become_a_git_directory_is_refused() {
        for name in [
            &b".git"[..],
            b".GIT",
            b".Git",
            b"git~1",
            b"GIT~1",
            b".git ",
            b".git.",
            b".git::$INDEX_ALLOCATION",
            b"..",
            b".",
            b"",
            b"a/b",
            b".git\\hooks",
            b"x\\.git",
            ".g\u{200c}it".as_bytes(),
            b"\xef\xbb\xbf.git",
        ] {
            assert!(tree(id(), &entry("100644", name)).is_err(), "{:?}", String::from_utf8_lossy(name));
        }
        assert!(tree(id(), &entry("120000", b".gitmodules")).is_err());
        for name in [&b".gitmodules"[..], b".gitignore", b"git", b"a\\b", b"\xff\xfe", b"a\nb", b"..a", b"CON"] {
            assert!(tree(id(), &entry("100644", name)).is_ok(), "{:?}", String::from_utf8_lossy(name));
        }
    }

    #[test]
    fn a_tree_that_git_would_not_write_is_refused() {
        let two = |a: Vec<u8>, b: Vec<u8>| [a, b].concat();
        for bad in [
            entry("100664", b"a"),
            entry("040000", b"a"),
            entry("0", b"a"),
            two(entry("100644", b"b"), entry("100644", b"a")),
            two(entry("100644", b"a"), entry("100644", b"a")),
            two(entry("40000", b"a"), entry("100644", b"a.b")),
            entry("100644", b"a")[..20].to_vec(),
            [b"100644 a\0".to_vec(), vec![0; 20]].concat(),
        ] {
            assert!(tree(id(), &bad).is_err(), "{:?}", String::from_utf8_lossy(&bad));
        }
        assert_eq!(tree(id(), &two(entry("100644", b"a.b"), entry("40000", b"a"))).unwrap().len(), 2);
    }

    #[test]
    fn a_commit_with_a_forged_header_is_refused() {
        let hex = "1".repeat(40);
        let who = "A U Thor <a@b> 1700000000 +0000";
        let good = format!("tree {hex}\nparent {hex}\nauthor {who}\ncommitter {who}\ngpgsig x\n y\n\nmessage\n");
        assert_eq!(commit(id(), good.as_bytes()).unwrap().parents.len(), 1);
        for bad in [
            good.replace("tree ", "tre "),
            good.replace("parent 1", "parent g"),
            good.replace("author A", "authorA"),
            good.replace("1700000000", "01700000000"),
            good.replace("1700000000", "99999999999999999999"),
            good.replace("+0000", "0000"),
            good.replace("<a@b>", "<a@b"),
            good.replace("gpgsig x", &format!("author {who}")),
            good.replace("message", "mess\0age"),
            good.replace("Thor <", "Thor<"),
        ] {
            assert!(commit(id(), bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
