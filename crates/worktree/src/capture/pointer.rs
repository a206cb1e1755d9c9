//! Pointers of Git LFS: a file that is what its pointer stands for has not changed.

use std::io::Read;

use gix::bstr::BStr;

use super::beneath::Dir;

/// The longest pointer that Git LFS takes for one.
pub(super) const LONGEST: u64 = 1024;

/// What a pointer says about its file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    oid: String,
    pub(super) size: u64,
}

impl Pointer {
    /// Reads a pointer; none when the text is anything else.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut lines = text.lines();
        lines.next().filter(|line| line.starts_with("version https://git-lfs.github.com/spec/"))?;
        let value = |key: &str| lines.clone().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        let oid = value("oid sha256:").filter(|oid| oid.len() == 64)?;
        let size = value("size ")?.parse().ok()?;
        Some(Self { oid, size })
    }

    /// Whether the file has exactly the content that the pointer stands for.
    pub(super) fn stands_for(&self, root: &Dir, path: &BStr) -> bool {
        let hash = || -> Option<String> {
            let (file, _) = root.file(path).ok()?;
            let mut input = file.take(self.size.checked_add(1)?);
            let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha256);
            let mut chunk = vec![0; 64 << 10];
            let mut size = 0;
            loop {
                let read = input.read(&mut chunk).ok()?;
                if read == 0 {
                    break;
                }
                hasher.update(&chunk[..read]);
                size += read as u64;
            }
            let hash = hasher.try_finalize().ok()?;
            (size == self.size).then(|| hash.to_string())
        };
        hash().is_some_and(|hash| hash == self.oid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pointer_is_taken_for_one() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        assert_eq!(Pointer::parse(text.as_bytes()), Some(Pointer { oid: oid.into(), size: 12345 }));
        for bad in ["", "version 1\n", &text.replace("sha256", "md5"), &text.replace("12345", "-1")] {
            assert_eq!(Pointer::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
