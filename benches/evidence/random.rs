//! Random numbers that can be had again: the seed stands in the table.

/// A splitmix64 generator.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, but not including, 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.number() >> 32).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_spread_and_come_again_with_their_seed() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..1000).map(|_| random.fraction()).collect::<Vec<_>>()
        };
        let (one, again, other) = (draw(1), draw(1), draw(2));
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert!(one.iter().all(|x| (0.0..1.0).contains(x)));
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            assert!(one.iter().filter(|x| (low..low + 0.1).contains(x)).count() > 50);
        }
    }
}
