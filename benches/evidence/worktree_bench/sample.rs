//! What one measurement gave, and the medians of many.

use std::collections::BTreeMap;

use super::variant::Variant;

/// One measurement of one variant; times are in seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Until all worktrees were there.
    pub(crate) wall: f64,
    /// How long all processes kept a processor busy, for the whole sample.
    pub(crate) busy: f64,
    /// The largest resident size, in MiB.
    pub(crate) peak: f64,
    /// The first `git status` afterwards.
    pub(crate) status: Option<f64>,
    /// Until the worktrees were removed.
    pub(crate) remove: Option<f64>,
    /// Where the files came from.
    pub(crate) came: String,
    pub(crate) failed: usize,
}

/// All measurements of one repository and one number at once.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<Variant, Vec<Sample>>);

impl Samples {
    pub(crate) fn add(&mut self, variant: Variant, sample: Sample) {
        self.0.entry(variant).or_default().push(sample);
    }

    pub(crate) fn of(&self, variant: Variant) -> &[Sample] {
        self.0.get(&variant).map_or(&[], Vec::as_slice)
    }

    /// The median of one figure, where it was taken.
    pub(crate) fn median(&self, variant: Variant, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.of(variant).iter().filter_map(figure).collect())
    }

    /// The best of these variants by the median of a figure.
    pub(crate) fn best(&self, among: &[Variant], figure: impl Fn(&Sample) -> Option<f64> + Copy) -> Option<f64> {
        among.iter().filter_map(|variant| self.median(*variant, figure)).min_by(f64::total_cmp)
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    Some(if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle], values[middle + 1]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_not_moved_by_one_disturbed_run() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 90.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 2.0]), Some(3.0));
    }
}
