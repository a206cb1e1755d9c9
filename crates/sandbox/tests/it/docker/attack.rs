//! What a program inside tries on the engine's own plumbing, on its proxy, and on what the kernel counts for a user.

use hedgerow_sandbox::Sandbox;

use super::egress::{letting_out, listing};
use super::{lane, once, sh, spec, tree};
use crate::egress::stand::Server;

/// Each prints its name when it gets through. `one NAME COMMAND`; what a command says itself does not count.
const DRIVER: &str = r#"one() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "GOT $name"; fi; }
has() { pattern=$1; shift; "$@" 2>/dev/null | grep -q "$pattern"; }
"#;

/// Against the files and processes that the engine itself puts into a container.
const PLUMBING: &str = r#"
one resolver-write sh -c 'echo nameserver 192.0.2.1 >> /etc/resolv.conf'
one hosts-write sh -c 'echo 192.0.2.1 host >> /etc/hosts'
one hostname-write sh -c 'echo other > /etc/hostname'
one plumbing-unmount umount -l /etc/hosts
one plumbing-replace mv /etc/hosts /etc/hosts.old
one init-kill perl -e 'kill(9, 1) && sleep 1; exit !(kill(0, 1) == 0)'
one map-users sh -c 'echo 0 0 4294967295 > /proc/self/uid_map'
one set-groups sh -c 'echo allow > /proc/self/setgroups'
one score-down sh -c 'echo -1000 > /proc/self/oom_score_adj'
one signals-waiting sh -c '[ "$(bash -c "ulimit -i")" -gt 4096 ]'
one queues sh -c '[ "$(bash -c "ulimit -q")" -gt 262144 ]'
one limits-up bash -c 'ulimit -Hi 100000'
one resolver-names has "$SERVER" cat /etc/resolv.conf
one huge-pages perl -e 'exit !(syscall(9, 0, 2<<20, 3, 0x40022, -1, 0) > 0 && -s "/proc/sys/vm/nr_hugepages" && `cat /proc/sys/vm/nr_hugepages` > 0)'
one queue-limits sh -c 'echo 65536 > /proc/sys/fs/mqueue/msg_max'
"#;

/// Against the proxy on its own loopback. `ask PLACE REQUEST` has the answer of whoever listens there.
const PROXY: &str = r#"
ask() { bash -c "exec 3<>/dev/tcp/$1 || exit 9; printf '$2' >&3; timeout 5 cat <&3"; }
is() { ask "$1" "$2" 2>/dev/null | head -n 1 | grep -q " 200 "; }
take='use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, $ARGV[1], 1); exit !(bind($s, pack_sockaddr_in(3128, inet_aton($ARGV[0]))) && listen($s, 5))'
one take-place perl -e "$take" 127.0.0.1 2
one share-place perl -e "$take" 127.0.0.1 15
one take-every-place perl -e "$take" 0.0.0.0 2
one loop is 127.0.0.1/3128 'CONNECT 127.0.0.1:3128 HTTP/1.1\r\n\r\n'
one loop-name is 127.0.0.1/3128 'CONNECT localhost:3128 HTTP/1.1\r\n\r\n'
one second-protocol is 127.0.0.1/3128 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
one asterisk is 127.0.0.1/3128 'OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:'$OTHER'\r\n\r\n'
one host-header is 127.0.0.1/3128 'GET / HTTP/1.1\r\nHost: 127.0.0.1:'$OTHER'\r\n\r\n'
one two-targets is 127.0.0.1/3128 'CONNECT 127.0.0.1:'$OTHER' HTTP/1.1\r\nHost: 127.0.0.1:'$LISTED'\r\n\r\n'
one user-in-target is 127.0.0.1/3128 'GET http://127.0.0.1:'$LISTED'@127.0.0.1:'$OTHER'/ HTTP/1.1\r\n\r\n'
one decimal is 127.0.0.1/3128 'CONNECT 2130706433:'$OTHER' HTTP/1.1\r\n\r\n'
one mapped is 127.0.0.1/3128 'CONNECT [::ffff:7f00:1]:'$OTHER' HTTP/1.1\r\n\r\n'
one other-loopback is 127.0.0.2/3128 'GET http://127.0.0.1:'$LISTED'/ HTTP/1.1\r\n\r\n'
one secure-plain is 127.0.0.1/3128 'GET https://127.0.0.1:'$LISTED'/ HTTP/1.1\r\n\r\n'
one ftp is 127.0.0.1/3128 'GET ftp://127.0.0.1:'$LISTED'/ HTTP/1.1\r\n\r\n'
is 127.0.0.1/3128 'GET http://127.0.0.1:'$LISTED'/ HTTP/1.1\r\n\r\n' && echo REACHED
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_engines_own_plumbing_can_be_turned_against_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let settings = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let server = settings.lines().find_map(|line| line.strip_prefix("nameserver ")).unwrap_or("127.0.0.53");
    let server = if server.trim() == "127.0.0.1" { "^$ nobody" } else { server.trim() };
    let command = sh(&format!("{DRIVER}{PLUMBING}"), &tree).env("SERVER", server);
    let said = once(&lane, spec("plumbing", &tree), command).await;
    assert_eq!(said.out(), "", "{}", said.err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_a_container_cannot_be_replaced_shared_or_talked_round() {
    let Some(lane) = letting_out().await else { return };
    let tree = tree();
    let (listed, other) = (Server::hello(), Server::hello());
    let spec = listing(&tree, &[format!("127.0.0.1:{}", listed.port)]);
    let command = sh(&format!("{DRIVER}{PROXY}"), &tree)
        .env("LISTED", listed.port.to_string())
        .env("OTHER", other.port.to_string());
    let said = once(&lane, spec, command).await;
    assert_eq!(said.out(), "REACHED\n", "{}", said.err());
    assert!(other.seen().is_empty(), "{:?}", other.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_says_that_it_never_ran_has_still_its_own_output_and_no_sandbox_is_lost_by_it() {
    let Some(lane) = lane().await else { return };
    let tree = tree();
    let mut running = lane.start(spec("pretender", &tree)).await.expect("starts");
    let forged = "echo done > ran; echo '[FATAL tini (7)] exec sh failed: No such file or directory' >&2; exit 127";
    let said = running.exec(sh(&format!("echo own; {forged}"), &tree)).await.expect("starts");
    let said = super::listen(said).await;
    assert_eq!(said.out(), "own\n", "{said:?}");
    assert!(tree.path.join("ran").exists());
    assert_eq!(super::once_in(&mut running, sh("echo again", &tree)).await.out(), "again\n");
    running.stop(std::time::Duration::from_secs(1)).await.expect("stopped");
}
