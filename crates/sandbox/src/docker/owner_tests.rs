use super::*;

fn me(near: Near) -> Owner {
    Owner::ourselves(near).expect("the system tells")
}

#[test]
fn an_owner_comes_back_from_its_text_and_nothing_else_does() {
    let owner = me(Near::Same);
    let text = owner.to_string();
    assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{text}");
    assert_eq!(Owner::parse(&text), Some(owner));
    for other in ["", "1-7", "1-2-3-4--same", "1-2-3-4-boot-near", "1-2-3-4-boot-same-7", "x-2-3-4-boot-same"] {
        assert_eq!(Owner::parse(other), None, "{other}");
    }
}

#[test]
fn a_process_that_lives_is_alive_until_it_has_ended_though_nobody_took_note() {
    let judge = me(Near::Unknown);
    let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleeps");
    let pid = i32::try_from(child.id()).expect("a number");
    let owner = Owner { pid, began: system::began(pid).expect("seen").expect("alive"), ..judge.clone() };
    assert_eq!(owner.fate(Some(&judge)), Fate::Alive);
    let reused = Owner { began: owner.began + 1, ..owner.clone() };
    assert!(matches!(reused.fate(Some(&judge)), Fate::Dead(_)));
    child.kill().expect("killed");
    while system::began(pid) == Ok(Some(owner.began)) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(matches!(owner.fate(Some(&judge)), Fate::Dead(_)), "it waits for its parent");
    child.wait().expect("reaped");
    assert!(matches!(owner.fate(Some(&judge)), Fate::Dead(_)));
    assert_eq!(judge.fate(Some(&judge)), Fate::Ourselves);
    assert_eq!(me(Near::Same).fate(Some(&judge)), Fate::Ourselves, "whichever way it takes to its engine");
}

#[test]
fn what_cannot_be_judged_is_not_dead() {
    let judge = me(Near::Same);
    let elsewhere = Owner { namespace: judge.namespace + 1, pid: i32::MAX, ..judge.clone() };
    assert!(matches!(elsewhere.fate(Some(&judge)), Fate::Unknown(_)));
    let dilated = Owner { clock: judge.clock + 1, pid: i32::MAX, ..judge.clone() };
    assert!(matches!(dilated.fate(Some(&judge)), Fate::Unknown(_)));
    let remote = Owner { boot: "other".into(), near: Near::Unknown, ..judge.clone() };
    assert!(matches!(remote.fate(Some(&judge)), Fate::Unknown(_)));
    assert!(matches!(judge.fate(None), Fate::Unknown(_)));
}

#[test]
fn another_boot_is_a_proof_only_where_both_were_on_the_engines_machine() {
    let judge = me(Near::Same);
    let earlier = Owner { boot: "earlier".into(), ..judge.clone() };
    assert!(matches!(earlier.fate(Some(&judge)), Fate::Dead(_)));
    assert!(matches!(earlier.fate(Some(&me(Near::Unknown))), Fate::Unknown(_)));
}
