//! A gateway over a faulty disk beside what it must be: models of its apps, at every boundary of entries.
//!
//! Each admission is asked of the gateway and of the app's model, and both must say the same. After an end, the gateway that
//! is recovered must be at a boundary, none before what was acknowledged, and every app what its model was there.

use std::collections::BTreeMap;
use std::sync::Arc;

use quotagate::admission::Mode;
use quotagate::catalog::LimitName;
use quotagate::entitlement::{Enforcement, Entries, Overrides};
use quotagate::gateway::{Ask, Commit, Control, Gateway, Reported, Sketches};
use quotagate::journal::{Level, Log, Options, Position, Storage};
use quotagate::recovery::{RecoverError, Recovered, recover};
use quotagate::subscription::{Plan, Standing};
use quotagate::time::{DAY_MS, Day, Timestamp, Zone};

use super::workload::{GROUPS, USERS, mode, op, pass_ms};
use crate::journal::dice::Dice;
use crate::journal::faulty::{End, Faulty};
use crate::model::{Asked, Facts, Id, KEY, Limits, Model, Op, Rules, Verdict, kinds};
use crate::support::{MORNING, app, at};

/// Editions of the apps, which are 1, 2 and 3.
const EDITIONS: [Id; 3] = ["trial", "pro", "trial"];

/// What an app was after an entry.
#[derive(Clone, Debug)]
struct Point {
    end: Position,
    app: usize,
    at: Timestamp,
    facts: Facts,
    /// Two entries were appended, and where the first one ends was not told: somewhere before the next point.
    is_first_of_two: bool,
}

/// What must be true, whatever happens to the disk.
#[derive(Clone, Debug)]
pub struct World {
    pub dice: Dice,
    models: Vec<Model>,
    points: Vec<Point>,
    /// What a level has acknowledged, for each way to end.
    acknowledged: [Position; 2],
    pub now: Timestamp,
    latest: Timestamp,
}

fn rules() -> Rules {
    let limits = |number: u64, how| -> Limits {
        let numbers = LimitName::ALL.into_iter().zip(0..);
        numbers
            .map(|(name, n): (_, u64)| (name, (number + n % 2, how)))
            .collect()
    };
    Rules {
        kinds: kinds([2, 3, 4]),
        editions: BTreeMap::from([
            ("trial", limits(2, Enforcement::Enforce)),
            ("pro", limits(4, Enforcement::Shadow)),
        ]),
        adopt_unknown: true,
        budget: Entries {
            users: u64::MAX,
            groups: 4,
            edges: 20,
        },
        edges_per_list: 100,
    }
}

/// Sizes so small that segments change, and room runs short, all the time.
pub fn options(level: Level) -> Options {
    Options {
        level,
        segment_bytes: 1024,
        ahead_bytes: 512,
        pending_bytes_max: 1 << 20,
        ..Options::default()
    }
}

/// Recovers what is there.
pub fn recovered(storage: Arc<dyn Storage>, level: Level) -> Result<Recovered, RecoverError> {
    let created = |_| Some(Zone::UTC_PLUS_8.day(at(MORNING)));
    recover(storage, options(level), &created, &mut |_| {})
}

impl World {
    pub fn new(seed: u64) -> Self {
        let now = at(MORNING);
        let models = EDITIONS.map(|edition| Model::new(rules(), edition, now));
        Self {
            dice: Dice(seed),
            models: models.into(),
            points: Vec::new(),
            acknowledged: [Position::START; 2],
            now,
            latest: now,
        }
    }

    /// A gateway that goes on from what was recovered, with every app.
    pub fn gateway(&self, recovered: Recovered) -> Gateway {
        let gateway = Gateway::durable(rules().terms(), KEY, recovered);
        for (n, edition) in (1..).zip(EDITIONS) {
            let control = Control {
                plan: Plan::of(edition),
                standing: Standing::GOOD,
                overrides: Overrides::new(),
            };
            let added = gateway.add_app(app(n), control, at(MORNING), self.now);
            added.expect("an app");
        }
        gateway
    }

    /// Recovers the gateway, and judges it. None if the disk has crashed meanwhile.
    pub fn start(
        &mut self,
        faulty: &Faulty,
        level: Level,
        end: End,
        told: &str,
    ) -> Option<Arc<Gateway>> {
        let recovered = recovered(faulty.storage(), level);
        if faulty.has_crashed() {
            return None;
        }
        let recovered = recovered.unwrap_or_else(|error| panic!("{told}: {error}"));
        let gateway = Arc::new(self.gateway(recovered));
        self.judge(&gateway, end, told);
        Some(gateway)
    }

    /// What was recovered must be what was at a boundary, none before what was acknowledged. It is gone on from there.
    pub fn judge(&mut self, gateway: &Gateway, end: End, told: &str) -> Position {
        let reached = log(gateway).position();
        let acknowledged = self.acknowledged[end as usize];
        assert!(
            reached >= acknowledged,
            "{told}: {acknowledged} was acknowledged, {reached} is there"
        );
        let kept = self.points.partition_point(|point| point.end <= reached);
        let is_between = kept < self.points.len();
        self.points.truncate(kept);
        let last = self.points.last_mut();
        if let Some(last) = last.filter(|last| is_between && last.is_first_of_two) {
            last.end = reached;
        }
        let last = self.points.last().map_or(Position::START, |last| last.end);
        assert_eq!(reached, last, "{told}: no entry ends there");
        // All that was read counts as durable once it is gone on from.
        self.acknowledged = [reached; 2];
        for n in 0..EDITIONS.len() {
            let (facts, at) = self.last(n);
            self.models[n].facts = facts;
            self.compare(gateway, n, at, told);
        }
        reached
    }

    /// What an app was after its last entry, and when.
    fn last(&self, n: usize) -> (Facts, Timestamp) {
        let last = self.points.iter().rev().find(|point| point.app == n);
        last.map_or_else(
            || (Facts::new(at(MORNING)), at(MORNING)),
            |point| (point.facts.clone(), point.at),
        )
    }

    fn compare(&self, gateway: &Gateway, n: usize, now: Timestamp, told: &str) {
        let app = app(u32::try_from(n + 1).expect("small"));
        let told = &format!("{told}: app {app}");
        let asked = Asked {
            gateway,
            app,
            now,
            told,
        };
        asked.compare(&self.models[n], &USERS, &GROUPS);
        for record in gateway.usage_since(app, None, now, Sketches::Left) {
            let (day, stamp) = (record.usage.day, record.usage.changed_at);
            match self.changed(n, day) {
                // Somewhere before the next entry.
                Some(point) if point.is_first_of_two => assert!(stamp >= point.end.get()),
                point => assert_eq!(Some(stamp), point.map(|it| it.end.get()), "{told}: {day}"),
            }
        }
        let position = log(gateway).position();
        assert_eq!(
            position,
            self.position(),
            "{told}: asking has changed something"
        );
    }

    /// The entry that last changed what is metered of a day.
    fn changed(&self, n: usize, day: Day) -> Option<&Point> {
        let of = |point: &&Point| point.facts.metered_on(day);
        let mut points = self.points.iter().rev().filter(|point| point.app == n);
        let mut last = points.next()?;
        for before in points {
            if of(&before) != of(&last) {
                return Some(last);
            }
            last = before;
        }
        Some(last)
    }

    /// Every app as it is now.
    pub fn compare_all(&self, gateway: &Gateway, told: &str) {
        for n in 0..EDITIONS.len() {
            self.compare(gateway, n, self.last(n).1, told);
        }
    }

    /// Where the last entry ends.
    pub fn position(&self) -> Position {
        self.points.last().map_or(Position::START, |last| last.end)
    }

    /// Notes what an app is after a lock hold.
    fn note(&mut self, n: usize, end: Position) {
        let facts = self.models[n].facts.clone();
        if end == self.position() {
            assert_eq!(facts, self.last(n).0, "changed without an entry");
            return;
        }
        let at = self.now;
        self.points.push(Point {
            end,
            app: n,
            at,
            facts,
            is_first_of_two: false,
        });
    }

    /// Time passes, or goes back, but never more than a day behind.
    pub fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms).max(self.latest.plus_ms(-DAY_MS));
        self.latest = self.latest.max(self.now);
    }

    /// Asks for something, of the gateway and of a model; not if the gateway refuses to be asked.
    pub fn admit_something(&mut self, gateway: &Gateway) {
        if self.dice.one_in(6) {
            let ms = pass_ms(&mut self.dice);
            self.pass(ms);
        }
        let n = self.dice.below(EDITIONS.len());
        match self.dice.below(7) {
            6 => self.report_bandwidth(gateway, n),
            0..=2 => self.one(gateway, n),
            3 => self.each(gateway),
            _ => self.batch(gateway, n),
        }
    }

    fn ops(&mut self, gateway: &Gateway, count: usize, mode: Mode) -> Option<Vec<Op>> {
        let ops: Vec<_> = (0..count).map(|_| op(&mut self.dice)).collect();
        let terms = gateway.terms();
        let is_accepted = |op: &Op| {
            gateway
                .accepts(&op.request(&terms.catalog, self.now), mode)
                .is_ok()
        };
        ops.iter().all(is_accepted).then_some(ops)
    }

    fn one(&mut self, gateway: &Gateway, n: usize) {
        let mode = mode(&mut self.dice);
        let Some(ops) = self.ops(gateway, 1, mode) else {
            return;
        };
        let request = ops[0].request(&gateway.terms().catalog, self.now);
        let id = app(u32::try_from(n + 1).expect("small"));
        let answer = gateway.admit(id, &request, mode, self.now);
        let expected = self.models[n].admit(&ops[0], mode, self.now);
        assert_eq!(
            Verdict::from(&answer.decision),
            expected,
            "{mode:?} {ops:?} at {}",
            self.now
        );
        self.note(n, log(gateway).position());
    }

    fn batch(&mut self, gateway: &Gateway, n: usize) {
        let (mode, count) = (mode(&mut self.dice), self.dice.below(6));
        let commit = if self.dice.one_in(2) {
            Commit::Each
        } else {
            Commit::AllOrNothing
        };
        let Some(ops) = self.ops(gateway, count, mode) else {
            return;
        };
        let catalog = Arc::clone(&gateway.terms().catalog);
        let requests: Vec<_> = ops
            .iter()
            .map(|op| op.request(&catalog, self.now))
            .collect();
        let id = app(u32::try_from(n + 1).expect("small"));
        let answer = gateway.admit_batch(id, &requests, mode, commit, self.now);
        let verdicts: Vec<_> = answer.decisions.iter().map(Verdict::from).collect();
        let expected = self.models[n].admit_batch(&ops, mode, commit, self.now);
        assert_eq!((verdicts, answer.committed), expected, "{mode:?} {ops:?}");
        self.note(n, log(gateway).position());
    }

    /// A report of bandwidth, of the app's day or a day not long ago.
    fn report_bandwidth(&mut self, gateway: &Gateway, n: usize) {
        if gateway.trouble().is_some() {
            return;
        }
        let ago = u16::try_from(self.dice.below(4) * self.dice.below(12)).expect("small");
        let bits = 1 << self.dice.below(8);
        let id = app(u32::try_from(n + 1).expect("small"));
        self.models[n].facts.advance(self.now);
        let day = Day::from_number(Zone::UTC_PLUS_8.day(self.now).number() - ago);
        let reported = gateway.report_bandwidth(id, day, bits, self.now);
        assert_eq!(reported, Reported::Taken);
        self.models[n].facts.report(day, bits);
        self.note(n, log(gateway).position());
    }

    /// Operations that come at the same time, of two apps: each has one entry, in the order of their first.
    fn each(&mut self, gateway: &Gateway) {
        let count = 2 + self.dice.below(4);
        let Some(ops) = self.ops(gateway, count, Mode::Enforce) else {
            return;
        };
        // Groups that begin with members are decided alone, in lock holds of their own.
        let brings = |op: &Op| matches!(op, Op::Create { members, .. } if !members.is_empty());
        let ops: Vec<_> = ops.into_iter().filter(|op| !brings(op)).collect();
        let first = self.dice.below(EDITIONS.len());
        let second = (first + 1) % EDITIONS.len();
        let apps: Vec<_> = (0..ops.len())
            .map(|_| if self.dice.one_in(2) { first } else { second })
            .collect();
        let catalog = Arc::clone(&gateway.terms().catalog);
        let asks = apps.iter().zip(&ops).map(|(n, op)| Ask {
            app: app(u32::try_from(n + 1).expect("small")),
            mode: Mode::Enforce,
            request: op.request(&catalog, self.now),
        });
        let asks: Vec<_> = asks.collect();
        let before = log(gateway).position();
        let answers = gateway.admit_each(&asks, self.now);
        let mut changed: Vec<usize> = Vec::new();
        for ((n, op), answer) in apps.iter().zip(&ops).zip(&answers) {
            let day = self.models[*n].facts.day;
            let expected = self.models[*n].admit(op, Mode::Enforce, self.now);
            let verdict = Verdict::from(&answer.decision);
            assert_eq!(verdict, expected, "{op:?} at {}", self.now);
            let is_changed = expected.changed || self.models[*n].facts.day != day;
            if is_changed && !changed.contains(n) {
                changed.push(*n);
            }
        }
        let after = log(gateway).position();
        match apps.iter().find(|n| changed.contains(n)) {
            None => assert_eq!(after, before, "an entry without a change"),
            Some(one) => {
                changed.retain(|n| n != one);
                if let [other] = changed[..] {
                    self.note(*one, before.plus(1));
                    self.points
                        .last_mut()
                        .expect("it was noted")
                        .is_first_of_two = true;
                    self.note(other, after);
                } else {
                    self.note(*one, after);
                }
            }
        }
    }

    /// Notes what may be answered now.
    pub fn observe(&mut self, gateway: &Gateway, level: Level) {
        let log = log(gateway);
        self.acknowledge(End::PowerLoss, log.counts().durable);
        self.acknowledge(End::Kill, log.counts().durable);
        if level == Level::Memory {
            return;
        }
        let known = self.points.partition_point(|point| log.reached(point.end));
        let Some(last) = known.checked_sub(1).and_then(|last| self.points.get(last)) else {
            return;
        };
        let end = last.end;
        self.acknowledge(End::Kill, end);
        if level == Level::Power {
            self.acknowledge(End::PowerLoss, end);
        }
    }

    fn acknowledge(&mut self, end: End, position: Position) {
        let acknowledged = &mut self.acknowledged[end as usize];
        *acknowledged = position.max(*acknowledged);
    }

    /// The day of every app, as its usage tells it.
    pub fn days(&self, gateway: &Gateway) -> Vec<Option<Day>> {
        let apps = (1..).zip(0..EDITIONS.len());
        let day = |(app_number, n)| {
            let usage = gateway.app_usage(app(app_number), self.last(n).1)?;
            usage.days.last().map(|usage| usage.day)
        };
        apps.map(day).collect()
    }

    /// Where the entries before a position end.
    pub fn before(&self, position: Position) -> Position {
        let before = self.points.iter().rev().find(|point| point.end < position);
        before.map_or(Position::START, |point| point.end)
    }

    /// Damage takes what was acknowledged; what is left must still have been.
    pub fn forget_acknowledged(&mut self) {
        self.acknowledged = [Position::START; 2];
    }

    /// A loss of power takes what was acknowledged for the end of a process alone, as a sync that fails may.
    pub fn lose_power(&mut self) {
        self.acknowledged = [self.acknowledged[End::PowerLoss as usize]; 2];
    }
}

pub fn log(gateway: &Gateway) -> &Arc<Log> {
    gateway.log().expect("it has a journal")
}
