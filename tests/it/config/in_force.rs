//! Rules of the limits file in force: the nearest counts, and until it expires.

use quotagate::catalog::LimitName;
use quotagate::entitlement::{Budgets, Enforcement, Scope, Source, Topic};
use quotagate::subscription::{Plan, Standing};

use super::{LAYERS, bound};
use crate::support::{app, at, terms};

#[test]
fn the_nearest_rule_that_has_not_expired_counts() {
    let terms = terms(LAYERS);
    let at_hour = |number, edition, now| {
        terms
            .resolve(app(number), &Plan::of(edition), Standing::GOOD, at(now), 1)
            .expect("known edition")
    };
    let before = "2026-03-01T23:59:59+08:00";
    let second = "2026-03-02T00:00:00+08:00";
    let third = "2026-03-03T00:00:00+08:00";
    let rows = [
        (1, "pro", before, "unlimited", Scope::App),
        (1, "pro", second, "20", Scope::Edition),
        (1, "pro", third, "10", Scope::Deployment),
        (1, "trial", second, "10", Scope::Deployment),
        (2, "pro", before, "20", Scope::Edition),
    ];
    for (number, edition, now, expected, scope) in rows {
        let found = at_hour(number, edition, now);
        let limit = found.limit(LimitName::Friends);
        assert_eq!(
            (limit.bound, limit.source),
            (bound(expected), Source::Override(scope))
        );
    }
    assert_eq!(at_hour(1, "pro", before).valid_until, at(second));
    assert_eq!(at_hour(1, "pro", second).valid_until, at(third));

    let trial = at_hour(1, "trial", second);
    assert_eq!(
        trial.limit(LimitName::Friends).enforcement,
        Enforcement::Shadow
    );
    assert_eq!(trial.limit(LimitName::Groups).enforcement, Enforcement::Off);
    assert_eq!(
        at_hour(2, "pro", second)
            .limit(LimitName::Friends)
            .enforcement,
        Enforcement::Enforce
    );
    assert!(trial.adopt_unknown && !at_hour(2, "pro", second).adopt_unknown);

    let default = Budgets::default();
    assert_eq!(trial.budgets.edges_per_list, 7);
    assert_eq!(trial.budgets.per_app.users, 8);
    assert_eq!(trial.budgets.per_app.groups, default.per_app.groups);
    assert_eq!(trial.budgets.in_all, default.in_all);
    let reasons: Vec<_> = terms
        .policy
        .rules()
        .filter(|(_, topic, _)| *topic == Topic::AdoptUnknown)
        .map(|(_, _, rule)| &*rule.reason)
        .collect();
    assert_eq!(reasons, ["deployment", "app"]);
}
