//! A host as it is asked for and as it is dialled.
//!
//! Resolvers, proxies and lists read some texts differently: one stops at a NUL byte, one takes `127.1` for an address, one
//! ignores the dot at the end. Here each host has one spelling, and what has another is refused before anything is compared.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name that the domain name system has.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A name or an address; equal exactly when it is written the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Host {
    /// Labels of lower-case letters, digits and hyphens, with dots between them.
    Name(String),
    Address(IpAddr),
}

/// Why a text is no host, or no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("there is no host")]
    Empty,
    #[error("a host has only letters, digits, '-' and '.'; write names in other scripts as their 'xn--' form")]
    Character,
    #[error("a name does not end with a dot")]
    TrailingDot,
    #[error("each part of a name has 1 to 63 characters, of which neither the first nor the last is a '-'")]
    Label,
    #[error("a name has at most 253 characters")]
    Long,
    #[error("an address is four decimal numbers from 0 to 255 without zeros in front, and no name ends with a number")]
    Numeric,
    #[error("an address of IP version 6 stands in brackets and has no zone")]
    Version6,
    #[error("an address of IP version 4 is written as such")]
    Mapped,
    #[error("a port is a decimal number from 1 to 65535")]
    Port,
}

impl Host {
    /// Reads a host; addresses of IP version 6 stand in brackets. Upper case becomes lower case, and nothing else is changed.
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr =
                inner.strip_suffix(']').and_then(|inner| inner.parse().ok()).ok_or(Malformed::Version6)?;
            return match address.to_ipv4_mapped() {
                Some(_) => Err(Malformed::Mapped),
                None => Ok(Self::Address(address.into())),
            };
        }
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        if text.contains(':') || text.contains('%') {
            return Err(Malformed::Version6);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.')) {
            return Err(Malformed::Character);
        }
        if text.ends_with('.') {
            return Err(Malformed::TrailingDot);
        }
        if text.len() > LONGEST_NAME {
            return Err(Malformed::Long);
        }
        if ends_with_a_number(text) {
            let address: Ipv4Addr = text.parse().map_err(|_| Malformed::Numeric)?;
            return Ok(Self::Address(address.into()));
        }
        let label = |l: &str| (1..=LONGEST_LABEL).contains(&l.len()) && !l.starts_with('-') && !l.ends_with('-');
        if text.split('.').all(label) { Ok(Self::Name(text.to_ascii_lowercase())) } else { Err(Malformed::Label) }
    }
}

/// Whether some resolver could take it for an address: all do so by its last part.
fn ends_with_a_number(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or(text);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit()) && !last.is_empty()
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads a port: digits and nothing else.
pub(crate) fn port(text: &str) -> Result<u16, Malformed> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| digits).ok_or(Malformed::Port)
}

/// Reads `host:port`.
pub(crate) fn authority(text: &str) -> Result<(Host, u16), Malformed> {
    let (host, number) = text.rsplit_once(':').ok_or(Malformed::Port)?;
    Ok((Host::parse(host)?, port(number)?))
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_other_spelling_of_an_address_is_refused() {
        let forms = [
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "0177.0.0.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "256.1.1.1",
            "0x",
            "a.0x1f",
            "name.0",
            "00",
            "1e3.7",
        ];
        for text in forms {
            assert_eq!(Host::parse(text), Err(Malformed::Numeric), "{text}");
        }
        for text in ["::1", "[::1", "::1]", "[fe80::1%eth0]", "fe80::1%1", "[]", "[127.0.0.1]", "[::1].", "[::1]x"] {
            assert_eq!(Host::parse(text), Err(Malformed::Version6), "{text}");
        }
        for text in ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"] {
            assert_eq!(Host::parse(text), Err(Malformed::Mapped), "{text}");
        }
    }

    #[test]
    fn what_readers_of_names_disagree_about_is_refused() {
        for text in ["a\0.b", "a b", "a@b", "a/b", "a_b", "a\u{ff0e}b", "bücher.de", "a\r\nb", "a,b", "*", "a%2eb.c"] {
            assert!(matches!(Host::parse(text), Err(Malformed::Character | Malformed::Version6)), "{text:?}");
        }
        for text in ["example.com.", ".", "127.0.0.1."] {
            assert_eq!(Host::parse(text), Err(Malformed::TrailingDot), "{text}");
        }
        for text in [".a", "a..b", "-a.b", "a-.b", &format!("{}.b", "a".repeat(64))] {
            assert_eq!(Host::parse(text), Err(Malformed::Label), "{text}");
        }
        assert_eq!(Host::parse(&["a"; 127].join(".")).map(drop), Ok(()));
        assert_eq!(Host::parse(&["a"; 128].join(".")), Err(Malformed::Long));
        for text in ["", "0", "00", "+1", "-1", " 1", "65536", "080", "1e1", "４４３"] {
            assert_eq!(port(text), Err(Malformed::Port), "{text}");
        }
    }

    #[test]
    fn case_is_all_that_is_changed() {
        assert_eq!(Host::parse("API.Example.COM"), Ok(Host::Name("api.example.com".into())));
        assert_eq!(Host::parse("xn--bcher-kva.de"), Ok(Host::Name("xn--bcher-kva.de".into())));
        assert_eq!(Host::parse("0x7g"), Ok(Host::Name("0x7g".into())));
        assert_eq!(authority("[2001:db8::1]:443"), Ok((Host::Address("2001:db8::1".parse().unwrap()), 443)));
        assert_eq!(authority("1.2.3.4:80"), Ok((Host::Address("1.2.3.4".parse().unwrap()), 80)));
        assert_eq!(authority("a:80:80"), Err(Malformed::Version6));
        assert_eq!(authority("u@a:80"), Err(Malformed::Character));
        assert_eq!(authority("a"), Err(Malformed::Port));
    }

    proptest! {
        /// Whatever the text: what is accepted is that very text up to its case, and is read the same once more.
        #[test]
        fn what_is_accepted_is_exactly_what_was_asked_for(text in "\\PC*|[0-9a-zA-Z.:x%\\[\\]@\\x00-]{0,20}") {
            if let Ok(host) = Host::parse(&text) {
                let shown = host.to_string();
                prop_assert_eq!(Host::parse(&shown), Ok(host.clone()));
                match host {
                    Host::Name(name) => {
                        prop_assert_eq!(&name, &text.to_ascii_lowercase());
                        prop_assert!(name.parse::<IpAddr>().is_err());
                    }
                    Host::Address(IpAddr::V4(_)) => prop_assert_eq!(shown, text),
                    Host::Address(IpAddr::V6(address)) => {
                        prop_assert!(address.to_ipv4_mapped().is_none());
                        prop_assert_eq!(text[1..text.len() - 1].parse(), Ok(address));
                    }
                }
            }
        }

        #[test]
        fn every_ordinary_name_is_accepted(name in "[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z]([a-z0-9-]{0,8}[a-z0-9])?){0,4}") {
            prop_assert_eq!(Host::parse(&name), Ok(Host::Name(name.clone())));
            prop_assert_eq!(Host::parse(&name.to_uppercase()), Ok(Host::Name(name)));
        }
    }
}
