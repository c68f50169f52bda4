//! The configuration files: what the bundled ones say, every kind of fault with its place, and texts of any kind.

mod any_text;
mod bundled;
mod faults;
mod gateway_file;
mod in_force;

use quotagate::catalog::{Bound, Reason};

const CATALOG: &str = include_str!("../../config/catalog.toml");
const LIMITS: &str = include_str!("../../config/limits.toml");

fn bound(text: &str) -> Bound {
    Bound::parse(text).expect("valid bound")
}

/// A small catalog; the tests break it.
const SMALL: &str = r#"currency = "USD"
assumed_group_type = "Public"

[[editions]]
name = "trial"
title = "Trial"
monthly_price = "0"
history_days = 7
[editions.limits]
max_users = 100
daily_users = 100
friends = 20
joined_groups = 50
group_members = 20
av_chat_rooms = 10
broadcast_rooms = "unlimited"
daily_groups = 10000
daily_broadcast_rooms = 5
groups = 100000
[editions.overage]
daily_users = { free = 0, block = 1, price = "1" }
groups = { free = 0, block = 1, price = "1" }

[add_ons.history]
trial = [{ up_to = 30, price = "79.99" }, { up_to = 90, price = "149.99" }]
[add_ons.av_chat_rooms]
trial = [{ price = "149.99" }]

[[group_types]]
name = "Public"
code = 2
member_cap = 2000
[[group_types]]
name = "AVChatRoom"
code = 4
aliases = ["Live"]
member_cap = "unlimited"
group_members_apply = false
counts_to_joined_groups = false
keeps_members = false
existing_limit = "av_chat_rooms"

"#;

fn small() -> String {
    let codes = Reason::ALL.map(|reason| format!("{reason} = 1\n"));
    format!("{SMALL}[codes]\n{}", codes.concat())
}

/// A limits file with rules at every distance from an app.
const LAYERS: &str = r#"
[[override]]
limit = "friends"
value = 10
reason = "deployment"

[[override]]
limit = "friends"
value = 20
reason = "edition"
edition = "pro"
expires = 2026-03-03T00:00:00+08:00

[[override]]
limit = "friends"
value = "unlimited"
reason = "app"
app = 1
expires = "2026-03-02T00:00:00+08:00"

[[enforcement]]
limit = "friends"
mode = "shadow"
reason = "edition"
edition = "trial"

[[enforcement]]
limit = "groups"
mode = "off"
reason = "app"
app = 1

[[adopt_unknown]]
value = true
reason = "deployment"

[[adopt_unknown]]
value = false
reason = "app"
app = 2

[budgets]
edges_per_list = 7
[budgets.per_app]
users = 8
"#;
