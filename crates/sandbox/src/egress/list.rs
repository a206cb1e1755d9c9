//! Where connections may go.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{Host, Malformed, authority, port};
use crate::{Error, Result};

/// Where a connection may go: one host, or every name below a name, at one port.
///
/// Written as `name:port`, `*.name:port`, `1.2.3.4:port` or `[2001:db8::1]:port`. A host has one spelling: letters, digits and
/// hyphens, no dot at the end, no other form of an address. `*.name` stands for every name below `name`, at any depth, and not
/// for `name` itself. A name does not stand for an address, nor an address for a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    host: Pattern,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Pattern {
    One(Host),
    /// A name that is not itself meant.
    Below(String),
}

impl Endpoint {
    /// Checks the text and makes it an endpoint.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] with what is expected.
    pub fn new(text: &str) -> Result<Self> {
        read(text).map_err(|problem| Error::InvalidSpec { what: format!("the endpoint {text:?}"), problem })
    }
}

fn read(text: &str) -> std::result::Result<Endpoint, String> {
    let problem = |malformed: Malformed| match malformed {
        Malformed::Port => "add the port, for example ':443'; it is a decimal number from 1 to 65535".to_owned(),
        other => other.to_string(),
    };
    let Some(below) = text.strip_prefix("*.") else {
        let (host, port) = authority(text).map_err(problem)?;
        return Ok(Endpoint { host: Pattern::One(host), port });
    };
    let (name, number) = below.rsplit_once(':').ok_or_else(|| problem(Malformed::Port))?;
    match Host::parse(name).map_err(problem)? {
        Host::Name(name) if name.contains('.') => {
            Ok(Endpoint { host: Pattern::Below(name), port: port(number).map_err(problem)? })
        }
        Host::Name(_) => Err("it stands for a whole top-level domain; name at least two parts after '*.'".into()),
        Host::Address(_) => Err("there is nothing below an address".into()),
    }
}

impl FromStr for Endpoint {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::new(&text)
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> String {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Pattern::One(host) => write!(f, "{host}:{}", self.port),
            Pattern::Below(name) => write!(f, "*.{name}:{}", self.port),
        }
    }
}

/// The endpoints that connections may go to; none when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowList(BTreeSet<Endpoint>);

impl AllowList {
    /// Checks the texts and makes them a list.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] for the first text that is no [`Endpoint`].
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self> {
        texts.into_iter().map(|text| Endpoint::new(text.as_ref())).collect()
    }

    /// The endpoints, each once.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// Whether one of the endpoints stands for this host and port.
    #[cfg(feature = "egress")]
    pub(super) fn permits(&self, host: &Host, port: u16) -> bool {
        let permits = |pattern: &Pattern| match (pattern, host) {
            (Pattern::One(listed), host) => listed == host,
            (Pattern::Below(above), Host::Name(name)) => {
                name.strip_suffix(above.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Pattern::Below(_), Host::Address(_)) => false,
        };
        self.0.iter().any(|endpoint| endpoint.port == port && permits(&endpoint.host))
    }

    /// Whether nothing may be connected to.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Endpoint> for AllowList {
    fn from_iter<I: IntoIterator<Item = Endpoint>>(endpoints: I) -> Self {
        Self(endpoints.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_one_spelling_and_survives_it() {
        let spelled = |text: &str| Endpoint::new(text).map(|e| e.to_string()).map_err(|e| e.to_string());
        assert_eq!(spelled("API.example.com:443").as_deref(), Ok("api.example.com:443"));
        assert_eq!(spelled("*.Example.com:8443").as_deref(), Ok("*.example.com:8443"));
        assert_eq!(spelled("[2001:DB8:0::1]:1").as_deref(), Ok("[2001:db8::1]:1"));
        let list = AllowList::new(["b.example:2", "*.a.example:1", "b.example:2"]).unwrap();
        let texts: Vec<String> = list.iter().map(|e| e.clone().into()).collect();
        assert_eq!(texts, ["b.example:2", "*.a.example:1"]);
        assert_eq!(AllowList::new(texts).unwrap(), list);
    }

    #[test]
    #[cfg(feature = "egress")]
    fn a_list_permits_what_it_names_and_no_neighbour_of_it() {
        let list = AllowList::new(["a.example.com:443", "*.b.example.com:443", "10.0.0.1:80"]).unwrap();
        let permits = |text: &str| {
            let (host, port) = authority(text).unwrap();
            list.permits(&host, port)
        };
        for text in
            ["a.example.com:443", "A.EXAMPLE.com:443", "x.b.example.com:443", "x.y.b.example.com:443", "10.0.0.1:80"]
        {
            assert!(permits(text), "{text}");
        }
        for text in [
            "a.example.com:80",
            "b.example.com:443",
            "xb.example.com:443",
            "x.a.example.com:443",
            "a.example.com.evil.test:443",
            "10.0.0.1:443",
            "10.0.0.2:80",
            "example.com:443",
            "com:443",
        ] {
            assert!(!permits(text), "{text}");
        }
        assert!(!AllowList::default().permits(&Host::parse("a.b").unwrap(), 443));
    }

    #[test]
    fn what_could_mean_more_than_was_written_is_refused() {
        let texts = [
            "",
            "*",
            "*:443",
            "*.com:443",
            "*.*.a.b:1",
            "a.*.b:1",
            "*a.b.c:1",
            "*.1.2.3.4:1",
            "*.[::1]:1",
            "a.b",
            "a.b:",
            "a.b:0",
            "a.b:*",
            "a.b:+1",
            "a.b.:1",
            "127.1:80",
            "[::ffff:1.2.3.4]:1",
            "http://a.b:1",
            "a.b:1/",
            "u@a.b:1",
            "a.b:1 ",
            "é.b:1",
        ];
        for text in texts {
            assert!(Endpoint::new(text).is_err(), "{text}");
        }
    }
}
