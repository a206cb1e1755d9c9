//! What else there is, in the same field: serial, bisecting batches, a blind pipeline, and an oracle.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::tally::Tally;
use super::truth::{Change, Field};
use crate::random::Random;

/// How many changes a bisecting queue takes at once.
const BATCH: usize = 8;

/// What has landed, and what a gate would say.
#[derive(Debug)]
struct Target<'a> {
    field: &'a Field,
    changes: &'a [Change],
    landed: Vec<bool>,
    random: Random,
    tally: Tally,
}

impl<'a> Target<'a> {
    fn new(field: &'a Field, changes: &'a [Change]) -> Self {
        let random = Random::new(field.seed ^ 0xf1a6);
        Self { field, changes, landed: vec![false; changes.len()], random, tally: Tally::default() }
    }

    /// Whether the last of some changes goes with the target and the ones before it.
    fn goes(&self, above: &[usize], change: usize) -> bool {
        let truth = &self.changes[change];
        !truth.bad && !truth.breaks.iter().any(|other| self.landed[*other] || above.contains(other))
    }

    /// Whether all of some changes go with the target, together.
    fn good(&self, above: &[usize]) -> bool {
        above.iter().enumerate().all(|(n, change)| self.goes(&above[..n], *change))
    }

    /// Runs the gate on the target with some changes on top.
    fn gate(&mut self, above: &[usize]) -> bool {
        self.tally.run(self.takes(above));
        self.good(above) && self.random.fraction() >= self.field.flakes
    }

    fn land(&mut self, change: usize, now: u64) {
        self.landed[change] = true;
        self.tally.land(&self.changes[change], now);
    }

    fn reject(&mut self, change: usize) {
        self.tally.rejected += 1;
        self.tally.wrong += u64::from(self.goes(&[], change));
    }

    fn takes(&self, above: &[usize]) -> u64 {
        above.last().map_or(0, |change| self.changes[*change].gate)
    }
}

/// One change at a time; what fails is tried twice.
pub(super) fn serial(field: &Field, changes: &[Change]) -> Tally {
    let mut target = Target::new(field, changes);
    let mut now = 0;
    for (n, change) in changes.iter().enumerate() {
        now = change.arrives.max(now);
        let mut passed = false;
        for _ in 0..2 {
            now += change.gate;
            passed = target.gate(&[n]);
            if passed {
                break;
            }
        }
        if passed {
            target.land(n, now);
        } else {
            target.reject(n);
        }
    }
    target.tally
}

/// Up to eight at a time, halved when they fail; a single one that fails is tried twice.
pub(super) fn bisecting(field: &Field, changes: &[Change]) -> Tally {
    let mut target = Target::new(field, changes);
    let (mut now, mut next) = (0, 0);
    let mut parts: VecDeque<Vec<usize>> = VecDeque::new();
    loop {
        let Some(part) = parts.pop_front() else {
            if next == changes.len() {
                return target.tally;
            }
            now = now.max(changes[next].arrives);
            let ready = changes[next..].iter().take(BATCH).take_while(|change| change.arrives <= now).count();
            parts.push_back((next..next + ready).collect());
            next += ready;
            continue;
        };
        now += target.takes(&part);
        let mut passed = target.gate(&part);
        if !passed && part.len() == 1 {
            now += target.takes(&part);
            passed = target.gate(&part);
        }
        if passed {
            part.iter().for_each(|n| target.land(*n, now));
        } else if let [single] = part.as_slice() {
            target.reject(*single);
        } else {
            let (front, back) = part.split_at(part.len() / 2);
            parts.push_front(back.to_vec());
            parts.push_front(front.to_vec());
        }
    }
}

/// Every change on top of all ahead, in as many slots; a failure restarts everything behind it.
pub(super) fn blind(field: &Field, changes: &[Change]) -> Tally {
    let mut target = Target::new(field, changes);
    let slots = usize::try_from(field.slots).unwrap_or(1);
    // Each with when its run ends.
    let mut line: VecDeque<(usize, u64)> = VecDeque::new();
    let (mut now, mut next) = (0, 0);
    loop {
        while line.len() < slots && next < changes.len() && changes[next].arrives <= now {
            line.push_back((next, now + changes[next].gate));
            target.tally.run(changes[next].gate);
            next += 1;
        }
        let arrives = changes.get(next).filter(|_| line.len() < slots).map(|change| change.arrives);
        let ends = line.front().map(|(_, ends)| *ends);
        match (ends, arrives) {
            (None, None) => return target.tally,
            (Some(ends), arrives) if arrives.is_none_or(|arrives| ends <= arrives) => {
                now = now.max(ends);
                let Some((head, _)) = line.pop_front() else { continue };
                if target.good(&[head]) && target.random.fraction() >= field.flakes {
                    target.land(head, now);
                } else {
                    target.reject(head);
                    for (behind, ends) in &mut line {
                        target.tally.busy -= ends.saturating_sub(now);
                        *ends = now + changes[*behind].gate;
                        target.tally.run(changes[*behind].gate);
                    }
                }
            }
            (_, Some(arrives)) => now = now.max(arrives),
            (Some(_), None) => {}
        }
    }
}

/// Knows what is bad and what breaks what: one run for every change, on exactly what will be below it when it lands.
pub(super) fn oracle(field: &Field, changes: &[Change]) -> Tally {
    let mut target = Target::new(field, changes);
    let mut slots: BinaryHeap<Reverse<u64>> = (0..field.slots.max(1)).map(|_| Reverse(0)).collect();
    let mut last = 0;
    for (n, change) in changes.iter().enumerate() {
        let free = slots.pop().map_or(0, |Reverse(free)| free);
        let ends = change.arrives.max(free) + change.gate;
        slots.push(Reverse(ends));
        target.tally.run(change.gate);
        if target.goes(&[], n) {
            last = ends.max(last);
            target.land(n, last);
        } else {
            target.reject(n);
        }
    }
    target.tally
}
