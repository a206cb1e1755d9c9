//! The refs of the repository: read as files, each changed by compare-and-swap under git's own locks.
//!
//! Not with the library's transactions: they look at `packed-refs` before they have the lock, so that a ref that is moved
//! and packed in between is overwritten, and they take a ref that exists already with the wanted value for a new one.

mod below;
mod edit;
mod lock;
mod log;
mod packed;

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use gix::ObjectId;

pub(crate) use below::{beginning, below, conflict, is_packed_over};
pub(crate) use edit::{Edit, edit};
pub(crate) use log::{COMMITTER, Log, last_message, last_told, line};

use crate::capture::fault;
use crate::{Error, Result, disk};
use lock::RefLock;
pub(crate) use lock::{Packers, Staged, is_abandoned};

/// What a ref is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// There is none.
    Missing,
    /// It names an object.
    Id(ObjectId),
    /// It names another ref, or is damaged.
    Other,
}

/// Reads a ref, loose or packed.
pub(crate) fn read(common: &Path, name: &str) -> Result<Value> {
    let path = common.join(name);
    match disk::read_small(&path) {
        Ok(text) => return Ok(value(text.trim_ascii_end())),
        // A directory of longer names, or nothing. What was packed meanwhile is in the packed refs by now.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) || path.is_dir() => {}
        Err(e) => return Err(fault::io("read", path)(e)),
    }
    Ok(packed::find(&packed_text(common)?, name).map_or(Value::Missing, value))
}

/// Makes a ref name this object if it is as `allowed` says, and says what it was. The log is told of it, if there is one.
pub(crate) fn set(
    common: &Path,
    name: &str,
    new: ObjectId,
    log: Option<&Log>,
    allowed: impl Fn(Value) -> bool,
) -> Result<Value> {
    set_staged(common, name, &Staged::durable(common, new)?, log, allowed)
}

/// As [`set`], to what was staged before.
pub(crate) fn set_staged(
    common: &Path,
    name: &str,
    staged: &Staged,
    log: Option<&Log>,
    allowed: impl Fn(Value) -> bool,
) -> Result<Value> {
    let lock = RefLock::take_filled(&common.join(name), staged)?;
    let found = read(common, name)?;
    if allowed(found) {
        if let Some(log) = log {
            log.tell(common, name, found, staged.id());
        }
        lock.commit()?;
    }
    Ok(found)
}

/// Deletes a ref and its reflog if it is as `allowed` says, and says what it was.
pub(crate) fn delete(common: &Path, name: &str, allowed: impl Fn(Value) -> bool) -> Result<Value> {
    delete_among(common, name, &Packers::default(), allowed)
}

/// As [`delete`], by one who deletes many and remembers which lock was left behind.
pub(crate) fn delete_among(
    common: &Path,
    name: &str,
    packers: &Packers,
    allowed: impl Fn(Value) -> bool,
) -> Result<Value> {
    let path = common.join(name);
    let lock = RefLock::take_to_delete(&path)?;
    let found = read(common, name)?;
    let log = common.join("logs").join(name);
    if found == Value::Missing {
        // Who died here before may have left it, and the next ref of this name would go on with it.
        let _ = std::fs::remove_file(&log);
        return Ok(found);
    }
    if !allowed(found) {
        return Ok(found);
    }
    // First, so that the old value never shines through.
    let seen = unpack(common, name, packers)?;
    if !path.is_dir() {
        disk::remove_file(&path)?;
    }
    lock::wait_for_packer(common, packers)?;
    // Whoever was packing has seen it, perhaps.
    if !seen.is_some_and(|seen| seen.is_at(&common.join("packed-refs"))) {
        unpack(common, name, packers)?;
    }
    let _ = std::fs::remove_file(&log);
    drop(lock);
    for (path, root) in [(path, common.join("refs")), (log, common.join("logs/refs"))] {
        remove_empty(&path, &root);
    }
    Ok(found)
}

/// Takes a ref out of the packed ones. Their lock is taken only where it is needed: while it lies about, because a
/// process was killed, nobody can delete a branch or pack refs.
///
/// Returns the packed refs that do not have it, if there are any and they did not have it before.
fn unpack(common: &Path, name: &str, packers: &Packers) -> Result<Option<packed::Version>> {
    let path = common.join("packed-refs");
    match packed::Version::read(&path) {
        Ok((version, text)) if packed::find(&text, name).is_none() => return Ok(Some(version)),
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault::io("read", path)(e)),
    }
    if packers.are_gone(common) {
        let path = common.join("packed-refs.lock");
        return Err(Error::Locked { path, seconds: lock::PATIENCE.as_secs() });
    }
    let lock = RefLock::take_signed(&path, &common.join("hedgerow/staging"));
    let mut lock = lock.inspect_err(|e| {
        if matches!(e, Error::Locked { .. }) {
            packers.note(common);
        }
    })?;
    lock.fill(&packed::without(&packed_text(common)?, name))?;
    lock.commit()?;
    Ok(None)
}

/// Makes a ref durable, together with the directories that lead to it.
pub(crate) fn sync(common: &Path, reference: &str) -> Result<()> {
    let path = common.join(reference);
    match disk::open(&path).and_then(|file| file.sync_all()) {
        // Packed by somebody meanwhile; git makes what it packs durable.
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        synced => synced.map_err(fault::io("flush", &path))?,
    }
    sync_name(common, reference)
}

/// Makes durable that a ref was [`set`], whose content is.
pub(crate) fn sync_name(common: &Path, reference: &str) -> Result<()> {
    let path = common.join(reference);
    for dir in path.ancestors().skip(1).take_while(|dir| dir.starts_with(common) && *dir != common) {
        match File::open(dir).and_then(|dir| dir.sync_all()) {
            // Whoever packs the last ref of a directory removes it.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            synced => synced.map_err(fault::io("flush", dir))?,
        }
    }
    Ok(())
}

fn value(text: &[u8]) -> Value {
    ObjectId::from_hex(text).map_or(Value::Other, Value::Id)
}

fn packed_text(common: &Path) -> Result<Vec<u8>> {
    let path = common.join("packed-refs");
    match disk::read_any_size(&path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(fault::io("read", path)(e)),
    }
}

/// Removes the directories that the ref leaves empty, like git, but never `refs/heads` itself.
fn remove_empty(path: &Path, root: &Path) {
    let within = |dir: &&Path| dir.strip_prefix(root).is_ok_and(|rest| rest.components().count() > 1);
    for dir in path.ancestors().skip(1).take_while(within) {
        if std::fs::remove_dir(dir).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn common() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("refs/heads")).unwrap();
        dir
    }

    #[test]
    fn a_ref_is_set_only_from_what_is_allowed() {
        let dir = common();
        let missing = |value| value == Value::Missing;
        assert_eq!(set(dir.path(), "refs/heads/a/b", id('1'), None, missing).unwrap(), Value::Missing);
        assert_eq!(set(dir.path(), "refs/heads/a/b", id('2'), None, missing).unwrap(), Value::Id(id('1')));
        assert_eq!(read(dir.path(), "refs/heads/a/b").unwrap(), Value::Id(id('1')));
        assert!(!dir.path().join("refs/heads/a/b.lock").exists());
    }

    #[test]
    fn a_deleted_ref_is_gone_loose_and_packed_with_its_empty_directories() {
        let dir = common();
        let packed = format!("# pack-refs with: sorted \n{} refs/heads/a/b\n{} refs/heads/c\n", id('1'), id('3'));
        std::fs::write(dir.path().join("packed-refs"), packed).unwrap();
        set(dir.path(), "refs/heads/a/b", id('2'), None, |_| true).unwrap();
        assert_eq!(delete(dir.path(), "refs/heads/a/b", |v| v == Value::Id(id('1'))).unwrap(), Value::Id(id('2')));
        assert_eq!(read(dir.path(), "refs/heads/a/b").unwrap(), Value::Id(id('2')), "deleted from the wrong value");
        delete(dir.path(), "refs/heads/a/b", |v| v == Value::Id(id('2'))).unwrap();
        assert_eq!(read(dir.path(), "refs/heads/a/b").unwrap(), Value::Missing);
        assert_eq!(read(dir.path(), "refs/heads/c").unwrap(), Value::Id(id('3')));
        assert!(!dir.path().join("refs/heads/a").exists() && dir.path().join("refs/heads").exists());
        assert!(!dir.path().join("packed-refs.lock").exists());
        set(dir.path(), "refs/heads/a", id('4'), None, |v| v == Value::Missing).unwrap();
    }

    #[test]
    fn a_log_that_a_killed_deletion_left_does_not_live_on_in_the_next_ref_of_that_name() {
        let dir = common();
        let log = dir.path().join("logs/refs/heads/a");
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::write(&log, "of the one that is gone\n").unwrap();
        assert_eq!(delete(dir.path(), "refs/heads/a", |_| false).unwrap(), Value::Missing);
        assert!(!log.exists());
    }

    #[test]
    fn a_ref_that_was_moved_and_packed_while_its_lock_was_waited_for_is_not_overwritten() {
        let name = "refs/heads/a";
        let packed = |id: ObjectId| format!("# pack-refs with: sorted \n{id} {name}\n");
        for before in [Value::Missing, Value::Id(id('1'))] {
            let dir = common();
            let path = dir.path().join("packed-refs");
            if let Value::Id(id) = before {
                std::fs::write(&path, packed(id)).unwrap();
            }
            let held = RefLock::take(&dir.path().join(name)).unwrap();
            let found = std::thread::scope(|scope| {
                let mover = scope.spawn(|| set(dir.path(), name, id('3'), None, |value| value == before));
                // For it to reach the lock; what it finds there must not depend on whether it did.
                std::thread::sleep(std::time::Duration::from_millis(50));
                std::fs::write(&path, packed(id('2'))).unwrap();
                drop(held);
                mover.join().unwrap().unwrap()
            });
            assert_eq!(found, Value::Id(id('2')));
            assert_eq!(read(dir.path(), name).unwrap(), Value::Id(id('2')));
        }
    }

    #[test]
    fn a_ref_that_is_being_packed_while_it_is_deleted_does_not_come_back() {
        let dir = common();
        let (common, name) = (dir.path(), "refs/heads/a");
        set(common, name, id('1'), None, |_| true).unwrap();
        let mut packer = RefLock::take(&common.join("packed-refs")).unwrap();
        packer.fill(format!("# pack-refs with: sorted \n{} {name}\n", id('1')).as_bytes()).unwrap();
        std::thread::scope(|scope| {
            let deleter = scope.spawn(|| delete(common, name, |value| value == Value::Id(id('1'))));
            // For it to get as far as it can; what comes of it must not depend on how far it got.
            std::thread::sleep(std::time::Duration::from_millis(50));
            packer.commit().unwrap();
            assert_eq!(deleter.join().unwrap().unwrap(), Value::Id(id('1')));
        });
        assert_eq!(read(common, name).unwrap(), Value::Missing);
        assert!(!common.join("packed-refs.lock").exists());
    }

    #[test]
    fn a_ref_that_is_deleted_while_somebody_packs_for_long_does_not_come_back() {
        let dir = common();
        let (common, name) = (dir.path(), "refs/heads/a");
        set(common, name, id('1'), None, |_| true).unwrap();
        let mut packer = RefLock::take(&common.join("packed-refs")).unwrap();
        // git writes a file of another name, and has that open.
        let writes = File::create(common.join("packed-refs.new")).unwrap();
        std::thread::scope(|scope| {
            let deleter = scope.spawn(|| delete(common, name, |value| value == Value::Id(id('1'))));
            // For longer than anybody waits who sees nobody at work.
            std::thread::sleep(lock::PATIENCE + std::time::Duration::from_millis(500));
            packer.fill(format!("# pack-refs with: sorted \n{} {name}\n", id('1')).as_bytes()).unwrap();
            packer.commit().unwrap();
            drop(writes);
            assert_eq!(deleter.join().unwrap().unwrap(), Value::Id(id('1')));
        });
        assert_eq!(read(common, name).unwrap(), Value::Missing);
    }

    /// What `git pack-refs` does with one ref, as often as it can.
    fn pack_for_ever(common: &Path, name: &str, stop: &std::sync::atomic::AtomicBool) -> usize {
        let mut packs = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let mut whole = RefLock::take(&common.join("packed-refs")).unwrap();
            let Value::Id(seen) = read(common, name).unwrap() else { panic!("the ref is gone") };
            let mut text = packed::without(&packed_text(common).unwrap(), name);
            text.extend_from_slice(format!("{seen} {name}\n").as_bytes());
            whole.fill(&text).unwrap();
            whole.commit().unwrap();
            let one = RefLock::take(&common.join(name)).unwrap();
            if disk::read_small(&common.join(name)).is_ok_and(|text| value(text.trim_ascii_end()) == Value::Id(seen)) {
                std::fs::remove_file(common.join(name)).unwrap();
            }
            drop(one);
            packs += 1;
        }
        packs
    }

    #[test]
    fn no_move_of_a_ref_is_lost_to_another_one_or_to_packing() {
        const EACH: usize = 20;
        let dir = common();
        let (common, name) = (dir.path(), "refs/heads/a");
        let number = |n: usize| ObjectId::from_hex(format!("{n:040x}").as_bytes()).unwrap();
        set(common, name, number(0), None, |_| true).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let packs = std::thread::scope(|scope| {
            let packer = scope.spawn(|| pack_for_ever(common, name, &stop));
            let count = || {
                let mut done = 0;
                while done < EACH {
                    let Value::Id(seen) = read(common, name).unwrap() else { panic!("the ref is gone") };
                    let next = number(usize::from_str_radix(&seen.to_string(), 16).unwrap() + 1);
                    done += usize::from(
                        set(common, name, next, None, |v| v == Value::Id(seen)).unwrap() == Value::Id(seen),
                    );
                }
            };
            let counters = [(); 3].map(|()| scope.spawn(count));
            let counted = counters.map(|counter| counter.join().is_ok());
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(counted, [true; 3]);
            packer.join().unwrap()
        });
        assert!(packs > 0);
        assert_eq!(read(common, name).unwrap(), Value::Id(number(3 * EACH)));
    }
}
