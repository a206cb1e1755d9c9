//! How many changes one gate run shall try at once.

/// The most changes of one batch.
const MOST: u16 = 32;

/// The size of batch that costs the fewest runs per change, when a change passes with this likelihood.
///
/// A batch of `b` costs one run. If it fails, finding the first culprit costs about as many more as `b` can be halved, and
/// one more.
pub(super) fn size(chance: f64) -> usize {
    let cost = |b: u16| {
        let passes = chance.powi(i32::from(b));
        let search = if b == 1 { 0.0 } else { f64::from(b).log2().ceil() + 1.0 };
        // What a batch settles: all of it, or what comes before the first bad change and that change.
        let settled: f64 = (0..b).map(|n| chance.powi(i32::from(n))).sum();
        (1.0 + (1.0 - passes) * search) / settled
    };
    let best = (1..=MOST).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    usize::from(best.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_fails_the_smaller_the_batch() {
        let sizes: Vec<usize> = [0.999, 0.98, 0.95, 0.85, 0.72, 0.3].into_iter().map(size).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "{sizes:?}");
        assert!(sizes[0] >= 16, "{sizes:?}");
        assert_eq!(sizes[5], 1, "when most fail, batches cost more than they save");
    }

    /// Beyond about 0.7 failures per batch, batches cost more than no batches.
    #[test]
    fn a_batch_is_expected_to_pass() {
        for percent in [2.0, 5.0, 15.0, 28.0] {
            let chance = 1.0 - percent / 100.0;
            let size = f64::from(u16::try_from(size(chance)).unwrap());
            assert!(size * (1.0 - chance) <= 1.0, "{percent} %: {size}");
        }
    }
}
