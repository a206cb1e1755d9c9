//! The queue: small worlds in which everything is tried, and larger ones in which much is.

mod explore;
mod random;
mod scenarios;
mod stories;
mod world;

/// Whatever is delivered in which order, lost, doubled or forgotten in a crash: nothing unverified lands, nothing is lost.
#[test]
fn every_order_of_events_and_crashes_keeps_the_promises() {
    let mut states = 0;
    for scenario in scenarios::small() {
        match explore::explore(&scenario, 200_000) {
            Ok(explored) => {
                assert!(explored.ends > 0, "{}: it never ends", scenario.name);
                states += explored.states;
            }
            Err(problem) => panic!("{problem}"),
        }
    }
    assert!(states > 1_000, "only {states} states were looked at");
}
