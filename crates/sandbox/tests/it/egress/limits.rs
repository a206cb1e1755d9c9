//! Clients that take all there is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::stand::{Names, SHORT, Server, Stand, blocking, read, status, with};
use crate::world::eventually;

fn tunnel(stand: &Stand, port: u16) -> TcpStream {
    let mut stream = stand.connect();
    stream.write_all(format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    let mut established = [0; 39];
    stream.read_exact(&mut established).unwrap();
    assert_eq!(&established, b"HTTP/1.1 200 Connection established\r\n\r\n");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_request_byte_by_byte_is_sent_away_and_blocks_nobody() {
    let server = Server::hello();
    let list = [format!("127.0.0.1:{}", server.port)];
    let limits = with(|limits| {
        limits.connections = 2;
        limits.request = SHORT;
    });
    let stand = Stand::with(&list, Names::answering(&[]), limits);
    let slow: Vec<_> = (0..2).map(|_| stand.connect()).collect();
    let drip = |mut stream: TcpStream| {
        for byte in format!("GET http://127.0.0.1/ HTTP/1.1\r\n{}", "A: b\r\n".repeat(15)).bytes() {
            if stream.write_all(&[byte]).is_err() {
                break;
            }
            std::thread::sleep(SHORT / 30);
        }
        let _gone = stream.shutdown(Shutdown::Write);
        read(stream)
    };
    let dripping: Vec<_> = slow.into_iter().map(|stream| std::thread::spawn(move || drip(stream))).collect();
    // It has to wait for a place, and gets it.
    let answer = stand.say(format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n", server.port)).await;
    assert!(answer.ends_with("hello"), "{answer}");
    eventually("both were sent away", || {
        stand.decisions().iter().filter(|told| told.contains("not complete within 300ms")).count() == 2
    });
    // Their threads end by themselves, whether they hear the answer or a broken connection.
    blocking(move || dripping.into_iter().for_each(|thread| drop(thread.join()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_that_come_and_go_leave_the_proxy_as_it_was() {
    let server = Server::hello();
    let list = [format!("127.0.0.1:{}", server.port)];
    let limits = with(|limits| limits.connections = 8);
    let stand = Stand::with(&list, Names::answering(&[]), limits);
    let mut came = 0;
    for round in 0..200 {
        // More at a time than there are places for.
        let clients: Vec<_> = (0..50).map(|_| stand.connect()).collect();
        for mut client in clients {
            came += 1;
            if round % 2 == 0 {
                let _full = client.write_all(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n");
            }
        }
        let answer = stand.say(format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n", server.port)).await;
        assert!(answer.ends_with("hello"), "{answer}");
    }
    assert_eq!((came, server.seen().len()), (10_000, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_leave_than_the_limit_says() {
    let server = Server::echo();
    let limits = with(|limits| limits.connections = 3);
    let stand = Stand::with(&[format!("127.0.0.1:{}", server.port)], Names::answering(&[]), limits);
    let open: Vec<_> = (0..3).map(|_| tunnel(&stand, server.port)).collect();
    let mut fourth = stand.connect();
    fourth.write_all(format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", server.port).as_bytes()).unwrap();
    fourth.set_read_timeout(Some(SHORT)).unwrap();
    assert!(fourth.read(&mut [0]).is_err(), "it waits");
    assert_eq!(stand.decisions().len(), 3);
    drop(open);
    fourth.set_read_timeout(Some(crate::world::PATIENCE)).unwrap();
    let mut first = [0; 12];
    fourth.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_bytes_of_a_sandbox_are_used_up_its_connections_end_and_no_new_ones_are_made() {
    let server = Server::echo();
    let limits = with(|limits| limits.bytes = 100_000);
    let stand = Stand::with(&[format!("127.0.0.1:{}", server.port)], Names::answering(&[]), limits);
    let mut stream = tunnel(&stand, server.port);
    let echoed = blocking(move || {
        let _cut = stream.write_all(&vec![b'x'; 1 << 20]);
        let _cut = stream.shutdown(Shutdown::Write);
        read(stream).len()
    })
    .await;
    assert!(echoed < 100_000, "{echoed}");
    eventually("the server has seen the end", || !server.seen().is_empty());
    assert!(server.seen()[0].len() <= 100_000, "{}", server.seen()[0].len());
    let answer = stand.say(format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", server.port)).await;
    assert_eq!(status(&answer), "HTTP/1.1 403 Forbidden");
    assert!(answer.contains("used up its bytes"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_over_which_nothing_moves_is_closed_and_so_is_one_that_lasts_too_long() {
    let server = Server::echo();
    let list = [format!("127.0.0.1:{}", server.port)];
    for limits in [with(|limits| limits.idle = SHORT), with(|limits| limits.lifetime = SHORT)] {
        let before = server.seen().len();
        let stand = Stand::with(&list, Names::answering(&[]), limits);
        let stream = tunnel(&stand, server.port);
        assert_eq!(blocking(move || read(stream)).await, "");
        eventually("the server has seen the end", || server.seen().len() > before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_refused_again_and_again_fills_no_log() {
    let server = Server::hello();
    let limits = with(|limits| limits.refusals = 3);
    let mut stand = Stand::with(&[format!("127.0.0.1:{}", server.port)], Names::answering(&[]), limits);
    for _ in 0..40 {
        let answer = stand.say("CONNECT not.listed.example:443 HTTP/1.1\r\n\r\n").await;
        assert_eq!(status(&answer), "HTTP/1.1 403 Forbidden");
    }
    assert_eq!(stand.decisions().len(), 3, "{:?}", stand.decisions());
    // What is allowed is told, with the number of what was not.
    drop(tunnel(&stand, server.port));
    let told = stand.decisions();
    assert!(told.len() == 4 && told[3].contains("allowed") && told[3].contains("37 more were refused"), "{told:?}");
    stand.say("CONNECT not.listed.example:443 HTTP/1.1\r\n\r\n").await;
    // The last of them are told at the end.
    stand.serving = None;
    eventually("the end is told", || stand.decisions().len() == 5);
    assert!(stand.decisions()[4].contains("1 more were refused"), "{:?}", stand.decisions());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_connects_again_and_again_fills_no_log_and_hides_no_other_place() {
    let (server, other) = (Server::hello(), Server::hello());
    let list = [format!("127.0.0.1:{}", server.port), format!("127.0.0.1:{}", other.port)];
    let mut stand = Stand::with(&list, Names::answering(&[]), with(|limits| limits.told = 3));
    for _ in 0..40 {
        drop(tunnel(&stand, server.port));
    }
    assert_eq!(stand.decisions().len(), 3, "{:?}", stand.decisions());
    drop(tunnel(&stand, other.port));
    let told = stand.decisions();
    assert!(told.len() == 4 && told[3].contains(&format!(":{} allowed", other.port)), "{told:?}");
    assert!(told[3].contains("37 more were allowed before"), "{told:?}");
    drop(tunnel(&stand, server.port));
    stand.serving = None;
    eventually("the end is told", || stand.decisions().len() == 5);
    assert!(stand.decisions()[4].contains("1 more were allowed"), "{:?}", stand.decisions());
}
