//! What apps used, as it is told for billing: every day to the last user, whatever happens between the login and the record.

mod race;
mod told;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use quotagate::admission::{LoginTime, Mode, Operation, Request};
use quotagate::gateway::{DayRecord, Gateway, Mark, Sketches};
use quotagate::journal::{Directory, Level, Options};
use quotagate::recovery::recover;
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{Day, Timestamp, Zone};

use crate::model::KEY;
use crate::support::{MORNING, app, at, terms, user};

/// A gateway with apps 1 and 2 of that instant, which goes on from what a directory has.
fn gateway_of(dir: &Path, created_at: Timestamp) -> Gateway {
    let options = Options {
        level: Level::Process,
        ..Options::default()
    };
    let created = |_| Some(Zone::default().day(created_at));
    let recovered = recover(
        Arc::new(Directory::new(dir)),
        options,
        &created,
        &mut |_| {},
    );
    let gateway = Gateway::durable(terms(""), KEY, recovered.expect("it is whole"));
    for id in [1, 2] {
        let created = gateway.create_app(app(id), Plan::of("pro"), Standing::GOOD, created_at);
        created.expect("a new app");
    }
    gateway
}

/// The journal is written and closed, as at a usual end.
fn close(gateway: &Gateway) {
    gateway.log().expect("a journal").close().expect("closed");
}

fn allowed(gateway: &Gateway, id: u32, request: &Request<'_>, now: Timestamp) {
    let answer = gateway.admit(app(id), request, Mode::Enforce, now);
    assert!(answer.decision.outcome.is_allowed(), "{request:?}");
}

fn login_at(id: &str, time: Timestamp, now: Timestamp) -> Request<'_> {
    Operation::Login {
        user: user(id),
        at: Some(LoginTime::new(time, now).expect("within reach")),
    }
}

fn day(text: &str) -> Day {
    Day::parse(text).expect("a day")
}

/// Somebody who is told usage of an app, and keeps the last record of each day.
#[derive(Default)]
struct Subscriber {
    mark: Option<Mark>,
    days: BTreeMap<Day, DayRecord>,
    records: usize,
}

impl Subscriber {
    /// Asks what is new; how many days that were.
    fn ask(&mut self, gateway: &Gateway, id: u32, now: Timestamp) -> usize {
        let mark = gateway.usage_mark(now);
        let news = gateway.usage_since(app(id), self.mark.as_ref(), now, Sketches::Wanted);
        self.mark = mark;
        let count = news.len();
        self.records += count;
        for record in news {
            let day = record.usage.day;
            if let Some(before) = self.days.insert(day, record) {
                let after = &self.days[&day];
                assert!(before.usage.changed_at <= after.usage.changed_at, "{day}");
                assert!(before.usage.users <= after.usage.users, "{day}");
                assert!(after.is_final || !before.is_final, "{day}");
            }
        }
        count
    }

    fn users(&self) -> u64 {
        self.days.values().map(|it| u64::from(it.usage.users)).sum()
    }
}

/// The morning of the app's first day.
fn morning() -> Timestamp {
    at(MORNING)
}
