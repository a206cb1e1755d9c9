//! Writes packs object by object, so that a large one needs no memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use gix::objs::Kind;
use gix::zlib::Compression;
use gix::zlib::stream::deflate;

use crate::Failure;

/// A pack that is being written. It gets no sum: nobody here looks at it.
pub(super) struct Packer {
    file: BufWriter<File>,
    at: u64,
}

impl Packer {
    /// Begins the pack of this number, with so many objects.
    pub(super) fn new(view: &Path, number: usize, objects: u32) -> Result<Self, Failure> {
        let dir = view.join("objects/pack");
        std::fs::create_dir_all(&dir)?;
        let mut file = BufWriter::new(File::create(dir.join(format!("pack-{number}.pack")))?);
        file.write_all(b"PACK\0\0\0\x02")?;
        file.write_all(&objects.to_be_bytes())?;
        Ok(Self { file, at: 12 })
    }

    /// Adds an object; where it lies.
    pub(super) fn whole(&mut self, kind: Kind, bytes: &[u8]) -> Result<u64, Failure> {
        let number = match kind {
            Kind::Commit => 1,
            Kind::Tree => 2,
            Kind::Blob => 3,
            Kind::Tag => 4,
        };
        self.entry(number, bytes.len(), &[], &deflated(bytes)?)
    }

    /// Adds a delta of what lies at `base`; where it lies.
    pub(super) fn delta(&mut self, base: u64, delta: &[u8]) -> Result<u64, Failure> {
        let mut back = self.at - base;
        let mut bytes = vec![(back & 0x7f) as u8];
        back >>= 7;
        while back > 0 {
            back -= 1;
            bytes.push((back & 0x7f) as u8 | 0x80);
            back >>= 7;
        }
        bytes.reverse();
        self.entry(6, delta.len(), &bytes, &deflated(delta)?)
    }

    /// Adds the same entry so many times.
    pub(super) fn empties(&mut self, count: u32) -> Result<(), Failure> {
        let stream = deflated(b"")?;
        for _ in 0..count {
            self.entry(3, 0, &[], &stream)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        Ok(self.file.flush()?)
    }

    fn entry(&mut self, kind: u8, size: usize, base: &[u8], stream: &[u8]) -> Result<u64, Failure> {
        let (start, mut bytes) = (self.at, Vec::new());
        let (mut rest, mut byte) = (size >> 4, kind << 4 | (size & 15) as u8);
        while rest > 0 {
            bytes.push(byte | 0x80);
            byte = (rest & 0x7f) as u8;
            rest >>= 7;
        }
        bytes.push(byte);
        bytes.extend_from_slice(base);
        self.file.write_all(&bytes)?;
        self.file.write_all(stream)?;
        self.at += (bytes.len() + stream.len()) as u64;
        Ok(start)
    }
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = deflate::Write::new(Vec::new(), Compression::BEST_SPEED);
    out.write_all(bytes)?;
    out.flush()?;
    Ok(out.into_inner())
}

/// A delta that makes `result` bytes by copying the beginning of a base of `base` bytes again and again, and puts `end`
/// behind them.
pub(super) fn copies(base: usize, result: usize, end: &[u8]) -> Vec<u8> {
    let mut delta = Vec::new();
    varint(base, &mut delta);
    varint(result + end.len(), &mut delta);
    let mut left = result;
    while left > 0 {
        let piece = left.min(base).min(0x00ff_ffff);
        delta.push(0x80 | 0x70);
        delta.extend_from_slice(&piece.to_le_bytes()[..3]);
        left -= piece;
    }
    if !end.is_empty() {
        delta.push(u8::try_from(end.len()).unwrap_or(u8::MAX));
        delta.extend_from_slice(end);
    }
    delta
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
