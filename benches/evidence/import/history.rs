//! A history as its parts, so that one can be changed and everything that names it still does.

use gix::ObjectId;
use gix::hash::Kind as Hash;
use gix::objs::Kind;

/// What a part names.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// An earlier part of this history.
    Part(usize),
    /// Anything else.
    Id(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) mode: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) target: Target,
}

/// A piece of a commit or a tag.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(Vec<u8>),
    /// A header with the id of something.
    Names(Vec<u8>, Target),
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    Tree(Vec<Entry>),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) body: Body,
}

/// An object with the id that it really has.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) id: ObjectId,
    pub(super) bytes: Vec<u8>,
}

/// Parts of which each names only earlier ones, the tip last.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) parts: Vec<Part>,
}

impl History {
    pub(super) fn push(&mut self, kind: Kind, body: Body) -> usize {
        self.parts.push(Part { kind, body });
        self.parts.len() - 1
    }

    /// The objects; `last` may change the bytes of one before they are hashed.
    pub(super) fn make(&self, mut last: impl FnMut(usize, &mut Vec<u8>)) -> Vec<Made> {
        let mut made: Vec<Made> = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let mut bytes = part.bytes(&made);
            last(at, &mut bytes);
            made.push(object(part.kind, bytes));
        }
        made
    }

    /// The parts of a kind.
    pub(super) fn of(&self, kind: Kind) -> Vec<usize> {
        (0..self.parts.len()).filter(|at| self.parts[*at].kind == kind).collect()
    }
}

/// An object under its own name.
pub(super) fn object(kind: Kind, bytes: Vec<u8>) -> Made {
    let id = gix::objs::compute_hash(Hash::Sha1, kind, &bytes).unwrap_or(ObjectId::null(Hash::Sha1));
    Made { kind, id, bytes }
}

impl Part {
    fn bytes(&self, made: &[Made]) -> Vec<u8> {
        let id = |target: &Target| match target {
            Target::Part(at) => made.get(*at).map_or(vec![0x5a; 20], |made| made.id.as_bytes().to_vec()),
            Target::Id(bytes) => bytes.clone(),
        };
        match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Tree(entries) => {
                let entry = |e: &Entry| [&e.mode[..], b" ", &e.name, b"\0", &id(&e.target)].concat();
                entries.iter().flat_map(entry).collect()
            }
            Body::Pieces(pieces) => {
                let piece = |piece: &Piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Names(field, target) => {
                        let hex: String = id(target).iter().map(|b| format!("{b:02x}")).collect();
                        [&field[..], b" ", hex.as_bytes(), b"\n"].concat()
                    }
                };
                pieces.iter().flat_map(piece).collect()
            }
        }
    }
}

/// Sorts entries as git does.
pub(super) fn sort(entries: &mut [Entry]) {
    entries.sort_by_cached_key(|entry| {
        let dir = matches!(&entry.mode[..], b"40000" | b"040000");
        [&entry.name[..], if dir { b"/" } else { b"" }].concat()
    });
}
