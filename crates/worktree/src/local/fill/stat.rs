//! Stat data as the index keeps it.

use gix::index::entry;
use rustix::fs::Stat;

/// What an index entry keeps of a file's stat.
#[expect(clippy::cast_possible_truncation, reason = "the index keeps the low 32 bits, as git does")]
#[expect(clippy::cast_sign_loss, reason = "the index keeps the low 32 bits, as git does")]
pub(in crate::local) fn kept(stat: &Stat) -> entry::Stat {
    entry::Stat {
        mtime: entry::stat::Time { secs: stat.st_mtime as u32, nsecs: stat.st_mtime_nsec as u32 },
        ctime: entry::stat::Time { secs: stat.st_ctime as u32, nsecs: stat.st_ctime_nsec as u32 },
        dev: stat.st_dev as u32,
        ino: stat.st_ino as u32,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size as u32,
    }
}
