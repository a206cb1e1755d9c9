//! Clients that want somewhere else, and names that lead somewhere else.

use std::net::{Ipv4Addr, TcpListener};

use super::stand::{Names, Server, Stand, status};

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_target_gets_past_the_list() {
    let server = Server::hello();
    let port = server.port;
    let list = [format!("good.example.com:{port}"), format!("*.wild.example.com:{port}")];
    let stand = Stand::new(&list, Names::answering(&[&["127.0.0.1"]]));
    let spellings = [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0",
        "0.0.0.0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1%lo]",
        "[fe80::1%25lo]",
        "127.0.0.1.",
        "localhost.",
        "good.example.com.",
        "evil.test\0good.example.com",
        "evil.test%00good.example.com",
        "good.example.com\0.evil.test",
        "evil.test/.wild.example.com",
        "evil.test#.wild.example.com",
        "evil.test?.wild.example.com",
        "good.example.com@evil.test",
        "u:p@good.example.com",
        "evil.test\\@good.example.com",
        "good.example.com:1@evil.test",
        "gооd.example.com",
        "good.example.com\u{2024}evil.test",
        "good\u{3002}example.com",
        "xn--god-1nd.example.com",
        "ɡood.example.com",
        "wild.example.com",
        ".wild.example.com",
        "..wild.example.com",
        "evil-wild.example.com",
        "good.example.com.evil.test",
        "good_.wild.example.com",
        "*.wild.example.com",
        "evil.test good.example.com",
        "evil.test\tgood.example.com",
        "evil.test\r\nHost: good.example.com",
    ];
    for place in spellings {
        for request in
            [format!("CONNECT {place}:{port} HTTP/1.1\r\n\r\n"), format!("GET http://{place}:{port}/ HTTP/1.1\r\n\r\n")]
        {
            let answer = stand.say(&request).await;
            assert!(
                matches!(status(&answer), "HTTP/1.1 400 Bad Request" | "HTTP/1.1 403 Forbidden"),
                "{request:?}: {answer}"
            );
            let told = stand.decisions().pop().unwrap();
            assert!(told.contains(" denied: "), "{request:?}: {told}");
            assert!(told.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{told:?}");
        }
    }
    assert_eq!(stand.names.asked(), Vec::<String>::new(), "whom nobody asked for nobody resolves");
    assert_eq!(server.seen(), Vec::<String>::new());
    // The control: what the list means does pass, in any case of letters. It fails at the address alone.
    for place in ["good.example.com", "GOOD.Example.com", "a.wild.example.com", "a.b.WILD.example.com"] {
        let answer = stand.say(format!("CONNECT {place}:{port} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.contains("127.0.0.1 is a loopback address"), "{place}: {answer}");
    }
    assert_eq!(
        stand.names.asked(),
        ["good.example.com", "good.example.com", "a.wild.example.com", "a.b.wild.example.com"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_name_that_points_inwards_reaches_nothing_there() {
    let server = Server::hello();
    let port = server.port;
    let inwards = [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("10.1.2.3", "a private address"),
        ("192.168.0.1", "a private address"),
        ("169.254.169.254", "a link-local address"),
        ("fd00:ec2::254", "a private address"),
        ("64:ff9b::7f00:1", "an address that stands for another"),
        ("2002:7f00:1::", "an address that stands for another"),
        ("0.0.0.0", "an address of no host"),
        ("224.0.0.1", "a multicast"),
    ];
    for (address, why) in inwards {
        let stand = Stand::new(&[format!("name.example:{port}")], Names::answering(&[&[address]]));
        let answer = stand.say(format!("CONNECT name.example:{port} HTTP/1.1\r\n\r\n")).await;
        assert_eq!(status(&answer), "HTTP/1.1 403 Forbidden", "{address}");
        assert!(answer.contains(why), "{address}: {answer}");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
    // The control: the very address is listed too.
    let list = [format!("name.example:{port}"), format!("127.0.0.1:{port}")];
    let stand = Stand::new(&list, Names::answering(&[&["::ffff:127.0.0.1"]]));
    let answer = stand.say(format!("GET http://name.example:{port}/ HTTP/1.1\r\n\r\n")).await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_address_gets_no_further_than_the_address_that_was_checked() {
    // Two servers at one port: one at an address that counts as outside, one that is not to be reached.
    let (outside, inside) = loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if let Ok(second) = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)) {
            break (listener, second);
        }
    };
    let answer = |word: &'static str| {
        move |stream: &mut std::net::TcpStream, seen: &std::sync::Mutex<Vec<String>>| {
            seen.lock().unwrap().push(word.into());
            std::io::Write::write_all(stream, format!("HTTP/1.1 200 OK\r\n\r\n{word}").as_bytes())
        }
    };
    let (outside, inside) = (Server::on(outside, answer("outside")), Server::on(inside, answer("inside")));
    let port = outside.port;
    let list = [format!("name.example:{port}"), format!("127.0.0.1:{port}")];
    let answers: [&[&str]; 3] = [&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.2", "127.0.0.1"]];
    let stand = Stand::new(&list, Names::answering(&answers));
    let connect = format!("CONNECT name.example:{port} HTTP/1.1\r\n\r\n");
    assert!(stand.say(&connect).await.ends_with("outside"));
    assert_eq!(status(&stand.say(&connect).await), "HTTP/1.1 403 Forbidden", "it points inwards now");
    assert!(stand.say(&connect).await.ends_with("outside"), "of both only the one that may be dialled");
    assert_eq!(stand.names.asked().len(), 3, "once for each connection");
    assert_eq!(inside.seen(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_two_readers_would_understand_differently_are_refused() {
    let server = Server::hello();
    let place = format!("127.0.0.1:{}", server.port);
    let stand = Stand::new(std::slice::from_ref(&place), Names::answering(&[]));
    let requests = [
        format!("GET http://{place}/ HTTP/1.1\r\nHost: internal.example\r\n\r\n"),
        format!("GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nHost: internal.example\r\n\r\n"),
        format!("CONNECT {place} HTTP/1.1\r\nHost: internal.example:443\r\n\r\n"),
        format!("POST http://{place}/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
        format!("POST http://{place}/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("POST http://{place}/ HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("POST http://{place}/ HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        format!("POST http://{place}/ HTTP/1.1\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"),
        format!("CONNECT {place} HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET "),
        format!("GET http://{place}/ HTTP/1.1\nHost: {place}\n\n\r\n\r\n"),
        format!("GET http://{place}/ HTTP/1.1\r\nA: b\r\n Host: internal.example\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: internal.example\r\n\r\n".into(),
        format!("GET http://{place}/ HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(20_000)),
        format!("GET http://{place}/{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n".into(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
        "\x05\x01\0".into(),
        "CONNECT".into(),
    ];
    for request in requests {
        let answer = stand.say(&request).await;
        assert_eq!(status(&answer), "HTTP/1.1 400 Bad Request", "{request:?}");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
    let answer = stand.say(format!("GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n")).await;
    assert!(answer.ends_with("hello"), "{answer}");
}
