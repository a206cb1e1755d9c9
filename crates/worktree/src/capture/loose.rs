//! Reads loose objects of a view.

use std::io::{BufReader, ErrorKind, Read};

use gix::ObjectId;
use gix::objs::Kind;

use super::beneath::Dir;
use super::inflate::{self, Budget};
use super::limits;

/// An object whose hash was checked.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) data: Vec<u8>,
}

/// Reads the loose object `id` below `objects`, if there is one; what it holds is what its name says.
pub(super) fn read(objects: &Dir, id: ObjectId, budget: &Budget) -> Result<Option<Object>, String> {
    let hex = id.to_string();
    let path = format!("{}/{}", &hex[..2], &hex[2..]);
    let file = match objects.file(path.as_bytes()) {
        Ok((file, _)) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(format!("object {id} {e}")),
    };
    let mut input = BufReader::new(file.take(limits::OBJECT_BYTES * 2));
    let mut bytes = Vec::new();
    let flaw = |why: String| format!("object {id} is damaged: {why}");
    inflate::stream(&mut input, &mut bytes, budget, |so_far| match header(so_far) {
        Some((_, size, start)) => Ok(size + start as u64),
        None if so_far.len() < 64 => Ok(64),
        None => Err("it has no header".into()),
    })
    .map_err(flaw)?;
    let (kind, size, start) = header(&bytes).ok_or_else(|| flaw("it has no header".into()))?;
    bytes.drain(..start);
    if bytes.len() as u64 != size {
        return Err(flaw("its size is not what it says".into()));
    }
    check(Object { kind, data: bytes }, id).map(Some)
}

/// Makes sure that an object is the one that was asked for.
pub(super) fn check(object: Object, id: ObjectId) -> Result<Object, String> {
    match gix::objs::compute_hash(id.kind(), object.kind, &object.data) {
        Ok(found) if found == id => Ok(object),
        Ok(found) => Err(format!("object {id} is damaged: its content has the id {found}")),
        Err(e) => Err(format!("object {id} cannot be hashed: {e}")),
    }
}

/// Kind, size and length of the header of a loose object.
fn header(bytes: &[u8]) -> Option<(Kind, u64, usize)> {
    let end = bytes.iter().take(64).position(|b| *b == 0)?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let (kind, size) = text.split_once(' ')?;
    let plain = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
    let size = size.parse().ok().filter(|_| plain).filter(|size| *size <= limits::OBJECT_BYTES)?;
    Some((Kind::from_bytes(kind.as_bytes()).ok()?, size, end + 1))
}
