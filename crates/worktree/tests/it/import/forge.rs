//! Makes objects that git would not make, with the ids that they really have.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use gix::objs::Kind;

use crate::capture::Lane;

pub(crate) const WHO: &str = "A U Thor <a@example.com> 1700000000 +0000";

/// A place in the private git directory of a lane.
pub(crate) struct Forge {
    view: PathBuf,
    base: String,
    case: usize,
    made: RefCell<Vec<(Kind, String, Vec<u8>)>>,
}

/// One entry of a tree.
pub(crate) fn entry(mode: &str, name: &[u8], id: &str) -> Vec<u8> {
    [mode.as_bytes(), b" ", name, b"\0", &raw(id)].concat()
}

pub(crate) fn raw(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

pub(crate) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = gix::zlib::stream::deflate::Write::new(Vec::new(), gix::zlib::Compression::BEST_SPEED);
    out.write_all(bytes).unwrap();
    out.flush().unwrap();
    out.into_inner()
}

pub(crate) fn id_of(kind: Kind, bytes: &[u8]) -> String {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).unwrap().to_string()
}

pub(crate) fn loose(dir: &Path, id: &str, file: &[u8]) {
    let path = dir.join("objects").join(&id[..2]);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(&id[2..]), file).unwrap();
}

impl Forge {
    pub(crate) fn new(lane: &Lane, case: usize) -> Self {
        Self { view: lane.view(), base: lane.base().to_owned(), case, made: RefCell::default() }
    }

    pub(crate) fn view(&self) -> &Path {
        &self.view
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Stores an object.
    pub(crate) fn object(&self, kind: Kind, bytes: &[u8]) -> String {
        let id = id_of(kind, bytes);
        loose(&self.view, &id, &deflated(&[format!("{kind} {}\0", bytes.len()).as_bytes(), bytes].concat()));
        self.made.borrow_mut().push((kind, id.clone(), bytes.to_vec()));
        id
    }

    /// A blob that no other case has.
    pub(crate) fn blob(&self) -> String {
        self.object(Kind::Blob, format!("blob of case {}\n", self.case).as_bytes())
    }

    pub(crate) fn tree(&self, entries: &[Vec<u8>]) -> String {
        self.object(Kind::Tree, &entries.concat())
    }

    /// A tree that no other case has.
    pub(crate) fn plain(&self) -> String {
        self.tree(&[entry("100644", b"file", &self.blob())])
    }

    /// A sound commit on the base.
    pub(crate) fn commit(&self, tree: &str) -> String {
        let text = format!("tree {tree}\nparent {}\nauthor {WHO}\ncommitter {WHO}\n\ncase {}\n", self.base, self.case);
        self.object(Kind::Commit, text.as_bytes())
    }

    /// A commit of one file under this name and mode.
    pub(crate) fn named(&self, mode: &str, name: &[u8]) -> String {
        let id = match mode {
            "40000" | "040000" => self.plain(),
            _ => self.blob(),
        };
        self.commit(&self.tree(&[entry(mode, name, &id)]))
    }

    /// A commit of one file with this content.
    pub(crate) fn holding(&self, name: &[u8], content: &[u8]) -> String {
        let blob = self.object(Kind::Blob, content);
        self.commit(&self.tree(&[entry("100644", name, &blob)]))
    }

    /// Makes the branch inside name this.
    pub(crate) fn point(&self, tip: &str) {
        self.write("refs/heads/lane", format!("{tip}\n"));
    }

    /// Writes a file of the private git directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        crate::capture::write(&self.view.join(name), content);
    }

    /// The objects that were made.
    pub(crate) fn take(&self) -> Vec<(Kind, String, Vec<u8>)> {
        self.made.borrow().clone()
    }

    /// Takes all objects away again.
    pub(crate) fn clear(&self) {
        fs::remove_dir_all(self.view.join("objects")).unwrap();
        fs::create_dir_all(self.view.join("objects/pack")).unwrap();
    }
}
