//! A journal in one append-only file.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::frame::{self, Frame};
use super::{FORMAT, Journal};
use crate::{Error, Event, Result, error};

/// A journal in one append-only file: framed, checksummed, synced after every record.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    state: Arc<Mutex<Writer>>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    /// The length up to which every record is whole and durable.
    good: u64,
}

/// The first record of every file.
#[derive(Serialize, Deserialize)]
struct Header {
    hedgerow_journal: u32,
}

impl FileJournal {
    /// Creates the file; it must not exist.
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(error::io("create", &path))?;
        let header = serde_json::to_vec(&Header { hedgerow_journal: FORMAT }).map_err(|e| corrupt(&path, e))?;
        let mut writer = Writer { file, good: 0 };
        writer.append(&frame::encode(&header)).map_err(error::io("write to", &path))?;
        sync_parent(&path)?;
        Ok(Self { path, state: Arc::new(Mutex::new(writer)) })
    }

    /// Opens a file and cuts off a last record that was never finished.
    ///
    /// # Errors
    /// When it cannot be read, is damaged elsewhere than at its end, or comes from a newer version.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let (_, good) = read(&path)?;
        let file = File::options().read(true).write(true).open(&path).map_err(error::io("open", &path))?;
        file.set_len(good).and_then(|()| file.sync_all()).map_err(error::io("cut the torn end of", &path))?;
        Ok(Self { path, state: Arc::new(Mutex::new(Writer { file, good })) })
    }

    /// The events of a file that somebody else may be writing; nothing is changed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(path: &Path) -> Result<Vec<Event>> {
        Ok(read(path)?.0)
    }
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&mut self, event: &Event) -> Result<()> {
        let json = serde_json::to_vec(event).map_err(|e| corrupt(&self.path, e))?;
        let (state, path) = (Arc::clone(&self.state), self.path.clone());
        let write = move || {
            let mut writer = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            writer.append(&frame::encode(&json)).map_err(error::io("write to", path))
        };
        tokio::task::spawn_blocking(write).await.map_err(|_| Error::Gone { what: "the journal" })?
    }

    async fn replay(&self) -> Result<Vec<Event>> {
        let path = self.path.clone();
        let replayed = tokio::task::spawn_blocking(move || Self::read(&path)).await;
        replayed.map_err(|_| Error::Gone { what: "the journal" })?
    }
}

impl Writer {
    /// Writes a frame behind the last good one; a failed write is cut off again so that a later one stays readable.
    fn append(&mut self, frame: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.good))?;
        if let Err(error) = self.file.write_all(frame).and_then(|()| self.file.sync_data()) {
            self.file.set_len(self.good)?;
            return Err(error);
        }
        self.good += frame.len() as u64;
        Ok(())
    }
}

/// The events of a file, and the length up to which its records are whole.
fn read(path: &Path) -> Result<(Vec<Event>, u64)> {
    let bytes = std::fs::read(path).map_err(error::io("read", path))?;
    let mut at = 0;
    let mut events = Vec::new();
    let mut header = false;
    while at < bytes.len() {
        match frame::decode(&bytes[at..]) {
            Frame::Whole(json, length) => {
                if header {
                    events.push(serde_json::from_slice(json).map_err(|e| corrupt(path, e))?);
                } else {
                    check_version(path, json)?;
                    header = true;
                }
                at += length;
            }
            // A crash leaves an unfinished last record, or one of the right length with wrong bytes. But a whole record
            // after it means that something else happened to the file, and cutting there would lose it.
            Frame::Torn | Frame::Damaged if whole_record_after(&bytes[at..]) => {
                let problem =
                    format!("the record at byte {at} is damaged, and whole records follow it; restore the file");
                return Err(Error::Journal { path: path.to_owned(), problem });
            }
            Frame::Torn | Frame::Damaged => break,
        }
    }
    Ok((events, at as u64))
}

fn whole_record_after(bytes: &[u8]) -> bool {
    let lines = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    lines.into_iter().any(|at| matches!(frame::decode(&bytes[at..]), Frame::Whole(..)))
}

fn check_version(path: &Path, json: &[u8]) -> Result<()> {
    let header: Header = serde_json::from_slice(json).map_err(|e| corrupt(path, e))?;
    if header.hedgerow_journal <= FORMAT {
        return Ok(());
    }
    let problem =
        format!("it has format {}, this program reads up to {FORMAT}; use a newer one", header.hedgerow_journal);
    Err(Error::Journal { path: path.to_owned(), problem })
}

fn corrupt(path: &Path, error: serde_json::Error) -> Error {
    Error::Journal { path: path.to_owned(), problem: format!("a record cannot be understood: {error}") }
}

fn sync_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(error::io("sync", parent))
}
