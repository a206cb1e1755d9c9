use Stream::{Stderr, Stdout};
use proptest::prelude::*;

use super::*;

fn all(kept: &mut Kept) -> Vec<Output> {
    std::iter::from_fn(|| kept.pop()).collect()
}

fn seen(limit: u64, chunks: &[(Stream, &[u8])]) -> Vec<Output> {
    let mut kept = Kept::new(limit);
    chunks.iter().for_each(|(stream, chunk)| kept.take(*stream, chunk));
    kept.close();
    all(&mut kept)
}

fn bytes(stream: Stream, bytes: &[u8]) -> Output {
    Output::Bytes(stream, bytes.to_vec())
}

#[test]
fn output_that_fits_exactly_is_whole_and_not_marked() {
    assert_eq!(seen(8, &[(Stdout, b"abcd"), (Stdout, b"efgh")]), [bytes(Stdout, b"abcdefgh")]);
    // The part that had to wait for the end is that of one stream after that of the other.
    let seen = seen(8, &[(Stdout, b"abcdef"), (Stderr, b"h"), (Stdout, b"g")]);
    assert_eq!(seen, [bytes(Stdout, b"abcdefg"), bytes(Stderr, b"h")]);
}

#[test]
fn what_is_over_the_limit_leaves_the_beginning_and_the_end_with_a_mark_between() {
    let expected = [bytes(Stdout, b"abcdef"), Output::Truncated { stream: Stdout, dropped: 7 }, bytes(Stdout, b"no")];
    assert_eq!(seen(8, &[(Stdout, b"abcdefgh"), (Stdout, b"ijklmno")]), expected);
}

#[test]
fn a_flood_on_one_stream_does_not_drive_out_the_last_words_of_the_other() {
    let flood = vec![b'x'; 1000];
    for chunks in [
        vec![(Stdout, flood.as_slice()), (Stderr, b"panic!".as_slice())],
        vec![(Stdout, flood.as_slice()), (Stderr, b"panic!"), (Stdout, flood.as_slice())],
    ] {
        let seen = seen(64, &chunks);
        assert_eq!(seen.last(), Some(&bytes(Stderr, b"panic!")), "{seen:?}");
    }
    // Both flood: each keeps its half.
    let seen = seen(64, &[(Stdout, &flood), (Stderr, &flood), (Stdout, &flood), (Stderr, &flood)]);
    assert_eq!(
        seen[2..],
        [bytes(Stdout, &[b'x'; 8]), Output::Truncated { stream: Stderr, dropped: 1992 }, bytes(Stderr, &[b'x'; 8])]
    );
}

#[test]
fn a_limit_of_nothing_keeps_nothing_and_says_so() {
    assert_eq!(seen(0, &[(Stderr, b"abc")]), [Output::Truncated { stream: Stderr, dropped: 3 }]);
    assert_eq!(seen(0, &[]), []);
}

#[test]
fn streams_keep_their_order_and_a_flood_of_single_bytes_waits_in_few_chunks() {
    let in_turns: Vec<(Stream, &[u8])> = (0..200_000).map(|n| ([Stdout, Stderr][n % 2], b"x".as_slice())).collect();
    let outputs = seen(1 << 20, &in_turns);
    assert!(outputs.len() < 1100, "{} chunks", outputs.len());
    let order = seen(100, &[(Stdout, b"a"), (Stderr, b"b"), (Stdout, b"c")]);
    assert_eq!(order, [bytes(Stdout, b"a"), bytes(Stderr, b"b"), bytes(Stdout, b"c")]);
}

/// What one stream should look like, from the whole of what was written to it.
fn of(stream: Stream, outputs: &[Output]) -> (Vec<u8>, u64, Vec<u8>) {
    let (mut head, mut dropped, mut tail) = (Vec::new(), 0, Vec::new());
    for output in outputs {
        match output {
            Output::Bytes(from, bytes) if *from == stream && dropped == 0 => head.extend(bytes),
            Output::Bytes(from, bytes) if *from == stream => tail.extend(bytes),
            Output::Truncated { stream: from, dropped: count } if *from == stream => dropped = *count,
            _ => {}
        }
    }
    (head, dropped, tail)
}

proptest! {
    #[test]
    fn each_stream_is_its_beginning_then_a_gap_of_known_size_then_its_end(
        limit in 0_u64..200,
        chunks in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..30),
    ) {
        let mut kept = Kept::new(limit);
        let (mut whole, mut most) = ([Vec::new(), Vec::new()], 0);
        for (is_error, chunk) in &chunks {
            kept.take(if *is_error { Stderr } else { Stdout }, chunk);
            whole[usize::from(*is_error)].extend(chunk);
            most = most.max(kept.tails.iter().map(|tail| tail.ring.len()).sum());
        }
        let dropped = kept.dropped();
        kept.close();
        let outputs = all(&mut kept);
        let total = whole.iter().map(Vec::len).sum::<usize>() as u64;
        let delivered: u64 = outputs.iter().map(|o| match o { Output::Bytes(_, b) => b.len() as u64, _ => 0 }).sum();
        prop_assert_eq!(kept.written(), total);
        prop_assert_eq!(delivered, total.min(limit), "as much as may be is kept, and no more");
        prop_assert_eq!(dropped, total - delivered);
        prop_assert!(most as u64 <= limit / 4);
        for (stream, whole) in [Stdout, Stderr].into_iter().zip(&whole) {
            let (head, gap, tail) = of(stream, &outputs);
            prop_assert_eq!(head.len() as u64 + gap + tail.len() as u64, whole.len() as u64);
            prop_assert!(whole.starts_with(&head) && whole.ends_with(&tail));
        }
    }
}
