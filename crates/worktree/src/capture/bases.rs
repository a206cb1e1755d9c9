//! Objects of a pack that the next ones may be made of.

use std::collections::HashMap;

use super::limits;

/// What was unpacked last, up to a limit, by its place in the pack.
#[derive(Debug, Default)]
pub(super) struct Bases {
    young: HashMap<usize, Vec<u8>>,
    /// Those from before, which are forgotten next unless they are asked for.
    old: HashMap<usize, Vec<u8>>,
    /// How many bytes the young ones have.
    bytes: usize,
}

impl Bases {
    /// A copy of what is remembered of this place.
    pub(super) fn get(&mut self, at: usize) -> Option<Vec<u8>> {
        if let Some(data) = self.young.get(&at) {
            return Some(data.clone());
        }
        let data = self.old.remove(&at)?;
        self.put(at, &data);
        Some(data)
    }

    pub(super) fn put(&mut self, at: usize, data: &[u8]) {
        // A place costs something too, however little is there.
        let size = data.len() + 128;
        if size > limits::BASES_BYTES / 4 {
            return;
        }
        if self.bytes + size > limits::BASES_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        if self.young.insert(at, data.to_vec()).is_none() {
            self.bytes += size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_again_is_kept_and_the_rest_is_forgotten() {
        let mut bases = Bases::default();
        let large = vec![1; limits::BASES_BYTES / 16];
        bases.put(0, b"kept");
        for at in 1..100 {
            bases.put(at, &large);
            assert_eq!(bases.get(0).as_deref(), Some(&b"kept"[..]), "{at}");
            let held: usize = bases.young.values().chain(bases.old.values()).map(Vec::len).sum();
            assert!(held <= limits::BASES_BYTES, "{held}");
        }
        assert!(bases.get(1).is_none());
        bases.put(200, &vec![0; limits::BASES_BYTES]);
        assert!(bases.get(200).is_none(), "one that would take all of the room");
    }
}
