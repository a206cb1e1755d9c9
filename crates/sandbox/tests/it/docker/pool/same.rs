//! A container that was ready is as one that was made for the command.

use std::path::Path;

use hedgerow_sandbox::{Access, Command, End, Error, Mount, Sandbox, Secret, Spec, Start, Trees, Warm};

use super::super::{IMAGE, Tree, refused, sh, spec, tree};
use super::{fenced, fresh_id, run, run_warm, warm, warm_for};

/// Everything about itself that a program can tell, without what differs from run to run.
const LOOK: &str = r#"
id; umask; pwd -P; ulimit -a; uname -n; readlink /proc/self/exe
grep -E '^(Cap|NoNewPrivs|Seccomp|Groups|Uid|Gid|SigIgn|SigBlk|Umask)' /proc/self/status
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max 2>&1
cat /proc/self/cgroup | sed 's/[0-9a-f]\{64\}/ID/'
ls -ld / /tmp /dev/shm "$HOME" . ..; ls -A /dev; ls -l /proc/self/fd | sed 's/.* \([0-9] ->\)/\1/; s/\[[0-9]*\]//; /proc/d'
awk '{ print $5, $6, $(NF - 2), $(NF - 1), $NF }' /proc/self/mountinfo | sed 's/rw,lowerdir=.*//' 
env -0 | sort -z | tr '\0' '\n'
printf '<%s>' "$@"; cat
"#;

/// What was seen, without what is known to differ: the directory for secrets is there before anybody knows whether there will
/// be some, and trees show neither devices nor programs that become another user.
fn lines(seen: &str, tree: &Tree) -> Vec<String> {
    let given = [tree.path.to_str().expect("text"), "/srv/given"];
    let lines = seen.lines().filter(|line| !line.starts_with("/run/secrets "));
    let mut lines: Vec<_> = lines
        .map(|line| match given.iter().any(|place| line.starts_with(place)) {
            true => line.replacen("nosuid,nodev,", "", 1),
            false => line.to_owned(),
        })
        .collect();
    lines.sort_unstable();
    lines
}

fn told(tree: &Tree) -> Command {
    let command = Command::new("bash", tree.path.join("below")).args([
        "-c",
        LOOK,
        "name",
        "",
        "a 'b'\n\nc\n",
        "$(id) `id` \\n",
        "é😀",
    ]);
    command.env("GIVEN", "'\n$HOME \\").env("LANG", "C").env("PATH_2", "/x").stdin("own\ninput\n")
}

/// A tree with something in it, a part of which may only be read.
fn guarded(tree: &Tree) -> Spec {
    std::fs::create_dir_all(tree.path.join("below")).expect("made");
    std::fs::write(tree.path.join(".git"), "gitdir: elsewhere").expect("written");
    // Its owner may write it, but for the mount.
    if super::is_root() {
        std::os::unix::fs::chown(tree.path.join(".git"), Some(5000), Some(5001)).expect("given away");
    }
    std::fs::set_permissions(tree.path.join("below"), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("set");
    let mut spec = spec("same", tree);
    let file = tree.path.join(".git");
    spec.mounts.push(Mount { source: file.clone(), target: file, access: Access::ReadOnly });
    let system = Path::new("/usr/share");
    spec.mounts.push(Mount { source: system.into(), target: "/srv/given/system".into(), access: Access::ReadOnly });
    spec.mounts.push(Mount {
        source: "/etc/hostname".into(),
        target: "/srv/given/a-file".into(),
        access: Access::ReadOnly,
    });
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_finds_everything_as_in_a_container_that_was_made_for_it() {
    let (mark, one) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &one, 1).await else { return };
    let cold = fenced(&mark).await.expect("there is an engine");
    let (start, expected) = run(&cold, guarded(&one), told(&one)).await;
    assert_eq!((start, expected.exit.success()), (Start::Fresh, true), "{expected:?}");
    let seen = run_warm(&lane, guarded(&one), told(&one)).await;
    let (seen_lines, expected_lines) = (lines(&seen.out(), &one), lines(&expected.out(), &one));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    let differences = (only(&seen_lines, &expected_lines), only(&expected_lines, &seen_lines));
    assert_eq!(seen_lines, expected_lines, "{differences:#?}");
    assert_eq!((seen.err(), seen.exit.end), (expected.err(), expected.exit.end));
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_only_be_read_can_be_neither_written_nor_moved() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let script = "echo x > .git; echo x > /srv/given/a-file; rm -f .git; mv .git moved; mv . ../moved; mv \"$(dirname \"$PWD\")\" /tmp/moved; \
                  mount -o remount,rw .git; umount .git; echo x > below/new && echo x > new && cat .git";
    let said = run_warm(&lane, guarded(&tree), sh(script, &tree)).await;
    assert_eq!(said.out(), "gitdir: elsewhere", "{said:?}");
    assert_eq!(std::fs::read_to_string(tree.path.join(".git")).expect("there"), "gitdir: elsewhere");
    assert_eq!(std::fs::read_to_string(tree.path.join("new")).expect("there"), "x\n");
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_of_an_earlier_command_leads_a_mount_elsewhere() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    std::os::unix::fs::symlink("/usr", tree.path.join("link")).expect("made");
    let mut with_link = spec("link", &tree);
    with_link.policy = with_link.policy.without(hedgerow_sandbox::Guarantee::PinnedMounts);
    let target = tree.path.join("link/share");
    with_link.mounts.push(Mount { source: "/etc".into(), target, access: Access::ReadOnly });
    let mut running = lane.start(with_link).await.expect("starts");
    // What the engine makes of it is its own business; a container that waited is not used for it.
    if let Ok(process) = running.exec(sh("true", &tree)).await {
        let start = process.start().clone();
        assert!(matches!(&start, Start::Cold(why) if why.contains("mount could not be added")), "{start:?}");
    }
    assert_eq!(lane.warmth()[0].claimed, 0);
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_end_a_command_as_ever() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let mut small = spec("limits", &tree);
    small.policy.limits.memory = Some(64 << 20);
    small.policy.limits.pids = Some(32);
    let Some(lane) = warm_for(&mark, [Warm::like(small.clone(), 2)], 2).await else { return };
    let eater = sh("exec python3 -c 'b = bytearray(256 << 20)'", &tree);
    assert_eq!(run_warm(&lane, small.clone(), eater).await.exit.end, End::OutOfMemory);
    super::ready(&lane, 1).await;
    small.id = fresh_id("limits");
    let bomb = sh("for i in $(seq 100); do sleep 20 & done 2>&1; wait", &tree);
    let said = run_warm(&lane, small, bomb.deadline(std::time::Duration::from_secs(3))).await;
    assert!(said.out().contains("ork") || said.err().contains("ork"), "no fork was refused: {said:?}");
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_arrive_and_the_engine_knows_neither_them_nor_the_command() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let secrets = [
        Secret::variable("KEY", "s3cret-'\"\n$x").expect("a value"),
        Secret::file("token", "s3cret-token").expect("a value").path_in("TOKEN_FILE").expect("a name"),
    ];
    let mut command = sh(
        "printf %s \"$KEY\" | wc -c; cat \"$TOKEN_FILE\" | wc -c; stat -c %a \"$TOKEN_FILE\"; cat; sleep 300",
        &tree,
    );
    command.secrets = secrets.into();
    let mut running = lane.start(spec("secret", &tree)).await.expect("starts");
    let mut process =
        running.exec(command.env("GIVEN", "s3cret-given").stdin("s3cret-input\nend\n")).await.expect("runs");
    assert_eq!(process.start(), &Start::Warm);
    let seen = super::super::until(&mut process, "end\n").await;
    assert!(seen.starts_with("12\n12\n400\n"), "{seen}");
    for container in super::marked(&mark).await {
        let id = container.id.clone().expect("an id");
        let found = super::engine().await.inspect_container(&id, None).await.expect("inspect");
        let text = format!("{found:?} {container:?}");
        assert!(!text.contains("s3cret") && !text.contains("TOKEN_FILE") && !text.contains("GIVEN"), "{text}");
    }
    drop(process);
    running.stop(std::time::Duration::ZERO).await.expect("stopped");
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_and_a_directory_that_are_not_there_are_named() {
    let (mark, tree) = (fresh_id("fence"), tree());
    let Some(lane) = warm(&mark, &tree, 1).await else { return };
    let mut running = lane.start(spec("missing", &tree)).await.expect("starts");
    std::fs::write(tree.path.join("text"), "no program").expect("written");
    for program in ["nosuch", "/no/such"] {
        super::ready(&lane, 1).await;
        let error = refused(&mut running, Command::new(program, &tree.path)).await;
        assert!(matches!(&error, Error::Program { .. }) && error.to_string().contains(IMAGE), "{error}");
    }
    super::ready(&lane, 1).await;
    let error = refused(&mut running, Command::new(tree.path.join("text"), &tree.path)).await;
    assert!(matches!(&error, Error::Program { .. }), "{error}");
    super::ready(&lane, 1).await;
    let error = refused(&mut running, Command::new("true", "/no/such/directory")).await;
    assert!(matches!(&error, Error::InvalidSpec { .. }) && error.to_string().contains("/no/such/directory"), "{error}");
    lane.cool().await.expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_was_made_with_its_trees_serves_them_and_no_others() {
    let (mark, one, other) = (fresh_id("fence"), tree(), tree());
    let kind = Warm::like(spec("pattern", &one), 1).trees(Trees::Fixed);
    let Some(lane) = warm_for(&mark, [kind], 1).await else { return };
    let said = run_warm(&lane, spec("fixed", &one), sh("echo here > made; pwd", &one)).await;
    assert_eq!(said.out(), format!("{}\n", one.path.display()));
    assert!(one.path.join("made").exists());
    super::ready(&lane, 1).await;
    let (start, said) = run(&lane, spec("fixed", &other), sh("pwd", &other)).await;
    let differs = |why: &str| why.contains("its mounts") || why.contains("takes their place");
    assert!(matches!(&start, Start::Cold(why) if differs(why)), "{start:?}");
    assert_eq!(said.out(), format!("{}\n", other.path.display()));
    lane.cool().await.expect("removed");
}
