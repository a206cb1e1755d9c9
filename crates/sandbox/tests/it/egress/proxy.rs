//! What the proxy lets through, and what it says of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use hedgerow_sandbox::audit::{Audit, Event};
use hedgerow_sandbox::{AllowList, Egress, Proxy, SandboxId};

use super::stand::{Names, Server, Stand, blocking, read, status};
use crate::world::eventually;

/// A list with a name and the address at which the stand-in resolver has it.
fn listed(name: &str, port: u16) -> [String; 2] {
    [format!("{name}:{port}"), format!("127.0.0.1:{port}")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_name_is_reached_in_both_ways_and_each_decision_is_told() {
    let server = Server::hello();
    let port = server.port;
    let stand = Stand::new(&listed("api.example.com", port), Names::answering(&[&["127.0.0.1"]]));
    let secret = "GET http://API.example.com:PORT/path?key=s3cret HTTP/1.1\r\nHost: api.example.com:PORT\r\nX-Key: s3cret\r\n\r\n";
    let answer = stand.say(secret.replace("PORT", &port.to_string())).await;
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    let request = format!(
        "GET /path?key=s3cret HTTP/1.1\r\nHost: api.example.com:{port}\r\nX-Key: s3cret\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(server.seen(), [request]);

    let tunnel = format!("CONNECT api.example.com:{port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    let answer = stand.say(tunnel).await;
    assert!(answer.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK"), "{answer}");
    let told = format!("sandbox s1: api.example.com:{port} allowed, at 127.0.0.1");
    assert_eq!(stand.decisions(), [told.clone(), told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_listed_is_refused_and_not_even_looked_up() {
    let server = Server::hello();
    let port = server.port;
    let stand = Stand::new(&listed("api.example.com", port), Names::answering(&[&["127.0.0.1"]]));
    let other = if port == 443 { 444 } else { 443 };
    for target in
        [format!("evil.example:{port}"), format!("api.example.com:{other}"), format!("x.api.example.com:{port}")]
    {
        let answer = stand.say(format!("CONNECT {target} HTTP/1.1\r\n\r\n")).await;
        assert_eq!(status(&answer), "HTTP/1.1 403 Forbidden", "{target}");
        let told = format!("sandbox s1: {target} denied: it is not on the list");
        assert_eq!(stand.decisions().last(), Some(&told));
    }
    assert_eq!(stand.names.asked(), Vec::<String>::new());
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_done_sending_still_gets_the_answer_and_garbage_arrives_as_it_was_sent() {
    let server = Server::echo();
    let stand = Stand::new(&[format!("127.0.0.1:{}", server.port)], Names::answering(&[]));
    let head = format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", server.port);
    let garbage: Vec<u8> = (0..200_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut stream = stand.connect();
    let sent = garbage.clone();
    let answer = blocking(move || {
        stream.write_all(&[head.as_bytes(), &sent].concat()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    })
    .await;
    let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
    assert!(answer.strip_prefix(established.as_slice()) == Some(&garbage), "{} bytes", answer.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_behind_a_body_reaches_nobody() {
    let server = Server::new(Ipv4Addr::LOCALHOST, |stream, seen| {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while !bytes.ends_with(b"abc") && !bytes.ends_with(b"\r\n0\r\n\r\n") && !bytes.ends_with(b"close\r\n\r\n") {
            match stream.read(&mut buffer)? {
                0 => break,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut bytes)?;
        seen.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
        Ok(())
    });
    let place = format!("127.0.0.1:{}", server.port);
    let stand = Stand::new(std::slice::from_ref(&place), Names::answering(&[]));
    let second = "GET /second HTTP/1.1\r\nHost: internal\r\n\r\n";
    let requests =
        [("Content-Length: 3\r\n", "abc"), ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), ("", "")];
    for (framing, body) in requests {
        let before = server.seen().len();
        let answer = stand.say(format!("POST http://{place}/first HTTP/1.1\r\n{framing}\r\n{body}{second}")).await;
        assert_eq!(status(&answer), "HTTP/1.1 204 No Content");
        eventually("the server heard the end", || server.seen().len() > before);
        let head = format!("POST /first HTTP/1.1\r\nHost: {place}\r\n{framing}Connection: close\r\n\r\n");
        assert_eq!(server.seen().last(), Some(&format!("{head}{body}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_proxy_is_dropped_its_connections_end_and_nobody_listens() {
    let server = Server::echo();
    let mut stand = Stand::new(&[format!("127.0.0.1:{}", server.port)], Names::answering(&[]));
    let mut stream = stand.connect();
    stream.write_all(format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", server.port).as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop(stand.serving.take());
    let rest = blocking(move || read(stream)).await;
    assert!(rest.ends_with("established\r\n\r\n"), "{rest}");
    let address = stand.address;
    eventually("nobody listens", || TcpStream::connect(address).is_err());
}

#[derive(Debug, Default)]
struct Log(Mutex<Vec<Event>>);

impl Audit for Log {
    fn record(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_has_host_and_port_and_reason_and_nothing_that_a_client_wrote() {
    let server = Server::hello();
    let log = Arc::new(Log::default());
    let egress = Egress::new().resolver(Names::answering(&[])).audit(log.clone());
    let list = AllowList::new([format!("127.0.0.1:{}", server.port)]).unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let _serving = Proxy::new(SandboxId::new("s1").unwrap(), list, egress).serve(socket).unwrap();
    for request in [
        format!("GET http://127.0.0.1:{}/s3cret?s3cret HTTP/1.1\r\nAuthorization: s3cret\r\n\r\n", server.port),
        "CONNECT other.example:443 HTTP/1.1\r\nAuthorization: s3cret\r\n\r\n".into(),
        "CONNECT s3cret@other.example:443 HTTP/1.1\r\n\r\n".into(),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        blocking(move || read(stream)).await;
    }
    let events = log.0.lock().unwrap().clone();
    let told: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Connection { target, address, why, .. } => (target.clone(), address.is_some(), why.is_some()),
            other => panic!("{other:?}"),
        })
        .collect();
    let target = |host: &str, port| Some((host.to_owned(), port));
    let expected = [
        (target("127.0.0.1", server.port), true, false),
        (target("other.example", 443), false, true),
        (None, false, true),
    ];
    assert_eq!(told, expected);
    assert!(!format!("{events:?}").contains("s3cret"), "{events:?}");
}
