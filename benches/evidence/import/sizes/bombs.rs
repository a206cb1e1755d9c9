//! Packs that are small and stand for much.

use gix::objs::Kind;

use super::packer::{Packer, copies};
use super::trees::{commit, entry, point};
use crate::Failure;
use crate::import::arena::Arena;
use crate::import::history::object;

const LARGEST: usize = 256 << 20;
const MIB: usize = 1 << 20;

/// A sound commit of one file in a pack that has `more` further objects.
fn begun(arena: &Arena, more: u32) -> Result<(Packer, String), Failure> {
    let mut pack = Packer::new(&arena.view(), 1, more + 3)?;
    let blob = object(Kind::Blob, b"the only file\n".to_vec());
    let tree = object(Kind::Tree, entry("100644", "file", &blob.id));
    let commit = commit(arena, &tree.id, &[]);
    for made in [&blob, &tree, &commit] {
        pack.whole(made.kind, &made.bytes)?;
    }
    let tip = point(arena, &commit.id)?;
    Ok((pack, tip))
}

pub(super) fn chain(arena: &Arena) -> Result<String, Failure> {
    let (mut pack, tip) = begun(arena, 4001)?;
    let mut base = pack.whole(Kind::Blob, &vec![0; MIB])?;
    let mut size = MIB;
    for _ in 0..4000 {
        base = pack.delta(base, &copies(size, LARGEST, b""))?;
        size = LARGEST;
    }
    pack.finish()?;
    Ok(tip)
}

/// Each base has one delta that waits and one that goes on, so that it is held until all that follow are made.
pub(super) fn forks(arena: &Arena) -> Result<String, Failure> {
    const STEPS: u32 = 20;
    let (mut pack, tip) = begun(arena, 2 * STEPS + 1)?;
    let mut base = pack.whole(Kind::Blob, &vec![0; MIB])?;
    let mut size = MIB;
    for n in 0..STEPS {
        pack.delta(base, &copies(size, LARGEST - 4, &n.to_le_bytes()))?;
        base = pack.delta(base, &copies(size, LARGEST, b""))?;
        size = LARGEST;
    }
    pack.finish()?;
    Ok(tip)
}

pub(super) fn siblings(arena: &Arena) -> Result<String, Failure> {
    let (mut pack, tip) = begun(arena, 4001)?;
    let base = pack.whole(Kind::Blob, &vec![0; MIB])?;
    for n in 0..4000_u32 {
        pack.delta(base, &copies(MIB, LARGEST - 4, &n.to_le_bytes()))?;
    }
    pack.finish()?;
    Ok(tip)
}

/// All of the last deltas are files of the tree, so that each has to be made of all of the chain.
pub(super) fn comb(arena: &Arena) -> Result<String, Failure> {
    const CHAIN: u32 = 4000;
    const TEETH: u32 = 100_000;
    let mut pack = Packer::new(&arena.view(), 1, CHAIN + TEETH + 3)?;
    let mut base = pack.whole(Kind::Blob, b"base")?;
    for n in 0..CHAIN {
        base = pack.delta(base, &copies(if n == 0 { 4 } else { 8 }, 4, &n.to_le_bytes()))?;
    }
    let mut names = Vec::new();
    for n in 0..TEETH {
        pack.delta(base, &copies(8, 4, &[&b"tooth"[..], &n.to_le_bytes()].concat()))?;
        let blob = object(Kind::Blob, [&b"basetooth"[..], &n.to_le_bytes()].concat());
        names.extend(entry("100644", &format!("{n:06}"), &blob.id));
    }
    let tree = object(Kind::Tree, names);
    let commit = commit(arena, &tree.id, &[]);
    pack.whole(Kind::Tree, &tree.bytes)?;
    pack.whole(Kind::Commit, &commit.bytes)?;
    pack.finish()?;
    point(arena, &commit.id)
}

pub(super) fn tiny(arena: &Arena) -> Result<String, Failure> {
    const OBJECTS: u32 = 1_000_000;
    let (mut pack, tip) = begun(arena, OBJECTS)?;
    for n in 0..OBJECTS {
        pack.whole(Kind::Blob, &n.to_le_bytes())?;
    }
    pack.finish()?;
    Ok(tip)
}

pub(super) fn packs(arena: &Arena) -> Result<String, Failure> {
    for number in 1..=30 {
        let mut pack = Packer::new(&arena.view(), number, 1_900_000)?;
        pack.empties(1_900_000)?;
        pack.finish()?;
    }
    // It is in none of them.
    let missing = object(Kind::Commit, b"x".to_vec());
    point(arena, &missing.id)
}
