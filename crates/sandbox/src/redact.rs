//! Taking known values out of output, also where they arrive in pieces.

use std::borrow::Cow;

use crate::secret::Value;
use crate::{Command, Redact};

/// A shorter value would be found where it is not meant.
const SHORTEST: usize = 8;

/// The values to look for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    /// The longest first: of two values that begin the same, the longer one is meant.
    values: Vec<(Value, String)>,
}

/// What of a stream may yet become a value, and so is not delivered yet.
#[derive(Debug, Default)]
pub(crate) struct Pending(zeroize::Zeroizing<Vec<u8>>);

impl Redactor {
    /// What a command wants to have taken out of its output.
    pub(crate) fn of(command: &Command) -> Self {
        let mut values: Vec<_> = match command.redact {
            Redact::Nothing => Vec::new(),
            Redact::Values => command
                .secrets
                .iter()
                .filter(|secret| secret.value().bytes().trim_ascii().len() >= SHORTEST)
                .map(|secret| (secret.value().clone(), format!("[secret {}]", secret.name())))
                .collect(),
        };
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.bytes().trim_ascii().len()));
        Self { values }
    }

    /// What can be delivered of a stream, now that these bytes came.
    pub(crate) fn pass<'b>(&self, pending: &mut Pending, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.values.is_empty() {
            return Cow::Borrowed(bytes);
        }
        pending.0.extend_from_slice(bytes);
        let mut clean = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(rest) = pending.0.get(at..).filter(|rest| !rest.is_empty()) {
            let whole = self.patterns().find(|(value, _)| rest.starts_with(value));
            // A longer value that may still come goes before a shorter one that is here.
            let longer = |value: &[u8]| value.len() > rest.len() && value.starts_with(rest);
            if self.patterns().any(|(value, _)| longer(value)) {
                break;
            }
            if let Some((value, mark)) = whole {
                clean.extend_from_slice(mark.as_bytes());
                at += value.len();
            } else {
                clean.push(rest[0]);
                at += 1;
            }
        }
        pending.0.drain(..at);
        Cow::Owned(clean)
    }

    /// What is left when nothing more will come.
    pub(crate) fn finish(&self, pending: &mut Pending) -> Vec<u8> {
        let rest = std::mem::take(&mut *pending.0);
        let mut clean = Vec::new();
        let mut at = 0;
        while let Some(left) = rest.get(at..).filter(|left| !left.is_empty()) {
            if let Some((value, mark)) = self.patterns().find(|(value, _)| left.starts_with(value)) {
                clean.extend_from_slice(mark.as_bytes());
                at += value.len();
            } else {
                clean.push(left[0]);
                at += 1;
            }
        }
        clean
    }

    fn patterns(&self) -> impl Iterator<Item = (&[u8], &str)> {
        self.values.iter().map(|(value, mark)| (value.bytes().trim_ascii(), mark.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Secret;

    fn redactor(values: &[&str]) -> Redactor {
        let mut command = Command::new("x", "/");
        for (number, value) in values.iter().enumerate() {
            command.secrets.push(Secret::variable(format!("S{number}"), *value).unwrap());
        }
        Redactor::of(&command)
    }

    fn all(redactor: &Redactor, text: &[u8], at_once: usize) -> String {
        let mut pending = Pending::default();
        let mut seen = Vec::new();
        for chunk in text.chunks(at_once.max(1)) {
            seen.extend_from_slice(&redactor.pass(&mut pending, chunk));
        }
        seen.extend(redactor.finish(&mut pending));
        String::from_utf8_lossy(&seen).into_owned()
    }

    #[test]
    fn a_value_is_found_wherever_it_is_cut() {
        let redactor = redactor(&["hunter2hunter2", "hunter2hunter2-longer", "short", "  spaced-value\n"]);
        let text = b"a hunter2hunter2 b hunter2hunter2-longer c hunter2hunter short spaced-value.hunter2hunter2-";
        let clean = "a [secret S0] b [secret S1] c hunter2hunter short [secret S3].[secret S0]-";
        for at_once in 1..text.len() + 1 {
            assert_eq!(all(&redactor, text, at_once), clean, "{at_once}");
        }
    }

    #[test]
    fn values_in_a_row_and_beginnings_that_overlap_are_told_apart() {
        let redactor = redactor(&["abababab", "aabaabaab"]);
        for at_once in 1..40 {
            assert_eq!(all(&redactor, b"abababababababab", at_once), "[secret S0][secret S0]");
            assert_eq!(all(&redactor, b"aaabaabaab", at_once), "a[secret S1]");
            assert_eq!(all(&redactor, b"abababa", at_once), "abababa");
        }
    }

    #[test]
    fn what_cannot_be_a_value_is_not_held_back() {
        let redactor = redactor(&["0123456789"]);
        let mut pending = Pending::default();
        assert_eq!(&*redactor.pass(&mut pending, b"prompt> "), b"prompt> ");
        assert_eq!(&*redactor.pass(&mut pending, b"x0123"), b"x");
        assert_eq!(&*redactor.pass(&mut pending, b"4!"), b"01234!");
        let mut command = Command::new("x", "/");
        command.secrets = vec![Secret::variable("A", "0123456789").unwrap()];
        command.redact = Redact::Nothing;
        assert_eq!(&*Redactor::of(&command).pass(&mut pending, b"0123456789"), b"0123456789");
    }

    proptest! {
        /// The same as replacing in the whole text at once, however it arrives.
        #[test]
        fn pieces_change_nothing(text in "[abc]{0,80}", at_once in 1_usize..20, value in "[abc]{8,12}") {
            let redactor = redactor(&[&value]);
            prop_assert_eq!(all(&redactor, text.as_bytes(), at_once), text.replace(&value, "[secret S0]"));
        }
    }
}
