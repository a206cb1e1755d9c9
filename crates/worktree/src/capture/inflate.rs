//! Inflates zlib streams of unknown honesty.

use std::cell::Cell;
use std::io::BufRead;

use gix::zlib::{Decompress, FlushDecompress, Status};

use super::limits;

/// How much may still be inflated; shared by everything that one capture reads.
#[derive(Debug)]
pub(super) struct Budget(Cell<u64>);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self(Cell::new(bytes))
    }

    /// Takes `bytes` from the budget.
    pub(super) fn spend(&self, bytes: u64) -> Result<(), String> {
        let Some(left) = self.0.get().checked_sub(bytes) else {
            self.0.set(0);
            let limit = limits::mib(limits::WORK_BYTES);
            return Err(limits::beyond("the history takes too much work to unpack", limit));
        };
        self.0.set(left);
        Ok(())
    }
}

/// Inflates one stream from `input`, of which it consumes exactly the stream, until it has more than `limit(output)` bytes.
///
/// The limit is asked again while the output grows, because a loose object announces its size in its first bytes.
/// Returns how many bytes of input the stream had.
pub(super) fn stream(
    input: &mut impl BufRead,
    output: &mut Vec<u8>,
    budget: &Budget,
    limit: impl Fn(&[u8]) -> Result<u64, String>,
) -> Result<u64, String> {
    budget.spend(limits::OBJECT_WORK)?;
    let mut state = Decompress::new();
    let mut chunk = vec![0; 16 << 10];
    loop {
        let (status, consumed, produced) = {
            let bytes = input.fill_buf().map_err(|e| e.to_string())?;
            let flush = if bytes.is_empty() { FlushDecompress::Finish } else { FlushDecompress::None };
            let (before_in, before_out) = (state.total_in(), state.total_out());
            let status = state.decompress(bytes, &mut chunk, flush).map_err(|_| "it is not a zlib stream")?;
            let consumed = (state.total_in() - before_in) as usize;
            (status, consumed, (state.total_out() - before_out) as usize)
        };
        input.consume(consumed);
        budget.spend(produced as u64)?;
        output.extend_from_slice(&chunk[..produced]);
        if output.len() as u64 > limit(output)?.min(limits::OBJECT_BYTES + 64) {
            return Err("it is larger than it says, or than is allowed".into());
        }
        match status {
            Status::StreamEnd => return Ok(state.total_in()),
            _ if consumed == 0 && produced == 0 => return Err("it ends too early".into()),
            _ => {}
        }
        if produced == chunk.len() && chunk.len() < 1 << 20 {
            chunk.resize(chunk.len() * 4, 0);
        }
    }
}
