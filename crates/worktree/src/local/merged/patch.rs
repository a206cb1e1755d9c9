//! What a change does, as one number that a rebase or a cherry-pick does not alter.
//!
//! Made as `git patch-id --stable` makes it, from the same text: the headers and the hunks with three lines of context,
//! without line numbers. (Only the file after a binary one is counted in full, where git leaves its first line out.) git
//! leaves white space out of it, so that two patches that indent in opposite ways are one to it. Here that could throw
//! work away, so a second number of the same text with its white space must agree as well.

use std::ops::Range;

use gix::ObjectId;
use gix::diff::blob::{Algorithm, Diff, InternedInput};
use gix::hash::{Hasher, hasher};
use gix::objs::tree::EntryKind;

use super::changes::{Change, Item};

/// Lines of context around a change, as git shows them.
const CONTEXT: u32 = 3;
/// A larger file is compared as a whole, like a binary one.
const TEXT_BYTES: usize = 32 << 20;
/// How far into a file git looks for a NUL byte.
const BINARY_PREFIX: usize = 8000;

/// The identity of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Patch {
    /// Without white space, as git has it.
    pub(super) stable: ObjectId,
    /// With all of it.
    exact: ObjectId,
}

/// Which way a change is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As it was made.
    Forward,
    /// As the change that takes it back.
    Backward,
}

/// The identity of these changes, which are sorted by path; in words why it has none.
pub(super) fn identify(repo: &gix::Repository, changes: &[Change], way: Way) -> Result<Patch, String> {
    let mut text = Text::new(repo.object_hash());
    for change in changes {
        let (old, new) = match way {
            Way::Forward => (change.before, change.after),
            Way::Backward => (change.after, change.before),
        };
        match (old, new) {
            // A file that becomes a symlink is deleted, and another one made.
            (Some(a), Some(b)) if class(a) != class(b) => {
                file(repo, &mut text, &change.path, Some(a), None)?;
                file(repo, &mut text, &change.path, None, Some(b))?;
            }
            _ => file(repo, &mut text, &change.path, old, new)?,
        }
    }
    text.flush()?;
    Ok(Patch { stable: text.stable.sum, exact: text.exact.sum })
}

fn class(item: Item) -> EntryKind {
    match item.mode.kind() {
        EntryKind::BlobExecutable => EntryKind::Blob,
        kind => kind,
    }
}

fn file(
    repo: &gix::Repository,
    text: &mut Text,
    path: &[u8],
    old: Option<Item>,
    new: Option<Item>,
) -> Result<(), String> {
    text.begin()?;
    text.line(&[b"diff --git a/", path, b" b/", path]);
    match (old, new) {
        (None, Some(new)) => text.line(&[b"new file mode ", mode(new).as_bytes()]),
        (Some(old), None) => text.line(&[b"deleted file mode ", mode(old).as_bytes()]),
        (Some(old), Some(new)) if old.mode != new.mode => {
            text.line(&[b"old mode ", mode(old).as_bytes()]);
            text.line(&[b"new mode ", mode(new).as_bytes()]);
        }
        _ => {}
    }
    let (before, after) = (content(repo, old)?, content(repo, new)?);
    if is_binary(&before) || is_binary(&after) {
        let id = |item: Option<Item>| item.map_or(repo.object_hash().null(), |item| item.id).to_string();
        text.raw(id(old).as_bytes());
        text.raw(id(new).as_bytes());
        return text.flush();
    }
    if before == after {
        return Ok(());
    }
    let side = |item: Option<Item>, prefix: &[u8]| {
        // The end of a name with a space in it is marked.
        let end: &[u8] = if path.contains(&b' ') { b"\t" } else { b"" };
        if item.is_some() { [prefix, path, end].concat() } else { b"/dev/null".to_vec() }
    };
    text.line(&[b"--- ", &side(old, b"a/")]);
    text.line(&[b"+++ ", &side(new, b"b/")]);
    hunks(text, &before, &after);
    text.has_hunks = true;
    Ok(())
}

fn mode(item: Item) -> &'static str {
    match item.mode.kind() {
        EntryKind::Tree => "040000",
        EntryKind::Blob => "100644",
        EntryKind::BlobExecutable => "100755",
        EntryKind::Link => "120000",
        EntryKind::Commit => "160000",
    }
}

fn content(repo: &gix::Repository, item: Option<Item>) -> Result<Vec<u8>, String> {
    match item {
        None => Ok(Vec::new()),
        Some(item) if item.mode.is_commit() => Ok(format!("Subproject commit {}\n", item.id).into_bytes()),
        Some(item) => Ok(repo.find_object(item.id).map_err(|e| e.to_string())?.data.clone()),
    }
}

fn is_binary(content: &[u8]) -> bool {
    content.len() > TEXT_BYTES || content[..content.len().min(BINARY_PREFIX)].contains(&0)
}

fn hunks(text: &mut Text, before: &[u8], after: &[u8]) {
    let mut input = InternedInput::default();
    input.update_before(before.split_inclusive(|b| *b == b'\n'));
    input.update_after(after.split_inclusive(|b| *b == b'\n'));
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_lines(&input);
    let line = |token: gix::diff::blob::Token| input.interner[token];
    let context = |text: &mut Text, range: Range<u32>| {
        for at in range {
            text.content(b' ', line(input.before[at as usize]));
        }
    };
    let mut shown = 0;
    let mut last: Option<u32> = None;
    for hunk in diff.hunks() {
        if let Some(end) = last {
            let joined = hunk.before.start - end <= 2 * CONTEXT;
            let until = if joined { hunk.before.start } else { end + CONTEXT };
            context(text, shown..until);
            shown = until;
        }
        context(text, shown.max(hunk.before.start.saturating_sub(CONTEXT))..hunk.before.start);
        for at in hunk.before.clone() {
            text.content(b'-', line(input.before[at as usize]));
        }
        for at in hunk.after.clone() {
            text.content(b'+', line(input.after[at as usize]));
        }
        shown = hunk.before.end;
        last = Some(shown);
    }
    if let Some(end) = last {
        let lines = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
        context(text, end..end.saturating_add(CONTEXT).min(lines));
    }
}

/// The text of a patch on its way into two sums.
struct Text {
    stable: Sum,
    exact: Sum,
    /// Whether the last file had any; one that had none is counted together with the next.
    has_hunks: bool,
}

impl Text {
    fn new(hash: gix::hash::Kind) -> Self {
        Self { stable: Sum::new(hash), exact: Sum::new(hash), has_hunks: false }
    }

    /// Begins a file.
    fn begin(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.has_hunks) { self.flush() } else { Ok(()) }
    }

    fn line(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.raw(part));
        self.raw(b"\n");
    }

    fn content(&mut self, sign: u8, line: &[u8]) {
        self.raw(&[sign]);
        self.raw(line);
        if !line.ends_with(b"\n") {
            self.exact.hasher.update(b"\n\\ No newline at end of file\n");
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.exact.hasher.update(bytes);
        for part in bytes.split(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
            self.stable.hasher.update(part);
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        self.stable.flush()?;
        self.exact.flush()
    }
}

/// A sum of hashes, in which the order of the files makes no difference.
struct Sum {
    hasher: Hasher,
    hash: gix::hash::Kind,
    sum: ObjectId,
}

impl Sum {
    fn new(hash: gix::hash::Kind) -> Self {
        Self { hasher: hasher(hash), hash, sum: hash.null() }
    }

    fn flush(&mut self) -> Result<(), String> {
        let done = std::mem::replace(&mut self.hasher, hasher(self.hash));
        let part = done.try_finalize().map_err(|e| e.to_string())?;
        let mut carry = 0_u16;
        let mut sum = self.sum.as_bytes().to_vec();
        for (total, byte) in sum.iter_mut().zip(part.as_bytes()) {
            carry += u16::from(*total) + u16::from(*byte);
            *total = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        self.sum = ObjectId::try_from(&sum[..]).map_err(|e| e.to_string())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::super::changes;
    use super::*;

    fn git(dir: &Path, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.current_dir(dir).args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
            command.env(name, "a");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        output.stdout
    }

    /// A path and what it becomes.
    type Edit<'a> = (&'a str, Option<&'a [u8]>);

    /// The number that git has for the last commit, and ours.
    fn both(dir: &Path, kind: &str) -> (String, Patch) {
        let text = git(dir, &["diff-tree", "-p", "--full-index", "--root", "HEAD"], b"");
        let line = String::from_utf8(git(dir, &["patch-id", kind], &text)).unwrap();
        let repo = gix::open_opts(dir, gix::open::Options::isolated()).unwrap();
        let commit = repo.head_commit().unwrap();
        let parent = commit.parent_ids().next().map(gix::Id::detach);
        let tree = |id| changes::tree_of(&repo, id).unwrap();
        let changes = changes::between(&repo, tree(parent), tree(Some(commit.id))).unwrap();
        (line.split(' ').next().unwrap().to_owned(), identify(&repo, &changes, Way::Forward).unwrap())
    }

    #[test]
    fn the_numbers_are_those_of_git() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        git(dir, &["init", "-q"], b"");
        let lines = |changed: &[usize]| -> String {
            let line = |n| if changed.contains(&n) { format!("\tchanged  {n}\n") } else { format!("line {n}\n") };
            (0..80).map(line).collect()
        };
        let texts = [lines(&[]), lines(&[0, 10, 17, 25, 79]), lines(&[0, 1, 2, 40, 48, 79])];
        let steps: [&[Edit<'_>]; 8] = [
            &[("a", Some(texts[0].as_bytes())), ("dir/b c", Some(b"one\ntwo"))],
            &[("a", Some(texts[1].as_bytes()))],
            &[("a", Some(texts[2].as_bytes())), ("dir/b c", Some(b"one\ntwo\n"))],
            &[("dir/b c", None), ("new", Some(b"new\n"))],
            &[("zip", Some(b"\0\x01\x02")), ("new", Some(b"newer\n")), ("z", Some(b"z\n"))],
            &[("empty", Some(b"")), ("new", Some(b"  newer \r\n"))],
            &[("zip", Some(b"\0\x01")), ("a", None)],
            &[("new", None), ("new/er", Some(b"x"))],
        ];
        for (n, step) in steps.iter().enumerate() {
            for (path, content) in *step {
                let path = dir.join(path);
                match content {
                    None => std::fs::remove_file(path).unwrap(),
                    Some(content) => {
                        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                        std::fs::write(path, content).unwrap();
                    }
                }
            }
            git(dir, &["add", "-A"], b"");
            git(dir, &["commit", "-q", "-m", "step"], b"");
            let (of_git, ours) = both(dir, "--stable");
            assert_eq!(ours.stable.to_string(), of_git, "step {n}");
            let (of_git, ours) = both(dir, "--verbatim");
            assert_eq!(ours.exact.to_string(), of_git, "step {n}");
        }
    }

    #[test]
    fn a_change_taken_back_has_the_number_of_its_way_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        git(dir, &["init", "-q"], b"");
        for text in ["a\nb\nc\n", "a\nB\nc\nd\n", "a\nb\nc\n"] {
            std::fs::write(dir.join("file"), text).unwrap();
            git(dir, &["add", "-A"], b"");
            git(dir, &["commit", "-q", "-m", "step"], b"");
        }
        let repo = gix::open_opts(dir, gix::open::Options::isolated()).unwrap();
        let tree = |spec: &str| {
            let id = String::from_utf8(git(dir, &["rev-parse", spec], b"")).unwrap();
            Some(ObjectId::from_hex(id.trim().as_bytes()).unwrap())
        };
        let of = |from: &str, to: &str, way| {
            identify(&repo, &changes::between(&repo, tree(from), tree(to)).unwrap(), way).unwrap()
        };
        let undo = of("HEAD~1^{tree}", "HEAD^{tree}", Way::Forward);
        assert_eq!(of("HEAD~2^{tree}", "HEAD~1^{tree}", Way::Backward), undo);
        assert_ne!(of("HEAD~2^{tree}", "HEAD~1^{tree}", Way::Forward), undo);
    }
}
