//! The search against the plain list, which another hand wrote.

use std::convert::TryInto;

use super::*;
use crate::native::filter::lists;

/// A call as a filter sees it: number and architecture, then the arguments in halves.
type Call = [u32; 16];

/// What a filter says of a call, and after how many steps.
fn run(program: &[sock_filter], call: &Call) -> (u32, usize) {
    let (mut at, mut held, mut steps) = (0, 0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at].clone();
        steps += 1;
        let jump = |holds: bool| usize::from(if holds { jt } else { jf });
        at += 1 + match code {
            0x20 => {
                held = call[k as usize / 4];
                0
            }
            0x54 => {
                held &= k;
                0
            }
            0x05 => k as usize,
            0x15 => jump(held == k),
            0x25 => jump(held > k),
            0x35 => jump(held >= k),
            0x06 => return (k, steps),
            _ => panic!("step {code:#x} is not known"),
        };
    }
}

/// The same rules, one after the other.
fn plain(rules: Rules, errno: i32) -> BpfProgram {
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).unwrap().try_into().unwrap()
}

fn ours() -> u32 {
    architecture().unwrap()[1].k
}

#[test]
fn the_search_answers_every_call_as_the_list_does() {
    let lists = lists().unwrap();
    let found = program(lists.clone()).unwrap();
    let plain: Vec<_> = lists.clone().into_iter().map(|(rules, errno)| plain(rules, errno)).collect();
    let allowed = u32::from(SeccompAction::Allow);
    let listed = |call: &Call| plain.iter().map(|program| run(program, call).0).find(|said| *said != allowed);
    let bits = (0..32).map(|bit| 1 << bit);
    let values: Vec<u32> = bits.chain([0, 3, 10, 15, 16, 17, 38, 58, 262, 0x5412, 0x541c, 0x5423, u32::MAX]).collect();
    let looked: Vec<u32> = lists
        .iter()
        .flat_map(|(rules, _)| rules)
        .filter(|(_, chain)| !chain.is_empty())
        .map(|(call, _)| *call as u32)
        .collect();
    let (mut refused, mut asked) = (0, 0);
    let mut ask = |call: Call| {
        let said = run(&found, &call).0;
        assert_eq!(said, listed(&call).unwrap_or(allowed), "{call:?}");
        asked += 1;
        refused += u32::from(said != allowed);
    };
    for number in 0..1100 {
        ask([number, ours(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    for number in looked {
        for first in &values {
            for second in &values {
                for third in [0, 1, 6, 17, 58, 0o4755, 0o2755, 0o644] {
                    // Creating flags and modes lie in different arguments; the fourth is the mode of `openat`.
                    ask([number, ours(), 0, 0, *first, 0, *second, 0, third, 0, *first, 0, 0, 0, 0, 0]);
                    ask([number, ours(), 0, 0, third, 0, *first, 0, *second, 0, third, 0, 0, 0, 0, 0]);
                }
            }
        }
    }
    assert!(refused > 10_000 && refused < asked, "{refused} of {asked}");
}

#[test]
fn numbers_of_another_architecture_and_of_the_second_set_reach_nothing() {
    let program = program(lists().unwrap()).unwrap();
    let call = |number, arch| run(&program, &[number, arch, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).0;
    assert_eq!(call(0, ours()), u32::from(SeccompAction::Allow));
    assert_eq!(call(0, 0x4000_0003), u32::from(SeccompAction::KillProcess));
    if cfg!(target_arch = "x86_64") {
        for number in [0x4000_0000, 0x4000_0001, 0x4000_0200, 0x7fff_ffff, u32::MAX] {
            assert_eq!(call(number, ours()), refuse(libc::ENOSYS).k, "{number:#x}");
        }
    }
}

#[test]
fn no_number_takes_more_than_some_steps_to_be_found() {
    let program = program(lists().unwrap()).unwrap();
    for number in 0..1100 {
        let (_, steps) = run(&program, &[number, ours(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(steps < 60, "{number}: {steps}");
    }
}
