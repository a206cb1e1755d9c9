//! Names that say whose something is.

use super::life::Life;

pub(super) const PREFIX: &str = "hedgerow";

/// The name of something of this process.
pub(crate) fn name(token: &str) -> String {
    // One without an owner is never taken for a dead one's.
    let Life { pid, began, namespace, clock, boot } =
        Life::ours().unwrap_or(Life { pid: 0, began: 0, namespace: 0, clock: 0, boot: 0 });
    format!("{PREFIX}-{pid}-{began}-{namespace}-{clock}-{boot:016x}-{token}")
}

/// Whose something of this name is.
pub(crate) fn owner(name: &str) -> Option<Life> {
    let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-');
    let pid = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse().ok();
    let (began, namespace, clock) = (number()?, number()?, number()?);
    let boot = u64::from_str_radix(parts.next()?, 16).ok()?;
    let (_token, None) = (parts.next()?, parts.next()) else { return None };
    (pid > 0).then_some(Life { pid, began, namespace, clock, boot })
}

/// Whether something of this name is of a process that is over for certain.
pub(super) fn is_of_the_dead(name: &str, judge: Life) -> bool {
    owner(name).is_some_and(|owner| owner.is_over(judge))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is_and_a_number_that_is_used_again_is_another_owner() {
        let ours = Life::ours().unwrap();
        let written = owner(&name("ab12")).unwrap();
        assert_eq!(written, ours);
        assert!(!written.is_over(ours));
        assert!(Life { began: ours.began + 1, ..ours }.is_over(ours));
        let dead = Life { pid: i32::MAX, ..ours };
        assert!(dead.is_over(ours));
        assert!(!Life { namespace: 7, ..dead }.is_over(ours), "its number counts elsewhere");
        assert!(!Life { clock: 7, ..dead }.is_over(ours), "it began by another clock");
        assert!(!Life { boot: 7, ..dead }.is_over(ours), "it may be on another machine");
        let strange = [
            "hedgerow-1-2-3",
            "hedgerow-0-0-0-0-0-ab12",
            "hedgerow-1-2-3-4-5-6-7",
            "hedgerow-x-2-3-4-5-t",
            "other-1-2-3-4-5-t",
        ];
        for strange in strange {
            assert_eq!(owner(strange), None, "{strange}");
        }
    }
}
