//! What a change would do: limits, what is over them, and the next bills, before and after.

use super::script::{ndjson, play_text};
use crate::support::{app, at, catalog, terms};
use quotagate::catalog::LimitName;
use quotagate::rating::{Preview, preview};
use quotagate::simulate::Played;
use quotagate::subscription::{Change, Refusal, Settings};

const NOW: &str = "2026-04-10T09:00:00+08:00";

fn books(script: &str) -> Played {
    play_text(&ndjson(script), catalog()).expect("a valid scenario")
}

fn paid(edition: &str) -> Played {
    books(&format!(
        "2026-01-10 create_app 1
         2026-01-10 top_up 5000
         2026-01-10 upgrade 1 {edition}
         2026-04-09 usage 1 2026-04-09 dau=20001
         2026-04-10 end"
    ))
}

fn to(edition: Option<&str>, settings: Settings) -> Change {
    Change::Configuration {
        edition: edition.and_then(|name| catalog().edition_id(name)),
        settings,
    }
}

fn told(preview: &Preview) -> String {
    let mut lines = Vec::new();
    for it in &preview.limits {
        lines.push(format!("{}: {} -> {}", it.limit, it.before, it.after));
    }
    let [before, after] = preview.history_days;
    lines.push(format!("history: {before} -> {after} days"));
    for it in &preview.over {
        lines.push(format!("over {}: {} > {}", it.limit, it.used, it.bound));
    }
    for it in &preview.bills {
        let (before, after) = (it.before.total, it.after.total);
        lines.push(format!("bill {}: {before} -> {after}", it.month));
    }
    for cost in &preview.costs {
        let item = cost.add_on.map_or("plan", |add_on| add_on.name());
        let from = quotagate::time::Zone::default().show(cost.from);
        lines.push(format!("{item}: {} from {from}", cost.price));
    }
    lines.join("\n")
}

#[test]
fn a_downgrade_tells_what_would_be_over() {
    let played = paid("flagship groups=3000 history=180");
    let used = [
        (LimitName::AvChatRooms, 80),
        (LimitName::GroupMembers, 200),
        (LimitName::JoinedGroups, 2_500),
    ];
    let change = to(Some("pro"), Settings::default());
    let done = preview(&played.books, &terms(""), app(1), &change, &used, at(NOW));
    insta::assert_snapshot!(told(&done.expect("allowed")), @r"
    joined_groups: 3000 -> 500
    group_members: 2000 -> 200
    av_chat_rooms: unlimited -> 50
    history: 180 -> 180 days
    over av_chat_rooms: 80 > 50
    over joined_groups: 2500 > 500
    bill 2026-04: 1049.95 -> 1049.95
    bill 2026-05: 749.97 -> 379.98
    plan: 149.99 from 2026-05-01T00:00:00+08:00
    history: 229.99 from 2026-05-01T00:00:00+08:00
    ");
}

#[test]
fn a_purchase_tells_from_when_on_it_costs() {
    let played = paid("pro");
    let settings = Settings {
        content_filtering: Some(true),
        history_days: Some(45),
        comment_bandwidth: Some(true),
        ..Settings::default()
    };
    let at_once = preview(
        &played.books,
        &terms(""),
        app(1),
        &to(None, settings),
        &[],
        at(NOW),
    );
    insta::assert_snapshot!(told(&at_once.expect("allowed")), @r"
    history: 7 -> 45 days
    bill 2026-04: 449.97 -> 749.95
    bill 2026-05: 149.99 -> 449.97
    plan: 149.99 from 2026-02-01T00:00:00+08:00
    content_filtering: 149.99 from 2026-04-10T09:00:00+08:00
    history: 149.99 from 2026-04-10T09:00:00+08:00
    comment_bandwidth: 0.69 from 2026-04-10T09:00:00+08:00
    ");
    let change = to(Some("flagship"), settings);
    let next = preview(&played.books, &terms(""), app(1), &change, &[], at(NOW));
    insta::assert_snapshot!(told(&next.expect("allowed")), @r"
    joined_groups: 500 -> 1000
    group_members: 200 -> 2000
    av_chat_rooms: 50 -> unlimited
    history: 7 -> 45 days
    bill 2026-04: 449.97 -> 449.97
    bill 2026-05: 149.99 -> 679.97
    plan: 449.99 from 2026-05-01T00:00:00+08:00
    content_filtering: 149.99 from 2026-05-01T00:00:00+08:00
    history: 79.99 from 2026-05-01T00:00:00+08:00
    comment_bandwidth: 0.69 from 2026-04-10T09:00:00+08:00
    ");
}

#[test]
fn a_preview_changes_nothing_and_refuses_what_the_change_would_be_refused_for() {
    let played = paid("pro");
    let bad = Settings {
        joined_groups: Some(1_001),
        ..Settings::default()
    };
    let (books, terms) = (&played.books, terms(""));
    let ask = |number, change: &Change| preview(books, &terms, app(number), change, &[], at(NOW));
    assert_eq!(ask(1, &to(None, bad)), Err(Refusal::OutOfRange));
    assert_eq!(ask(9, &to(None, bad)), Err(Refusal::AppNotFound));
    let before = played
        .json(quotagate::presentation::Detail::Full)
        .expect("JSON");
    let flagship = to(Some("flagship"), Settings::default());
    assert_eq!(ask(1, &flagship), ask(1, &flagship));
    assert_eq!(
        played
            .json(quotagate::presentation::Detail::Full)
            .expect("JSON"),
        before
    );
}

/// RULES 6.6, rules 42 and 43: limits follow the subscription, through the gateway's own resolution.
#[test]
fn limits_follow_the_subscription() {
    for (script, limit, bound) in [
        ("2026-01-10 upgrade 1 pro", LimitName::JoinedGroups, "500"),
        (
            "2026-01-10 upgrade 1 pro groups=750",
            LimitName::JoinedGroups,
            "750",
        ),
        (
            "2026-01-10 upgrade 1 pro members=2000",
            LimitName::GroupMembers,
            "2000",
        ),
        (
            "2026-01-10 upgrade 1 pro av",
            LimitName::AvChatRooms,
            "unlimited",
        ),
        (
            "2026-01-10 upgrade 1 flagship members=6000",
            LimitName::GroupMembers,
            "6000",
        ),
        (
            "2026-01-10 upgrade 1 flagship groups=3000
             2026-02-10 change 1 pro",
            LimitName::JoinedGroups,
            "500",
        ),
        (
            "2026-01-10 upgrade 1 pro av
             2026-02-10 change 1 trial",
            LimitName::AvChatRooms,
            "10",
        ),
    ] {
        let played = books(&format!("2026-01-10 create_app 1\n{script}"));
        let (account, subscription) = played.books.app(app(1)).expect("created");
        let money = played.books.account(account).expect("named");
        let zone = played.books.tariff().zone;
        let standing = subscription.standing(money, zone);
        let plan = subscription.plan(&catalog());
        let entitlements = terms("").resolve(app(1), &plan, standing, at(NOW), 1);
        let found = entitlements.expect("an edition").limit(limit).bound;
        assert_eq!(found.to_string(), bound, "{script}");
    }
}

/// RULES 6.9: the instants of the next changes of state are known ahead.
#[test]
fn what_is_coming_is_known() {
    let played = books(
        "2026-01-10 create_app 1
         2026-01-10 create_app 2
         2026-01-10 upgrade 1 pro
         2026-01-11 prepaid 2 2026-03-31
         2026-03-02 end",
    );
    let zone = played.books.tariff().zone;
    let coming = [1, 2].map(|number| {
        let (account, subscription) = played.books.app(app(number)).expect("created");
        let money = played.books.account(account).expect("named");
        let standing = subscription.standing(money, zone);
        [standing.suspended_from, standing.repossessed_from].map(|at| zone.show(at))
    });
    let day = |day: &str| format!("{day}T00:00:00+08:00");
    assert_eq!(coming[0], [day("2026-03-08"), day("2026-06-06")]);
    assert_eq!(coming[1], [day("2026-03-08"), day("2026-06-06")]);
}
