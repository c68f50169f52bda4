//! Denials in words: whose, how many, from where, until when, and what would lift them.

use quotagate::admission::{Explanation, Mode};
use quotagate::gateway::Commit;

use crate::script::{Stage, operation};
use crate::support::{MORNING, app, at, gateway, register};

/// The explanation of the answer to one command, after a scenario.
fn explained(scenario: &str, command: &str) -> Explanation {
    let mut stage = Stage::new();
    stage.play(scenario).expect("as the rules say");
    let words: Vec<&str> = command.split_whitespace().collect();
    let request = operation(&words, stage.now).request(&stage.catalog, stage.now);
    let answer = stage
        .gateway
        .admit(app(1), &request, Mode::Enforce, stage.now);
    stage
        .gateway
        .explain(&answer, &request)
        .unwrap_or_else(|| panic!("{command} is allowed after {scenario}"))
}

#[test]
fn the_sentence_names_subject_count_bound_and_source() {
    let rows: [(&str, &str, &[&str]); 7] = [
        (
            "record register u1..100 => any",
            "register x",
            &["100", "trial", "max_users"],
        ),
        (
            "limit friends 1 for app:1\n record befriend alice bob => ok\n register c => ok",
            "befriend c alice",
            &["\"alice\"", "1 of at most 1", "override for the app"],
        ),
        (
            "limit friends 1\n record befriend alice bob => ok\n register c => ok",
            "befriend alice c",
            &["\"alice\"", "override for the deployment"],
        ),
        (
            "plan pro\n record create room Private u1 => ok\n record join room u2..200 => any\n register v => ok",
            "join room v",
            &["group \"room\"", "200 of at most 200", "group type"],
        ),
        (
            "plan pro joined=501\n record join g1..501 u1 => any",
            "create h Public u1",
            &["user \"u1\"", "501 of at most 501", "add-on joined_groups"],
        ),
        ("", "join room ghost", &["no user \"ghost\""]),
        (
            "record create room Public u1 => ok\n register v => ok",
            "create room Public v",
            &["group \"room\""],
        ),
    ];
    for (scenario, command, parts) in rows {
        let sentence = explained(scenario, command).sentence;
        for part in parts {
            assert!(sentence.contains(part), "{command}: {part} in {sentence:?}");
        }
    }
}

#[test]
fn a_days_limit_says_when_the_day_ends() {
    let midnight = Some(at("2026-03-02T16:00:00Z"));
    let rows = [
        (
            "limit daily_groups 0\n register u => ok",
            "create g Public u",
            midnight,
        ),
        (
            "limit daily_broadcast_rooms 0\n register u => ok",
            "create g BChatRoom u",
            midnight,
        ),
        (
            "limit daily_users 0\n register u => ok",
            "login u",
            midnight,
        ),
        (
            "limit groups 0\n register u => ok",
            "create g Public u",
            None,
        ),
        ("limit max_users 0", "register u", None),
    ];
    for (scenario, command, resets_at) in rows {
        assert_eq!(
            explained(scenario, command).resets_at,
            resets_at,
            "{scenario}"
        );
    }
    // The day of a late login has ended already: waiting would not help.
    let late = explained(
        "limit daily_users 0\n register u => ok",
        "login u at 2026-03-01T12:00:00+08:00",
    );
    assert_eq!(late.resets_at, None);
}

#[test]
fn the_remedy_is_the_cheapest_that_lifts_the_limit() {
    let rows = [
        (
            "Trial's users",
            "register u1..100 => ok",
            "register x",
            Some("edition pro, 149.99 USD more a month"),
        ),
        (
            "Pro's joined groups",
            "plan pro\n record join g1..500 u1 => any",
            "create h Public u1",
            Some("add-on joined_groups at 1000, 149.99 USD more a month"),
        ),
        (
            "a Trial user in 600 groups: Pro with the add-on beats Flagship at 449.99",
            "record join g1..600 u1 => any",
            "create h Public u1",
            Some("edition pro with add-on joined_groups at 1000, 299.98 USD more a month"),
        ),
        (
            "a Pro user in 1,000 groups: Flagship with its add-on",
            "plan pro joined=1000\n record join g1..1000 u1 => any",
            "create h Public u1",
            Some("edition flagship with add-on joined_groups at 3000, 300.00 USD more a month"),
        ),
        (
            "a tier that is paid for already: set its value higher",
            "plan pro members=300\n record create g Public u1 => ok\n record join g u2..300 => any\n register v => ok",
            "join g v",
            Some("add-on group_members at 2000, 0.00 USD more a month"),
        ),
        (
            "Trial's audio-video chat rooms",
            "register u1 => ok\n create g1..10 AVChatRoom u1 => ok",
            "create h AVChatRoom u1",
            Some("edition pro, 149.99 USD more a month"),
        ),
        (
            "Pro's audio-video chat rooms",
            "plan pro\n register u1 => ok\n create g1..50 AVChatRoom u1 => ok",
            "create h AVChatRoom u1",
            Some("add-on av_chat_rooms at unlimited, 149.99 USD more a month"),
        ),
        (
            "Pro's members of a Public group",
            "plan pro\n record create g Public u1 => ok\n record join g u2..200 => any\n register v => ok",
            "join g v",
            Some("add-on group_members at 2000, 79.99 USD more a month"),
        ),
        (
            "the day's net: the same in every edition",
            "limit joined_groups unlimited\n register u1 => ok\n record create g1..10000 AVChatRoom u1 => any\n register u2 => ok",
            "create h Public u2",
            None,
        ),
        (
            "no purchase lifts Flagship's friends",
            "plan flagship\n record register u1..3002 => any\n record befriend u1 u2..3001 => any",
            "befriend u1 u3002",
            None,
        ),
        (
            "no purchase lifts an override",
            "limit max_users 0",
            "register u1",
            None,
        ),
        (
            "no purchase lifts the type's cap",
            "plan pro\n record create g Private u1 => ok\n record join g u2..200 => any\n register v => ok",
            "join g v",
            None,
        ),
        (
            "no purchase lifts a budget",
            "budget users 0",
            "register u1",
            None,
        ),
    ];
    for (rule, scenario, command, expected) in rows {
        let remedy = explained(scenario, command).remedy.map(|r| r.to_string());
        assert_eq!(remedy.as_deref(), expected, "{rule}");
    }
}

#[test]
fn what_is_allowed_needs_no_explanation() {
    let stage = Stage::new();
    let request = operation(&["register", "u1"], stage.now).request(&stage.catalog, stage.now);
    let answer = stage
        .gateway
        .admit(app(1), &request, Mode::Enforce, stage.now);
    assert_eq!(stage.gateway.explain(&answer, &request), None);
}

#[test]
fn a_denial_in_a_batch_is_explained_like_any_other() {
    let gateway = gateway(
        "trial",
        "[[override]]\nlimit = \"max_users\"\nvalue = 1\nreason = \"a test\"\n",
    );
    let batch = [register("alice"), register("bob")];
    let answer = gateway.admit_batch(app(1), &batch, Mode::Enforce, Commit::Each, at(MORNING));
    let explained = |n: usize| gateway.explain_in_batch(&answer, &answer.decisions[n], &batch[n]);
    assert_eq!(explained(0), None);
    let why = explained(1).expect("denied");
    assert_eq!(why.im_error_code, 70398);
    assert!(
        why.sentence.contains("1 of at most 1 registered users"),
        "{}",
        why.sentence
    );
}
