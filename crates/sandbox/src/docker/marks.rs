//! Labels that stand in a container's name; pure.
//!
//! The labels of a container never change, so those of a sandbox cannot be put on a container that was made before it was
//! known. Its name can hold no text that is free, but a mark for each of them.

use crate::Labels;

const BEGIN: &str = ".of";
const DIGITS: usize = 16;
/// What comes before a token.
const TOKEN: &str = ".as-";
const TOKEN_DIGITS: usize = 32;
/// Longer names are of no use to anyone who looks at them.
pub(super) const MOST: usize = 8;

/// What a name ends with.
pub(super) fn suffix(labels: &Labels) -> String {
    let marks: String = labels.iter().map(|(key, value)| format!("-{}", of(key, value))).collect();
    if marks.is_empty() { marks } else { format!("{BEGIN}{marks}") }
}

/// The mark of one label: FNV-1a, which every build computes alike.
pub(super) fn of(key: &str, value: &str) -> String {
    let bytes = key.bytes().chain([0]).chain(value.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

/// What a name has before its marks.
pub(super) fn with_token(token: &str) -> String {
    format!("{TOKEN}{token}")
}

/// A name that has no marks without its token, and this.
pub(super) fn split_token(name: &str) -> (&str, Option<&str>) {
    let is_token =
        |token: &str| token.len() == TOKEN_DIGITS && token.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match name.rsplit_once(TOKEN) {
        Some((given, token)) if is_token(token) => (given, Some(token)),
        _ => (name, None),
    }
}

/// A name without its marks, and these.
pub(super) fn split(name: &str) -> (&str, impl Iterator<Item = &str>) {
    let is_mark = |mark: &str| mark.len() == DIGITS && mark.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let found = name.rsplit_once(BEGIN).and_then(|(given, marks)| Some((given, marks.strip_prefix('-')?)));
    let found = found.filter(|(_, marks)| marks.split('-').all(is_mark));
    (found.map_or(name, |(given, _)| given), found.into_iter().flat_map(|(_, marks)| marks.split('-')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back_from_a_name_and_a_sandbox_that_is_called_like_them_has_none() {
        let labels = Labels::from([("run".into(), "1".into()), ("task".into(), "2".into())]);
        let name = format!("s-7{}", suffix(&labels));
        let (given, marks) = split(&name);
        assert_eq!((given, marks.collect::<Vec<_>>()), ("s-7", vec![&*of("run", "1"), &*of("task", "2")]));
        assert_ne!(of("run", "1"), of("ru", "n1"));
        let token = "0123456789abcdef0123456789abcdef";
        let name = format!("s-7{}", with_token(token));
        assert_eq!(split_token(&name), ("s-7", Some(token)));
        assert_eq!(split_token(&format!("{name}-7")).1, None, "a sandbox that is called like it");
        for name in ["s-7", "s.of-7", "s.of-0123456789abcdef.of-7", "s.of"] {
            let (given, mut marks) = split(name);
            assert_eq!((given, marks.next()), (name, None));
        }
        assert_eq!(suffix(&Labels::new()), "");
    }
}
