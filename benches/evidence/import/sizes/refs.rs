//! Refs and logs without end.

use std::fs::{File, create_dir, create_dir_all, write};
use std::io::{BufWriter, Write};

use gix::ObjectId;
use gix::objs::Kind;

use super::packer::Packer;
use super::trees::{commit, point};
use crate::Failure;
use crate::import::arena::Arena;

/// A sound commit, which the branch inside names.
fn sound(arena: &Arena) -> Result<String, Failure> {
    let commit = commit(arena, &ObjectId::from_bytes_or_panic(&arena.known[0].tree), &[]);
    let mut pack = Packer::new(&arena.view(), 1, 1)?;
    pack.whole(Kind::Commit, &commit.bytes)?;
    pack.finish()?;
    point(arena, &commit.id)
}

pub(super) fn packed(arena: &Arena) -> Result<String, Failure> {
    let tip = sound(arena)?;
    let mut file = BufWriter::new(File::create(arena.view().join("packed-refs"))?);
    for n in 0..1_000_000 {
        writeln!(file, "{tip} refs/heads/x{n:07}")?;
    }
    file.flush()?;
    Ok(tip)
}

pub(super) fn loose(arena: &Arena) -> Result<String, Failure> {
    let tip = sound(arena)?;
    for dir in 0..20 {
        let dir = arena.view().join(format!("refs/heads/many/{dir}"));
        create_dir_all(&dir)?;
        for n in 0..10_000 {
            write(dir.join(n.to_string()), format!("{tip}\n"))?;
        }
    }
    Ok(tip)
}

pub(super) fn hollow(arena: &Arena) -> Result<String, Failure> {
    let tip = sound(arena)?;
    for outer in 0..300 {
        let dir = arena.view().join(format!("refs/heads/hollow/{outer}"));
        create_dir_all(&dir)?;
        for n in 0..1000 {
            create_dir(dir.join(n.to_string()))?;
        }
    }
    Ok(tip)
}

pub(super) fn logs(arena: &Arena) -> Result<String, Failure> {
    let tip = sound(arena)?;
    for name in ["HEAD", "refs/heads/lane", "refs/stash"] {
        let path = arena.view().join("logs").join(name);
        create_dir_all(path.parent().ok_or("no directory")?)?;
        File::create(path)?.set_len(8 << 30)?;
    }
    Ok(tip)
}
