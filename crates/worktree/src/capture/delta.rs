//! Applies git's deltas to their bases.

use super::limits;

/// The object that `delta` makes of `base`.
pub(super) fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    apply_into(base, delta, limits::OBJECT_BYTES, &mut out)?;
    Ok(out)
}

/// As [`apply`], in the place of what `out` holds, for objects of up to `most` bytes.
pub(crate) fn apply_into(base: &[u8], delta: &[u8], most: u64, out: &mut Vec<u8>) -> Result<(), String> {
    let mut at = 0;
    let base_size = size(delta, &mut at)?;
    let result_size = size(delta, &mut at)?;
    if base_size != base.len() as u64 {
        return Err("a delta was made for another base".into());
    }
    if result_size > most {
        return Err(limits::beyond("a delta makes an object that is larger than is allowed", limits::mib(most)));
    }
    out.clear();
    // A delta that lies about its result takes no more memory than it and its base already do.
    out.reserve(usize::try_from(result_size).unwrap_or(usize::MAX).min(base.len() + delta.len()));
    while let Some(&op) = delta.get(at) {
        at += 1;
        let piece = if op & 0x80 != 0 {
            let (start, length) = copy(op, delta, &mut at)?;
            base.get(start..start.saturating_add(length))
        } else {
            let start = at;
            at += usize::from(op);
            // An operation of zero is reserved.
            delta.get(start..at).filter(|_| op != 0)
        };
        out.extend_from_slice(piece.ok_or("a delta reads outside of its base")?);
        if out.len() as u64 > result_size {
            return Err("a delta makes more than it says".into());
        }
    }
    if out.len() as u64 == result_size { Ok(()) } else { Err("a delta makes less than it says".into()) }
}

fn byte(delta: &[u8], at: &mut usize) -> Result<u8, String> {
    let byte = delta.get(*at).copied().ok_or("a delta ends too early")?;
    *at += 1;
    Ok(byte)
}

fn size(delta: &[u8], at: &mut usize) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let next = byte(delta, at)?;
        value |= u64::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a delta has a size without end".into())
}

fn copy(op: u8, delta: &[u8], at: &mut usize) -> Result<(usize, usize), String> {
    let mut read = |bits: u8, first: u8| -> Result<usize, String> {
        let mut value = 0;
        for bit in 0..bits {
            if op & (first << bit) != 0 {
                value |= usize::from(byte(delta, at)?) << (8 * bit);
            }
        }
        Ok(value)
    };
    let start = read(4, 0x01)?;
    let length = read(3, 0x10)?;
    Ok((start, if length == 0 { 0x10000 } else { length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_copies_and_inserts() {
        let delta = [5, 6, 0x91, 1, 3, 3, b'x', b'y', b'z'];
        assert_eq!(apply(b"abcde", &delta).unwrap(), b"bcdxyz");
    }

    #[test]
    fn a_delta_that_lies_is_refused() {
        let cases: [&[u8]; 6] = [
            &[4, 1, 1, b'x'],
            &[5, 1, 0],
            &[5, 9, 0x91, 4, 9],
            &[5, 1, 2, b'x', b'y'],
            &[5, 3, 1, b'x'],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
        ];
        for delta in cases {
            assert!(apply(b"abcde", delta).is_err(), "{delta:?}");
        }
    }
}
