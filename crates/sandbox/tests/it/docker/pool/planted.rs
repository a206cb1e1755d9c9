//! What one command leaves, the next one does not find.

use hedgerow_sandbox::Secret;

use super::super::{sh, spec, tree};
use super::{fresh_id, none_left, run_warm, warm};

/// All that a command can leave where it may write, and all that could go on when it has ended.
const PLANT: &str = r#"
for place in /tmp /dev/shm "$HOME" /run/secrets; do echo planted > "$place/planted"; echo planted > "$place/.planted"; done
for rc in .profile .bashrc .bash_profile .gitconfig .pythonrc.py; do echo 'echo planted' > "$HOME/$rc"; done
mkdir -p "$HOME/.config/git" /tmp/bin && echo planted > "$HOME/.config/git/config"
printf '#!/bin/sh\necho planted\n' > /tmp/bin/ls
export PLANTED=planted ENV=/tmp/planted BASH_ENV=/tmp/planted
setsid sh -c 'trap "" TERM HUP; exec -a planted sleep 300' > /dev/null 2>&1 &
perl -e 'msgget(77, 01666) // die; shmget(77, 4096, 01666) // die; semget(77, 1, 01666) // die' || exit 1
cat > /tmp/plant.py <<'EOF'
import socket, time
names = socket.socket(socket.AF_UNIX); names.bind("\0planted"); names.listen()
port = socket.socket(); port.bind(("127.0.0.1", 7777)); port.listen()
open("/dev/shm/made", "w").close()
time.sleep(300)
EOF
python3 /tmp/plant.py > /dev/null 2>&1 &
for i in $(seq 200); do [ -e /dev/shm/made ] && break; sleep 0.05; done
ls -A /tmp /dev/shm "$HOME" /run/secrets; cat /proc/net/unix /proc/net/tcp /proc/sysvipc/*; cat /proc/[0-9]*/cmdline | tr '\0' ' '; env
"#;

/// The same look without planting anything.
const LOOK: &str = r#"
ls -A /tmp /dev/shm "$HOME" /run/secrets; cat /proc/net/unix /proc/net/tcp /proc/sysvipc/*; cat /proc/[0-9]*/cmdline | tr '\0' ' '; env
grep -rs 'plant[e]d' /tmp /dev/shm "$HOME" /run /var/tmp
cat /proc/[0-9]*/environ | tr '\0' '\n'
echo "processes: $(ls -d /proc/[0-9]* | wc -l)"
bash -ilc true; true
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_in_one_task_is_not_in_the_next() {
    let (mark, first, second) = (fresh_id("fence"), tree(), tree());
    let Some(lane) = warm(&mark, &first, 2).await else { return };
    let secret = Secret::variable("KEY", "planted-secret").expect("a value");
    let planted =
        run_warm(&lane, spec("plant", &first), sh(PLANT, &first).secret(secret).env("GIVEN", "planted")).await;
    let seen = planted.out();
    // The control: the look finds what is there.
    for sign in ["planted\n", ".bashrc", "@planted", "0100007F:1E61", "sleep", "PLANTED=planted"] {
        assert!(seen.contains(sign), "{sign} is not planted: {planted:?}");
    }
    assert_eq!(seen.matches("        77 ").count(), 3, "System V objects are not planted: {seen}");
    // The second one waited while that ran; a third is made after it.
    for round in ["waited", "made"] {
        super::ready(&lane, 1).await;
        let found = run_warm(&lane, spec("look", &second), sh(LOOK, &second)).await;
        let said = found.out();
        assert!(!said.contains("planted") && !said.contains("77 ") && !said.contains("1E61"), "{round}: {said}");
        assert!(!said.contains("GIVEN") && !said.contains(".bashrc"), "{round}: {said}");
        let own = second.path.parent().and_then(std::path::Path::file_name).expect("a name").to_string_lossy();
        let empty = format!("/dev/shm:\n\n/home/agent:\n\n/run/secrets:\n\n/tmp:\n{own}\n");
        assert!(said.starts_with(&empty), "{round}: {said}");
    }
    // Only the tree is the caller's.
    assert_eq!(std::fs::read_dir(&second.path).expect("the tree").count(), 0);
    lane.cool().await.expect("removed");
    none_left(&mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_serves_one_command_and_is_removed_with_it() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        super::ready(&lane, 1).await;
        let waiting = super::marked(&mark).await;
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        run_warm(&lane, spec("serve", &tree), sh("true", &tree)).await;
        seen.extend(waiting[0].id.clone());
    }
    assert_eq!(seen.len(), 3, "each had one of its own");
    assert_eq!(lane.warmth()[0].claimed, 3);
    drop(lane);
    none_left(&mark).await;
}
