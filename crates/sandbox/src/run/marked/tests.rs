use std::process::{Child, Command};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::*;

fn sleeper() -> Child {
    Command::new("/bin/sleep").arg("60").spawn().unwrap()
}

fn held(child: &Child) -> (i32, OwnedFd) {
    let pid = child.id().cast_signed();
    (pid, pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap())
}

#[test]
fn what_comes_back_each_time_ends_the_search_and_is_not_called_gone() {
    let mut children: Vec<Child> = Vec::new();
    let swept = kill_all(Duration::from_millis(40), || {
        children.push(sleeper());
        Look { found: vec![held(children.last().unwrap())], unknown: Vec::new() }
    });
    assert_eq!(swept.left, [children.last().unwrap().id().cast_signed()]);
    assert_eq!(swept.killed, children.len());
    assert!(children.len() > 1, "it looked again");
    for child in &mut children {
        assert!(!child.wait().unwrap().success(), "killed");
    }
}

#[test]
fn a_process_that_is_seen_twice_while_it_dies_is_counted_once() {
    let mut child = sleeper();
    let mut looks = 0;
    let swept = kill_all(Duration::from_secs(60), || {
        looks += 1;
        Look { found: (looks..3).take(1).map(|_| held(&child)).collect(), unknown: Vec::new() }
    });
    assert_eq!((swept.killed, swept.left.len()), (1, 0));
    assert!(!child.wait().unwrap().success(), "killed");
}

#[test]
fn a_process_that_one_look_missed_is_found_by_the_next() {
    let mut child = sleeper();
    let mut looks = 0;
    let swept = kill_all(Duration::from_secs(60), || {
        looks += 1;
        let found = if looks == 2 { vec![held(&child)] } else { Vec::new() };
        Look { found, unknown: Vec::new() }
    });
    assert_eq!((swept.killed, swept.left.len(), looks), (1, 0, 4));
    assert!(!child.wait().unwrap().success(), "killed");
}

#[test]
fn what_cannot_be_looked_at_is_looked_at_again_and_is_not_called_nobody() {
    let unknown = || Look { found: Vec::new(), unknown: vec!["the list of processes cannot be read".into()] };
    let mut looks = 0;
    let swept = kill_all(Duration::from_secs(60), || {
        looks += 1;
        if looks < 3 { unknown() } else { Look::default() }
    });
    assert_eq!((swept.unknown.len(), looks), (0, 4));
    let swept = kill_all(Duration::ZERO, unknown);
    assert_eq!(swept.unknown.len(), 1);
    let swept = kill_all(Duration::from_secs(60), unknown);
    assert_eq!(swept.unknown.len(), 1, "long before the time is up that is given to the dying");
}
