//! Whether an index file is whole, told without believing anything in it: whoever works in the tree may have written it.

/// Whether nothing of it is torn. One without a checksum, as git can be told to write it, is gone through.
pub(super) fn is_whole(bytes: &[u8], hash: gix::hash::Kind) -> bool {
    let length = hash.len_in_bytes();
    let Some((body, sum)) = bytes.len().checked_sub(length).map(|at| bytes.split_at(at)) else { return false };
    if sum.iter().all(|byte| *byte == 0) {
        return is_passable(body, length).is_some();
    }
    let mut hasher = gix::hash::hasher(hash);
    hasher.update(body);
    body.starts_with(MAGIC) && hasher.try_finalize().is_ok_and(|found| found.as_slice() == sum)
}

const MAGIC: &[u8] = b"DIRC";
/// What of an entry lies before the name of its object; its mode is at 24.
const STAT: usize = 40;
const EXTENDED: u16 = 0x4000;

fn is_passable(body: &[u8], hash: usize) -> Option<()> {
    let mut rest = body.strip_prefix(MAGIC)?;
    let (version, count) = (number(&mut rest)?, number(&mut rest)?);
    for _ in 0..count {
        let start = rest.len();
        let stat = take(&mut rest, STAT + hash)?;
        // What never reached the disk is zeroes.
        if stat[24..28] == [0; 4] {
            return None;
        }
        let flags = take(&mut rest, 2)?;
        if u16::from_be_bytes([flags[0], flags[1]]) & EXTENDED != 0 {
            take(&mut rest, 2)?;
        }
        if version == 4 {
            while take(&mut rest, 1)?[0] & 0x80 != 0 {}
        }
        let path = rest.iter().position(|byte| *byte == 0)?;
        take(&mut rest, path + 1)?;
        if version < 4 {
            // Padded with up to eight zeroes in all.
            let used = start - rest.len();
            take(&mut rest, (8 - used % 8) % 8)?;
        }
    }
    while !rest.is_empty() {
        if take(&mut rest, 4)?[0] == 0 {
            return None;
        }
        let size = usize::try_from(number(&mut rest)?).ok()?;
        take(&mut rest, size)?;
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (part, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(part)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: gix::hash::Kind = gix::hash::Kind::Sha1;

    /// Two entries and an extension.
    fn index(version: u32) -> Vec<u8> {
        let mut bytes = [MAGIC, &version.to_be_bytes(), &2_u32.to_be_bytes()].concat();
        for path in [&b"a"[..], b"dir/b"] {
            let start = bytes.len();
            bytes.extend([1; STAT + 20]);
            bytes.extend([0, 1]);
            if version == 4 {
                bytes.push(0);
            }
            bytes.extend(path);
            bytes.push(0);
            while version < 4 && !(bytes.len() - start).is_multiple_of(8) {
                bytes.push(0);
            }
        }
        bytes.extend([&b"TREE"[..], &3_u32.to_be_bytes(), b"xyz"].concat());
        bytes
    }

    #[test]
    fn a_torn_index_is_told_from_a_whole_one_with_or_without_its_sum() {
        for version in [2, 3, 4] {
            let body = index(version);
            let mut hasher = gix::hash::hasher(HASH);
            hasher.update(&body);
            let sum = hasher.try_finalize().unwrap();
            for sum in [sum.as_slice(), &[0; 20]] {
                let whole = [&body, sum].concat();
                assert!(is_whole(&whole, HASH), "version {version}");
                // Blocks that were not written are zeroes, and what was not written at its end is missing.
                let mut torn = whole.clone();
                torn[40..].fill(0);
                assert!(!is_whole(&torn, HASH), "version {version}");
                for end in 0..whole.len() {
                    assert!(!is_whole(&whole[..end], HASH), "version {version}, {end} bytes");
                }
            }
        }
    }
}
