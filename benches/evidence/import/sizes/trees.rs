//! Trees and commits without end.

use std::io::Write;
use std::process::Stdio;

use gix::ObjectId;
use gix::objs::Kind;

use super::packer::Packer;
use crate::import::arena::Arena;
use crate::import::draw::WHO;
use crate::import::history::{Made, object};
use crate::{Failure, git};

const NAMES: usize = 1_000_000;

pub(super) fn entry(mode: &str, name: &str, id: &ObjectId) -> Vec<u8> {
    [mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_bytes()].concat()
}

/// A commit with these parents, on the first one that the repository knows when there are none.
pub(super) fn commit(arena: &Arena, tree: &ObjectId, parents: &[ObjectId]) -> Made {
    let known = ObjectId::from_bytes_or_panic(&arena.known[0].commit);
    let parents = if parents.is_empty() { &[known][..] } else { parents };
    let lines: String = parents.iter().map(|id| format!("parent {id}\n")).collect();
    let text = format!("tree {tree}\n{lines}author {WHO}\ncommitter {WHO}\n\nlarge\n");
    object(Kind::Commit, text.into_bytes())
}

/// Makes the branch inside name this commit.
pub(super) fn point(arena: &Arena, id: &ObjectId) -> Result<String, Failure> {
    std::fs::write(arena.view().join("refs/heads/lane"), format!("{id}\n"))?;
    Ok(id.to_string())
}

/// Writes these objects in one pack; the last is the tip.
fn packed(arena: &Arena, made: &[Made]) -> Result<String, Failure> {
    let mut pack = Packer::new(&arena.view(), 1, u32::try_from(made.len())?)?;
    for made in made {
        pack.whole(made.kind, &made.bytes)?;
    }
    pack.finish()?;
    point(arena, &made.last().ok_or("no object")?.id)
}

pub(super) fn names(arena: &Arena) -> Result<String, Failure> {
    let blob = object(Kind::Blob, b"one file\n".to_vec());
    let all = (0..NAMES).flat_map(|n| entry("100644", &format!("{n:07}"), &blob.id)).collect();
    let tree = object(Kind::Tree, all);
    let commit = commit(arena, &tree.id, &[]);
    packed(arena, &[blob, tree, commit])
}

pub(super) fn files(arena: &Arena) -> Result<String, Failure> {
    let mut made: Vec<Made> =
        (0..100_000).map(|n: u32| object(Kind::Blob, format!("file {n}\n").into_bytes())).collect();
    let all = made.iter().enumerate().flat_map(|(n, blob)| entry("100644", &format!("{n:07}"), &blob.id)).collect();
    let tree = object(Kind::Tree, all);
    let commit = commit(arena, &tree.id, &[]);
    made.extend([tree, commit]);
    packed(arena, &made)
}

/// Whoever remembers every name that is still to be looked at needs 300 million places for them.
pub(super) fn fan(arena: &Arena) -> Result<String, Failure> {
    const LEVELS: u32 = 300;
    let mut pack = Packer::new(&arena.view(), 1, LEVELS + 2)?;
    let mut last = object(Kind::Tree, entry("100644", "file", &ObjectId::from_bytes_or_panic(&arena.known[0].blob)));
    pack.whole(Kind::Tree, &last.bytes)?;
    for _ in 0..LEVELS {
        let all = (0..NAMES).flat_map(|n| entry("40000", &format!("{n:07}"), &last.id)).collect();
        last = object(Kind::Tree, all);
        pack.whole(Kind::Tree, &last.bytes)?;
    }
    let commit = commit(arena, &last.id, &[]);
    pack.whole(Kind::Commit, &commit.bytes)?;
    pack.finish()?;
    point(arena, &commit.id)
}

pub(super) fn deep(arena: &Arena) -> Result<String, Failure> {
    let mut made = vec![object(Kind::Blob, b"far down\n".to_vec())];
    made.push(object(Kind::Tree, entry("100644", "file", &made[0].id)));
    for n in 1..=10_000 {
        let tree = object(Kind::Tree, entry("40000", "d", &made[n].id));
        made.push(tree);
    }
    let commit = commit(arena, &made[10_001].id, &[]);
    made.push(commit);
    packed(arena, &made)
}

pub(super) fn octopus(arena: &Arena) -> Result<String, Failure> {
    let tree = ObjectId::from_bytes_or_panic(&arena.known[0].tree);
    let text = |n| {
        let base = ObjectId::from_bytes_or_panic(&arena.known[0].commit);
        format!("tree {tree}\nparent {base}\nauthor {WHO}\ncommitter {WHO}\n\narm {n}\n").into_bytes()
    };
    let mut made: Vec<Made> = (0..100_000).map(|n| object(Kind::Commit, text(n))).collect();
    let parents: Vec<ObjectId> = made.iter().map(|made| made.id).collect();
    let head = commit(arena, &tree, &parents);
    made.push(head);
    packed(arena, &made)
}

/// As a fetch of another project's history inside would leave it: one pack, with the deltas that git makes.
pub(super) fn history(arena: &Arena) -> Result<String, Failure> {
    let view = arena.view();
    let mut child = git::command(&view).args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn()?;
    let mut input = std::io::BufWriter::new(child.stdin.take().ok_or("no standard input")?);
    let first = ObjectId::from_bytes_or_panic(&arena.known[0].commit);
    for n in 0..30_000_u32 {
        let from = if n == 0 { format!("from {first}\n") } else { String::new() };
        let text = format!("line {n}\n").repeat(20);
        let place = format!("{}/{}/file", n % 40, n % 1000);
        write!(
            input,
            "commit refs/heads/lane\ncommitter A <a@b> {} +0000\ndata 1\nx\n{from}M 100644 inline {place}\ndata {}\n{text}\n",
            1_600_000_000 + n,
            text.len(),
        )?;
    }
    drop(input.into_inner().map_err(std::io::IntoInnerError::into_error)?);
    if !child.wait()?.success() {
        return Err("git fast-import failed".into());
    }
    Ok(git::lines(&view, &["rev-parse", "refs/heads/lane"])?.remove(0))
}
