//! A proxy that cannot work says so, instead of leaving its clients to wait.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hedgerow_sandbox::{AllowList, Decision, Egress, Proxy, Resolver, SandboxId, Verdict};
use rustix::net::Shutdown;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::stand::{Names, Server, Stand, blocking, observed, read, roomy, status};
use crate::world::{PATIENCE, eventually};

fn proxy(list: &[String], egress: Egress) -> Proxy {
    Proxy::new(SandboxId::new("s1").unwrap(), AllowList::new(list).unwrap(), egress)
}

/// What comes back from a proxy at this port.
async fn ask(port: u16, bytes: String) -> String {
    blocking(move || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be answered before it was asked.
        let _sent = stream.write_all(bytes.as_bytes());
        read(stream)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_of_which_nobody_can_be_told() {
    let server = Server::hello();
    let deaf = Arc::new(AtomicBool::new(true));
    let ears = Arc::clone(&deaf);
    // No more than one is told, and that one is not heard.
    let mut limits = roomy();
    limits.told = 1;
    let egress = Egress::new().limits(limits).observer(move |_: &Decision| assert!(!ears.load(Ordering::SeqCst)));
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let _serving = proxy(&[format!("127.0.0.1:{}", server.port)], egress).serve(socket).unwrap();
    let request = format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n", server.port);
    for _ in 0..3 {
        let answer = ask(port, request.clone()).await;
        assert_eq!(status(&answer), "HTTP/1.1 502 Bad Gateway");
    }
    assert!(server.seen().iter().all(String::is_empty), "nothing was said to it: {:?}", server.seen());
    deaf.store(false, Ordering::SeqCst);
    assert!(ask(port, request).await.ends_with("hello"), "the proxy lives on");
}

#[derive(Debug)]
struct Panics;

#[async_trait]
impl Resolver for Panics {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        panic!("nobody knows {name}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_a_connection_is_served_is_told_and_ends_no_other() {
    let server = Server::hello();
    let (egress, decisions) = observed(Names::answering(&[]), roomy());
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let list = ["a.example:443".to_owned(), format!("127.0.0.1:{}", server.port)];
    let _serving = proxy(&list, egress.resolver(Arc::new(Panics))).serve(socket).unwrap();
    assert_eq!(ask(port, "CONNECT a.example:443 HTTP/1.1\r\n\r\n".into()).await, "");
    let request = format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n", server.port);
    assert!(ask(port, request).await.ends_with("hello"));
    let is_told = |told: &Decision| matches!(&told.verdict, Verdict::Broken { why } if why.contains("panicked"));
    // By whoever waits for the next connection, when that has its turn.
    eventually("it is told", || decisions.lock().unwrap().iter().any(is_told));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_died_is_told_of_and_ends_the_proxy() {
    let (egress, decisions) = observed(Names::answering(&[]), roomy());
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let same = socket.try_clone().unwrap();
    let mut serving = proxy(&["a.example:443".to_owned()], egress).serve(socket).unwrap();
    rustix::net::shutdown(&same, Shutdown::Both).unwrap();
    let error = tokio::time::timeout(PATIENCE, serving.broken()).await.expect("it hangs");
    assert!(error.to_string().contains("serve the sandbox's proxy"), "{error}");
    let told = decisions.lock().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(told.len() == 1 && told[0].contains("no connection can be accepted"), "{told:?}");
}

const LISTED: &str = "HEDGEROW_TEST_LISTED";

/// Not a test by itself: a process with a proxy that runs out of descriptors, and gets them back when it is told so. It has one
/// thread, so that the proxy's first turn comes when there are none any more.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the test that started it reads this")]
async fn starved_role() {
    let Ok(listed) = std::env::var(LISTED) else { return };
    let stand = Stand::new(&[listed], Names::answering(&[]));
    println!("\nPORT {}", stand.address.port());
    let few = Rlimit { current: Some(64), maximum: Some(64) };
    setrlimit(Resource::Nofile, few).unwrap();
    let all: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    println!("\nSTARVED");
    blocking(|| io::stdin().lines().next()).await;
    drop(all);
    println!("\nTOLD {:?}", stand.decisions());
    blocking(|| io::stdin().lines().next()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_descriptors_sends_its_clients_away_and_works_again_when_it_has_some() {
    let server = Server::hello();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["egress::trouble::starved_role", "--exact", "--nocapture", "--test-threads=1"])
        .env(LISTED, format!("127.0.0.1:{}", server.port))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut line = |word: &str| lines.find_map(|line| line.strip_prefix(word).map(str::to_owned)).unwrap();
    let port: u16 = line("PORT ").parse().unwrap();
    line("STARVED");
    let request = format!("GET http://127.0.0.1:{}/ HTTP/1.1\r\n\r\n", server.port);
    assert_eq!(status(&ask(port, request.clone()).await), "HTTP/1.1 503 Service Unavailable");
    let mut tell = child.stdin.take().unwrap();
    tell.write_all(b"go on\n").unwrap();
    let told = line("TOLD ");
    assert!(told.contains("the proxy is broken: no connection can be accepted"), "{told}");
    assert!(ask(port, request).await.ends_with("hello"));
    drop(tell);
    eventually("it ends", || child.try_wait().unwrap().is_some());
}
