//! The gateway's own budgets of entries, checked last and in every mode (RULES section 2).

use quotagate::admission::Mode;
use quotagate::gateway::Commit;

use crate::script::play;
use crate::support::{MORNING, admit, app, at, catalog, create, gateway, join, leave, register};

#[test]
fn each_budget_refuses_new_entries_and_nothing_else() {
    play(&[
        (
            "users of an app",
            "plan pro
             budget users 2
             register u1..2 => ok
             register u3 => BUDGET_EXCEEDED 2/2
             record register u3 => BUDGET_EXCEEDED
             login u3 => BUDGET_EXCEEDED
             login u1 => ok
             delete u2 => ok
             register u3 => ok
             app 2
             register u3 => ok",
        ),
        (
            "users of an app: a deleted one takes room while the logins are remembered",
            "budget users 1
             login u1 => ok
             delete u1 => ok
             register u2 => BUDGET_EXCEEDED
             register u1 => ok
             delete u1 => ok
             now 2026-04-02T09:00:00+08:00
             register u2 => BUDGET_EXCEEDED
             usage users=0",
        ),
        (
            "groups of an app",
            "budget groups 1
             register u1 => ok
             create g1 Public u1 => ok
             create g2 Public u1 => BUDGET_EXCEEDED 1/1
             record join g2 u1 => BUDGET_EXCEEDED
             usage groups=1 net=1 u1=1+0
             disband g1 => ok
             create g2 Public u1 => ok",
        ),
        (
            "edges of an app: memberships and entries of friend lists",
            "budget edges 3
             register u1..3 => ok
             create g1 Public u1 => ok
             befriend u1 u2 => ok
             befriend u1 u3 one-way => BUDGET_EXCEEDED
             join g1 u2 => BUDGET_EXCEEDED
             create g2 Public u2 => BUDGET_EXCEEDED
             unfriend u1 u2 one-way => ok
             befriend u1 u3 => BUDGET_EXCEEDED
             join g1 u2 => ok
             usage memberships=2 friends=1",
        ),
    ]);
}

#[test]
fn lists_and_adopted_ones_need_room_too() {
    play(&[
        (
            "one list, where the limit is smaller, off or unlimited",
            "budget list 2
             register u1..5 => ok
             limit friends unlimited
             befriend u1 u2..3 => ok
             befriend u1 u4 => BUDGET_EXCEEDED
             befriend u4 u1 => BUDGET_EXCEEDED
             limit friends 1
             record befriend u2 u3 => over
             record befriend u2 u4 => BUDGET_EXCEEDED
             limit friends 4
             befriend u1 u4..5 => ok
             enforce friends off
             befriend u1 u5 => same
             unfriend u1 u5 => ok
             befriend u1 u5 => BUDGET_EXCEEDED",
        ),
        (
            "one list of groups",
            "budget list 2
             limit joined_groups 1
             record join g1 u1 => ok
             record join g2 u1 => over
             record join g3 u1 => BUDGET_EXCEEDED
             usage u1=2+0 groups=2",
        ),
        (
            "limits come first",
            "budget users 1
             limit max_users 1
             register u1 => ok
             register u2 => USER_LIMIT",
        ),
        (
            "adopted users and groups need room too; refused, nobody is taken in",
            "adopt
             budget users 1
             befriend u1 u2 => BUDGET_EXCEEDED
             usage users=0
             join g u1 as Public => ok
             join g u2 => BUDGET_EXCEEDED
             usage users=1 memberships=1",
        ),
        (
            "a creation stands where there is no room for its members",
            "budget edges 2
             register u1..3 => ok
             create g Public u1 with u2 u3 => ok [ ok BUDGET_EXCEEDED 2/2 ]",
        ),
    ]);
}

#[test]
fn budgets_in_all_are_shared_by_the_apps() {
    play(&[
        (
            "users in all",
            "budget all-users 3
             register u1..2 => ok
             app 2
             register u1 => ok
             register u2 => BUDGET_EXCEEDED
             app 1
             delete u1 => ok
             app 2
             register u2 => ok",
        ),
        (
            "in all: refused for want of one kind, none of the others is taken",
            "budget all-groups 0
             budget all-users 1
             budget all-edges 1
             record join g u => BUDGET_EXCEEDED
             budget all-groups 1
             budget all-edges 0
             record join g u => BUDGET_EXCEEDED
             budget all-edges 1
             record join g u => ok
             leave g u => ok
             befriend u u2 one-way => USER_NOT_FOUND
             join g u => ok",
        ),
        (
            "groups in all",
            "budget all-groups 1
             register u1 => ok
             create g Public u1 => ok
             app 2
             register u1 => ok
             create g Public u1 => BUDGET_EXCEEDED
             app 1
             disband g => ok
             app 2
             create g Public u1 => ok",
        ),
        (
            "edges in all",
            "budget all-edges 3
             register u1..2 => ok
             befriend u1 u2 => ok
             app 2
             register u1..2 => ok
             befriend u1 u2 => BUDGET_EXCEEDED
             befriend u1 u2 one-way => ok
             app 1
             unfriend u1 u2 one-way => ok
             app 2
             befriend u1 u2 => ok",
        ),
    ]);
}

/// A batch uses the places that its own operations give up, like the same operations one by one.
#[test]
fn a_batch_uses_what_it_gives_up() {
    let gateway = gateway(
        "pro",
        "[budgets.in_all]\nusers = 9\ngroups = 9\nedges = 2\n",
    );
    let catalog = catalog();
    let before = [
        register("u"),
        register("v"),
        create(&catalog, "g", "Public", "u", &[]),
    ];
    let batch = [
        create(&catalog, "h", "Public", "v", &[]),
        leave("g", "u"),
        join("g", "v"),
        join("g", "u"),
    ];
    for request in &before {
        assert!(admit(&gateway, request, MORNING).outcome.is_allowed());
    }
    for mode in [Mode::DryRun, Mode::Enforce] {
        let answer = gateway.admit_batch(app(1), &batch, mode, Commit::Each, at(MORNING));
        let names: Vec<_> = answer
            .decisions
            .iter()
            .map(|decision| decision.outcome.name())
            .collect();
        assert_eq!(names, ["ALLOWED", "ALLOWED", "ALLOWED", "BUDGET_EXCEEDED"]);
    }
    assert_eq!(gateway.totals().held().edges, 2);
}
