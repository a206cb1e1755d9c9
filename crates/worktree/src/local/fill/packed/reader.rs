//! Unpacks trees of objects.

use gix::zlib::Inflate;

use super::forest::Tree;
use super::packs::Packs;
use crate::capture::apply_delta;

/// What one thread holds of bases at once. git's own cache of bases has 96 MiB; here a base is only held while deltas
/// of it are still to come, so that this is reached by nothing but very large files with many versions.
const BASES: usize = 64 << 20;
/// A buffer larger than this is not kept for the next object.
const SPARE: usize = 4 << 20;

/// Unpacks trees one after the other.
pub(in crate::local::fill) struct Reader<'a> {
    packs: &'a Packs,
    inflate: Inflate,
    /// The objects between the root and the one that was made last; empty where nothing needs one any more.
    bases: Vec<Vec<u8>>,
    delta: Vec<u8>,
    spare: Vec<Vec<u8>>,
}

impl<'a> Reader<'a> {
    pub(in crate::local::fill) fn new(packs: &'a Packs) -> Self {
        Self { packs, inflate: Inflate::default(), bases: Vec::new(), delta: Vec::new(), spare: Vec::new() }
    }

    /// Hands out the content of each object that is wanted of a tree, until the receiver fails. Returns what could not
    /// be unpacked, or only with more memory than this takes, to be read in another way.
    pub(in crate::local::fill) fn read<T, E>(
        &mut self,
        tree: Tree<T>,
        mut receive: impl FnMut(T, &[u8]) -> Result<(), E>,
    ) -> Result<Vec<T>, E> {
        let pack = tree.pack;
        let mut left = Vec::new();
        let mut steps = tree.steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            let entry = &step.entry;
            while self.bases.len() > step.depth {
                let done = self.bases.pop();
                self.give_back(done);
            }
            let mut content = self.spare.pop().unwrap_or_default();
            let made = if step.depth == 0 {
                self.packs.unpack(pack, entry, &mut self.inflate, &mut content)
            } else {
                self.packs.unpack(pack, entry, &mut self.inflate, &mut self.delta).and_then(|()| {
                    let base = self.bases.get(step.depth - 1)?;
                    apply_delta(base, &self.delta, u64::MAX, &mut content).ok()
                })
            };
            if step.is_last
                && let Some(base) = self.bases.last_mut()
            {
                let done = std::mem::take(base);
                self.give_back(Some(done));
            }
            let needs = steps.peek().is_some_and(|next| next.depth > step.depth);
            let held: usize = self.bases.iter().map(Vec::len).sum();
            if made.is_none() || (needs && held + content.len() > BASES) {
                left.extend(step.wanted);
                left.extend(steps.flat_map(|step| step.wanted));
                break;
            }
            for wanted in step.wanted {
                receive(wanted, &content)?;
            }
            if needs {
                self.bases.push(content);
            } else {
                self.give_back(Some(content));
            }
        }
        while let Some(done) = self.bases.pop() {
            self.give_back(Some(done));
        }
        Ok(left)
    }

    fn give_back(&mut self, buffer: Option<Vec<u8>>) {
        const MANY: usize = 16;
        self.spare.extend(buffer.filter(|b| b.capacity() > 0 && b.capacity() <= SPARE && self.spare.len() < MANY));
        if self.delta.capacity() > SPARE {
            self.delta = Vec::new();
        }
    }
}
