//! Which URLs a submodule may have. The rules are git's own: what one could use to smuggle an option or another host into
//! a command, or a line into what is told to a credential helper.

/// Whether git would refuse this URL of a submodule.
pub(super) fn is_refused(url: &[u8]) -> bool {
    if url.starts_with(b"-") || has_line_break(url) {
        return true;
    }
    if is_relative(url) {
        // It may be appended to a URL whose host it would overwrite.
        return matches!(after_dots(url), Some(b':' | b'/' | b'\\'));
    }
    over_http(url).is_some_and(|url| !is_well_formed(url))
}

/// Whether there is a line break in it, or comes out when it is decoded.
fn has_line_break(url: &[u8]) -> bool {
    let is_escaped = |part: &[u8]| part.eq_ignore_ascii_case(b"%0a") || part.eq_ignore_ascii_case(b"%0d");
    url.iter().any(|b| matches!(b, b'\n' | b'\r')) || url.windows(3).any(is_escaped)
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// How many bytes `./` or `../` takes at the front.
fn dots(url: &[u8], count: usize) -> Option<&[u8]> {
    let (front, rest) = url.split_at_checked(count)?;
    let (separator, rest) = rest.split_first()?;
    (front.iter().all(|b| *b == b'.') && is_separator(*separator)).then_some(rest)
}

fn is_relative(url: &[u8]) -> bool {
    dots(url, 1).or_else(|| dots(url, 2)).is_some()
}

/// What follows the directories that a relative URL begins with, when it climbs out of any.
fn after_dots(mut url: &[u8]) -> Option<u8> {
    let mut climbs = false;
    loop {
        if let Some(rest) = dots(url, 2) {
            (climbs, url) = (true, rest);
        } else if let Some(rest) = dots(url, 1) {
            url = rest;
        } else {
            return url.first().copied().filter(|_| climbs);
        }
    }
}

/// The URL that git would give to curl, if it would.
fn over_http(url: &[u8]) -> Option<&[u8]> {
    let names = [&b"http"[..], b"https", b"ftp", b"ftps"];
    let rest = |name: &[u8]| url.strip_prefix(name);
    names.iter().find_map(|name| {
        let rest = rest(name)?;
        rest.strip_prefix(b"::").or_else(|| rest.starts_with(b"://").then_some(url))
    })
}

/// Whether git can bring this URL into its normal form.
fn is_well_formed(url: &[u8]) -> bool {
    let scheme = url.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-')).count();
    let Some(rest) = url[scheme..].strip_prefix(b"://").filter(|_| url.first().is_some_and(u8::is_ascii_alphabetic))
    else {
        return false;
    };
    let is_file = url[..scheme].eq_ignore_ascii_case(b"file");
    let end = |of: &[u8]| of.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(of.len());
    let (user, rest) = match rest[..end(rest)].iter().position(|b| *b == b'@') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&b""[..], rest),
    };
    let (host, path) = rest.split_at(end(rest));
    is_escaped_well(user) && is_host(host, is_file) && is_path(path)
}

fn is_host(host: &[u8], is_file: bool) -> bool {
    // A colon behind the last bracket begins the port.
    let colon = host.iter().rposition(|b| matches!(b, b':' | b']')).filter(|at| host[*at] == b':');
    let (name, port) = colon.map_or((host, None), |at| (&host[..at], Some(&host[at + 1..])));
    if is_file {
        return port.is_none_or(<[u8]>::is_empty) && name.iter().all(|b| is_host_byte(*b));
    }
    !name.is_empty() && name[0] != b':' && name.iter().all(|b| is_host_byte(*b)) && port.is_none_or(is_port)
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'[' | b':' | b']')
}

fn is_port(port: &[u8]) -> bool {
    let zeros = port.iter().take_while(|b| **b == b'0').count();
    let number = &port[zeros..];
    if number.is_empty() {
        return port.is_empty();
    }
    let value = || std::str::from_utf8(number).ok()?.parse::<u16>().ok();
    number.iter().all(u8::is_ascii_digit) && value().is_some()
}

/// Whether the escapes are whole, and no step leads above the root.
fn is_path(path: &[u8]) -> bool {
    let end = path.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(path.len());
    let (steps, rest) = path.split_at(end);
    let steps = steps.strip_prefix(b"/").unwrap_or(steps);
    let mut depth = 0_usize;
    for step in steps.split(|b| *b == b'/') {
        if !is_escaped_well(step) {
            return false;
        }
        match without_escaped_dots(step).as_slice() {
            b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    is_escaped_well(rest)
}

fn is_escaped_well(text: &[u8]) -> bool {
    let mut parts = text.split(|b| *b == b'%');
    parts.next();
    parts.all(|part| part.len() >= 2 && part[..2].iter().all(u8::is_ascii_hexdigit))
}

fn without_escaped_dots(step: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = step;
    while let Some((first, more)) = rest.split_first() {
        match rest.get(..3) {
            Some(escape) if escape.eq_ignore_ascii_case(b"%2e") => {
                plain.push(b'.');
                rest = &rest[3..];
            }
            _ => {
                plain.push(*first);
                rest = more;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_git_refuses_is_refused() {
        for bad in [
            "-uploadpack=x",
            "../../:x",
            "..//x",
            "./../:x",
            "..\\\\x",
            "./%0a",
            "a\nb",
            "a\rb",
            "https://%0ahost/",
            "https://host/%0A",
            "https:///x",
            "http::x",
            "https::-x",
            "http://",
            "http://a b/",
            "https://host:99999/",
            "https://host:0/",
            "https://host:000",
            "https://host:8x/",
            "http://h/%zz",
            "http://h/%4",
            "http://u%@h/",
            "https://host/../../x",
            "https://host/..",
            "https://host/.%2E",
            "https://:80/",
            "https://@/x",
            "https://host?%",
            "http::file://:80/x",
        ] {
            assert!(is_refused(bad.as_bytes()), "{bad}");
        }
        for good in [
            "https://example.com/x.git",
            "HTTPS://-x",
            "./x",
            "../x",
            "./:x",
            "git@example.com:x.git",
            "ssh://host/x",
            "/srv/x.git",
            "ext::sh",
            "https://user:pw@host:443/a/../b?c#d",
            "https://host:080/",
            "https://host:/",
            "https://[::1]:80/%41",
            "ftp://host",
            "http::https://host/x",
            "https://host//..",
            "",
        ] {
            assert!(!is_refused(good.as_bytes()), "{good}");
        }
    }
}
