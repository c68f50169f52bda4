//! Random scenarios: a few accounts and apps, months of changes, usage and payments, many of them at the turn of a day or month.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// Minutes of a day.
pub const DAY: i64 = 1440;
/// Lengths of the months from 2026-01 on.
pub const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
pub const EDITIONS: [&str; 3] = ["trial", "pro", "flagship"];
pub const SETTINGS: [&str; 6] = [
    "av_chat_rooms_unlimited",
    "group_members",
    "joined_groups",
    "content_filtering",
    "history_days",
    "comment_bandwidth",
];

/// A line, at so many minutes after 2026-01-01T00:00:00+08:00.
#[derive(Clone, Debug)]
pub struct Step {
    pub minute: i64,
    pub act: Act,
}

/// What a line says; of switches, 1 is on. Days count from 2026-01-01.
#[derive(Clone, Debug)]
pub enum Act {
    Create {
        app: usize,
        account: usize,
    },
    Upgrade {
        app: usize,
        edition: usize,
        settings: [Option<i64>; 6],
    },
    Change {
        app: usize,
        edition: Option<usize>,
        settings: [Option<i64>; 6],
    },
    Disable {
        app: usize,
    },
    Usage {
        app: usize,
        day: i64,
        dau: i64,
        groups: i64,
        milli_mbps: i64,
    },
    TopUp {
        account: usize,
        cents: i64,
    },
    Prepaid {
        app: usize,
        day: i64,
    },
}

pub fn date(day: i64) -> String {
    let (month, day) = split(day);
    format!("2026-{:02}-{:02}", month + 1, day + 1)
}

/// The month, and the day in it, both from 0.
pub fn split(day: i64) -> (i64, i64) {
    let mut left = day;
    for (month, length) in (0..).zip(LENGTHS) {
        if left < length {
            return (month, left);
        }
        left -= length;
    }
    panic!("the scenario leaves its year");
}

pub fn time(minute: i64) -> String {
    let (day, minute) = (minute / DAY, minute % DAY);
    format!(
        "{}T{:02}:{:02}:00+08:00",
        date(day),
        minute / 60,
        minute % 60
    )
}

pub fn account(number: usize) -> &'static str {
    ["acme", "beta"][number]
}

/// Text of so many thousandths.
pub fn milli(thousandths: i64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The line of a step.
pub fn line(step: &Step) -> String {
    let rest = match &step.act {
        Act::Create { app, account: of } => {
            format!(
                "\"create_app\",\"app\":{app},\"account\":\"{}\"",
                account(*of)
            )
        }
        Act::Upgrade {
            app,
            edition,
            settings,
        } => format!(
            "\"upgrade\",\"app\":{app},\"edition\":\"{}\"{}",
            EDITIONS[*edition],
            named(settings)
        ),
        Act::Change {
            app,
            edition,
            settings,
        } => {
            let edition = edition.map(|it| format!(",\"edition\":\"{}\"", EDITIONS[it]));
            format!(
                "\"change\",\"app\":{app}{}{}",
                edition.unwrap_or_default(),
                named(settings)
            )
        }
        Act::Disable { app } => format!("\"disable\",\"app\":{app}"),
        Act::Usage {
            app,
            day,
            dau,
            groups,
            milli_mbps,
        } => format!(
            "\"usage\",\"app\":{app},\"day\":\"{}\",\"dau\":{dau},\"groups\":{groups},\
             \"bandwidth_mbps\":\"{}\"",
            date(*day),
            milli(*milli_mbps)
        ),
        Act::TopUp { account: to, cents } => format!(
            "\"top_up\",\"account\":\"{}\",\"amount\":\"{}.{:02}\"",
            account(*to),
            cents / 100,
            cents % 100
        ),
        Act::Prepaid { app, day } => {
            format!("\"prepaid\",\"app\":{app},\"expires\":\"{}\"", date(*day))
        }
    };
    format!("{{\"at\":\"{}\",\"op\":{rest}}}", time(step.minute))
}

fn named(settings: &[Option<i64>; 6]) -> String {
    let fields = SETTINGS.iter().zip(settings).enumerate();
    let fields = fields.filter_map(|(item, (name, value))| {
        let value = (*value)?;
        let field = if is_switch(item) {
            format!("\"{name}\":{}", value == 1)
        } else {
            format!("\"{name}\":{value}")
        };
        Some(field)
    });
    format!(",\"settings\":{{{}}}", fields.collect::<Vec<_>>().join(","))
}

pub fn is_switch(item: usize) -> bool {
    matches!(item, 0 | 3 | 5)
}

fn settings() -> impl Strategy<Value = [Option<i64>; 6]> {
    let switch = || prop_oneof![3 => Just(None), 1 => (0..2_i64).prop_map(Some)];
    let some = |values: &'static [i64]| prop_oneof![3 => Just(None), 1 => prop::sample::select(values).prop_map(Some)];
    let members = some(&[20, 199, 200, 201, 2_000, 2_001, 6_000]);
    let groups = some(&[500, 750, 1_000, 1_500, 3_000]);
    let history = some(&[6, 7, 30, 45, 90, 180, 360]);
    let parts = (switch(), members, groups, switch(), history, switch());
    parts.prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f])
}

fn act() -> impl Strategy<Value = Act> {
    let app = || 1..4_usize;
    let usage = (
        app(),
        0..250_i64,
        prop::sample::select(&[0, 9_000, 10_000, 10_001, 20_000, 20_001, 45_000][..]),
        prop::sample::select(&[0, 100_000, 100_001, 200_001][..]),
        prop::sample::select(&[0, 5, 333, 1_000, 12_500][..]),
    );
    prop_oneof![
        3 => (app(), 0..3_usize, settings())
            .prop_map(|(app, edition, settings)| Act::Upgrade { app, edition, settings }),
        5 => (app(), prop::option::weighted(0.4, 0..3_usize), settings())
            .prop_map(|(app, edition, settings)| Act::Change { app, edition, settings }),
        1 => app().prop_map(|app| Act::Disable { app }),
        6 => usage.prop_map(|(app, day, dau, groups, milli_mbps)| Act::Usage {
            app, day, dau, groups, milli_mbps
        }),
        5 => (0..2_usize, prop::sample::select(&[1, 14_999, 29_998, 60_000, 200_000][..]))
            .prop_map(|(account, cents)| Act::TopUp { account, cents }),
        1 => (app(), 0..250_i64).prop_map(|(app, day)| Act::Prepaid { app, day }),
    ]
}

/// Scenarios in the order of time; every app is created once, the first two on the first days.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let of_day = prop::sample::select(&[0, 0, 1, 540, 1_439][..]);
    let minute = (0..240_i64, of_day).prop_map(|(day, minute)| day * DAY + minute);
    let step = (minute, act()).prop_map(|(minute, act)| Step { minute, act });
    let third = (0..150_i64, 0..2_usize);
    (prop::collection::vec(step, 0..60), 0..40_i64, third).prop_map(|(mut steps, first, third)| {
        for (app, account, day) in [(1, 0, first), (2, 0, first + 1), (3, third.1, third.0)] {
            let act = Act::Create { app, account };
            steps.push(Step {
                minute: day * DAY + 540,
                act,
            });
        }
        steps.sort_by_key(|step| step.minute);
        let mut created = BTreeSet::new();
        steps.retain(|step| match step.act {
            Act::Create { app, .. } => created.insert(app),
            _ => true,
        });
        steps
    })
}

/// The end of every random scenario: 2026-11-01T00:00:00.
pub const END: i64 = 304 * DAY;

/// The lines of a scenario, its end among them.
pub fn scenario(steps: &[Step]) -> String {
    let mut lines: Vec<_> = steps.iter().map(line).collect();
    lines.push(format!("{{\"at\":\"{}\",\"op\":\"end\"}}", time(END)));
    lines.join("\n") + "\n"
}
