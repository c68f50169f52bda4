//! A gateway with its ledger and plane, at a time that the test turns.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::support::{app, at, terms, user};
use quotagate::admission::{LoginTime, Mode, NewGroup, Operation};
use quotagate::catalog::Catalog;
use quotagate::control::{Closed, ControlError, ControlPlane, Wanted, WantedChange};
use quotagate::entitlement::Terms;
use quotagate::gateway::Gateway;
use quotagate::id::{AccountId, GroupId, IdKey, SdkAppId};
use quotagate::ledger::{Audited, Caller, Ledger, Page};
use quotagate::money::Money;
use quotagate::rating::{Bill, PushDay};
use quotagate::subscription::{AppState, Settings};
use quotagate::time::{Day, Month, Timestamp, Zone};

/// What a rig begins with.
pub struct Setup {
    pub catalog: Arc<Catalog>,
    pub push_day: PushDay,
    pub zone: Zone,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            catalog: crate::support::catalog(),
            push_day: PushDay::default(),
            zone: Zone::default(),
        }
    }
}

/// A gateway, its ledger, its plane and a clock.
pub struct Rig {
    pub runtime: Runtime,
    pub gateway: Arc<Gateway>,
    pub plane: ControlPlane,
    pub now: Timestamp,
    pub setup: Setup,
}

pub fn caller() -> Caller {
    Caller::new("anna@desk", "test")
}

pub fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("an id")
}

pub fn money(text: &str) -> Money {
    Money::parse(text).expect("an amount")
}

pub fn month(text: &str) -> Month {
    let first = Day::parse(&format!("{text}-01")).expect("a month");
    first.month()
}

/// A day like `2026-03-01`, or an instant of it like `2026-03-01T09:00:00`, in UTC+8.
pub fn instant(text: &str) -> Timestamp {
    match text.len() {
        10 => at(&format!("{text}T00:00:00+08:00")),
        _ => at(&format!("{text}+08:00")),
    }
}

impl Rig {
    /// One whose data is forgotten.
    pub fn new(setup: Setup, now: Timestamp) -> Self {
        Self::with(setup, now, None)
    }

    /// One with the ledger of a directory, and without the facts of those before it.
    pub fn open(setup: Setup, now: Timestamp, dir: &Path) -> Self {
        Self::with(setup, now, Some(dir))
    }

    fn with(setup: Setup, now: Timestamp, dir: Option<&Path>) -> Self {
        let made = Builder::new_current_thread().enable_all().build();
        let runtime = made.expect("a runtime");
        let terms = Terms {
            catalog: Arc::clone(&setup.catalog),
            zone: setup.zone,
            ..terms("")
        };
        let gateway = Arc::new(Gateway::new(terms, IdKey::new(*b"a key for tests.")));
        let plane = runtime.block_on(async {
            let ledger = match dir {
                Some(dir) => Ledger::open(dir).await,
                None => Ledger::in_memory().await,
            };
            let wanted = Wanted {
                file: "the test",
                apps: &[],
                push_day: setup.push_day,
            };
            let ledger = ledger.expect("a ledger");
            ControlPlane::start(Arc::clone(&gateway), ledger, &wanted, now).await
        });
        Self {
            plane: plane.expect("it starts"),
            runtime,
            gateway,
            now,
            setup,
        }
    }

    /// Closes the ledger.
    pub fn close(self) -> Setup {
        self.runtime
            .block_on(self.plane.close())
            .expect("it closes");
        self.setup
    }

    /// Turns the clock as a server lives it: what falls due before happens at its own instant.
    pub fn turn(&mut self, to: Timestamp) {
        while let Some(next) = self.advance().filter(|next| *next < to) {
            self.now = self.now.max(next);
        }
        self.now = to;
    }

    /// Turns the clock to a day or an instant of it, and lets happen what falls due with it.
    pub fn go(&mut self, to: &str) -> &mut Self {
        self.turn(instant(to));
        self.advance();
        self
    }

    pub fn advance(&self) -> Option<Timestamp> {
        let advanced = self.runtime.block_on(self.plane.advance(self.now));
        advanced.expect("it goes on")
    }

    pub fn create(&self, id: u32, of: &str, edition: &str) -> Result<(), ControlError> {
        let (caller, account) = (caller(), Some(account(of)));
        let call = self
            .plane
            .create_app(&caller, app(id), account, edition, self.now);
        self.runtime.block_on(call)
    }

    pub fn change(&self, id: u32, wanted: WantedChange) -> Result<(), ControlError> {
        let caller = caller();
        let call = self.plane.change(&caller, app(id), wanted, self.now);
        self.runtime.block_on(call)
    }

    pub fn upgrade(&self, id: u32, edition: &str) -> Result<(), ControlError> {
        self.change(
            id,
            WantedChange {
                upgrade: true,
                edition: Some(edition.to_owned()),
                settings: Settings::default(),
            },
        )
    }

    pub fn configure(&self, id: u32, settings: Settings) -> Result<(), ControlError> {
        let wanted = WantedChange {
            settings,
            ..WantedChange::default()
        };
        self.change(id, wanted)
    }

    pub fn top_up(&self, of: &str, amount: &str, reference: &str) -> Result<(), ControlError> {
        let (caller, account) = (caller(), account(of));
        let call = self
            .plane
            .top_up(&caller, account, money(amount), reference, self.now);
        self.runtime.block_on(call).map(drop)
    }

    /// So many users log in on a day, those of the day's earlier logins among them.
    pub fn log_in(&self, id: u32, on: Day, count: u64) {
        let zone = self.setup.zone;
        let time = if on == zone.day(self.now) {
            None
        } else {
            let noon = zone.start(on).plus_ms(12 * 3_600_000);
            Some(LoginTime::new(noon, self.now).expect("at most 31 days late"))
        };
        for number in 0..count {
            let name = format!("u{number}");
            let login = Operation::Login {
                user: user(&name),
                at: time,
            };
            self.record(id, &login);
        }
    }

    /// So many groups exist at once, and none any more afterwards.
    pub fn group(&self, id: u32, count: u64) {
        let kind = self.setup.catalog.group_type_named("Public");
        let kind = kind.expect("a type");
        // A user is in a thousand groups: what is on one list has a budget.
        let names: Vec<_> = (0..count)
            .map(|number| (format!("g{number}"), format!("o{}", number / 1_000)))
            .collect();
        let group = |name| GroupId::new(name).expect("an id");
        for (name, owner) in &names {
            let owner = user(owner);
            self.record(id, &Operation::RegisterUser { user: owner });
            let new = NewGroup::new(group(name), kind, owner, Vec::new());
            let new = new.expect("a group");
            self.record(id, &Operation::CreateGroup(new));
        }
        for (name, _) in &names {
            let group = group(name);
            self.record(id, &Operation::DeleteGroup { group });
        }
    }

    fn record(&self, id: u32, operation: &quotagate::admission::Request<'_>) {
        let answer = self
            .gateway
            .admit(app(id), operation, Mode::Record, self.now);
        assert!(
            answer.decision.outcome.is_allowed(),
            "{:?}",
            answer.decision
        );
    }

    /// Operators put an app on an edition.
    pub fn set_edition(&self, id: u32, edition: &str) -> Result<(), ControlError> {
        let caller = caller();
        let call = self.plane.set_edition(&caller, app(id), edition, self.now);
        self.runtime.block_on(call)
    }

    pub fn disable(&self, id: u32, confirm: u32) -> Result<(), ControlError> {
        let caller = caller();
        let call = self.plane.disable(&caller, app(id), app(confirm), self.now);
        self.runtime.block_on(call)
    }

    pub fn prepay(&self, id: u32, until: &str) -> Result<(), ControlError> {
        let (caller, day) = (caller(), Day::parse(until).expect("a day"));
        let call = self.plane.prepay(&caller, app(id), day, self.now);
        self.runtime.block_on(call)
    }

    pub fn credit(&self, of: &str, amount: &str, reference: &str) -> Result<(), ControlError> {
        let (caller, account) = (caller(), account(of));
        let call = self.plane.credit(
            &caller,
            account,
            money(amount),
            "goodwill",
            reference,
            self.now,
        );
        self.runtime.block_on(call).map(drop)
    }

    pub fn close_month(&self, of: Option<&str>) -> Result<Closed, ControlError> {
        let caller = caller();
        let call = self.plane.close_month(&caller, of.map(month), self.now);
        self.runtime.block_on(call)
    }

    pub fn preview_bill(&self, of: &str, of_month: Option<&str>) -> Result<Bill, ControlError> {
        let account = account(of);
        let call = self
            .plane
            .preview_bill(&account, of_month.map(month), self.now);
        self.runtime.block_on(call)
    }

    /// Day like `2026-02-20`: so many users log in on it.
    pub fn users(&self, id: u32, on: &str, count: u64) {
        self.log_in(id, Day::parse(on).expect("a day"), count);
    }

    /// The state by which the gateway decides at an instant.
    pub fn state(&self, id: u32, at: Timestamp) -> Option<AppState> {
        let entitlements = self.gateway.entitlements(app(id), at)?;
        Some(entitlements.standing.state(at))
    }

    pub fn bill(&self, of: &str, of_month: &str) -> Option<Bill> {
        let account = account(of);
        let call = self.plane.bill(&account, month(of_month));
        self.runtime.block_on(call).expect("the ledger answers")
    }

    /// The whole trail, oldest first.
    pub fn audit(&self) -> Vec<Audited> {
        let page = Page {
            app: None,
            before: None,
            size: 10_000,
        };
        let mut trail = self
            .runtime
            .block_on(self.plane.audit(&page))
            .expect("it answers");
        trail.reverse();
        trail
    }

    /// Everything that the gateway and the plane say of apps and accounts.
    pub fn told(&self, accounts: &[&str], apps: &[SdkAppId]) -> String {
        let mut told = Vec::new();
        for name in accounts {
            let account = account(name);
            let view = self
                .runtime
                .block_on(self.plane.account(&account, self.now));
            let Ok(view) = view else {
                continue;
            };
            // Amounts as they are shown: how many zeros stand behind them is no difference.
            let owed = view.unpaid.iter();
            let owed: Vec<_> = owed
                .map(|it| format!("{} {}", it.month, it.total))
                .collect();
            let (balance, from) = (view.balance, [view.suspended_from, view.repossessed_from]);
            told.push(format!(
                "{name}: {balance} {owed:?} {:?} {from:?} {:?}",
                view.arrears_since, view.apps
            ));
        }
        for id in apps {
            let view = self.runtime.block_on(self.plane.subscription(*id));
            told.push(format!("{view:?} {:?}", self.gateway.control(*id)));
        }
        told.join("\n")
    }
}
