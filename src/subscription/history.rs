//! An app's subscription: its life as a fold over dated events, kept as a history that any month can be billed from.
//!
//! Invariant: events come in the order of their time; what has happened is never rewritten, so a month that has passed reads the
//! same for ever. Absent on purpose: amounts due, which are `rating`'s, and the queue of what falls due.

use super::account::{Account, RETENTION_DAYS};
use super::change::{Bought, Change, Changed, Charge, Configuration};
use super::choice::{Choice, Choices, price};
use super::{AppState, Plan, Refusal, Standing};
use crate::catalog::{AddOn, Catalog, EditionId};
use crate::money::Money;
use crate::time::{DAY_MS, Day, Timestamp, Zone};

/// Days from the day on which a prepaid plan expires to its app's suspension: seven whole days lie between (RULES B15).
const PREPAID_GRACE_DAYS: u16 = 8;

/// What an app had from an instant on, until the next phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Phase {
    /// From here on, this instant included (RULES B48).
    pub from: Timestamp,
    /// The edition.
    pub edition: EditionId,
    /// The add-ons.
    pub choices: Choices,
    /// The day on which the plan that was paid ahead expires; nothing for postpaid plans (RULES B15).
    pub prepaid_until: Option<Day>,
    /// Whether the app exists: not disabled or repossessed. A suspended app does.
    pub exists: bool,
}

/// Something bought, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Purchase {
    /// When.
    pub at: Timestamp,
    /// What.
    pub bought: Bought,
}

/// An upgrade off the free edition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activation {
    /// When.
    pub at: Timestamp,
    /// To which edition.
    pub edition: EditionId,
    /// The app's how many-th, from 1 (RULES B5).
    pub number: u32,
}

/// How an app begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// On the free edition.
    Free,
    /// On a paid one, which is activated at that instant.
    Activated,
}

/// A time of suspension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    /// From here on, this instant included.
    pub from: Timestamp,
    /// When the service was restored; nothing while it is not, and for ever if it never was.
    pub restored: Option<Timestamp>,
}

/// What something in force costs, and from when on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// The add-on; nothing for the plan itself.
    pub add_on: Option<AddOn>,
    /// Of a month; of a Mbps and day for the bandwidth.
    pub price: Money,
    /// The instant from which its months, or days, are due.
    pub from: Timestamp,
}

/// An app's subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    configuration: Configuration,
    state: AppState,
    created_at: Timestamp,
    repossessed_from: Timestamp,
    phases: Vec<Phase>,
    purchases: Vec<Purchase>,
    activations: Vec<Activation>,
    outages: Vec<Outage>,
}

impl Subscription {
    /// A new app's. In a suspended account it starts suspended (RULES B20).
    pub fn create(
        edition: EditionId,
        start: Start,
        account: &Account,
        zone: Zone,
        at: Timestamp,
    ) -> Self {
        let adjusted = match start {
            Start::Free => None,
            Start::Activated => Some(zone.day(at).month()),
        };
        let configuration = Configuration::new(edition, adjusted);
        let first = Phase {
            from: at,
            edition,
            choices: configuration.choices,
            prepaid_until: None,
            exists: true,
        };
        let mut new = Self {
            configuration,
            state: AppState::Active,
            created_at: at,
            repossessed_from: Timestamp::MAX,
            phases: vec![first],
            purchases: Vec::new(),
            activations: Vec::new(),
            outages: Vec::new(),
        };
        if start == Start::Activated {
            new.activate(at, edition);
        }
        let _ = new.settle(account, zone, at);
        new
    }

    /// What an upgrade or a change of the configuration comes to (RULES 6.6, 6.7).
    pub fn decide(
        &self,
        catalog: &Catalog,
        zone: Zone,
        at: Timestamp,
        change: &Change,
    ) -> Result<Changed, Refusal> {
        self.refuse_if_gone()?;
        if self.state == AppState::Suspended {
            return Err(Refusal::AppSuspended);
        }
        let month = zone.day(at).month();
        self.configuration.decide(catalog, month, change)
    }

    /// What it comes to when an operator puts it on an edition: at any time, suspended or not.
    pub fn decide_edition(
        &self,
        catalog: &Catalog,
        edition: EditionId,
    ) -> Result<Changed, Refusal> {
        self.refuse_if_gone()?;
        Ok(self.configuration.by_operator(catalog, edition))
    }

    /// Whether it may be disabled: suspended or not (RULES 6.8, B42).
    pub fn decide_disable(&self) -> Result<(), Refusal> {
        self.refuse_if_gone()
    }

    /// Whether its plan may be paid ahead until a day: one earlier than before is out of range (RULES B15).
    pub fn decide_prepaid(&self, expires: Day) -> Result<(), Refusal> {
        self.refuse_if_gone()?;
        match self.now().prepaid_until {
            Some(until) if expires < until => Err(Refusal::OutOfRange),
            Some(_) | None => Ok(()),
        }
    }

    fn refuse_if_gone(&self) -> Result<(), Refusal> {
        match self.state {
            AppState::Active | AppState::Suspended => Ok(()),
            AppState::Disabled => Err(Refusal::AppDisabled),
            AppState::Repossessed => Err(Refusal::AppRepossessed),
        }
    }

    /// Takes a change.
    pub fn change(&mut self, zone: Zone, at: Timestamp, changed: &Changed) {
        self.configuration.take(zone.day(at).month(), changed);
        let (edition, choices) = (self.configuration.edition, self.configuration.choices);
        if changed.activates {
            self.activate(at, edition);
        }
        let bought = changed.bought.iter();
        let bought = bought.map(|bought| Purchase {
            at,
            bought: *bought,
        });
        self.purchases.extend(bought);
        self.begin_phase(|phase| {
            (phase.from, phase.edition, phase.choices) = (at, edition, choices);
        });
    }

    fn activate(&mut self, at: Timestamp, edition: EditionId) {
        let before = u32::try_from(self.activations.len()).unwrap_or(u32::MAX);
        self.activations.push(Activation {
            at,
            edition,
            number: before.saturating_add(1),
        });
    }

    /// It is disabled for ever.
    pub fn disable(&mut self, at: Timestamp) {
        self.state = AppState::Disabled;
        self.begin_phase(|phase| (phase.from, phase.exists) = (at, false));
    }

    /// Its plan is paid ahead until a day. A later day moves the dates and restores a suspended app (RULES B15). The caller
    /// settles.
    pub fn prepay(&mut self, expires: Day, at: Timestamp) {
        if self.now().prepaid_until != Some(expires) {
            self.begin_phase(|phase| (phase.from, phase.prepaid_until) = (at, Some(expires)));
        }
    }

    /// Another catalog names its editions: every one that it was ever on has another id.
    pub fn renamed(&mut self, renamed: impl Fn(EditionId) -> EditionId) {
        let phases = self.phases.iter_mut().map(|phase| &mut phase.edition);
        let activations = self.activations.iter_mut();
        let activations = activations.map(|activation| &mut activation.edition);
        let now = std::iter::once(&mut self.configuration.edition);
        for edition in phases.chain(activations).chain(now) {
            *edition = renamed(*edition);
        }
    }

    /// Every edition that it was ever on, some of them several times.
    pub fn editions(&self) -> impl Iterator<Item = EditionId> {
        self.phases.iter().map(|phase| phase.edition)
    }

    fn begin_phase(&mut self, edit: impl FnOnce(&mut Phase)) {
        let mut phase = *self.now();
        edit(&mut phase);
        self.phases.push(phase);
    }

    /// Brings the state to where it stands at an instant. Gives it if it is another one.
    pub fn settle(&mut self, account: &Account, zone: Zone, at: Timestamp) -> Option<AppState> {
        let before = self.state;
        let now = self.standing(account, zone).state(at);
        if now == before {
            return None;
        }
        self.state = now;
        match now {
            AppState::Active => {
                let last = self.outages.last_mut();
                if let Some(outage) = last.filter(|outage| outage.restored.is_none()) {
                    outage.restored = Some(at);
                }
            }
            AppState::Suspended => self.outages.push(Outage {
                from: at,
                restored: None,
            }),
            AppState::Disabled => {}
            AppState::Repossessed => {
                self.repossessed_from = at;
                self.begin_phase(|phase| (phase.from, phase.exists) = (at, false));
            }
        }
        Some(now)
    }

    /// From when on its service does not stand, as far as is known: by its account's arrears (RULES B17), by its own prepaid
    /// plan (B15), by what cannot be undone (B20, B42).
    pub fn standing(&self, account: &Account, zone: Zone) -> Standing {
        let [expired, prepaid_gone] = self.prepaid_dates(zone);
        // An app that was created after its account's apps were repossessed is suspended alone.
        let account_gone = Some(account.repossessed_from()).filter(|from| *from > self.created_at);
        let gone = account_gone.unwrap_or(Timestamp::MAX).min(prepaid_gone);
        let disabled = self.phases.iter().find(|phase| !phase.exists);
        let disabled = disabled.filter(|_| self.state == AppState::Disabled);
        Standing {
            suspended_from: account.suspended_from().min(expired),
            repossessed_from: gone.min(self.repossessed_from),
            disabled_from: disabled.map_or(Timestamp::MAX, |phase| phase.from),
        }
    }

    /// When a prepaid plan that expires suspends its app, and when it takes its resources; never for postpaid plans.
    pub fn prepaid_dates(&self, zone: Zone) -> [Timestamp; 2] {
        let never = [Timestamp::MAX; 2];
        self.now().prepaid_until.map_or(never, |expires| {
            let suspended = zone.start(expires.plus(PREPAID_GRACE_DAYS));
            [suspended, suspended.plus_ms(RETENTION_DAYS * DAY_MS)]
        })
    }

    /// When it was created.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The state to which it was last settled.
    pub fn state(&self) -> AppState {
        self.state
    }

    /// The present phase.
    pub fn now(&self) -> &Phase {
        self.phases
            .last()
            .expect("an app has a phase from its creation on")
    }

    /// The phase just before an instant: that of a month's first instant counts for its fees (RULES B48).
    pub fn before(&self, instant: Timestamp) -> Option<&Phase> {
        let after = self.phases.partition_point(|phase| phase.from < instant);
        self.phases.get(after.checked_sub(1)?)
    }

    /// The phases of `from..to`, each with the part of that time it lasted; none that lasted no time.
    pub fn phases(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = (&Phase, Timestamp, Timestamp)> {
        let ends = self.phases.iter().skip(1).map(|phase| phase.from);
        let ends = ends.chain([Timestamp::MAX]);
        let parts = self.phases.iter().zip(ends);
        let parts = parts.map(move |(phase, end)| (phase, phase.from.max(from), end.min(to)));
        parts.filter(|(_, start, end)| start < end)
    }

    /// The purchases of `from..to`.
    pub fn purchases(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Purchase> {
        let within = move |purchase: &&Purchase| (from..to).contains(&purchase.at);
        self.purchases.iter().filter(within)
    }

    /// The first upgrade off the free edition in `from..to`: operators alone may make more than one in a month (RULES B4).
    pub fn activation(&self, from: Timestamp, to: Timestamp) -> Option<&Activation> {
        let mut all = self.activations.iter();
        all.find(|activation| (from..to).contains(&activation.at))
    }

    /// Whether the month `from..to` is charged: it did not start suspended, or the service was restored during it (RULES B18).
    pub fn is_charged(&self, from: Timestamp, to: Timestamp) -> bool {
        let covers = |outage: &Outage| {
            outage.from <= from && outage.restored.is_none_or(|restored| restored > from)
        };
        let is_restored = |outage: &Outage| {
            let restored = outage.restored.as_ref();
            restored.is_some_and(|restored| (from..to).contains(restored))
        };
        !self.outages.iter().any(covers) || self.outages.iter().any(is_restored)
    }

    /// What the limits of the gateway are resolved from.
    pub fn plan(&self, catalog: &Catalog) -> Plan {
        let now = self.now();
        let is_on = |add_on| now.choices.get(add_on) == Choice::On;
        let value = |add_on| match now.choices.get(add_on) {
            Choice::Default | Choice::On => None,
            Choice::Value(value) => Some(value),
        };
        Plan {
            edition: (*catalog.edition(now.edition).name).into(),
            av_chat_rooms_unlimited: is_on(AddOn::AvChatRooms),
            group_members: value(AddOn::GroupMembers),
            joined_groups: value(AddOn::JoinedGroups),
            content_filtering: is_on(AddOn::ContentFiltering),
            history_days: value(AddOn::History),
            comment_bandwidth: is_on(AddOn::CommentBandwidth),
        }
    }

    /// Days for which messages are kept, published for the IM server to act on (RULES B39).
    pub fn history_days(&self, catalog: &Catalog) -> u64 {
        let now = self.now();
        match now.choices.get(AddOn::History) {
            Choice::Default | Choice::On => catalog.edition(now.edition).history_days.into(),
            Choice::Value(days) => days,
        }
    }

    /// What the present configuration costs, and from when on. A plan that was paid ahead costs nothing more.
    pub fn costs(&self, catalog: &Catalog, zone: Zone) -> Vec<Cost> {
        let now = self.now();
        let month_after = |at| zone.start(zone.day(at).month().next().first_day());
        let edition_since = self.edition_since();
        let fee = catalog.edition(now.edition).monthly_price;
        let plan = (now.prepaid_until.is_none() && !fee.is_zero()).then_some(Cost {
            add_on: None,
            price: fee,
            from: month_after(edition_since),
        });
        let add_ons = AddOn::ALL.into_iter().filter_map(|add_on| {
            let price = price(catalog, now.edition, add_on, now.choices.get(add_on))?;
            let mut all = self.purchases.iter().rev();
            let bought = all.find(|purchase| purchase.bought.add_on == add_on);
            let from = match bought.filter(|bought| bought.at >= edition_since) {
                Some(bought) if add_on == AddOn::CommentBandwidth => bought.at,
                Some(purchase) => match purchase.bought.charge {
                    Charge::ThisMonth => purchase.at,
                    Charge::NextMonth => month_after(purchase.at),
                },
                None => month_after(edition_since),
            };
            let add_on = Some(add_on);
            Some(Cost {
                add_on,
                price,
                from,
            })
        });
        plan.into_iter().chain(add_ons).collect()
    }

    /// Since when it has been on its edition.
    fn edition_since(&self) -> Timestamp {
        let edition = self.now().edition;
        let latest = self.phases.iter().rev();
        let same = latest.take_while(|phase| phase.edition == edition);
        same.last().map_or(self.created_at, |phase| phase.from)
    }
}
