//! Reads the refs of a git directory that an agent could write, with parsers that trust nothing.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use gix::ObjectId;
use gix::hash::Kind;
use rustix::fs::FileType;

use super::beneath::{self, Dir};
use super::limits;

/// What a ref holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Id(ObjectId),
    Symbolic(Vec<u8>),
}

/// The refs of one git directory.
#[derive(Debug)]
pub(super) struct Refs<'a> {
    /// Where `HEAD` lies.
    pub(super) own: &'a Dir,
    /// Where `refs` and `packed-refs` lie.
    pub(super) common: &'a Dir,
    /// The kind of the repository's object ids; one of another kind names nothing.
    pub(super) hash: Kind,
}

impl Refs<'_> {
    /// The commit that `HEAD` names, in words why not.
    pub(super) fn head(&self) -> Result<ObjectId, String> {
        let text = self.own.read(b"HEAD", limits::REF_BYTES).map_err(|e| format!("HEAD {e}"))?;
        let mut value = parse(&text, self.hash).ok_or("HEAD holds neither a commit nor a ref")?;
        for _ in 0..limits::SYMREF_DEPTH {
            match value {
                Value::Id(id) => return Ok(id),
                Value::Symbolic(name) => {
                    let shown = String::from_utf8_lossy(&name).into_owned();
                    value = self.value(&name)?.ok_or_else(|| format!("HEAD names {shown}, which has no commit"))?;
                }
            }
        }
        Err("HEAD is a symbolic ref of too many steps".into())
    }

    /// The commit that a full ref name holds directly, if the ref exists.
    pub(super) fn commit(&self, name: &str) -> Result<Option<ObjectId>, String> {
        match self.value(name.as_bytes())? {
            None => Ok(None),
            Some(Value::Id(id)) => Ok(Some(id)),
            Some(Value::Symbolic(_)) => Err(format!("{name} is a symbolic ref")),
        }
    }

    fn value(&self, name: &[u8]) -> Result<Option<Value>, String> {
        let shown = String::from_utf8_lossy(name);
        if !name.starts_with(b"refs/") || gix::validate::reference::name(name.into()).is_err() {
            return Err(format!("{shown:?} is not a ref name"));
        }
        match self.common.read(name, limits::REF_BYTES) {
            Ok(text) => {
                parse(&text, self.hash).map(Some).ok_or_else(|| format!("{shown} holds neither a commit nor a ref"))
            }
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(self.packed()?.remove(name).map(Value::Id))
            }
            // The directory of a deleted branch may be left behind, empty.
            Err(_) if self.common.dir(name).is_ok() => Ok(self.packed()?.remove(name).map(Value::Id)),
            Err(e) => Err(format!("{shown} {e}")),
        }
    }

    fn packed(&self) -> Result<BTreeMap<Vec<u8>, ObjectId>, String> {
        match self.common.read(b"packed-refs", limits::PACKED_REFS_BYTES) {
            Ok(text) => parse_packed(&text, self.hash),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(e) if e.kind() == ErrorKind::FileTooLarge => {
                Err(limits::beyond_refs(format!("packed-refs {e}"), limits::mib(limits::PACKED_REFS_BYTES)))
            }
            Err(e) => Err(format!("packed-refs {e}")),
        }
    }

    /// All refs that hold an id directly, and in words what could not be read.
    pub(super) fn all(&self) -> (BTreeMap<Vec<u8>, ObjectId>, Vec<String>) {
        let mut flaws = Vec::new();
        let mut found = self.packed().unwrap_or_else(|flaw| {
            flaws.push(flaw);
            BTreeMap::new()
        });
        let mut dirs = vec![b"refs".to_vec()];
        let mut seen = Seen::default();
        let mut unlisted = 0;
        while let Some(dir) = dirs.pop() {
            if let Err(flaw) = self.list(&dir, &mut dirs, &mut found, &mut seen) {
                if flaws.len() < limits::NOTICES {
                    flaws.push(flaw);
                } else {
                    unlisted += 1;
                }
            }
            if found.len() > limits::REFS {
                flaws.push(limits::beyond_refs(format!("there are more than {} refs", limits::REFS), limits::REFS));
                break;
            }
            if seen.is_too_much() {
                let limit = format!(
                    "{} files and directories, or {} bytes of names",
                    limits::REF_FILES,
                    limits::REF_NAME_BYTES
                );
                flaws.push(limits::beyond_refs("there is too much below refs", limit));
                break;
            }
        }
        if unlisted > 0 {
            flaws.push(format!("and {unlisted} more directories of refs could not be read as a whole"));
        }
        (found, flaws)
    }

    fn list(
        &self,
        dir: &[u8],
        dirs: &mut Vec<Vec<u8>>,
        found: &mut BTreeMap<Vec<u8>, ObjectId>,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let flaw = |e: std::io::Error| format!("{} {e}", String::from_utf8_lossy(dir));
        let open = self.common.dir(dir).map_err(flaw)?;
        let mut strange = None;
        for name in open.names(limits::REFS).map_err(flaw)? {
            let mut path = dir.to_vec();
            path.push(b'/');
            path.extend_from_slice(name.to_bytes());
            seen.count(&path);
            if seen.is_too_much() {
                break;
            }
            if path.ends_with(b".lock") {
                continue;
            }
            match open.stat(name.to_bytes()).map(|s| beneath::kind(&s)) {
                Ok(FileType::Directory) if path.len() < limits::PATH_BYTES => dirs.push(path),
                Ok(_) => match self.value(&path) {
                    Ok(Some(Value::Id(id))) => drop(found.insert(path, id)),
                    Ok(_) => {}
                    Err(flaw) => strange = Some(flaw),
                },
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => strange = Some(flaw(e)),
            }
        }
        strange.map_or(Ok(()), Err)
    }

    /// Everything that a reflog names, the newest last; `name` is that of a file below `logs`.
    pub(super) fn log(&self, name: &str) -> Result<Vec<ObjectId>, String> {
        match self.own.read(format!("logs/{name}").as_bytes(), limits::STASH_LOG_BYTES) {
            Ok(text) => Ok(parse_log(&text, self.hash)),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
            Err(e) if e.kind() == ErrorKind::FileTooLarge => {
                let limit = limits::mib(limits::STASH_LOG_BYTES);
                Err(limits::beyond_refs(format!("the log of {name} {e}"), limit))
            }
            Err(e) => Err(format!("the log of {name} {e}")),
        }
    }

    /// The commits of all stashes, of which only the newest has a ref; in words why they cannot be read.
    pub(super) fn stashes(&self) -> Result<Vec<ObjectId>, String> {
        Refs { own: self.common, ..*self }.log("refs/stash")
    }
}

/// What was looked at among the refs.
#[derive(Debug, Default)]
struct Seen {
    files: usize,
    bytes: usize,
}

impl Seen {
    fn count(&mut self, path: &[u8]) {
        self.files += 1;
        self.bytes += path.len();
    }

    fn is_too_much(&self) -> bool {
        self.files > limits::REF_FILES || self.bytes > limits::REF_NAME_BYTES
    }
}

fn parse(text: &[u8], hash: Kind) -> Option<Value> {
    let text = text.trim_ascii_end();
    match text.strip_prefix(b"ref:") {
        Some(name) => Some(Value::Symbolic(name.trim_ascii().to_vec())),
        None => id(text, hash).map(Value::Id),
    }
}

fn id(text: &[u8], hash: Kind) -> Option<ObjectId> {
    ObjectId::from_hex(text).ok().filter(|id| id.kind() == hash && !id.is_null())
}

fn parse_packed(text: &[u8], hash: Kind) -> Result<BTreeMap<Vec<u8>, ObjectId>, String> {
    let mut refs = BTreeMap::new();
    for line in text.split(|b| *b == b'\n') {
        if line.is_empty() || line[0] == b'#' || line[0] == b'^' {
            continue;
        }
        let space = line.iter().position(|b| *b == b' ').ok_or("packed-refs has a line that is no ref")?;
        let id = id(&line[..space], hash).ok_or("packed-refs has a line without an object id")?;
        let name = &line[space + 1..];
        if !name.starts_with(b"refs/") || gix::validate::reference::name(name.into()).is_err() {
            return Err(format!("packed-refs has the ref name {:?}", String::from_utf8_lossy(name)));
        }
        refs.insert(name.to_vec(), id);
        if refs.len() > limits::REFS {
            let what = format!("packed-refs has more than {} refs", limits::REFS);
            return Err(limits::beyond_refs(what, limits::REFS));
        }
    }
    Ok(refs)
}

fn parse_log(text: &[u8], hash: Kind) -> Vec<ObjectId> {
    let new = |line: &[u8]| line.split(|b| *b == b' ').nth(1).and_then(|text| id(text, hash));
    text.split(|b| *b == b'\n').filter_map(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    #[test]
    fn a_ref_file_holds_an_id_or_a_name_and_nothing_else() {
        let found = parse(format!("{ID}\n").as_bytes(), Kind::Sha1);
        assert_eq!(found, Some(Value::Id(ObjectId::from_hex(ID.as_bytes()).unwrap())));
        assert_eq!(parse(b"ref: refs/heads/x\n", Kind::Sha1), Some(Value::Symbolic(b"refs/heads/x".to_vec())));
        for bad in ["", "ref", "0123", &format!("{ID} extra"), &"0".repeat(40), &"1".repeat(64), "\0"] {
            assert_eq!(parse(bad.as_bytes(), Kind::Sha1), None, "{bad:?}");
        }
    }

    #[test]
    fn packed_refs_with_a_forged_name_are_refused() {
        let good = format!("# pack-refs with: peeled \n{ID} refs/heads/a\n{ID} refs/tags/t\n^{ID}\n");
        assert_eq!(parse_packed(good.as_bytes(), Kind::Sha1).unwrap().len(), 2);
        for bad in ["refs/heads/../../config", "HEAD", "refs/heads/a b", "refs/heads/\u{7f}"] {
            assert!(parse_packed(format!("{ID} {bad}\n").as_bytes(), Kind::Sha1).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn directories_without_end_are_not_all_looked_at() {
        let place = tempfile::tempdir().unwrap();
        for outer in 0..30 {
            for inner in 0..30 {
                std::fs::create_dir_all(place.path().join(format!("refs/{outer}/{inner}"))).unwrap();
            }
        }
        std::fs::write(place.path().join("refs/sound"), ID).unwrap();
        let dir = Dir::open(place.path()).unwrap();
        let (found, flaws) = Refs { own: &dir, common: &dir, hash: Kind::Sha1 }.all();
        assert_eq!(found.len(), 1);
        assert!(matches!(&flaws[..], [flaw] if flaw.contains("the limit is 500 files")), "{flaws:?}");
    }

    #[test]
    fn the_log_of_the_stash_names_every_stash() {
        let log = format!("{} {ID} a <a@b> 1 +0000\tWIP\nshort\n", "0".repeat(40));
        assert_eq!(parse_log(log.as_bytes(), Kind::Sha1).len(), 1);
    }
}
