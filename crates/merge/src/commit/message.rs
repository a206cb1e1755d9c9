//! The text of a candidate's message.

use crate::{Change, Error, Result};

/// Subject, an empty line, trailers. What would break a line or the message's structure is made a space.
pub(crate) fn message(change: &Change) -> Result<String> {
    let mut text = match one_line(&change.subject) {
        subject if subject.is_empty() => format!("Merge {}", change.tip),
        subject => subject,
    };
    text.push('\n');
    let trailers = lines_of(change)?;
    if !trailers.is_empty() {
        text.push('\n');
    }
    for (key, value) in &trailers {
        text.push_str(format!("{key}: {value}").trim_end());
        text.push('\n');
    }
    Ok(text)
}

/// The trailers of the change, each fit for a line.
pub(crate) fn lines_of(change: &Change) -> Result<Vec<(String, String)>> {
    let line = |(key, value): &(String, String)| {
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Error::InvalidName {
                what: "trailer key",
                name: key.clone(),
                problem: "use letters, digits and '-'",
            });
        }
        Ok((key.clone(), one_line(value)))
    };
    change.trailers.iter().map(line).collect()
}

/// The text on one line, with single spaces where it had control characters or several.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommitId, Identity};

    fn change(subject: &str, trailers: &[(&str, &str)]) -> Change {
        Change {
            tip: CommitId::new("a".repeat(40)).unwrap(),
            subject: subject.into(),
            trailers: trailers.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            committer: Identity { name: "n".into(), email: "e".into() },
        }
    }

    #[test]
    fn a_subject_cannot_forge_a_trailer() {
        let text = message(&change("Fix\n\nGate: passed\0", &[("Task", "fix-42\nGate: passed")])).unwrap();
        assert_eq!(text, "Fix Gate: passed\n\nTask: fix-42 Gate: passed\n");
    }

    #[test]
    fn an_empty_subject_names_the_change() {
        assert_eq!(message(&change(" \n", &[])).unwrap(), format!("Merge {}\n", "a".repeat(40)));
    }

    #[test]
    fn a_trailer_key_with_a_colon_is_refused() {
        for key in ["", "Task: x", "a\nb", "é"] {
            assert!(matches!(message(&change("s", &[(key, "v")])), Err(Error::InvalidName { .. })), "{key:?}");
        }
    }
}
