//! What `.gitattributes` may hold.

/// The length of a line at which git stops to read it.
const LINE_BYTES: usize = 2048;
/// The size above which git does not read one at all.
const FILE_BYTES: usize = 100 << 20;

/// Why git would refuse this content, if so.
pub(super) fn problem(content: &[u8]) -> Option<String> {
    if content.len() > FILE_BYTES {
        return Some(format!("is larger than {FILE_BYTES} bytes"));
    }
    // It is text to git, which ends at the first NUL.
    let text = content.split(|b| *b == 0).next().unwrap_or_default();
    let long = text.split(|b| *b == b'\n').any(|line| line.len() >= LINE_BYTES);
    long.then(|| format!("has a line of {LINE_BYTES} bytes or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_git_does_not_read_is_refused_wherever_it_is() {
        let line = |length| vec![b'a'; length];
        assert_eq!(problem(&line(2047)), None);
        assert!(problem(&line(2048)).is_some());
        assert!(problem(&[b"x\n".to_vec(), line(2048), b"\n".to_vec()].concat()).is_some());
        assert_eq!(problem(&[b"x\n\0".to_vec(), line(2048)].concat()), None);
        assert_eq!(problem(b""), None);
    }
}
