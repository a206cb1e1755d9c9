//! What a commit may say.

use gix::ObjectId;

/// What a commit refers to.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Links {
    pub(in super::super) tree: ObjectId,
    pub(in super::super) parents: Vec<ObjectId>,
}

/// Decodes a commit and checks its headers.
pub(in super::super) fn commit(id: ObjectId, data: &[u8]) -> Result<Links, String> {
    let flaw = |why: &str| format!("commit {id}: {why}");
    if data.contains(&0) {
        return Err(flaw("it has a NUL byte"));
    }
    let headers = headers(data).map_err(flaw)?;
    let mut lines = headers.split_inclusive(|b| *b == b'\n').peekable();
    let mut field = |name: &[u8]| -> Option<&[u8]> {
        let line = lines.next_if(|line| line.starts_with(name))?;
        line[name.len()..].strip_suffix(b"\n")
    };
    let tree = field(b"tree ").and_then(|text| hex(text, id)).ok_or_else(|| flaw("it has no tree"))?;
    let mut parents = Vec::new();
    while let Some(text) = field(b"parent ") {
        parents.push(hex(text, id).ok_or_else(|| flaw("a parent is not an object id"))?);
    }
    for (name, what) in [(&b"author "[..], "author"), (b"committer ", "committer")] {
        let text = field(name).ok_or_else(|| flaw(&format!("it has no {what}")))?;
        identity(text).map_err(|why| flaw(&format!("its {what} {why}")))?;
    }
    // git reads the first one, other programs the last one, and nobody writes two.
    let known = [&b"tree "[..], b"parent ", b"author ", b"committer "];
    if lines.any(|line| known.iter().any(|name| line.starts_with(name))) {
        return Err(flaw("a line of its header is repeated"));
    }
    Ok(Links { tree, parents })
}

/// The lines before the message. Without a message, the last of them must be whole.
pub(super) fn headers(data: &[u8]) -> Result<&[u8], &'static str> {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => Ok(&data[..=at]),
        None if data.ends_with(b"\n") => Ok(data),
        None => Err("its header does not end"),
    }
}

/// An object id of the same kind as `like`. The null id names nothing.
pub(super) fn hex(text: &[u8], like: ObjectId) -> Option<ObjectId> {
    ObjectId::from_hex(text).ok().filter(|found| found.kind() == like.kind() && !found.is_null())
}

/// Checks `Name <mail> seconds +zone`.
pub(super) fn identity(text: &[u8]) -> Result<(), &'static str> {
    let open = text.iter().position(|b| matches!(b, b'<' | b'>')).ok_or("has no mail address")?;
    if text[open] == b'>' {
        return Err("has a malformed name");
    }
    if open == 0 || text[open - 1] != b' ' {
        return Err("has no space before its mail address");
    }
    let after = &text[open + 1..];
    let close = after.iter().position(|b| matches!(b, b'<' | b'>')).ok_or("has no end of its mail address")?;
    if after[close] == b'<' {
        return Err("has a malformed mail address");
    }
    let date = after[close + 1..].strip_prefix(b" ").ok_or("has no space before its date")?;
    // git has always taken more than one space here.
    let blank = date.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let date = std::str::from_utf8(&date[blank..]).map_err(|_| "has a malformed date")?;
    let (seconds, zone) = date.split_once(' ').ok_or("has no time zone")?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let padded = seconds.len() > 1 && seconds.starts_with('0');
    if !digits(seconds) || padded {
        return Err("has a malformed date");
    }
    if seconds.parse::<i64>().is_err() {
        return Err("has a date that does not fit into 64 bits");
    }
    let sign = zone.strip_prefix(['+', '-']).ok_or("has a malformed time zone")?;
    if sign.len() == 4 && digits(sign) { Ok(()) } else { Err("has a malformed time zone") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ObjectId {
        ObjectId::from_hex(&[b'1'; 40]).unwrap()
    }

    #[test]
    fn a_commit_with_a_forged_header_is_refused() {
        let hex = "1".repeat(40);
        let who = "A U Thor <a@b> 1700000000 +0000";
        let good = format!("tree {hex}\nparent {hex}\nauthor {who}\ncommitter {who}\ngpgsig x\n y\n\nmessage\n");
        assert_eq!(commit(id(), good.as_bytes()).unwrap().parents.len(), 1);
        for bad in [
            good.replace("tree ", "tre "),
            good.replace("parent 1", "parent g"),
            good.replace(&format!("parent {hex}"), &format!("parent {}", "0".repeat(40))),
            good.replace("author A", "authorA"),
            good.replace("1700000000", "01700000000"),
            good.replace("1700000000", "-1"),
            good.replace("1700000000", "99999999999999999999"),
            good.replace("+0000", "0000"),
            good.replace("<a@b>", "<a@b"),
            good.replace("gpgsig x", &format!("author {who}")),
            good.replace("message", "mess\0age"),
            good.replace("Thor <", "Thor<"),
            good.replace("gpgsig x\n y\n\nmessage\n", "gpgsig x"),
        ] {
            assert!(commit(id(), bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(commit(id(), good.replace("<a@b> ", "<a@b>  ").as_bytes()).is_ok());
        assert!(commit(id(), good.replace("\nmessage\n", "").as_bytes()).is_ok());
    }
}
