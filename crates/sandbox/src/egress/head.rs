//! The head of a request to the proxy: understood in one way, or refused.

use httparse::{EMPTY_HEADER, Request, Status};

use super::host::{Host, Malformed, authority};

/// The largest head that is read.
pub(super) const LONGEST: usize = 16 << 10;
const MOST_HEADERS: usize = 100;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A connection, whatever is sent over it.
    Tunnel,
    /// One request, with the head to send and how its body ends.
    Forward { head: Vec<u8>, body: Framing },
}

/// A request whose head is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) wish: Wish,
    /// How many bytes it takes; what follows it is the body or the tunnel's.
    pub(super) length: usize,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// By its chunks.
    Chunked,
}

/// Why a request is refused, whatever it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Nonsense {
    #[error("the request is not HTTP/1")]
    Syntax,
    #[error("the request's head is too large")]
    TooLarge,
    #[error("the request does not name its target; only CONNECT and absolute http:// targets are served")]
    NoTarget,
    #[error("the target is malformed: {0}")]
    Target(Malformed),
    #[error("the target and the Host header differ")]
    OtherHost,
    #[error("the end of the request's body is ambiguous")]
    Ambiguous,
}

/// Reads a head; none when it is not complete yet.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Head>, Nonsense> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() >= LONGEST { Err(Nonsense::TooLarge) } else { Ok(None) };
    };
    let length = end + 4;
    if length > LONGEST {
        return Err(Nonsense::TooLarge);
    }
    let head = &bytes[..length];
    unmistakable(head)?;
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(parsed)) if parsed == length => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Nonsense::TooLarge),
        _ => return Err(Nonsense::Syntax),
    }
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    let framing = framing(request.headers)?;
    let host_header = only(request.headers, "host").map_err(|()| Nonsense::OtherHost)?;
    if method == "CONNECT" {
        let (host, port) = authority(target).map_err(Nonsense::Target)?;
        same(host_header, &host, port, port)?;
        // The body of such a request would be the tunnel's first bytes to one reader, and not to another.
        return match framing {
            Framing::Length(0) => Ok(Some(Head { host, port, wish: Wish::Tunnel, length })),
            _ => Err(Nonsense::Ambiguous),
        };
    }
    let (host, port, path) = absolute(target)?;
    same(host_header, &host, port, 80)?;
    let head = rewritten(method, &host, port, path, request.headers);
    Ok(Some(Head { host, port, wish: Wish::Forward { head, body: framing }, length }))
}

/// Refuses bytes that readers of heads split differently: line ends of one byte, folded lines, a NUL, empty lines in front.
fn unmistakable(head: &[u8]) -> Result<(), Nonsense> {
    let pairs = head.iter().zip(head.iter().skip(1));
    let odd = pairs.clone().any(|(a, b)| (*a == b'\r') != (*b == b'\n') || *a == b'\n' && matches!(b, b' ' | b'\t'));
    if odd || head.contains(&0) || !head.first().is_some_and(u8::is_ascii_uppercase) {
        return Err(Nonsense::Syntax);
    }
    Ok(())
}

/// The value of a header that may be there once.
fn only<'h>(headers: &[httparse::Header<'h>], name: &str) -> Result<Option<&'h [u8]>, ()> {
    let mut found = headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    match (found.next(), found.next()) {
        (value, None) => Ok(value),
        _ => Err(()),
    }
}

fn framing(headers: &[httparse::Header<'_>]) -> Result<Framing, Nonsense> {
    let one = |name| only(headers, name).map_err(|()| Nonsense::Ambiguous);
    match (one("content-length")?, one("transfer-encoding")?) {
        (None, None) => Ok(Framing::Length(0)),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (Some(digits), None) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let number = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok());
            number.map(Framing::Length).ok_or(Nonsense::Ambiguous)
        }
        _ => Err(Nonsense::Ambiguous),
    }
}

/// Refuses a Host header that names another host or port than the target. Without a port it means `usual`.
fn same(header: Option<&[u8]>, host: &Host, port: u16, usual: u16) -> Result<(), Nonsense> {
    let Some(header) = header else { return Ok(()) };
    let text = std::str::from_utf8(header).map_err(|_| Nonsense::OtherHost)?;
    let named = match Host::parse(text) {
        Ok(alone) => Ok((alone, usual)),
        Err(_) => authority(text),
    };
    if named.is_ok_and(|named| named == (host.clone(), port)) { Ok(()) } else { Err(Nonsense::OtherHost) }
}

/// Splits `http://host[:port][/path]`.
fn absolute(target: &str) -> Result<(Host, u16, &str), Nonsense> {
    let scheme = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://")).ok_or(Nonsense::NoTarget)?;
    let rest = &target[scheme.len()..];
    let (place, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // Programs do not send fragments, and a backslash is a slash to some.
    if path.contains('#') || path.contains('\\') {
        return Err(Nonsense::Syntax);
    }
    let (host, port) = match Host::parse(place) {
        Ok(host) => (host, 80),
        Err(alone) => authority(place).map_err(|e| Nonsense::Target(if e == Malformed::Port { alone } else { e }))?,
    };
    Ok((host, port, path))
}

/// The head as the server gets it: in the form for servers, for one request, without what is meant for the proxy alone.
fn rewritten(method: &str, host: &Host, port: u16, path: &str, headers: &[httparse::Header<'_>]) -> Vec<u8> {
    const OURS: [&str; 7] = ["host", "connection", "keep-alive", "te", "trailer", "upgrade", "http2-settings"];
    let named: Vec<&[u8]> = headers
        .iter()
        .filter(|h| h.name.eq_ignore_ascii_case("connection"))
        .flat_map(|h| h.value.split(|b| *b == b',').map(<[u8]>::trim_ascii))
        .collect();
    // These say where the body ends, and so must stay with it.
    const FRAME: [&str; 2] = ["content-length", "transfer-encoding"];
    let drops = |name: &str| {
        let is = |other: &&str| name.eq_ignore_ascii_case(other);
        OURS.iter().any(is)
            || name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("proxy-"))
            || named.iter().any(|n| name.as_bytes().eq_ignore_ascii_case(n)) && !FRAME.iter().any(is)
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    let mut head = format!("{method} {slash}{path} HTTP/1.1\r\nHost: {host}{port}\r\n").into_bytes();
    for header in headers.iter().filter(|h| !drops(h.name)) {
        head.extend([header.name.as_bytes(), b": ", header.value, b"\r\n"].concat());
    }
    head.extend(b"Connection: close\r\n\r\n");
    head
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
