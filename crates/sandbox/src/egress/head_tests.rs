use proptest::prelude::*;

use super::*;

fn whole(text: &str) -> Result<Head, Nonsense> {
    read(text.as_bytes()).map(|head| head.unwrap_or_else(|| panic!("not complete: {text:?}")))
}

fn target(text: &str) -> Result<String, Nonsense> {
    whole(text).map(|head| format!("{}:{}", head.host, head.port))
}

fn forwarded(text: &str) -> (String, Framing) {
    match whole(text).unwrap().wish {
        Wish::Forward { head, body } => (String::from_utf8(head).unwrap(), body),
        Wish::Tunnel => panic!("a tunnel: {text:?}"),
    }
}

#[test]
fn a_tunnel_goes_exactly_where_the_head_says() {
    let head = whole("CONNECT API.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n\x16\x03\x01").unwrap();
    assert_eq!((head.host.to_string().as_str(), head.port, head.wish), ("api.example.com", 443, Wish::Tunnel));
    assert_eq!(head.length, 67);
    assert_eq!(target("CONNECT a.b:8443 HTTP/1.0\r\n\r\n").as_deref(), Ok("a.b:8443"));
    assert_eq!(target("CONNECT a.b:443 HTTP/1.1\r\nHost: A.b\r\n\r\n").as_deref(), Ok("a.b:443"));
    assert_eq!(read(b"CONNECT a.b:443 HTTP/1.1\r\n"), Ok(None));
}

#[test]
fn a_target_that_readers_could_take_for_another_is_refused() {
    for place in [
        "a.b",
        "a.b:",
        "a.b:0",
        "a.b.:443",
        "127.1:443",
        "0x7f000001:443",
        "2130706433:443",
        "[::ffff:7f00:1]:443",
        "[fe80::1%25lo]:1",
        "u@a.b:443",
        "u:p@a.b:443",
        "http://a.b:443",
        "a.b:443/",
        "a.b#c:443",
        "a_b:443",
        "a.b:443:443",
        "a.b:+443",
        "::1:443",
    ] {
        let error = target(&format!("CONNECT {place} HTTP/1.1\r\n\r\n")).unwrap_err();
        assert!(matches!(error, Nonsense::Target(_)), "{place}: {error}");
    }
    for place in
        ["u@a.b", "u:p@a.b", "a.b.", "127.1", "a.b:0", "a.b:080", "", ":80", "a.b@c.d", "a.b\\@c.d", "[::1%lo]", "[::1"]
    {
        let error = target(&format!("GET http://{place}/x HTTP/1.1\r\n\r\n")).unwrap_err();
        assert!(matches!(error, Nonsense::Target(_)), "{place}: {error}");
    }
    for line in [
        "GET / HTTP/1.1",
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET https://a.b/ HTTP/1.1",
        "GET ftp://a.b/ HTTP/1.1",
    ] {
        assert_eq!(target(&format!("{line}\r\nHost: a.b\r\n\r\n")), Err(Nonsense::NoTarget), "{line}");
    }
}

#[test]
fn a_host_header_for_somebody_else_is_refused() {
    for header in [
        "Host: c.d",
        "Host: a.b:81",
        "Host: a.b\r\nHost: a.b",
        "Host: a.b\r\nhost: c.d",
        "Host:",
        "Host: a.b, c.d",
        "Host: a.b.",
    ] {
        assert_eq!(
            target(&format!("GET http://a.b/ HTTP/1.1\r\n{header}\r\n\r\n")),
            Err(Nonsense::OtherHost),
            "{header}"
        );
    }
    assert_eq!(target("CONNECT a.b:443 HTTP/1.1\r\nHost: c.d:443\r\n\r\n"), Err(Nonsense::OtherHost));
    assert_eq!(target("GET http://a.b/ HTTP/1.1\r\nHost: a.b:80\r\n\r\n").as_deref(), Ok("a.b:80"));
    assert_eq!(target("GET http://a.b:81/ HTTP/1.1\r\nHost: a.b\r\n\r\n"), Err(Nonsense::OtherHost));
}

#[test]
fn a_body_with_two_ends_is_refused() {
    for headers in [
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: +3",
        "Content-Length: 3, 3",
        "Content-Length: 0x3",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity",
    ] {
        assert_eq!(
            target(&format!("POST http://a.b/ HTTP/1.1\r\n{headers}\r\n\r\n")),
            Err(Nonsense::Ambiguous),
            "{headers}"
        );
    }
    let tunnel = "CONNECT a.b:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(target(tunnel), Err(Nonsense::Ambiguous));
}

#[test]
fn heads_that_could_be_split_differently_are_refused() {
    for text in [
        "GET http://a.b/ HTTP/1.1\nHost: a.b\r\n\r\n",
        "\r\nGET http://a.b/ HTTP/1.1\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nA: b\rc\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nA: \0\r\n\r\n",
        "GET http://a\0.b/ HTTP/1.1\r\n\r\n",
        "GET  http://a.b/ HTTP/1.1\r\n\r\n",
        "GET http://a.b/ HTTP/2.0\r\n\r\n",
        "GET http://a.b/ HTTP/0.9\r\n\r\n",
        "GET http://a.b/\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\nHost : a.b\r\n\r\n",
        "GET http://a.b/ HTTP/1.1\r\n: a\r\n\r\n",
        "GET http://a.b/ HTTP/1.1 x\r\n\r\n",
        "get http://a.b/ HTTP/1.1\r\n\r\n",
        "GET http://a.b/#x HTTP/1.1\r\n\r\n",
        "GET http://a.b/\\x HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
    ] {
        assert_eq!(target(text), Err(Nonsense::Syntax), "{text:?}");
    }
    assert_eq!(read(&vec![b'A'; LONGEST]), Err(Nonsense::TooLarge));
    let many = "A: b\r\n".repeat(MOST_HEADERS + 1);
    assert_eq!(target(&format!("GET http://a.b/ HTTP/1.1\r\n{many}\r\n")), Err(Nonsense::TooLarge));
    let late = [vec![b'A'; LONGEST], b"\r\n\r\n".to_vec()].concat();
    assert_eq!(read(&late), Err(Nonsense::TooLarge));
}

#[test]
fn a_server_sees_one_request_for_the_host_that_was_checked_and_nothing_meant_for_the_proxy() {
    let (head, body) = forwarded(
        "POST http://A.b:81?q=1 HTTP/1.0\r\nHost: a.B:81\r\nProxy-Authorization: Basic x\r\nConnection: keep-alive, X-Hop, Content-Length\r\n\
         X-Hop: 1\r\nUpgrade: h2c\r\nContent-Length: 2\r\nAccept: */*\r\n\r\n",
    );
    let expected =
        "POST /?q=1 HTTP/1.1\r\nHost: a.b:81\r\nContent-Length: 2\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    assert_eq!((head.as_str(), body), (expected, Framing::Length(2)));
    let (head, body) = forwarded("PUT HTTP://[2606:4700::1]/p HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert!(head.starts_with("PUT /p HTTP/1.1\r\nHost: [2606:4700::1]\r\n"), "{head}");
    assert_eq!(body, Framing::Chunked);
}

proptest! {
    /// Any bytes at all: whatever is understood names a host that reads the same once more, and is sent to that host alone.
    #[test]
    fn what_is_understood_is_sent_where_it_was_asked_for(
        method in "CONNECT|GET|POST", place in "[a-zA-Z0-9.:@\\[\\]%-]{0,24}|\\PC{0,12}", header in "[ -~]{0,20}",
    ) {
        let target = if method == "CONNECT" { place.clone() } else { format!("http://{place}/x") };
        let text = format!("{method} {target} HTTP/1.1\r\nHost: {header}\r\n\r\n");
        if let Ok(Some(head)) = read(text.as_bytes()) {
            prop_assert_eq!(Host::parse(&head.host.to_string()), Ok(head.host.clone()));
            let spelled = place.to_ascii_lowercase();
            prop_assert!(spelled == head.host.to_string() || spelled == format!("{}:{}", head.host, head.port) , "{}", text);
            if let Wish::Forward { head: sent, .. } = head.wish {
                let sent = String::from_utf8(sent).unwrap();
                prop_assert_eq!(sent.matches("\r\nHost: ").count(), 1);
                prop_assert!(sent.contains(&format!("\r\nHost: {}", head.host)), "{}", sent);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _any = read(&[bytes, b"\r\n\r\n".to_vec()].concat());
    }
}
