//! Trailers: the lines `Key: value` at the end of a message, found and added by git's rules.

use gix::bstr::{BStr, ByteSlice};

/// Lines that git itself writes among trailers. With one of them, a quarter of the lines being trailers is enough.
const FROM_GIT: [&[u8]; 2] = [b"Signed-off-by: ", b"(cherry picked from commit "];

/// The trailers of a message, as key and value. Bytes that are no UTF-8 are replaced.
pub(crate) fn parse(message: &BStr) -> Vec<(String, String)> {
    let (start, end) = block(message);
    let mut found: Vec<(String, String)> = Vec::new();
    for line in message[start..end].lines() {
        match key(line) {
            Some(colon) => {
                let value = line[colon + 1..].trim().to_str_lossy().into_owned();
                found.push((line[..colon].trim_end().to_str_lossy().into_owned(), value));
            }
            // A value goes on in lines that begin with a space.
            None if is_continuation(line) => {
                if let Some((_, value)) = found.last_mut() {
                    value.push(' ');
                    value.push_str(&line.trim().to_str_lossy());
                }
            }
            None => {}
        }
    }
    found
}

/// Adds lines to the trailers of a message, or after an empty line if it has none. One that is there last already is not
/// doubled.
pub(crate) fn append(message: &[u8], trailers: &[(String, String)]) -> Vec<u8> {
    let mut text = message.to_vec();
    let (start, end) = block(message.as_bstr());
    let tail = text.split_off(end);
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let mut last = parse(text.as_bstr()).pop();
    let mut begun = start < end;
    for (key, value) in trailers {
        if last.as_ref().is_some_and(|(k, v)| k.eq_ignore_ascii_case(key) && v == value) {
            continue;
        }
        if !begun {
            text.push(b'\n');
            begun = true;
        }
        text.extend_from_slice(format!("{key}: {value}").trim_end().as_bytes());
        text.push(b'\n');
        last = Some((key.clone(), value.clone()));
    }
    text.extend_from_slice(&tail);
    text
}

/// Where the trailers are, from the first to behind the last; at the end of the text, without empty lines, if there are none.
fn block(message: &BStr) -> (usize, usize) {
    let mut ends = Vec::new();
    let mut at = 0;
    for line in message.lines_with_terminator() {
        ends.push((at, line.as_bstr()));
        at += line.len();
    }
    while ends.last().is_some_and(|(_, line)| line.trim().is_empty()) {
        ends.pop();
    }
    let end = ends.last().map_or(0, |(start, line)| start + line.len());
    let paragraph = ends.iter().rposition(|(_, line)| line.trim().is_empty());
    // The first paragraph is the subject, whatever it looks like.
    let first_text = ends.iter().position(|(_, line)| !line.trim().is_empty()).unwrap_or(0);
    let Some(gap) = paragraph.filter(|gap| *gap > first_text) else { return (end, end) };
    let lines = &ends[gap + 1..];
    let (mut trailers, mut others, mut from_git) = (0_usize, 0_usize, false);
    let mut in_trailer = false;
    for (_, line) in lines {
        if FROM_GIT.iter().any(|prefix| line.starts_with(prefix)) {
            (trailers, from_git, in_trailer) = (trailers + 1, true, true);
        } else if key(line).is_some() {
            (trailers, in_trailer) = (trailers + 1, true);
        } else if !(is_continuation(line) && in_trailer) {
            (others, in_trailer) = (others + 1, false);
        }
    }
    let accepted = (trailers > 0 && others == 0) || (from_git && trailers * 3 >= others);
    if accepted { (lines[0].0, end) } else { (end, end) }
}

/// Where the colon of a trailer is.
fn key(line: &[u8]) -> Option<usize> {
    let colon = line.find_byte(b':')?;
    let name = line[..colon].trim_end_with(|c| matches!(c, ' ' | '\t'));
    let valid = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    valid.then_some(colon)
}

fn is_continuation(line: &[u8]) -> bool {
    line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'))
}
