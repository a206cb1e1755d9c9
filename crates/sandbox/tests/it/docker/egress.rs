//! The list in the docker lane: the proxy, and nothing else, from inside.

use hedgerow_sandbox::{Access, AllowList, Coverage, DockerSandbox, Error, Guarantee, Mount, Sandbox, Spec};

use super::{Tree, lane, listen, once, refused, sh, spec, tree};
use crate::egress::socket::{shouting, whisper};
use crate::egress::stand::{Names, Server, observed, roomy};

/// The lane with a proxy, where this process may enter the networks of containers.
pub(super) async fn letting_out() -> Option<DockerSandbox> {
    let lane = lane().await?;
    if let Coverage::Unenforced(why) = lane.coverage(Guarantee::Egress) {
        crate::world::skipped(&why);
        return None;
    }
    let (egress, _) = observed(Names::answering(&[&["127.0.0.1"]]), roomy());
    Some(lane.egress(egress))
}

pub(super) fn listing(tree: &Tree, list: &[String]) -> Spec {
    let mut spec = spec("egress", tree);
    spec.policy = spec.policy.only(AllowList::new(list).expect("a list"));
    spec
}

fn ask(port: u16, request: &str) -> String {
    format!("bash -c \"exec 3<>/dev/tcp/127.0.0.1/{port} || exit 9; printf '{request}' >&3; cat <&3\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_is_reached_through_the_proxy_and_nothing_else_by_any_way() {
    let Some(lane) = letting_out().await else { return };
    let tree = tree();
    let (server, other) = (Server::hello(), Server::hello());
    let port = server.port;
    let list = [format!("api.example.com:{port}"), format!("127.0.0.1:{port}")];
    let get = |place: &str| ask(3128, &format!("GET http://{place}/ HTTP/1.1\\r\\n\\r\\n"));
    let mut running = lane.start(listing(&tree, &list)).await.expect("the policy is kept");
    // Twice: each command has a container, and so a network, of its own.
    for _ in 0..2 {
        let command = sh(&get(&format!("api.example.com:{port}")), &tree).stdin("not for the shell\n");
        let said = listen(running.exec(command).await.expect("it starts")).await;
        assert!(said.out().ends_with("hello"), "{said:?}");
    }
    let said =
        listen(running.exec(sh(&get(&format!("127.0.0.1:{}", other.port)), &tree)).await.expect("it starts")).await;
    assert!(said.out().starts_with("HTTP/1.1 403 Forbidden"), "{said:?}");
    let around = format!(
        "{} ; getent hosts example.org; echo $https_proxy; ls /sys/class/net",
        ask(port, "GET / HTTP/1.1\\r\\n\\r\\n")
    );
    let said = listen(running.exec(sh(&around, &tree)).await.expect("it starts")).await;
    assert_eq!(said.out(), "http://127.0.0.1:3128\nlo\n", "{said:?}");
    assert_eq!((server.seen().len(), other.seen().len()), (2, 0));
    assert!(std::net::TcpStream::connect(("127.0.0.1", 3128)).is_err(), "nothing of it is on the host");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_missing_is_an_error_with_a_list_too() {
    let Some(lane) = letting_out().await else { return };
    let tree = tree();
    let mut running = lane.start(listing(&tree, &["example.com:443".into()])).await.expect("the policy is kept");
    let mut command = sh("true", &tree);
    command.program = "no-such-program".into();
    let error = refused(&mut running, command).await;
    assert!(matches!(error, Error::Program { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_that_is_mounted_answers() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("model.sock");
    shouting(&socket);
    let mut spec = spec("egress", &tree);
    spec.mounts.push(Mount { source: socket, target: "/run/model.sock".into(), access: Access::ReadOnly });
    let said = once(&lane, spec, sh(&whisper("/run/model.sock"), &tree)).await;
    if said.exit.end == (hedgerow_sandbox::End::Exited { code: 7 }) {
        return crate::world::skipped("the image has no python3 to speak to a socket");
    }
    assert_eq!(said.out(), "HELLO\n", "{said:?}");
}
