//! From probes to Perl, and back from what it printed.

use std::collections::BTreeMap;

/// One probe as it is run: its id, its seconds, its code without placeholders.
pub(super) type Part = (&'static str, u32, String);

const DRIVER: &str = include_str!("driver.pl");

/// The subroutines that all probes use; placeholders in it are filled by `fill`.
pub(super) fn driver() -> &'static str {
    DRIVER
}

/// A script that runs all of these, each in a process of its own.
pub(super) fn together(driver: &str, nonce: &str, parts: &[Part]) -> String {
    let list: String =
        parts.iter().map(|(id, seconds, code)| format!("['{id}', {seconds}, sub {{ {code} }}],\n")).collect();
    format!("{driver}\ntogether('{nonce}',\n{list});\n")
}

/// A script that is this probe and nothing else.
pub(super) fn alone(driver: &str, code: &str) -> String {
    format!("{driver}\nmy $FIRST = $$; setpgrp;\nsub probe {{ {code} }}\nprobe();\n")
}

/// What each probe of [`together`] said.
pub(super) fn said(output: &[u8], nonce: &str) -> BTreeMap<String, Vec<u8>> {
    let text = String::from_utf8_lossy(output);
    let mark = format!("@{nonce} ");
    let records = text.lines().filter_map(|line| line.strip_prefix(&mark)?.split_once(' '));
    records.filter_map(|(id, hex)| Some((id.to_owned(), bytes(hex.trim())?))).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.len().is_multiple_of(2).then(|| hex.as_bytes().chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_records_with_the_right_mark_count() {
        let output = b"noise\n@n one 545249454420\n@m two 00\n@n three 5\n@n four zz\n@n end\n";
        assert_eq!(said(output, "n"), BTreeMap::from([("one".to_owned(), b"TRIED ".to_vec())]));
    }
}
