//! What a power loss or a newer program does to a journal.

use std::path::PathBuf;

use hedgerow_orchestrator::journal::{FileJournal, Journal};
use hedgerow_orchestrator::merge::BranchName;
use hedgerow_orchestrator::{Error, Event, EventKind, GateSpec, Plan};

fn event(seq: u64) -> Event {
    let kind = match seq {
        0 => {
            let (plan, target) = (Plan::new(GateSpec::None), BranchName::new("main").unwrap());
            EventKind::RunStarted { plan, target, lane: "host".into(), gate: "plan".into() }
        }
        _ => EventKind::RunFinished,
    };
    Event { seq, at: 0, kind }
}

async fn three_events() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("journal");
    let mut journal = FileJournal::create(&path).unwrap();
    for seq in 0..3 {
        journal.append(&event(seq)).await.unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    (place, path, bytes)
}

#[tokio::test]
async fn a_record_that_was_never_finished_is_cut_off_and_the_next_one_follows() {
    let (_place, path, bytes) = three_events().await;
    let third = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in third..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let mut journal = FileJournal::open(&path).unwrap();
        assert_eq!(journal.replay().await.unwrap().len(), 2);
        journal.append(&event(2)).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "cut at {cut}");
    }
}

#[tokio::test]
async fn damage_in_the_middle_is_an_error_and_never_cut_off() {
    let (_place, path, bytes) = three_events().await;
    for at in [0, 20, 40, 60, 80] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        std::fs::write(&path, &damaged).unwrap();
        assert!(matches!(FileJournal::open(&path), Err(Error::Journal { .. })), "byte {at}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "byte {at}");
    }
}

#[tokio::test]
async fn a_journal_of_a_newer_program_is_refused_with_its_version() {
    let (_place, path, bytes) = three_events().await;
    let header = br#"{"hedgerow_journal":999}"#;
    let mut newer = format!("{:08x} {:08x} ", header.len(), crc32fast::hash(header)).into_bytes();
    newer.extend_from_slice(header);
    newer.push(b'\n');
    newer.extend_from_slice(&bytes[bytes.iter().position(|b| *b == b'\n').unwrap() + 1..]);
    std::fs::write(&path, newer).unwrap();
    let message = FileJournal::open(&path).unwrap_err().to_string();
    assert!(message.contains("999"), "{message}");
}
