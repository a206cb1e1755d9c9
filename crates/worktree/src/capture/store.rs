//! All objects of a view, each checked against its name.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use gix::ObjectId;
use rustix::fs::Stat;

use super::beneath::Dir;
use super::inflate::Budget;
use super::limits;
use super::loose::{self, Object};
use super::pack::Pack;

/// The object database of a view, without what it borrows.
#[derive(Debug)]
pub(super) struct Store {
    objects: Dir,
    packs: Vec<Pack>,
    budget: Budget,
    /// What is wrong with the packs that could not be read.
    flaws: Vec<String>,
}

impl Store {
    /// Opens the objects of the git directory `git`; packs are copied to unnamed files in `spool`, a directory that the
    /// agent cannot write.
    pub(super) fn open(git: &Dir, spool: &Path, hash: gix::hash::Kind) -> Result<Self, String> {
        let objects = git.dir(b"objects").map_err(|e| format!("the object database cannot be opened: {e}"))?;
        let budget = Budget::new(limits::WORK_BYTES);
        let mut store = Self { objects, packs: Vec::new(), budget, flaws: Vec::new() };
        let Ok(dir) = store.objects.dir(b"pack") else { return Ok(store) };
        let names = dir.names(limits::REFS).map_err(|e| format!("the directory of packs {e}"))?;
        let mut room = limits::PACK_BYTES;
        let mut objects = limits::OBJECTS;
        for name in names.iter().map(|n| n.to_bytes()).filter(|n| n.ends_with(b".pack")) {
            let made = spooled(&dir, name, spool, &mut room)
                .and_then(|file| Pack::index(file, hash, &store.budget, &mut objects));
            match made {
                Ok(pack) => store.packs.push(pack),
                Err(why) => store.flaws.push(format!("{} is damaged: {why}", String::from_utf8_lossy(name))),
            }
        }
        Ok(store)
    }

    /// The object of this id, checked; in words why it is not there.
    pub(super) fn find(&self, id: ObjectId) -> Result<Object, String> {
        for pack in &self.packs {
            if let Some(object) = pack.find(id, &self.budget)? {
                return loose::check(object, id);
            }
        }
        if let Some(object) = loose::read(&self.objects, id, &self.budget)? {
            return Ok(object);
        }
        let flaws = if self.flaws.is_empty() { String::new() } else { format!(" ({})", self.flaws.join("; ")) };
        Err(format!("object {id} is missing{flaws}"))
    }
}

/// Copies a pack to a file without a name.
fn spooled(dir: &Dir, name: &[u8], spool: &Path, room: &mut u64) -> Result<File, String> {
    let (source, stat) = dir.file(name).map_err(|e| format!("it {e}"))?;
    // Holes cost an agent nothing, and a copy of them much. What git packs does not shrink; a file system that has not
    // yet decided where to put it is made to.
    let has_holes = |stat: &Stat| {
        let (size, held) = (u64::try_from(stat.st_size), u64::try_from(stat.st_blocks));
        size.is_ok_and(|size| {
            size > limits::WITHOUT_HOLES && held.is_ok_and(|held| held.saturating_mul(512) < size / 2)
        })
    };
    let flushed = || rustix::fs::fsync(&source).and_then(|()| rustix::fs::fstat(&source));
    if has_holes(&stat) && flushed().is_ok_and(|stat| has_holes(&stat)) {
        return Err("it has holes".into());
    }
    let mut source = source.take(*room + 1);
    let mut target = unnamed(spool).map_err(|e| format!("it cannot be copied: {e}"))?;
    let copied = std::io::copy(&mut source, &mut target).map_err(|e| format!("it cannot be copied: {e}"))?;
    target.flush().map_err(|e| format!("it cannot be copied: {e}"))?;
    let too_large = || limits::beyond("the packs are larger than is allowed", limits::mib(limits::PACK_BYTES));
    *room = room.checked_sub(copied).ok_or_else(too_large)?;
    Ok(target)
}

fn unnamed(dir: &Path) -> std::io::Result<File> {
    let mut tries = 0;
    loop {
        let path = dir.join(format!("spool-{}-{tries}", std::process::id()));
        match File::options().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && tries < 1000 => tries += 1,
            Err(e) => return Err(e),
        }
    }
}
