//! What agents and builds do all day must work inside: a sandbox that breaks tools gets switched off.

use std::path::{Path, PathBuf};

use hedgerow_sandbox::{Access, Mount, NativeOptions, Policy, Spec};

use crate::world::{native, native_with, run, sh, skipped, spec, text};

/// Whether the sandbox can have this program; said loudly when not.
fn have(program: &str) -> bool {
    let places = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    let found = places.iter().any(|place| Path::new(place).join(program).exists());
    if !found {
        skipped(&format!("{program} is not installed"));
    }
    found
}

fn tree(directory: &Path) -> Spec {
    let mut spec = spec(Policy::standard());
    spec.mounts.push(Mount { source: directory.into(), target: "/tree".into(), access: Access::ReadWrite });
    spec
}

async fn works(program: &str, script: &str, expected: &str) {
    let Some(lane) = native().filter(|_| have(program)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut command = sh(script);
    command.workdir = "/tree".into();
    let seen = run(&lane, tree(directory.path()), command).await.ok();
    assert_eq!(seen.out(), expected, "{}", seen.text());
}

#[tokio::test]
async fn process_substitution_in_bash() {
    works(
        "bash",
        "bash -c 'diff <(echo a) <(echo a) && cat <(echo through) && echo x > >(cat) && sleep 0.2'",
        "through\nx",
    )
    .await;
}

#[tokio::test]
async fn here_documents_and_pipes_to_the_terminal_names() {
    works(
        "sh",
        "cat <<E >/dev/stdout\nhere\nE\necho err 2>/dev/null >/dev/stderr; echo ok > /dev/null; echo end",
        "here\nend",
    )
    .await;
}

#[tokio::test]
async fn python_with_many_processes() {
    let script = "python3 -c '
import multiprocessing as m, threading, tempfile, socket
def f(x): return x * x
if __name__ == \"__main__\":
    with m.Pool(4) as p: print(sum(p.map(f, range(10))))
    q = m.Queue(); t = threading.Thread(target=q.put, args=(1,)); t.start(); t.join(); print(q.get())
    with tempfile.NamedTemporaryFile() as file: file.write(b\"x\")
    s = socket.create_server((\"127.0.0.1\", 0)); c = socket.create_connection(s.getsockname()); print(\"lo\")
'";
    works("python3", script, "285\n1\nlo").await;
}

#[tokio::test]
async fn git_from_init_to_gc() {
    let script = "export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.invalid
         export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.invalid
         git init -q . && echo x > f && git add f && git commit -qm one && git checkout -qb other && echo y > f &&
         git stash -q && git stash pop -q && git commit -qam two && git gc -q && git fsck --strict --no-dangling 2>/dev/null && git log --format=%s";
    works("git", script, "two\none").await;
}

#[tokio::test]
async fn make_with_jobs() {
    let script =
        "printf 'all: a b c d\\na b c d:\\n\\t@sleep 0.1; touch $@\\n' > Makefile && make -s -j4 && ls a b c d | wc -l";
    works("make", script, "4").await;
}

#[tokio::test]
async fn a_c_compiler_and_its_program() {
    let script = "printf '#include <stdio.h>\\nint main(void){puts(\"built\");return 0;}' > a.c && gcc -o a a.c && ./a";
    works("gcc", script, "built").await;
}

#[tokio::test]
async fn archives_keep_modes_and_times() {
    let script =
        "mkdir d && echo x > d/f && chmod 750 d/f && tar cf a.tar d && rm -r d && tar xpf a.tar && stat -c %a d/f";
    works("tar", script, "750").await;
}

#[tokio::test]
async fn a_terminal_of_the_sandboxes_own() {
    works("script", "script -qec 'test -t 1 && echo terminal' /dev/null | tr -d '\\r'", "terminal").await;
}

#[tokio::test]
async fn a_debugger_inside() {
    works("strace", "strace -f -o log true && grep -c execve log", "1").await;
}

#[tokio::test]
async fn cargo_of_a_toolchain_that_was_added() {
    let Some(cargo) = std::env::var_os("CARGO").map(PathBuf::from) else { return skipped("no CARGO") };
    let toolchain = cargo.parent().and_then(Path::parent).expect("a toolchain").to_path_buf();
    if std::fs::read_dir(&toolchain).is_err() {
        return skipped(&format!("{} cannot be read", toolchain.display()));
    }
    let Some(lane) = native_with(NativeOptions::default().system(&toolchain)) else { return };
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "export PATH={}/bin:$PATH; cd /tree && cargo init -q --name built --vcs none && cargo run -q --offline",
        text(&toolchain)
    );
    let seen = run(&lane, tree(directory.path()), sh(script)).await.ok();
    assert_eq!(seen.out(), "Hello, world!");
}
