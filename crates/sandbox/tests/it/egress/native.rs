//! The list in the native lane: the proxy, and nothing else, from inside.

use hedgerow_sandbox::{
    AllowList, Coverage, End, Error, Guarantee, HostSandbox, NativeSandbox, Network, Policy, Sandbox, Spec,
};

use super::stand::{Names, Server, observed, roomy};
use crate::world::{eventually, native, run, sh, spec, start, watch};

fn lane(
    names: &[&[&str]],
) -> Option<(NativeSandbox, std::sync::Arc<std::sync::Mutex<Vec<hedgerow_sandbox::Decision>>>)> {
    let (egress, decisions) = observed(Names::answering(names), roomy());
    native().map(|lane| (lane.egress(egress), decisions))
}

fn listing(list: &[String]) -> Spec {
    spec(Policy::standard().only(AllowList::new(list).unwrap()))
}

/// Says something to a port of the loopback inside, and prints the answer.
fn ask(port: u16, request: &str) -> String {
    format!("exec 3<>/dev/tcp/127.0.0.1/{port} || exit 9; printf '{request}' >&3; cat <&3")
}

fn bash(script: &str) -> hedgerow_sandbox::Command {
    let mut command = sh(script);
    command.program = "/bin/bash".into();
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_is_reached_through_the_proxy_and_nothing_else_by_any_way() {
    let Some((lane, decisions)) = lane(&[&["127.0.0.1"]]) else { return };
    let (server, other) = (Server::hello(), Server::hello());
    let (port, other_port) = (server.port, other.port);
    let list = [format!("api.example.com:{port}"), format!("127.0.0.1:{port}")];
    let get = |place: String| ask(3128, &format!("GET http://{place}/ HTTP/1.1\\r\\n\\r\\n"));

    let seen = run(&lane, listing(&list), bash(&get(format!("api.example.com:{port}")))).await.ok();
    assert!(seen.out().ends_with("hello"), "{}", seen.text());

    for place in [format!("127.0.0.1:{other_port}"), "example.org:443".into(), format!("localhost:{port}")] {
        let seen = run(&lane, listing(&list), bash(&get(place.clone()))).await.ok();
        assert!(seen.out().starts_with("HTTP/1.1 403 Forbidden"), "{place}: {}", seen.text());
    }
    // Around the proxy there is no way: the host's loopback is another, and no name is answered.
    let seen = run(&lane, listing(&list), bash(&ask(port, "GET / HTTP/1.1\\r\\n\\r\\n"))).await;
    assert_eq!(seen.exit.end, End::Exited { code: 9 }, "{}", seen.text());
    let seen = run(&lane, listing(&list), sh("getent ahosts api.example.com || getent hosts example.org")).await;
    assert!(!seen.exit.success(), "{}", seen.text());
    assert_eq!((server.seen().len(), other.seen().len()), (1, 0));
    let told: Vec<_> = decisions.lock().unwrap().iter().map(|d| format!("{:?} {:?}", d.target, d.verdict)).collect();
    assert_eq!(told.len(), 4, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_find_the_proxy_by_the_variables_that_they_know() {
    let Some((lane, _)) = lane(&[&["127.0.0.1"]]) else { return };
    let server = Server::hello();
    let list = [format!("api.example.com:{}", server.port), format!("127.0.0.1:{}", server.port)];
    let script = format!(
        "import urllib.request\nprint(urllib.request.urlopen('http://api.example.com:{}/').read().decode())",
        server.port
    );
    let seen =
        run(&lane, listing(&list), sh("command -v python3 >/dev/null || exit 7; exec python3 -").stdin(script)).await;
    if seen.exit.end == (End::Exited { code: 7 }) {
        crate::world::skipped("python3 is not there to read the variables");
    } else {
        assert_eq!(seen.ok().out(), "hello");
    }
    let seen = run(&lane, listing(&list), sh("echo $HTTPS_PROXY $https_proxy $http_proxy $NO_PROXY")).await.ok();
    let proxy = "http://127.0.0.1:3128";
    assert_eq!(seen.out(), format!("{proxy} {proxy} {proxy} localhost,127.0.0.1,::1"));
    let seen = run(&lane, spec(Policy::standard()), sh("env | grep -i proxy")).await;
    assert_eq!(seen.out(), "", "without a list there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_kills_all_it_can_or_wants_the_port_keeps_its_list_and_gains_nothing() {
    let Some((lane, _)) = lane(&[&["127.0.0.1"]]) else { return };
    let server = Server::hello();
    let list = [format!("127.0.0.1:{}", server.port)];
    let get = ask(3128, &format!("GET http://127.0.0.1:{}/ HTTP/1.1\\r\\n\\r\\n", server.port));
    let mut running = start(&lane, listing(&list)).await;
    let script = format!("trap '' TERM; kill -TERM -1; (kill -9 1) 2>/dev/null; {get}");
    let seen = watch(running.exec(bash(&script)).await.unwrap()).await.ok();
    assert!(seen.out().ends_with("hello"), "{}", seen.text());
    // The next command of the sandbox has it again.
    let seen = watch(running.exec(bash(&get)).await.unwrap()).await.ok();
    assert!(seen.out().ends_with("hello"), "{}", seen.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_cannot_use_the_list_of_another() {
    let Some((lane, decisions)) = lane(&[&["127.0.0.1"]]) else { return };
    let (mine, theirs) = (Server::hello(), Server::hello());
    let both = [listing(&[format!("127.0.0.1:{}", mine.port)]), listing(&[format!("127.0.0.1:{}", theirs.port)])];
    let ids = both.clone().map(|spec| spec.id);
    let get = ask(3128, &format!("GET http://127.0.0.1:{}/ HTTP/1.1\\r\\n\\r\\n", mine.port));
    let [a, b] = both;
    let (mut a, mut b) = (start(&lane, a).await, start(&lane, b).await);
    let first = watch(a.exec(bash(&format!("{get}; sleep 1"))).await.unwrap());
    let (first, second) = tokio::join!(first, async { watch(b.exec(bash(&get)).await.unwrap()).await });
    assert!(first.ok().out().ends_with("hello"));
    assert!(second.ok().out().starts_with("HTTP/1.1 403"));
    let mut told: Vec<_> = decisions.lock().unwrap().iter().map(|d| d.sandbox.clone()).collect();
    told.sort();
    let mut ids = ids.to_vec();
    ids.sort();
    assert_eq!(told, ids);
    assert_eq!(theirs.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_command_has_ended_its_connections_have_too() {
    let Some((lane, _)) = lane(&[]) else { return };
    let server = Server::echo();
    let list = [format!("127.0.0.1:{}", server.port)];
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT 127.0.0.1:{} HTTP/1.1\\r\\n\\r\\nlast words' >&3; head -c 12 <&3",
        server.port
    );
    let seen = run(&lane, listing(&list), bash(&script)).await.ok();
    assert_eq!(seen.out(), "HTTP/1.1 200");
    eventually("the server has seen the end", || !server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_is_no_network_at_all() {
    let Some((lane, _)) = lane(&[]) else { return };
    let seen = run(&lane, listing(&[]), bash(&ask(3128, "GET / HTTP/1.1\\r\\n\\r\\n"))).await;
    assert_eq!(seen.exit.end, End::Exited { code: 9 }, "{}", seen.text());
    let seen = run(&lane, listing(&[]), sh("env | grep -i proxy")).await;
    assert_eq!(seen.out(), "");
}

#[tokio::test]
async fn a_list_is_refused_by_a_lane_that_cannot_keep_it_and_beside_a_promise_of_no_network() {
    let list = Network::Only(AllowList::new(["example.com:443"]).unwrap());
    let refusal = |error: Error| match error {
        Error::Refused { shortfalls, .. } => shortfalls.into_iter().map(|s| s.guarantee).collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    let host = HostSandbox::new().unwrap();
    let error = host.start(spec(Policy { network: list.clone(), ..Policy::open() })).await.unwrap_err();
    assert_eq!(refusal(error), [Guarantee::Egress], "also where the policy requires nothing");
    let Some(lane) = native() else { return };
    assert_eq!(lane.coverage(Guarantee::Egress), Coverage::Enforced);
    let error = lane.start(spec(Policy { network: list, ..Policy::standard() })).await.unwrap_err();
    assert_eq!(refusal(error), [Guarantee::NoNetwork]);
}
