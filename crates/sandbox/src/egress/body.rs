//! Where the body of a forwarded request ends.
//!
//! What comes after that end is not passed on: a server could take it for a second request, to another host than was asked for.

use super::head::Framing;

/// How far a body has been passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Body(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Bytes that are left.
    Plain(u64),
    /// The digits of a chunk's size: how many, and their value.
    Size(u8, u64),
    /// The line feed after them.
    SizeEnd(u64),
    /// Bytes of a chunk that are left.
    Chunk(u64),
    /// What ends a chunk: the carriage return, the line feed.
    ChunkEnd,
    ChunkFeed,
    /// The empty line that ends all.
    Last,
    LastFeed,
    Done,
}

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Plain(length),
            Framing::Chunked => State::Size(0, 0),
        })
    }

    pub(super) fn is_done(self) -> bool {
        self.0 == State::Done
    }

    /// How many of these bytes belong to it; none when they are not what was announced. Extensions of chunks and headers after
    /// them are refused: nobody needs them, and readers differ about them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut taken = 0;
        while let Some(&byte) = bytes.get(taken)
            && !self.is_done()
        {
            let left = (bytes.len() - taken) as u64;
            let mut step = 1;
            self.0 = match (self.0, byte) {
                (State::Plain(size), _) => {
                    step = size.min(left);
                    if step == size { State::Done } else { State::Plain(size - step) }
                }
                (State::Chunk(size), _) => {
                    step = size.min(left);
                    if step == size { State::ChunkEnd } else { State::Chunk(size - step) }
                }
                (State::Size(digits @ 1.., size), b'\r') if digits > 0 => State::SizeEnd(size),
                (State::Size(digits @ ..15, size), digit) if digit.is_ascii_hexdigit() => {
                    let value = char::from(digit).to_digit(16)?;
                    State::Size(digits + 1, size * 16 + u64::from(value))
                }
                (State::SizeEnd(0), b'\n') => State::Last,
                (State::SizeEnd(size), b'\n') => State::Chunk(size),
                (State::ChunkEnd, b'\r') => State::ChunkFeed,
                (State::ChunkFeed, b'\n') => State::Size(0, 0),
                (State::Last, b'\r') => State::LastFeed,
                (State::LastFeed, b'\n') => State::Done,
                _ => return None,
            };
            taken += usize::try_from(step).ok()?;
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(framing: Framing, bytes: &[u8], at_once: usize) -> Option<(usize, bool)> {
        let mut body = Body::new(framing);
        let mut taken = 0;
        for part in bytes.chunks(at_once) {
            let more = body.take(part)?;
            taken += more;
            if more < part.len() {
                break;
            }
        }
        Some((taken, body.is_done()))
    }

    #[test]
    fn a_body_ends_where_it_was_announced_and_a_second_request_behind_it_is_left() {
        assert_eq!(all(Framing::Length(0), b"GET / HTTP/1.1", 99), Some((0, true)));
        assert_eq!(all(Framing::Length(3), b"abcGET /", 2), Some((3, true)));
        assert_eq!(all(Framing::Length(9), b"abc", 9), Some((3, false)));
        assert_eq!(all(Framing::Chunked, b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET /", 99), Some((28, true)));
        assert_eq!(all(Framing::Chunked, b"0\r\n\r\n", 1), Some((5, true)));
    }

    #[test]
    fn chunks_that_readers_could_split_differently_are_refused() {
        let bad: [&[u8]; 12] = [
            b"\r\n",
            b"3;x=y\r\nabc",
            b"3\nabc",
            b"3 \r\nabc",
            b"+3\r\nabc",
            b"0x3\r\nabc",
            b"-1\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"0\r\nX: y\r\n\r\n",
            b"fffffffffffffffff\r\n",
            b"g\r\n",
        ];
        for bytes in bad {
            assert_eq!(all(Framing::Chunked, bytes, 99), None, "{:?}", String::from_utf8_lossy(bytes));
            assert_eq!(all(Framing::Chunked, bytes, 1), None, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_changes_nothing(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            behind in proptest::collection::vec(any::<u8>(), 0..9),
            at_once in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
            let own = bytes.len();
            bytes.extend(behind);
            prop_assert_eq!(all(Framing::Chunked, &bytes, at_once), Some((own, true)));
        }
    }
}
