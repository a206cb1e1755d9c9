//! Collects what the caller should know, without growing for ever.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gix::bstr::BStr;

use super::limits;
use crate::Notice;

/// The notices of one capture.
#[derive(Debug, Default)]
pub(super) struct Notices {
    list: Vec<Notice>,
    unstorable: usize,
    nested: usize,
    hidden: usize,
    refused: usize,
    staged: usize,
}

impl Notices {
    pub(super) fn push(&mut self, notice: Notice) {
        let count = match notice {
            Notice::Unstorable { .. } => &mut self.unstorable,
            Notice::NestedRepository { .. } => &mut self.nested,
            Notice::HiddenRepository { .. } => &mut self.hidden,
            Notice::HistoryRefused { .. } => &mut self.refused,
            Notice::StagedOtherwise { .. } => &mut self.staged,
            _ => &mut 0,
        };
        *count += 1;
        if *count <= limits::NOTICES {
            self.list.push(notice);
        }
    }

    pub(super) fn unstorable(&mut self, path: &BStr, why: impl Into<String>) {
        self.push(Notice::Unstorable { path: shown(path), why: why.into() });
    }

    pub(super) fn nested(&mut self, path: &BStr) {
        self.push(Notice::NestedRepository { path: shown(path) });
    }

    pub(super) fn hidden(&mut self, path: &BStr) {
        self.push(Notice::HiddenRepository { path: shown(path) });
    }

    pub(super) fn unsearched(&mut self, path: &BStr, why: String) {
        self.push(Notice::HiddenUnreadable { path: shown(path), why });
    }

    pub(super) fn staged(&mut self, path: &BStr) {
        self.push(Notice::StagedOtherwise { path: shown(path) });
    }

    pub(super) fn refused(&mut self, why: impl Into<String>) {
        let mut why = why.into();
        if let Some((end, _)) = why.char_indices().nth(limits::NOTICE_CHARS) {
            why.truncate(end);
            why.push('…');
        }
        self.push(Notice::HistoryRefused { why });
    }

    /// Takes over what was noticed elsewhere, in the order of the paths.
    pub(super) fn append(&mut self, mut other: Self) {
        other.list.sort_by(|a, b| path(a).cmp(&path(b)));
        for notice in other.list {
            self.push(notice);
        }
        let unlisted = |count: usize| count.saturating_sub(limits::NOTICES);
        self.unstorable += unlisted(other.unstorable);
        self.nested += unlisted(other.nested);
        self.hidden += unlisted(other.hidden);
        self.refused += unlisted(other.refused);
    }

    /// All notices; what was too much to list is at least counted.
    pub(super) fn into_list(mut self) -> Vec<Notice> {
        let more = |count: usize| count.checked_sub(limits::NOTICES).filter(|more| *more > 0);
        if let Some(more) = more(self.unstorable) {
            self.list.push(Notice::Unstorable { path: PathBuf::new(), why: format!("and {more} more paths") });
        }
        if let Some(more) = more(self.nested) {
            let why = format!("there are {more} more nested repositories");
            self.list.push(Notice::Unstorable { path: PathBuf::new(), why });
        }
        if let Some(more) = more(self.hidden) {
            let why = format!("there are {more} more repositories than are listed");
            self.list.push(Notice::HiddenUnreadable { path: PathBuf::new(), why });
        }
        if let Some(more) = more(self.refused) {
            self.list.push(Notice::HistoryRefused { why: format!("and {more} more lines of history") });
        }
        if let Some(more) = more(self.staged) {
            self.list.push(Notice::IndexBehind { why: format!("something else is staged at {more} more paths") });
        }
        self.list
    }
}

fn path(notice: &Notice) -> Option<&PathBuf> {
    match notice {
        Notice::NestedRepository { path } | Notice::Unstorable { path, .. } => Some(path),
        _ => None,
    }
}

/// A path for a notice. Notices are stored as text, so a name that is none must not make that fail.
fn shown(path: &BStr) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(path).into_owned())
}

/// A path of git as one of this system.
pub(super) fn path_of(path: &BStr) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path))
}
