//! Pure: which trees an index stands for, as git keeps it in there, so that it need not make them anew.

use std::collections::BTreeSet;

use gix::bstr::{BString, ByteSlice};

use super::super::limits;

/// The same without what these paths make wrong; none when it cannot be understood, and then git does without it.
pub(super) fn without<'a>(content: &[u8], hash: usize, paths: impl Iterator<Item = &'a BString>) -> Option<Vec<u8>> {
    let changed: BTreeSet<&[u8]> =
        paths.flat_map(|path| path.find_iter(b"/").map(|at| &path[..at]).chain([&b""[..]])).collect();
    let (mut rest, mut out) = (content, Vec::with_capacity(content.len()));
    // For each directory around: its path, and how many of those in it are still to come.
    let mut around: Vec<(Vec<u8>, usize)> = Vec::new();
    loop {
        let name = until(&mut rest, 0)?;
        let entries: i64 = number(until(&mut rest, b' ')?)?;
        let inside: usize = number(until(&mut rest, b'\n')?)?;
        let mut path = around.last().map(|(path, _)| path.clone()).unwrap_or_default();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let id = if entries < 0 { &[][..] } else { rest.split_off(..hash)? };
        let kept = entries >= 0 && !changed.contains(&path[..]);
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(format!("{} {inside}\n", if kept { entries } else { -1 }).as_bytes());
        out.extend_from_slice(if kept { id } else { &[] });
        around.push((path, inside));
        if around.len() > limits::TREE_DEPTH {
            return None;
        }
        while around.last().is_some_and(|(_, inside)| *inside == 0) {
            around.pop();
        }
        match around.last_mut() {
            Some((_, inside)) => *inside -= 1,
            None => break,
        }
    }
    rest.is_empty().then_some(out)
}

fn until<'a>(rest: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let at = rest.find_byte(end)?;
    let part = rest.split_off(..at)?;
    *rest = &rest[1..];
    Some(part)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    text.to_str().ok()?.parse().ok()
}
