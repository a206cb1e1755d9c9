//! The form of a record on disk: `length crc json newline`, the first two as eight hexadecimal digits.
//!
//! Readable with a text editor, and a torn or flipped record is told from a whole one.

/// Bytes before the JSON: two fields of eight digits, each with a space.
const HEAD: usize = 18;

pub(super) fn encode(json: &[u8]) -> Vec<u8> {
    let mut frame = format!("{:08x} {:08x} ", json.len(), crc32fast::hash(json)).into_bytes();
    frame.extend_from_slice(json);
    frame.push(b'\n');
    frame
}

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A whole record, and the length of its frame.
    Whole(&'a [u8], usize),
    /// The start of a record whose end is missing: what a crash in the middle of a write leaves.
    Torn,
    /// No record.
    Damaged,
}

pub(super) fn decode(bytes: &[u8]) -> Frame<'_> {
    let Some(head) = bytes.get(..HEAD) else { return Frame::Torn };
    let field = |range: std::ops::Range<usize>| {
        let text = std::str::from_utf8(&head[range]).ok()?;
        text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok()).flatten()
    };
    let (Some(length), Some(crc), b' ', b' ') = (field(0..8), field(9..17), head[8], head[17]) else {
        return Frame::Damaged;
    };
    let end = HEAD + length as usize;
    match bytes.get(HEAD..=end) {
        None => Frame::Torn,
        Some(body) if body[length as usize] == b'\n' && crc32fast::hash(&body[..length as usize]) == crc => {
            Frame::Whole(&body[..length as usize], end + 1)
        }
        Some(_) => Frame::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_and_every_cut_is_torn(json in prop::collection::vec(any::<u8>(), 0..200)) {
            let frame = encode(&json);
            prop_assert_eq!(decode(&frame), Frame::Whole(&json, frame.len()));
            for cut in 0..frame.len() {
                prop_assert_eq!(decode(&frame[..cut]), Frame::Torn);
            }
        }

        #[test]
        fn a_flipped_bit_is_never_a_whole_record(json in prop::collection::vec(any::<u8>(), 1..50), at in any::<prop::sample::Index>()) {
            let mut frame = encode(&json);
            let at = at.index(frame.len());
            frame[at] ^= 1;
            prop_assert!(!matches!(decode(&frame), Frame::Whole(body, _) if body != json));
        }
    }
}
