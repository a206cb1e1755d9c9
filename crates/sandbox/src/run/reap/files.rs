//! Secrets and scratch directories of the dead.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::run::life::Life;
use crate::run::owned::{self, PREFIX};

/// How many entries of a directory are looked at.
const MOST: usize = 1 << 16;
/// The file in a scratch directory that says whose it is; its own name must be short, because programs make sockets below it.
pub(crate) const OWNER: &str = "owner";

pub(super) fn reap(judge: Life) {
    reap_in(Path::new("/dev/shm"), judge);
    reap_in(Path::new("/tmp"), judge);
}

/// Removes directories of this user's, and of no other, whose owner is dead for certain.
fn reap_in(place: &Path, judge: Life) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.take(MOST).flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        // Asked without following a link. In a directory like these, nobody else can put something in the place of one's own.
        let ours = fs::symlink_metadata(&path)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw());
        if ours && (owned::is_of_the_dead(name, judge) || said(&path).is_some_and(|o| owned::is_of_the_dead(&o, judge)))
        {
            remove(&path);
        }
    }
}

/// Whose a scratch directory says that it is. What a command writes there in its place can cost it nothing but its own.
fn said(directory: &Path) -> Option<String> {
    // Not to wait for what is no file.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(directory.join(OWNER)).ok()?;
    let mut text = String::new();
    file.metadata().ok().filter(|meta| meta.is_file())?;
    File::take(file, 256).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Removes a directory with all that is in it, following no link. One in which something is mounted stays: that is not its own.
pub(crate) fn remove(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    if points.into_iter().any(|point| Path::new(point).starts_with(directory)) {
        return;
    }
    // What cannot be removed is left to whoever cleans up there.
    let _left = fs::remove_dir_all(directory);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_directories_of_the_dead_go_and_no_link_is_followed() {
        let ours = Life::ours().unwrap();
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = place.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("secret"), "value").unwrap();
            path
        };
        let dead = owned::name("7").replace(&format!("-{}-", ours.pid), &format!("-{}-", i32::MAX));
        let outside = make("outside");
        let gone = make(&dead);
        symlink(&outside, gone.join("link")).unwrap();
        let kept = make(&owned::name("8"));
        let strange = make("hedgerow-strange");
        let link = place.path().join(dead.replace("-7", "-9"));
        symlink(&outside, &link).unwrap();
        let told = make("hedgerow-told");
        fs::write(told.join(OWNER), &dead).unwrap();
        let lied = make("hedgerow-lied");
        fs::write(outside.join("record"), &dead).unwrap();
        symlink(outside.join("record"), lied.join(OWNER)).unwrap();
        reap_in(place.path(), ours);
        assert!(!gone.exists() && !told.exists());
        assert!(kept.join("secret").exists() && strange.exists() && lied.exists());
        assert!(link.symlink_metadata().is_ok() && outside.join("secret").exists());
    }
}
