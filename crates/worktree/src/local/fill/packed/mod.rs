//! Reads many objects of packs, each delta and each of its bases only once.
//!
//! A pack stores most files as deltas of others. Read one by one, a base is unpacked again for each object that needs it,
//! and a cache helps only as far as it reaches. Here the objects are known before any is read, so that they can be put
//! in the order in which a base is at hand when it is needed, and is dropped when nothing needs it any more.

mod forest;
mod packs;
mod reader;

pub(super) use forest::{Tree, grow};
pub(super) use packs::Packs;
pub(super) use reader::Reader;
