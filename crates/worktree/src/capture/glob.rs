//! Matches a path against a pattern of `.gitignore` in time that grows with the product of their lengths.
//!
//! The usual way of trying every length for every `*` takes ages for patterns that were made to take ages, and here an
//! agent writes the patterns. So all ways to match are followed at once.

/// A pattern, ready to be matched.
#[derive(Debug)]
pub(super) struct Glob {
    /// None for a pattern that matches nothing, such as one with an open bracket.
    steps: Option<Vec<Step>>,
    /// How many bytes of the text are plain at its beginning, and at its end. Most texts differ in those already.
    plain: (usize, usize),
    fold: bool,
}

#[derive(Debug)]
enum Step {
    Byte(u8),
    /// `?`, or a class in brackets.
    One(Box<[bool; 256]>),
    /// `*`: any run of bytes in one directory.
    Star,
    /// `**/` at the start of a step of the path: any number of directories, with [`Inside`](Self::Inside) after it.
    Directories,
    /// Within the directories that the step before has begun.
    Inside,
    /// `**` at the end: anything.
    Rest,
}

impl Glob {
    pub(super) fn new(pattern: &[u8], fold: bool) -> Self {
        let steps = compile(pattern, fold);
        let is_plain = |step: &&Step| matches!(step, Step::Byte(_));
        let plain = steps.as_ref().map_or((0, 0), |steps| {
            (steps.iter().take_while(is_plain).count(), steps.iter().rev().take_while(is_plain).count())
        });
        Self { steps, plain, fold }
    }

    /// How much work it is to match a text of this length.
    pub(super) fn cost(&self, text: usize) -> u64 {
        let steps = self.steps.as_ref().map_or(0, Vec::len) as u64;
        (steps + 1) * (text as u64 + 1)
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let Some(steps) = &self.steps else { return false };
        let (head, tail) = self.plain;
        let differs = |steps: &[Step], text: &[u8]| {
            steps.iter().zip(text).any(|(step, byte)| {
                let byte = if self.fold { byte.to_ascii_lowercase() } else { *byte };
                !matches!(step, Step::Byte(wanted) if *wanted == byte)
            })
        };
        if text.len() < head.max(tail)
            || differs(&steps[..head], &text[..head])
            || differs(&steps[steps.len() - tail..], &text[text.len() - tail..])
        {
            return false;
        }
        let mut now = vec![false; steps.len() + 1];
        let mut next = now.clone();
        enter(steps, &mut now, 0);
        for &byte in text {
            let byte = if self.fold { byte.to_ascii_lowercase() } else { byte };
            next.fill(false);
            for (at, step) in steps.iter().enumerate().filter(|(at, _)| now[*at]) {
                match step {
                    Step::Byte(wanted) if *wanted == byte => enter(steps, &mut next, at + 1),
                    Step::One(set) if set[usize::from(byte)] => enter(steps, &mut next, at + 1),
                    Step::Star if byte != b'/' => enter(steps, &mut next, at),
                    Step::Inside => {
                        next[at] = true;
                        if byte == b'/' {
                            enter(steps, &mut next, at + 1);
                        }
                    }
                    Step::Rest => return true,
                    _ => {}
                }
            }
            std::mem::swap(&mut now, &mut next);
        }
        now[steps.len()]
    }
}

/// Notes that a step was reached, and those that can be reached from it for nothing.
fn enter(steps: &[Step], reached: &mut [bool], at: usize) {
    let mut at = at;
    while !reached[at] {
        reached[at] = true;
        match steps.get(at) {
            Some(Step::Star | Step::Rest) => at += 1,
            Some(Step::Directories) => {
                reached[at + 1] = true;
                at += 2;
            }
            _ => return,
        }
    }
}

fn compile(pattern: &[u8], fold: bool) -> Option<Vec<Step>> {
    let lower = |byte: u8| if fold { byte.to_ascii_lowercase() } else { byte };
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'\\' => {
                steps.push(Step::Byte(lower(*pattern.get(at)?)));
                at += 1;
            }
            b'?' => {
                let mut set = [true; 256];
                set[usize::from(b'/')] = false;
                steps.push(Step::One(Box::new(set)));
            }
            b'*' => {
                while pattern.get(at) == Some(&b'*') {
                    at += 1;
                }
                let alone = at - start > 1 && (start == 0 || pattern[start - 1] == b'/');
                let rest = &pattern[at..];
                if alone && rest.is_empty() {
                    steps.push(Step::Rest);
                } else if alone && (rest.starts_with(b"/") || rest.starts_with(b"\\/")) {
                    if rest[0] == b'/' {
                        at += 1;
                    } else {
                        // To git, an escaped slash after it stands for itself: there must be one directory.
                        at += 2;
                        steps.extend([Step::Star, Step::Byte(b'/')]);
                    }
                    steps.push(Step::Directories);
                    steps.push(Step::Inside);
                } else {
                    steps.push(Step::Star);
                }
            }
            b'[' => {
                let (set, end) = class(pattern, at, fold)?;
                steps.push(Step::One(Box::new(set)));
                at = end;
            }
            _ => steps.push(Step::Byte(lower(byte))),
        }
    }
    Some(steps)
}

/// The bytes that a class matches, and where it ends; `at` is after its opening bracket.
fn class(pattern: &[u8], at: usize, fold: bool) -> Option<([bool; 256], usize)> {
    let negated = matches!(pattern.get(at)?, b'!' | b'^');
    let mut at = if negated { at + 1 } else { at };
    let mut set = [false; 256];
    let mut last: Option<u8> = None;
    loop {
        let mut byte = *pattern.get(at)?;
        let range = byte == b'-' && pattern.get(at + 1).is_some_and(|next| *next != b']');
        match last.filter(|_| range) {
            Some(first) => {
                at += 1;
                byte = *pattern.get(at)?;
                if byte == b'\\' {
                    at += 1;
                    byte = *pattern.get(at)?;
                }
                (first..=byte).for_each(|byte| set[usize::from(byte)] = true);
                last = None;
            }
            None if byte == b'[' && pattern.get(at + 1) == Some(&b':') => {
                let end = at + 2 + pattern[at + 2..].iter().position(|b| *b == b']')?;
                if end > at + 2 && pattern[end - 1] == b':' {
                    let member = named(&pattern[at + 2..end - 1])?;
                    (0..=255u8).filter(member).for_each(|byte| set[usize::from(byte)] = true);
                    at = end;
                    last = None;
                } else {
                    set[usize::from(b'[')] = true;
                    last = Some(b'[');
                }
            }
            None => {
                if byte == b'\\' {
                    at += 1;
                    byte = *pattern.get(at)?;
                }
                set[usize::from(byte)] = true;
                last = Some(byte);
            }
        }
        at += 1;
        if *pattern.get(at)? == b']' {
            break;
        }
    }
    if fold {
        // The text is in lower case by then.
        for upper in b'A'..=b'Z' {
            set[usize::from(upper.to_ascii_lowercase())] |= set[usize::from(upper)];
        }
    }
    let mut set = set.map(|member| member != negated);
    set[usize::from(b'/')] = false;
    Some((set, at + 1))
}

fn named(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |b| matches!(b, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |b| matches!(b, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |b| matches!(b, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use gix::glob::wildmatch::Mode;
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern.as_bytes(), false).matches(text.as_bytes())
    }

    #[test]
    fn stars_stop_at_directories_and_double_stars_do_not() {
        for (pattern, text) in [
            ("*.rs", "a.rs"),
            ("**/b", "b"),
            ("**/b", "x/y/b"),
            ("a/**", "a/b/c"),
            ("a/**/b", "a/b"),
            ("a/**/b", "a/x/y/b"),
            ("a**b", "axxb"),
            ("[a-c]x", "bx"),
            ("[!a]", "b"),
            ("[]]", "]"),
            ("[[:digit:]_]", "7"),
            ("\\*", "*"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("*", "a/b"),
            ("?", "/"),
            ("[!a]", "/"),
            ("a**b", "a/b"),
            ("a/**", "a"),
            ("**/b", "xb"),
            ("**\\/b", "b"),
            ("[a", "a"),
            ("a\\", "a"),
            ("[[:nonsense:]]", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(Glob::new(b"A[B-C]*", true).matches(b"abX"));
    }

    #[test]
    fn patterns_that_were_made_to_take_ages_do_not() {
        let text = format!("{}x", "a/".repeat(1000));
        assert!(!matches(&format!("{}b", "**/a/".repeat(300)), &text));
        assert!(!matches(&format!("{}b", "*a".repeat(300)), &"a".repeat(2000)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn small_patterns_match_what_the_git_library_matches(pattern in "[ab*?/\\[\\]!\\\\.-]{0,9}", text in "[ab.-]{1,3}(/[ab.-]{1,3}){0,3}") {
            let expected = gix::glob::wildmatch(pattern.as_str().into(), text.as_str().into(), Mode::NO_MATCH_SLASH_LITERAL);
            prop_assert_eq!(matches(&pattern, &text), expected);
        }
    }
}
