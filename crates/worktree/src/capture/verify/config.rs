//! Reads a text in the language of git's configuration, just as git does: up to the first thing that is wrong in it.

/// One setting: the whole name, its last part in lower case, and the value behind `=`, if there is one.
pub(super) type Found<'a> = dyn FnMut(&[u8], Option<&[u8]>) + 'a;

/// Gives every setting to `found`, the first one first.
pub(super) fn read(text: &[u8], found: &mut Found<'_>) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut input = Input { text, at: 0 };
    // None is what is wrong, or the end.
    let _end = input.document(found);
}

struct Input<'a> {
    text: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn document(&mut self, found: &mut Found<'_>) -> Option<()> {
        let mut section = Vec::new();
        loop {
            match self.next() {
                None => return None,
                Some(b'#' | b';') => while self.next()? != b'\n' {},
                Some(byte) if is_space(byte) => {}
                Some(b'[') => {
                    section = self.section()?;
                    section.push(b'.');
                }
                Some(byte) if byte.is_ascii_alphabetic() => self.setting(byte, &section, found)?,
                Some(_) => return None,
            }
        }
    }

    /// The next byte, a line end of DOS being one.
    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        if byte == b'\r' && self.text.get(self.at) == Some(&b'\n') {
            self.at += 1;
            return Some(b'\n');
        }
        Some(byte)
    }

    /// `name]`, `name.name]` or `name "any name"]`.
    fn section(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        loop {
            match self.next()? {
                b']' => return (!name.is_empty()).then_some(name),
                byte if is_space(byte) => return self.subsection(byte, name),
                byte if is_key(byte) || byte == b'.' => name.push(byte.to_ascii_lowercase()),
                _ => return None,
            }
        }
    }

    fn subsection(&mut self, space: u8, mut name: Vec<u8>) -> Option<Vec<u8>> {
        let mut byte = space;
        while is_space(byte) {
            if byte == b'\n' {
                return None;
            }
            byte = self.next()?;
        }
        if byte != b'"' {
            return None;
        }
        name.push(b'.');
        loop {
            match self.next()? {
                b'\n' => return None,
                b'"' => return (self.next()? == b']').then_some(name),
                b'\\' => name.push(self.next().filter(|byte| *byte != b'\n')?),
                byte => name.push(byte),
            }
        }
    }

    fn setting(&mut self, first: u8, section: &[u8], found: &mut Found<'_>) -> Option<()> {
        let mut name = section.to_vec();
        name.push(first.to_ascii_lowercase());
        // The end of the text ends a line.
        let mut byte = self.next().unwrap_or(b'\n');
        while is_key(byte) {
            name.push(byte.to_ascii_lowercase());
            byte = self.next().unwrap_or(b'\n');
        }
        while matches!(byte, b' ' | b'\t') {
            byte = self.next().unwrap_or(b'\n');
        }
        let value = match byte {
            b'\n' => None,
            b'=' => Some(self.value()?),
            _ => return None,
        };
        found(&name, value.as_deref());
        Some(())
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        let (mut value, mut quoted, mut trimmed) = (Vec::new(), false, None);
        loop {
            let byte = self.next().unwrap_or(b'\n');
            match byte {
                b'\n' if quoted => return None,
                b'\n' => {
                    value.truncate(trimmed.unwrap_or(usize::MAX));
                    return Some(value);
                }
                b'#' | b';' if !quoted => {
                    while self.next().unwrap_or(b'\n') != b'\n' {}
                    value.truncate(trimmed.unwrap_or(usize::MAX));
                    return Some(value);
                }
                byte if is_space(byte) && !quoted => {
                    // In front of the value there is nothing to keep it from.
                    if !value.is_empty() {
                        trimmed.get_or_insert(value.len());
                        value.push(byte);
                    }
                    continue;
                }
                b'"' => quoted = !quoted,
                b'\\' => match self.next().unwrap_or(b'\n') {
                    b'\n' => {}
                    b't' => value.push(b'\t'),
                    b'b' => value.push(8),
                    b'n' => value.push(b'\n'),
                    same @ (b'\\' | b'"') => value.push(same),
                    _ => return None,
                },
                byte => value.push(byte),
            }
            trimmed = None;
        }
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

const fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        read(text.as_bytes(), &mut |name, value| {
            all.push(value.map_or_else(|| shown(name), |value| format!("{}={}", shown(name), shown(value))));
        });
        all
    }

    #[test]
    fn settings_are_read_as_git_reads_them() {
        for (text, expected) in [
            ("[submodule \"A\"]\n\tURL = x\n", "submodule.A.url=x"),
            ("[SubModule.A] url=x", "submodule.a.url=x"),
            ("[a \"b\\\"c\\\\\"]\nk = v", "a.b\"c\\.k=v"),
            ("[a]\nk\n", "a.k"),
            ("[a]\nk = x # note\n", "a.k=x"),
            ("[a]\nk = \"x # y\" z \n", "a.k=x # y z"),
            ("[a]\nk = x\\\n  y\n", "a.k=x  y"),
            ("[a]\r\nk = x\r\n", "a.k=x"),
            ("\u{feff}[a]\nk = \\t\\\\\\\"\n", "a.k=\t\\\""),
            ("# note\n; note\n[a]\nk = \n", "a.k="),
        ] {
            assert_eq!(settings(text), [expected], "{text:?}");
        }
    }

    #[test]
    fn what_comes_before_something_wrong_counts() {
        for rest in ["=", "[", "[b", "[b \"c", "[b c]", "[b \"c\" ]", "k = \"x\n", "k = \\x\n", "k ? v\n", "\u{1}"] {
            let text = format!("[a]\nk = v\n{rest}\n[c]\nk = v\n");
            assert_eq!(settings(&text), ["a.k=v"], "{text:?}");
        }
    }
}
