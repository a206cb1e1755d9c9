//! How much of one file is in another, as git counts it.
//!
//! A file is cut after each line end and after 64 bytes; the pieces are counted by a hash. What both have is the sum of
//! the smaller counts, and the score is its share of the larger file.

use std::collections::HashMap;

use gix::ObjectId;
use gix::objs::Find;

use super::failed;
use super::halt::{Budget, Halt};
use super::tree::Entry;
use crate::graph;

/// The score of two files that are the same.
pub(super) const WHOLE: u64 = 60_000;
/// A pair below this is no rename.
pub(super) const LEAST: u64 = WHOLE / 2;

/// How long a piece is at most.
const PIECE: u32 = 64;
/// Hashes are below this.
const HASHES: u32 = 107_927;
/// How much of a file decides whether it is binary.
const PROBE: usize = 8000;

/// A file, cut to pieces: hash and bytes of each kind of piece, in the order of hashes.
#[derive(Debug)]
struct Pieces(Vec<(u32, u32)>);

/// Compares files, each of which is read once.
pub(super) struct Comparer<'s> {
    session: &'s gix::Repository,
    budget: &'s Budget,
    sizes: HashMap<ObjectId, u64>,
    pieces: HashMap<ObjectId, Pieces>,
}

impl<'s> Comparer<'s> {
    pub(super) fn new(session: &'s gix::Repository, budget: &'s Budget) -> Self {
        Self { session, budget, sizes: HashMap::new(), pieces: HashMap::new() }
    }

    /// The score of two files; 0 if it is sure to be below `least`.
    pub(super) fn score(&mut self, one: &Entry, other: &Entry, least: u64) -> Result<u64, Halt> {
        if !one.is_file() || !other.is_file() {
            return Ok(0);
        }
        self.budget.spend(1)?;
        let (one_size, other_size) = (self.size(one.id)?, self.size(other.id)?);
        let larger = one_size.max(other_size);
        let difference = larger - one_size.min(other_size);
        if u128::from(larger) * u128::from(WHOLE - least) < u128::from(difference) * u128::from(WHOLE) {
            return Ok(0);
        }
        self.read(one.id)?;
        self.read(other.id)?;
        let (Some(one), Some(other)) = (self.pieces.get(&one.id), self.pieces.get(&other.id)) else { return Ok(0) };
        let units = one.0.len() + other.0.len();
        self.budget.spend(units as u64)?;
        let score =
            if larger == 0 { 0 } else { u128::from(common(one, other)) * u128::from(WHOLE) / u128::from(larger) };
        Ok(u64::try_from(score).unwrap_or(WHOLE))
    }

    fn size(&mut self, id: ObjectId) -> Result<u64, Halt> {
        if let Some(size) = self.sizes.get(&id) {
            return Ok(*size);
        }
        let header = self.session.try_find_header(id).map_err(failed("read the size of a file"))?;
        let size = header.ok_or_else(|| graph::missing(self.session, id, "the file"))?.size();
        self.sizes.insert(id, size);
        Ok(size)
    }

    fn read(&mut self, id: ObjectId) -> Result<(), Halt> {
        if self.pieces.contains_key(&id) {
            return Ok(());
        }
        let mut buf = Vec::new();
        let object = self.session.objects.try_find(&id, &mut buf).map_err(failed("read a file"))?;
        let data = object.ok_or_else(|| graph::missing(self.session, id, "the file"))?.data;
        self.budget.spend(data.len() as u64)?;
        self.pieces.insert(id, cut(data));
        Ok(())
    }
}

/// Whether git takes this for a binary file.
pub(super) fn is_binary(data: &[u8]) -> bool {
    data[..data.len().min(PROBE)].contains(&0)
}

fn cut(data: &[u8]) -> Pieces {
    let text = !is_binary(data);
    let mut counted = Vec::with_capacity(data.len() / 16 + 1);
    let (mut low, mut high, mut length) = (0_u32, 0_u32, 0_u32);
    for (at, byte) in data.iter().enumerate() {
        if text && *byte == b'\r' && data.get(at + 1) == Some(&b'\n') {
            continue;
        }
        let before = low;
        low = (low << 7) ^ (high >> 25);
        high = (high << 7) ^ (before >> 25);
        low = low.wrapping_add(u32::from(*byte));
        length += 1;
        if length < PIECE && *byte != b'\n' {
            continue;
        }
        counted.push((hash(low, high), length));
        (low, high, length) = (0, 0, 0);
    }
    if length > 0 {
        counted.push((hash(low, high), length));
    }
    counted.sort_unstable();
    counted.dedup_by(|later, first| {
        let same = later.0 == first.0;
        if same {
            first.1 = first.1.saturating_add(later.1);
        }
        same
    });
    Pieces(counted)
}

fn hash(low: u32, high: u32) -> u32 {
    low.wrapping_add(high.wrapping_mul(0x61)) % HASHES
}

/// The bytes that both have.
fn common(one: &Pieces, other: &Pieces) -> u64 {
    let (mut one, mut other) = (one.0.as_slice(), other.0.as_slice());
    let mut sum = 0;
    while let ([(a, count), rest @ ..], [(b, opposite), others @ ..]) = (one, other) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => one = rest,
            std::cmp::Ordering::Greater => other = others,
            std::cmp::Ordering::Equal => {
                sum += u64::from(*count.min(opposite));
                (one, other) = (rest, others);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(one: &str, other: &str) -> u64 {
        common(&cut(one.as_bytes()), &cut(other.as_bytes()))
    }

    #[test]
    fn what_two_texts_have_in_common_is_counted_by_lines_wherever_they_are() {
        assert_eq!(share("a\nbb\nccc\n", "ccc\na\n"), 6);
        assert_eq!(share("a\na\n", "a\n"), 2, "each line as often as both have it");
        assert_eq!(share("a\r\nb\r\n", "a\nb\n"), 4, "line ends are all the same");
        assert_eq!(share("a\nend", "end"), 3, "a last line without an end is a line");
        assert_eq!(share("", "a\n"), 0);
    }

    #[test]
    fn long_lines_are_cut() {
        let line = "x".repeat(64);
        assert_eq!(share(&format!("{line}1\n"), &format!("{line}2\n")), 64);
    }
}
