//! What falls due by itself: the server closes months, and who does not pay is refused, with nobody asking for it.

use std::time::Duration;

use super::gate::{Gate, PATIENT};
use super::tools::metrics;
use crate::support::{app, at};
use quotagate::clock::Clock;
use quotagate::subscription::AppState;

/// Waits until something is so.
fn soon(gate: &Gate, what: &str, is_so: impl Fn() -> bool) {
    let pause = Duration::from_millis(10);
    let tries = PATIENT.as_millis() / pause.as_millis();
    for _ in 0..tries {
        if is_so() {
            return;
        }
        gate.run(async { tokio::time::sleep(pause).await });
    }
    panic!("not in time: {what}");
}

#[test]
fn months_close_and_states_change_when_the_clock_says_so() {
    let clock = Clock::by_hand(at("2026-01-10T09:00:00+08:00"));
    let gate = Gate::with(|setup| (setup.edition, setup.clock) = ("pro", clock.clone()));
    let closed = || metrics(gate.http)["quotagate_months_closed_total"];
    assert_eq!(closed(), 0);
    clock.turn(at("2026-03-01T00:00:00+08:00"));
    soon(&gate, "January and February are closed", || closed() == 2);
    assert_eq!(metrics(gate.http)["quotagate_month_closes_failed_total"], 0);
    // February's bill is pushed and unpaid: the gateway knows from when on it refuses.
    let state = |text| {
        let now = at(text);
        let entitlements = gate.gateway.entitlements(app(1), now).expect("an app");
        entitlements.standing.state(now)
    };
    assert_eq!(state("2026-03-07T23:59:59.999+08:00"), AppState::Active);
    assert_eq!(state("2026-03-08T00:00:00+08:00"), AppState::Suspended);
    assert_eq!(state("2026-06-06T00:00:00+08:00"), AppState::Repossessed);
    // A clock that is turned back and on again closes nothing twice.
    clock.turn(at("2026-02-20T00:00:00+08:00"));
    clock.turn(at("2026-04-01T00:00:00+08:00"));
    soon(&gate, "March is closed", || closed() == 3);
}
