//! Names of directories.

use gix::bstr::{BStr, ByteSlice};

/// The directories above a path, nearest first, down to the root as the empty path.
pub(super) fn above(path: &BStr) -> impl Iterator<Item = &BStr> {
    let parent = |path: &BStr| path.rfind_byte(b'/').map_or(0, |slash| slash);
    let mut rest = (!path.is_empty()).then(|| path[..parent(path)].as_bstr());
    std::iter::from_fn(move || {
        let current = rest?;
        rest = (!current.is_empty()).then(|| current[..parent(current)].as_bstr());
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_ends_at_the_root() {
        let all = |path: &'static str| above(path.into()).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(all("a/b/c"), ["a/b", "a", ""]);
        assert_eq!(all("a"), [""]);
        assert!(all("").is_empty());
    }
}
