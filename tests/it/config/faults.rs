//! Every kind of fault, with its place and message.

use quotagate::config::{Fault, load_dir, read_catalog, read_policy};

use super::{CATALOG, LIMITS, small};
use crate::support::catalog;

fn shown(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn catalog_faults(text: &str) -> String {
    shown(&read_catalog("c", text).expect_err("faults"))
}

fn limits_faults(text: &str) -> String {
    shown(&read_policy("l", text, &catalog()).expect_err("faults"))
}

/// Each row: `what => by what else` is replaced in the small catalog (`\n` is a line's end), and the fault with its place.
const CATALOG_FAULTS: &str = r#"
# The file as a whole.

"USD" => "usd"
1:12: `currency` must be three capital letters like "USD"; found "usd"

"USD" => 840
1:12: `currency` must be three capital letters like "USD"; found 840

currency = "USD"\n => (nothing)
1:1: the catalog lacks `currency`: add it

currency => curency
1:1: the catalog has no key "curency"; did you mean `currency`?

currency = "USD"\n => currency = "USD"\nfree_activation_month = "never"\n
2:25: `free_activation_month` cannot be "never"; did you mean `every`?

"Public"\n\n => "Pubic"\n\n
2:22: there is no group type "Pubic"; did you mean `Public`?

# Editions.

[[editions]] => [editions]
4:1: `editions` must be a list, each edition under [[editions]]; found a table

= "trial" => = "Trial"
5:8: `name` must be a name of 1 to 64 lower-case letters, digits, `_` or `-`; found "Trial"

= "trial" => = ""
5:8: `name` must be a name of 1 to 64 lower-case letters, digits, `_` or `-`; found ""

title = "Trial" => title = " "
6:9: `title` must be a text of 1 to 500 characters; found " "

monthly_price = "0" => monthly_price = 149.99
7:17: `monthly_price` must be a decimal in quotes like "149.99"; found 149.99

monthly_price = "0" => monthly_price = "-1"
7:17: "-1" is no amount: write a decimal like "149.99", not negative, with at most four decimals, below 1,000,000,000

history_days = 7 => history_days = 0
8:16: `history_days` must be a whole number from 1 to 3600; found 0

friends = 20 => friends = -1
12:11: `friends` must be a whole number from 0 to 1000000000000, or "unlimited"; found -1

friends = 20 => friends = 20.0
12:11: `friends` must be a whole number from 0 to 1000000000000, or "unlimited"; found 20.0

friends = 20 => friends = "none"
12:11: `friends` must be a whole number from 0 to 1000000000000, or "unlimited"; found "none"

friends = 20 => friends = 1000000000001
12:11: `friends` must be a whole number from 0 to 1000000000000, or "unlimited"; found 1000000000001

friends = 20 => friends = [20]
12:11: `friends` must be a whole number from 0 to 1000000000000, or "unlimited"; found a list

friends = 20 => freinds = 20
12:1: [editions.limits] has no key "freinds"; did you mean `friends`?

friends = 20\n => (nothing)
9:1: [editions.limits] lacks `friends`: add it

title = "Trial" => "é" = 1; title = "Trial"
6:7: this is no TOML: string values must be quoted, expected literal string

title = "Trial"\n => title = "Trial"\n"\u0001é" = 1\n
7:1: the edition has no key "\u{1}é"; known: `name`, `title`, `monthly_price`, `history_days`, `limits`, `overage`

block = 1 => block = 0
21:35: `block` must be a whole number from 1 to 1000000000000; found 0

groups = { free = 0, block = 1, price = "1" } => groups = 5
22:10: `groups` must be a table; found 5

# Add-ons.

add_ons.history => add_ons.histroy
24:10: [add_ons] has no key "histroy"; did you mean `history`?

trial = [{ up_to = 30 => trail = [{ up_to = 30
25:1: there is no edition "trail"; did you mean `trial`?

up_to = 30,  => (nothing)
25:10: the tier lacks `up_to`: add it

up_to = 30 => up_to = 7
25:20: `up_to` must be above 7, what the edition has

up_to = 90 => up_to = 30
25:53: `up_to` must be above 30, that of the tier before

up_to = 90 => up_to = "unlimited"
25:53: `up_to` must be a whole number from 1 to 3600; found "unlimited"

[{ price = "149.99" }] => [{ up_to = 5, price = "149.99" }]
27:20: `av_chat_rooms` has no value: remove `up_to`

[{ price = "149.99" }] => [{ price = "149.99" }, { price = "1" }]
27:32: `av_chat_rooms` has one price: remove this tier

[{ price = "149.99" }] => []
27:9: there is no tier here: add one, or remove the key

[{ price = "149.99" }] => { price = "149.99" }
27:9: `trial` must be a list of tiers, like [{ price = "149.99" }]; found a table

av_chat_rooms = 10 => av_chat_rooms = "unlimited"
27:9: `trial` has unlimited `av_chat_rooms` already: there is nothing to sell

# Types of groups.

code = 4 => code = 2
35:8: another type has the code 2 already, on line 31: choose another code

code = 4 => code = 16
35:8: `code` must be a whole number from 0 to 15; found 16

["Live"] => ["Live", "Public"]
36:20: another type or alias is named "Public" already, on line 30: choose another name

["Live"] => ["Live", 3]
36:20: `aliases` must be a text of 1 to 500 characters; found 3

member_cap = "unlimited" => member_cap = 200
40:17: `keeps_members` can be false only where no limit needs the members: member_cap = "unlimited", group_members_apply = false, counts_to_joined_groups = false

keeps_members = false => keeps_members = "no"
40:17: `keeps_members` must be true or false; found "no"

= "av_chat_rooms" => = "friends"
41:18: `existing_limit` cannot be "friends"; known: `av_chat_rooms`, `broadcast_rooms`

# Codes.

USER_LIMIT = 1 => USER_LIMIT = 0
51:14: `USER_LIMIT` must be a whole number of 32 bits, not 0; found 0

USER_LIMIT = 1 => USER_LIMIT = 3000000000
51:14: `USER_LIMIT` must be a whole number of 32 bits, not 0; found 3000000000

GROUP_FULL = 1\n => (nothing)
43:1: [codes] lacks `GROUP_FULL`: add it

[codes] => [[codes]]
43:1: `codes` must be a table; found a list

# Syntax: the fault alone, although much of the catalog cannot be read.

[codes]\n => [codes]\n[codes]\n
44:2: this is no TOML: duplicate key

[[editions]] => [[editions]
4:12: this is no TOML: unclosed array table, expected `]`

friends = 20 => friends = 
12:11: this is no TOML: string values must be quoted, expected literal string

[{ price = "149.99" }] => [{ price = "149.99" }
27:30: this is no TOML: unclosed array, expected `]`
"#;

#[test]
fn each_fault_of_a_catalog_is_reported_once_with_its_place() {
    read_catalog("c", &small()).expect("the small catalog is valid");
    let lines = CATALOG_FAULTS.lines();
    let lines: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .collect();
    for row in lines.chunks(2) {
        let &[change, expected] = row else {
            panic!("a change without a fault: {row:?}");
        };
        let (from, to) = change.split_once(" => ").expect("a change");
        let from = from.replace("\\n", "\n");
        let to = to.replace("(nothing)", "").replace("\\n", "\n");
        assert!(small().contains(&from), "{from}");
        let text = small().replacen(&from, &to, 1);
        assert_eq!(catalog_faults(&text), format!("c:{expected}"), "{change}");
    }
}

/// Each row: a limits file, and its fault.
const LIMITS_FAULTS: &str = r#"
[[overide]]
limit = "friends"
=> 1:3: the limits file has no key "overide"; did you mean `override`?

[override]
limit = "friends"
=> 1:1: `override` must be a list, each rule under [[override]]; found a table

[[override]]
limit = "friend"
value = 1
reason = "r"
=> 2:9: `limit` cannot be "friend"; did you mean `friends`?

[[override]]
limit = 5
value = 1
reason = "r"
=> 2:9: `limit` must be "max_users" or "daily_users" or "friends" or "joined_groups" or "group_members" or "av_chat_rooms" or "broadcast_rooms" or "daily_groups" or "daily_broadcast_rooms" or "groups"; found 5

[[override]]
limit = "friends"
reason = "r"
=> 1:1: the override lacks `value`: add it

[[override]]
limit = "friends"
value = 1.5
reason = "r"
=> 3:9: `value` must be a whole number from 0 to 1000000000000, or "unlimited"; found 1.5

[[override]]
limit = "friends"
value = 1
=> 1:1: the override lacks `reason`: add it

[[override]]
limit = "friends"
value = 1
reason = ""
=> 4:10: `reason` must be a text of 1 to 500 characters; found ""

[[enforcement]]
limit = "friends"
mode = "shade"
reason = "r"
=> 3:8: `mode` cannot be "shade"; did you mean `shadow`?

[[adopt_unknown]]
value = 1
reason = "r"
=> 2:9: `value` must be true or false; found 1

[[adopt_unknown]]
value = true
reason = "r"
app = 0
=> 4:7: `app` must be a whole number from 1 to 4294967295; found 0

[[adopt_unknown]]
value = true
reason = "r"
edition = "prp"
=> 4:11: `edition` cannot be "prp"; did you mean `pro`?

[[adopt_unknown]]
value = true
reason = "r"
app = 1
edition = "pro"
=> 5:11: a rule is for an app or for an edition: remove `app` or `edition`

[[adopt_unknown]]
value = true
reason = "r"
expires = 2026-12-31
=> 4:11: "2026-12-31" is no time: write it like 2026-03-01T00:00:00Z or 2026-03-01T08:00:00+08:00

[[adopt_unknown]]
value = true
reason = "r"
expires = 5
=> 4:11: `expires` must be a time like 2026-03-01T08:00:00+08:00; found 5

[[adopt_unknown]]
value = true
reason = "r"
[[adopt_unknown]]
value = false
reason = "r"
=> 4:1: a rule for the same target stands on line 1 already: keep one

[budgets]
edges_per_list = 0
=> 2:18: `edges_per_list` must be a whole number from 1 to 1000000000000; found 0

[budgets.per_apps]
users = 1
=> 1:10: [budgets] has no key "per_apps"; did you mean `per_app`?

[budgets.in_all]
users = -5
=> 2:9: `users` must be a whole number from 1 to 1000000000000; found -5
"#;

#[test]
fn each_fault_of_a_limits_file_is_reported_once_with_its_place() {
    let mut text = String::new();
    for line in LIMITS_FAULTS.lines().filter(|line| !line.is_empty()) {
        if let Some(expected) = line.strip_prefix("=> ") {
            assert_eq!(limits_faults(&text), format!("l:{expected}"), "{text}");
            text.clear();
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
}

#[test]
fn rules_clash_only_for_the_same_kind_limit_and_target() {
    let rule = |kind: &str, rest: &str| format!("[[{kind}]]\nreason = \"r\"\n{rest}\n");
    let friends = "limit = \"friends\"\nvalue = 1";
    let apart = [
        rule("override", friends),
        rule("override", &format!("{friends}\napp = 1")),
        rule("override", &format!("{friends}\napp = 2")),
        rule("override", &format!("{friends}\nedition = \"pro\"")),
        rule("override", "limit = \"groups\"\nvalue = 1"),
        rule("enforcement", "limit = \"friends\"\nmode = \"off\""),
    ];
    let policy = read_policy("l", &apart.concat(), &catalog()).expect("valid");
    assert_eq!(policy.rules().count(), 6);
    let clash = format!("{}\n{}", apart.concat(), apart[1]);
    assert_eq!(
        limits_faults(&clash),
        "l:29:1: a rule for the same limit and target stands on line 5 already: keep one"
    );
}

#[test]
fn all_faults_are_reported_in_the_order_of_their_places() {
    let text = small()
        .replacen("GROUP_FULL = 1\n", "", 1)
        .replacen("code = 4", "code = -4", 1)
        .replacen("\"USD\"", "\"dollars\"", 1)
        .replacen("friends = 20", "freinds = 20\ngroup_members = true", 1)
        .replacen("group_members = 20\n", "", 1)
        .replacen("\"79.99\"", "79.99", 1);
    insta::assert_snapshot!(catalog_faults(&text), @r#"
    c:1:12: `currency` must be three capital letters like "USD"; found "dollars"
    c:12:1: [editions.limits] has no key "freinds"; did you mean `friends`?
    c:13:17: `group_members` must be a whole number from 0 to 1000000000000, or "unlimited"; found true
    c:25:32: `price` must be a decimal in quotes like "149.99"; found 79.99
    c:35:8: `code` must be a whole number from 0 to 15; found -4
    c:43:1: [codes] lacks `GROUP_FULL`: add it
    "#);
}

/// What the broken sections cannot say is neither missing nor unknown; the rest is checked as ever.
#[test]
fn broken_syntax_hides_no_other_fault_and_invents_none() {
    let text = small()
        .replacen("title = \"Trial\"", "title = Basic", 1)
        .replacen("history_days = 7", "history_days = 7 days", 1)
        .replacen("friends = 20", "friends = -20", 1)
        .replacen("code = 2", "code = 222", 1)
        .replacen("[\"Live\"]", "[\"Live\"", 1)
        .replacen("USER_LIMIT = 1", "USER_LIMIT = 1.5", 1);
    insta::assert_snapshot!(catalog_faults(&text), @r#"
    c:6:9: this is no TOML: string values must be quoted, expected literal string
    c:8:16: this is no TOML: string values must be quoted, expected literal string
    c:31:8: `code` must be a whole number from 0 to 15; found 222
    c:37:1: this is no TOML: missing comma between array elements, expected `,`
    c:51:14: `USER_LIMIT` must be a whole number of 32 bits, not 0; found 1.5
    "#);
}

#[test]
fn columns_count_characters_and_long_values_are_shortened() {
    let text = format!(
        "[[adopt_unknown]]\nvalue = true\n\"é漢\".x = 1\nreason = \"{}\"",
        "é".repeat(501)
    );
    assert_eq!(
        limits_faults(&text),
        format!(
            "l:3:1: the rule of adoption has no key \"é漢\"; known: `value`, `reason`, `app`, `edition`, `expires`\n\
             l:4:10: `reason` must be a text of 1 to 500 characters; found \"{}...\"",
            "é".repeat(40)
        )
    );
    let text = "override = [\"é漢\", 5]";
    assert_eq!(
        limits_faults(text),
        "l:1:13: `override` must be a table; found \"é漢\"\n\
         l:1:19: `override` must be a table; found 5"
    );
    assert_eq!(
        limits_faults(&format!("# fine {0}\nx = 1\ny{0} = 2", ".".repeat(25))),
        "l:3:1: more than 24 dots on a line: no key is nested so deep, and texts need not have so many"
    );
}

#[test]
fn files_that_cannot_be_read_are_one_fault_each() {
    let dir = tempfile::tempdir().expect("directory");
    let faults = |catalog: &[u8], limits: &[u8]| {
        std::fs::write(dir.path().join("catalog.toml"), catalog).expect("written");
        std::fs::write(dir.path().join("limits.toml"), limits).expect("written");
        let faults = load_dir(dir.path()).err().unwrap_or_default();
        shown(&faults).replace(&format!("{}/", dir.path().display()), "")
    };
    assert_eq!(faults(CATALOG.as_bytes(), LIMITS.as_bytes()), "");
    assert_eq!(
        faults(b"currency = \"\xff\"", b"budgets = 5\n"),
        "catalog.toml:1:1: save the file as UTF-8: invalid utf-8 sequence of 1 bytes from index 12\n\
         limits.toml:1:11: `budgets` must be a table; found 5"
    );
    let large = vec![b'\n'; (1 << 20) + 1];
    assert_eq!(
        faults(CATALOG.as_bytes(), &large),
        "limits.toml:1:1: the file is too large: it may have 1048576 bytes"
    );
    let limits = "[[adopt_unknown]]\nvalue = true\nreason = \"\"\nedition = \"gold\"";
    assert_eq!(
        faults(
            CATALOG.replacen("\"USD\"", "5", 1).as_bytes(),
            limits.as_bytes()
        )
        .lines()
        .map(|line| line.split(": ").next().expect("a place"))
        .collect::<Vec<_>>(),
        ["catalog.toml:9:12", "limits.toml:3:10"],
        "an edition of a faulty catalog is not called unknown"
    );

    let absent = load_dir(&dir.path().join("absent")).expect_err("no such directory");
    let names: Vec<_> = absent
        .iter()
        .map(|f| (f.file.rsplit_once('/').expect("a path").1, f.line, f.column))
        .collect();
    assert_eq!(names, [("catalog.toml", 1, 1), ("limits.toml", 1, 1)]);
    for fault in absent {
        assert!(
            fault.message.starts_with("the file cannot be read: "),
            "{fault}"
        );
    }
}
