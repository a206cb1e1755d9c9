//! Processes that are started, and what they may do to the one that starts them.

use std::cell::Cell;

use rustix::process::{Resource, Rlimit, Uid, setrlimit};

use super::*;

/// The exit code of a child that runs this.
fn code(child: impl FnOnce() -> i32) -> Option<i32> {
    let child = fork(UnshareFlags::empty(), None, |_| child()).unwrap();
    reap(child.pid).0.filter(|status| libc::WIFEXITED(*status)).map(|status| libc::WEXITSTATUS(status))
}

#[test]
fn a_child_that_may_not_fork_gets_an_error_and_does_not_panic() {
    let code = code(|| {
        // No limit holds for root. Where it is another user already, it has more processes than none.
        let nobody = Uid::from_raw(65_534);
        let _already = rustix::thread::set_thread_res_uid(nobody, nobody, nobody);
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let limited = setrlimit(Resource::Nproc, none);
        match (limited, fork(UnshareFlags::empty(), None, |_| 0)) {
            (Ok(()), Err(Errno::AGAIN)) => 42,
            _ => 43,
        }
    });
    assert_eq!(code, Some(42));
}

#[test]
fn a_child_that_unwinds_ends_there() {
    // What unwinding does; a real panic allocates, and another test may hold the allocator's lock right now.
    let code = code(|| {
        drop(NeverBack);
        0
    });
    assert_eq!(code, Some(1));
}

#[test]
fn a_process_on_borrowed_memory_changes_that_and_nothing_else_of_the_caller() {
    let (seen, here) = (Cell::new(0), std::env::current_dir().unwrap());
    let pid = launch(|| {
        let moved = rustix::process::chdir(c"/proc");
        seen.set(if moved.is_ok() { 1 } else { 2 });
        7
    });
    let (status, _) = reap(pid.unwrap());
    assert_eq!((status.map(|status| libc::WEXITSTATUS(status)), seen.get()), (Some(7), 1));
    assert_eq!(std::env::current_dir().unwrap(), here);
}

#[test]
fn the_caller_goes_on_only_when_the_process_has_become_a_program() {
    let program = [c"/bin/sh".to_owned(), c"-c".to_owned(), c"exit 5".to_owned()];
    let (argv, env, before) = (Strings::new(&program), Strings::new(&[]), Cell::new(false));
    let pid = launch(|| {
        before.set(true);
        execve(c"/bin/sh", &argv, &env);
        1
    });
    assert!(before.get());
    assert_eq!(reap(pid.unwrap()).0.map(|status| libc::WEXITSTATUS(status)), Some(5));
}
