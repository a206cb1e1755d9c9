//! A filter as a search among the numbers of calls.
//!
//! The kernel runs a new filter for every number that there is, to know which calls it never has to ask about, and
//! compiles it. For a list that is gone through from the beginning that takes longer than to make all namespaces.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, sock_filter};

use super::filter::{Problem, Rules};

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

/// What answers one call.
type Body = Vec<sock_filter>;

/// The program that refuses what the lists name, each with its error, and allows the rest. A call of another architecture
/// than ours kills: its numbers mean other calls.
pub(super) fn program(lists: impl IntoIterator<Item = (Rules, i32)>) -> Result<BpfProgram, Problem> {
    let mut bodies = BTreeMap::new();
    for (rules, errno) in lists {
        for (call, chain) in rules {
            bodies.insert(u32::try_from(call)?, body(chain, errno));
        }
    }
    let mut program = architecture()?;
    program.push(step(LOAD, 0, 0, 0));
    program.extend(second_numbers());
    let bodies: Vec<(u32, Body)> = bodies.into_iter().collect();
    program.extend(search(&bodies)?);
    Ok(program)
}

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn allow() -> sock_filter {
    step(RETURN, 0, 0, SeccompAction::Allow.into())
}

fn refuse(errno: i32) -> sock_filter {
    step(RETURN, 0, 0, SeccompAction::Errno(errno.cast_unsigned()).into())
}

/// The comparison of architectures, which is all that a filter without rules begins with.
fn architecture() -> Result<BpfProgram, Problem> {
    let (allow, kill) = (SeccompAction::Allow, SeccompAction::KillProcess);
    let mut empty: BpfProgram =
        SeccompFilter::new(Rules::new(), allow, kill, std::env::consts::ARCH.try_into()?)?.try_into()?;
    empty.pop();
    Ok(empty)
}

/// On x86-64 a second set of numbers reaches the same calls; all of them are refused, before anything is searched.
fn second_numbers() -> Vec<sock_filter> {
    const SECOND_SET: u32 = 0x4000_0000;
    if cfg!(target_arch = "x86_64") {
        vec![step(JUMP_IF_AT_LEAST, 0, 1, SECOND_SET), refuse(libc::ENOSYS)]
    } else {
        Vec::new()
    }
}

/// Refuses when one of the rules holds, and always when there is none.
fn body(chain: Vec<SeccompRule>, errno: i32) -> Body {
    if chain.is_empty() {
        return vec![refuse(errno)];
    }
    let rule = |rule: SeccompRule| {
        let conditions: BpfProgram = rule.into();
        conditions.into_iter().chain([refuse(errno)])
    };
    chain.into_iter().flat_map(rule).chain([allow()]).collect()
}

/// Finds the body of the number that is loaded, or allows it. Every path through it ends with an answer.
fn search(bodies: &[(u32, Body)]) -> Result<Vec<sock_filter>, Problem> {
    match bodies {
        [] => Ok(vec![allow()]),
        [(call, body)] => Ok([step(JUMP_IF_EQUAL, 1, 0, *call), allow()].into_iter().chain(body.clone()).collect()),
        _ => {
            let (low, high) = bodies.split_at(bodies.len() / 2);
            let (first, low) = (high.first().map_or(0, |(call, _)| *call), search(low)?);
            let mut steps = match u8::try_from(low.len()) {
                Ok(far) => vec![step(JUMP_IF_AT_LEAST, far, 0, first)],
                Err(_) => {
                    vec![step(JUMP_IF_AT_LEAST, 0, 1, first), step(JUMP, 0, 0, u32::try_from(low.len())?)]
                }
            };
            steps.extend(low);
            steps.extend(search(high)?);
            Ok(steps)
        }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
