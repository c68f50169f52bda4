//! Limits change while threads admit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use quotagate::admission::{Mode, Outcome};
use quotagate::catalog::{Bound, LimitName};
use quotagate::entitlement::{Policy, Rule, Setting, Target, Terms, Topic};
use quotagate::subscription::Plan;
use quotagate::time::Timestamp;

use crate::script::{Stage, operation};
use crate::support::{app, terms};

fn terms_with_max_users(stage: &Stage, bound: u64) -> Terms {
    let mut policy = Policy::default();
    let rule = Rule {
        setting: Setting::Bound(Bound::at_most(bound).expect("finite")),
        reason: "a race".into(),
        expires: Timestamp::MAX,
    };
    policy.set(
        Target::Deployment,
        Topic::Override(LimitName::MaxUsers),
        rule,
    );
    Terms {
        catalog: Arc::clone(&stage.catalog),
        policy: Arc::new(policy),
        ..terms("")
    }
}

/// Asks for user after user while limits change, and takes down the bound of each revision that denied one.
fn admit_under_way(stage: &Stage, changing: &AtomicBool, thread: u32) -> BTreeSet<(u64, u64)> {
    let (mut last, mut denied) = (0, BTreeSet::new());
    for n in 0_u32.. {
        if n > 100 && !changing.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("t{thread}-{n}");
        let request = operation(&["register", &id], stage.now).request(&stage.catalog, stage.now);
        let answer = stage
            .gateway
            .admit(app(1), &request, Mode::Enforce, stage.now);
        assert!(answer.revision >= last, "a revision went back");
        last = answer.revision;
        if let Outcome::Denied(denial) = answer.decision.outcome {
            let reached = denial.reached.expect("a count");
            let bound = reached.bound.finite().expect("finite");
            assert!(reached.used >= bound, "denied with room left");
            denied.insert((answer.revision, bound));
        }
    }
    denied
}

/// Plans and policies change under way: every answer is by one of them as a whole, and revisions never go back.
#[test]
fn limits_change_under_way() {
    let bounds = [50, 60, 70];
    let stage = &Stage::new();
    let change = |round: usize| {
        let terms = terms_with_max_users(stage, bounds[round % bounds.len()]);
        stage.gateway.set_terms(terms, stage.now).expect("valid");
        let plan = Plan::of(["trial", "pro"][round % 2]);
        stage
            .gateway
            .set_plan(app(1), plan, stage.now)
            .expect("valid");
    };
    change(0);
    let changing = &AtomicBool::new(true);
    let denied: BTreeSet<(u64, u64)> = thread::scope(|scope| {
        let admitting: Vec<_> = (0..3)
            .map(|thread| scope.spawn(move || admit_under_way(stage, changing, thread)))
            .collect();
        for round in 1..40 {
            change(round);
            thread::yield_now();
        }
        changing.store(false, Ordering::Relaxed);
        let denied = admitting
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        denied.flatten().collect()
    });
    let revisions: BTreeSet<u64> = denied.iter().map(|(revision, _)| *revision).collect();
    assert_eq!(
        revisions.len(),
        denied.len(),
        "one revision, one bound: {denied:?}"
    );
    assert!(
        denied.iter().all(|(_, bound)| bounds.contains(bound)),
        "{denied:?}"
    );
    let usage = stage.gateway.app_usage(app(1), stage.now).expect("an app");
    assert!((50..=70).contains(&usage.users), "{}", usage.users);
}
