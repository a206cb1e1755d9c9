//! What an annotated tag may say. Tags are followed and not taken over, so that a branch can be made of what they name.

use gix::ObjectId;
use gix::objs::Kind;

use super::commit::{headers, hex, identity};

/// Decodes a tag and checks its headers: what it names, and as what.
pub(in super::super) fn tag(id: ObjectId, data: &[u8]) -> Result<(ObjectId, Kind), String> {
    let flaw = |why: &str| format!("tag {id}: {why}");
    let headers = headers(data).map_err(flaw)?;
    if headers.contains(&0) {
        return Err(flaw("it has a NUL byte in its header"));
    }
    let mut lines = headers.split_inclusive(|b| *b == b'\n').peekable();
    let mut field = |name: &[u8]| -> Option<&[u8]> {
        let line = lines.next_if(|line| line.starts_with(name))?;
        line[name.len()..].strip_suffix(b"\n")
    };
    let target = field(b"object ").and_then(|text| hex(text, id)).ok_or_else(|| flaw("it names nothing"))?;
    let kind = field(b"type ").and_then(|text| Kind::from_bytes(text).ok()).ok_or_else(|| flaw("it has no type"))?;
    field(b"tag ").ok_or_else(|| flaw("it has no name"))?;
    // The oldest tags have none.
    if let Some(who) = field(b"tagger ") {
        identity(who).map_err(|why| flaw(&format!("its tagger {why}")))?;
    }
    Ok((target, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_git_would_refuse_names_nothing() {
        let id = ObjectId::from_hex(&[b'1'; 40]).unwrap();
        let good = format!("object {id}\ntype commit\ntag v1\ntagger A <a@b> 1 +0000\n\nnote\n");
        assert_eq!(tag(id, good.as_bytes()), Ok((id, Kind::Commit)));
        assert!(tag(id, good.replace("tagger A <a@b> 1 +0000\n", "").as_bytes()).is_ok());
        for bad in [
            good.replace("object ", "object x"),
            good.replace("type commit", "type comit"),
            good.replace("type commit\n", ""),
            good.replace("tag v1\n", ""),
            good.replace("1 +0000", "1"),
            good.replace("v1", "v\0"),
            good.replace("\n\nnote\n", ""),
        ] {
            assert!(tag(id, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
