//! The bundled files say what the rules say.

use quotagate::catalog::{AddOn, Blocks, FreeActivationMonth, LimitName, Reason};
use quotagate::config::{builtin, read_catalog, read_policy};
use quotagate::entitlement::{Budgets, Policy};
use quotagate::money::Money;

use super::{LIMITS, bound};
use crate::support::catalog;

fn money(text: &str) -> Money {
    Money::parse(text).expect("valid amount")
}

/// RULES 6.1 and 6.2, row by row: rules 3 and 5, 7 to 12, 14 to 17.
#[test]
fn bundled_editions_say_what_the_rules_say() {
    let catalog = builtin().catalog;
    let names: Vec<_> = catalog.editions().map(|(_, e)| &*e.name).collect();
    assert_eq!(names, ["trial", "pro", "flagship"]);
    assert_eq!(&*catalog.edition(catalog.first_edition()).name, "trial");
    assert_eq!(&*catalog.currency, "USD");
    let rows = [
        (LimitName::MaxUsers, ["100", "unlimited", "unlimited"]),
        (LimitName::DailyUsers, ["100", "unlimited", "unlimited"]),
        (LimitName::Friends, ["20", "3000", "3000"]),
        (LimitName::JoinedGroups, ["50", "500", "1000"]),
        (LimitName::GroupMembers, ["20", "200", "2000"]),
        (LimitName::AvChatRooms, ["10", "50", "unlimited"]),
        (LimitName::BroadcastRooms, ["unlimited"; 3]),
        (LimitName::DailyGroups, ["10000"; 3]),
        (LimitName::DailyBroadcastRooms, ["5"; 3]),
        (LimitName::Groups, ["100000", "unlimited", "unlimited"]),
    ];
    assert_eq!(rows.map(|(limit, _)| limit), LimitName::ALL);
    for (limit, bounds) in rows {
        for ((_, edition), expected) in catalog.editions().zip(bounds) {
            let found = *edition.limits.get(limit);
            assert_eq!(found, bound(expected), "{limit} on {}", edition.name);
        }
    }
    let sold = [
        ("Trial", "0", 7),
        ("Pro", "149.99", 7),
        ("Flagship", "449.99", 30),
    ];
    for ((_, edition), (title, price, days)) in catalog.editions().zip(sold) {
        assert_eq!(&*edition.title, title);
        assert_eq!(edition.monthly_price, money(price), "{title}");
        assert_eq!(edition.history_days, days, "{title}");
    }
}

/// RULES B5: literal unless the file says otherwise.
#[test]
fn activation_months_are_free_as_the_file_says() {
    for (key, expected) in [
        ("", FreeActivationMonth::Every),
        (
            "free_activation_month = \"every\"",
            FreeActivationMonth::Every,
        ),
        (
            "free_activation_month = \"first\"",
            FreeActivationMonth::First,
        ),
    ] {
        let text = super::CATALOG.replace("free_activation_month = \"every\"", key);
        let catalog = read_catalog("c", &text).expect("a valid catalog");
        assert_eq!(catalog.free_activation_month, expected, "{key}");
    }
}

/// RULES 6.2, rules 18 and 19; 6.4, rules 25 to 29.
#[test]
fn bundled_overage_is_paid_by_blocks_on_paid_editions() {
    let catalog = builtin().catalog;
    let blocks = |size| Blocks {
        free: size,
        block: size,
        price: money("149.99"),
    };
    for (_, edition) in catalog.editions() {
        let found = edition.overage.as_ref();
        if &*edition.name == "trial" {
            assert_eq!(found, None);
        } else {
            let found = found.expect("paid editions have a price");
            assert_eq!(found.daily_users, blocks(10_000));
            assert_eq!(found.groups, blocks(100_000));
        }
    }
}

/// RULES 6.5 and 6.10.
#[test]
fn bundled_add_ons_have_the_tiers_of_the_rules() {
    let catalog = builtin().catalog;
    let rows: [(AddOn, [&str; 3]); 6] = [
        (AddOn::AvChatRooms, ["", "- 149.99", ""]),
        (AddOn::GroupMembers, ["", "2000 79.99", "6000 79.99"]),
        (AddOn::JoinedGroups, ["", "1000 149.99", "3000 149.99"]),
        (AddOn::ContentFiltering, ["", "- 149.99", "- 149.99"]),
        (
            AddOn::History,
            [
                "",
                "30 79.99, 90 149.99, 180 229.99, 360 379.99",
                "90 79.99, 180 149.99, 360 299.99",
            ],
        ),
        (AddOn::CommentBandwidth, ["", "- 0.69", "- 0.69"]),
    ];
    assert_eq!(rows.map(|(add_on, _)| add_on), AddOn::ALL);
    for (add_on, expected) in rows {
        for ((id, edition), expected) in catalog.editions().zip(expected) {
            let tiers = catalog.tiers(add_on, id).map(|tier| {
                let up_to = tier.up_to.map_or("-".to_owned(), |b| b.to_string());
                format!("{up_to} {}", tier.price)
            });
            let tiers: Vec<_> = tiers.collect();
            assert_eq!(tiers.join(", "), expected, "{add_on} on {}", edition.name);
        }
    }
}

/// RULES 4.1 and 4.2.
#[test]
fn bundled_types_of_groups_say_what_the_rules_say() {
    let catalog = builtin().catalog;
    // Name, alias, code, cap, whether group_members applies, whether members may be named at creation.
    let rows = [
        ("Private", Some("Work"), 1, "200", true, true),
        ("Public", None, 2, "2000", true, true),
        ("ChatRoom", Some("Meeting"), 3, "6000", true, true),
        ("AVChatRoom", None, 4, "unlimited", false, false),
        ("BChatRoom", None, 5, "unlimited", false, false),
    ];
    assert_eq!(catalog.group_types().count(), rows.len());
    for (name, alias, code, cap, members_apply, initial) in rows {
        let kind = catalog.group_type_named(name).expect("known");
        assert_eq!(kind.id.place(), code, "{name}");
        assert_eq!(kind.member_cap, bound(cap), "{name}");
        assert_eq!(kind.group_members_apply, members_apply, "{name}");
        assert_eq!(kind.initial_members, initial, "{name}");
        assert!(kind.counts_to_joined_groups && kind.keeps_members, "{name}");
        let aliases: Vec<_> = kind.aliases.iter().map(|alias| &**alias).collect();
        assert_eq!(aliases, Vec::from_iter(alias), "{name}");
        if let Some(alias) = alias {
            assert_eq!(catalog.group_type_named(alias), Some(kind));
        }
    }
    let own_limits = |name| {
        let kind = catalog.group_type_named(name).expect("known");
        (kind.existing_limit, kind.daily_limit)
    };
    for name in ["Private", "Public", "ChatRoom"] {
        assert_eq!(own_limits(name), (None, None));
    }
    let rooms = (Some(LimitName::AvChatRooms), None);
    assert_eq!(own_limits("AVChatRoom"), rooms);
    let broadcast = (
        Some(LimitName::BroadcastRooms),
        Some(LimitName::DailyBroadcastRooms),
    );
    assert_eq!(own_limits("BChatRoom"), broadcast);
    let assumed = catalog.group_type(catalog.assumed_group_type());
    assert_eq!(assumed, catalog.group_type_named("Public"));
    assert_eq!(catalog.group_type_named("Community"), None);
}

/// RULES 3.1, 3.2 and 3.4.
#[test]
fn bundled_codes_are_those_of_the_rules() {
    let catalog = builtin().catalog;
    let rows = [
        (Reason::AppNotFound, 60006),
        (Reason::AppSuspended, 60020),
        (Reason::AppDisabled, 60016),
        (Reason::AppRepossessed, 70020),
        (Reason::UserNotFound, 70107),
        (Reason::GroupNotFound, 10010),
        (Reason::GroupExists, 10021),
        (Reason::UserLimit, 70398),
        (Reason::TrialDauLimit, 72000),
        (Reason::FriendLimit, 30010),
        (Reason::PeerFriendLimit, 30014),
        (Reason::JoinedGroupLimit, 10037),
        (Reason::GroupMemberLimit, 10038),
        (Reason::GroupFull, 10014),
        (Reason::AvChatRoomLimit, 10036),
        (Reason::BroadcastRoomLimit, 10106),
        (Reason::DailyBroadcastLimit, 10105),
        (Reason::DailyGroupLimit, 10110),
        (Reason::TrialGroupLimit, 10111),
        (Reason::BudgetExceeded, 10112),
    ];
    assert_eq!(rows.map(|(reason, _)| reason), Reason::ALL);
    for (reason, code) in rows {
        assert_eq!(catalog.code(reason), code, "{reason}");
    }
}

#[test]
fn bundled_limits_set_nothing_and_their_examples_are_valid() {
    assert_eq!(builtin().policy, Policy::default());
    // Examples are the lines after "# " that look like TOML.
    let example = |line: &str| {
        let line = line.strip_prefix("# ")?;
        let is_toml = line.starts_with('[') || line.split_once(" = ").is_some();
        is_toml.then(|| line.to_owned())
    };
    let examples: Vec<_> = LIMITS.lines().filter_map(example).collect();
    let policy = read_policy("examples", &examples.join("\n"), &catalog()).expect("valid");
    assert_eq!(policy.rules().count(), 5);
    assert_eq!(policy.budgets, Budgets::default());
}
