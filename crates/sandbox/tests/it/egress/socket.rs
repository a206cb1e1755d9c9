//! A unix socket of the caller's choice, passed in as a mount.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use hedgerow_sandbox::{Access, End, Mount, Policy, Spec};

use crate::world::{native, run, sh, skipped, spec, text};

/// A socket that answers what it was sent, in upper case.
pub(crate) fn shouting(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    // Whoever runs a command, root or an ordinary user.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    // The thread ends with the test program.
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut said = [0; 5];
            if stream.read_exact(&mut said).is_ok() {
                let _client_left = stream.write_all(&said.to_ascii_uppercase());
            }
        }
    });
}

pub(crate) fn whisper(to: &str) -> String {
    format!(
        "command -v python3 >/dev/null || exit 7; exec python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); \
         s.connect('{to}'); s.sendall(b'hello'); print(s.recv(5).decode())\""
    )
}

#[tokio::test]
async fn a_socket_that_is_mounted_answers_and_its_neighbour_is_not_there() {
    let Some(lane) = native() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (mine, other) = (directory.path().join("mine.sock"), directory.path().join("other.sock"));
    shouting(&mine);
    shouting(&other);
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let mounts = vec![Mount { source: mine.clone(), target: "/run/model.sock".into(), access }];
        let seen = run(&lane, Spec { mounts, ..spec(Policy::standard()) }, sh(whisper("/run/model.sock"))).await;
        if seen.exit.end == (End::Exited { code: 7 }) {
            return skipped("python3 is not there to speak to a socket");
        }
        assert_eq!(seen.ok().out(), "HELLO", "{access:?}");
    }
    for path in [&mine, &other] {
        let seen = run(&lane, spec(Policy::standard()), sh(whisper(text(path)))).await;
        assert!(!seen.exit.success() && !seen.text().contains("HELLO"), "{}", seen.text());
    }
}
