//! Rates one app's month: what it owes, line by line, from its history, the catalog and its usage (RULES 6.3 to 6.5, B1 to B42).
//!
//! Pure. Invariant: the same history and usage give the same lines; more usage never gives a smaller amount. One formula for all
//! fees: what was in force at 00:00 on the 1st, and what was bought during the month at once. Absent on purpose: adjustments,
//! which are the difference of two ratings.

use super::bill::{Basis, Free, FreeReason, Item, Line};
use super::usage::{Days, Usage};
use crate::catalog::{AddOn, Blocks, Catalog, EditionId, FreeActivationMonth};
use crate::id::SdkAppId;
use crate::metering::Counted;
use crate::money::{Money, Quantity};
use crate::subscription::{Charge, Subscription, price};
use crate::time::{Month, Timestamp, Zone};

/// What an app owes for a month, and what it had for nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AppMonth {
    /// In the order of the items. A quantity that rounds to nothing is among them.
    pub lines: Vec<Line>,
    /// In the order of the items.
    pub free: Vec<Free>,
}

/// Rates a month of an app.
pub fn rate(
    app: SdkAppId,
    subscription: &Subscription,
    usage: &Usage,
    catalog: &Catalog,
    zone: Zone,
    month: Month,
) -> AppMonth {
    let [from, to] = [month, month.next()].map(|month| zone.start(month.first_day()));
    let mut rated = Rated {
        app,
        subscription,
        usage,
        catalog,
        zone,
        month,
        from,
        to,
        made: AppMonth::default(),
    };
    if subscription.is_charged(from, to) {
        rated.plan();
        rated.overage();
        for add_on in AddOn::ALL {
            rated.add_on(add_on);
        }
    } else if subscription
        .phases(from, to)
        .any(|(phase, _, _)| phase.exists && phase.edition != catalog.first_edition())
    {
        rated.free(Item::Plan, FreeReason::Suspended);
    }
    rated.made
}

/// A month of an app in the making.
struct Rated<'a> {
    app: SdkAppId,
    subscription: &'a Subscription,
    usage: &'a Usage,
    catalog: &'a Catalog,
    zone: Zone,
    month: Month,
    from: Timestamp,
    to: Timestamp,
    made: AppMonth,
}

impl Rated<'_> {
    fn line(&mut self, item: Item, unit_price: Money, quantity: Quantity, basis: Basis) {
        let amount = Money::of_line(unit_price, quantity);
        // What rounds to nothing is no line of a bill, but its quantity counts when more of it arrives late.
        if !unit_price.is_zero() && !quantity.is_zero() {
            self.made.lines.push(Line {
                app: self.app,
                item,
                quantity,
                unit_price,
                amount,
                basis,
            });
        }
    }

    fn free(&mut self, item: Item, why: FreeReason) {
        let app = self.app;
        self.made.free.push(Free { app, item, why });
    }

    /// The fee of the edition in force at 00:00 on the 1st (RULES B1, B48): so the month of an activation is free, and no month
    /// has two fees.
    fn plan(&mut self) {
        let first = self.subscription.before(self.from);
        let first = first.filter(|phase| phase.exists);
        if let Some(phase) = first.filter(|phase| !self.fee(phase.edition).is_zero()) {
            return match phase.prepaid_until {
                Some(until) => self.free(Item::Plan, FreeReason::Prepaid { until }),
                None => self.plan_line(phase.edition),
            };
        }
        let Some(activation) = self.subscription.activation(self.from, self.to) else {
            return;
        };
        let (edition, number) = (activation.edition, activation.number);
        let at = activation.at.plus_ms(1);
        let ahead = self.subscription.before(at);
        if let Some(until) = ahead.and_then(|phase| phase.prepaid_until) {
            return self.free(Item::Plan, FreeReason::Prepaid { until });
        }
        let is_free = match self.catalog.free_activation_month {
            FreeActivationMonth::Every => true,
            FreeActivationMonth::First => number == 1,
        };
        if is_free {
            self.free(Item::Plan, FreeReason::ActivationMonth { number });
        } else {
            self.plan_line(edition);
        }
    }

    fn fee(&self, edition: EditionId) -> Money {
        self.catalog.edition(edition).monthly_price
    }

    fn plan_line(&mut self, edition: EditionId) {
        let (fee, basis) = (self.fee(edition), Basis::Plan(edition));
        self.line(Item::Plan, fee, Quantity::ONE, basis);
    }

    /// Usage above the free quota, by the highest day on which a paid edition was on at any instant (RULES B21 to B23, B29).
    /// Where a month had two editions the dearer of their overages counts, not both.
    fn overage(&mut self) {
        let mut users: Option<Overage> = None;
        let mut groups: Option<Overage> = None;
        for (id, edition) in self.catalog.editions() {
            let Some(overage) = &edition.overage else {
                continue;
            };
            let days = self.days_on(|phase| phase.edition == id);
            if days == Days::default() {
                continue;
            }
            let peak = self.usage.peak_dau(self.month, days);
            dearer(&mut users, Overage::of(&overage.daily_users, peak));
            let peak = self.usage.peak_groups(self.month, days);
            dearer(&mut groups, Overage::of(&overage.groups, peak));
        }
        for (item, overage) in [(Item::DauOverage, users), (Item::GroupOverage, groups)] {
            let Some(overage) = overage else {
                continue;
            };
            let Overage {
                peak, free, block, ..
            } = overage;
            if overage.blocks > 0 {
                let basis = Basis::Peak { peak, free, block };
                self.line(item, overage.price, Quantity::whole(overage.blocks), basis);
            } else if peak > Counted::ZERO {
                self.free(item, FreeReason::WithinQuota { peak, free });
            }
        }
    }

    /// A value-added service: the highest of the price in force at 00:00 on the 1st and the prices bought at during the month,
    /// but for what was bought in the month of the edition's adjustment (RULES B2, B6 to B11).
    fn add_on(&mut self, add_on: AddOn) {
        let bought = |due: Charge| {
            let all = self.subscription.purchases(self.from, self.to);
            let all = all.map(|purchase| purchase.bought);
            let of_it = all.filter(|bought| bought.add_on == add_on && bought.charge == due);
            of_it.map(|bought| bought.price).max()
        };
        let first = self.subscription.before(self.from);
        let first = first.filter(|phase| phase.exists).and_then(|phase| {
            price(
                self.catalog,
                phase.edition,
                add_on,
                phase.choices.get(add_on),
            )
        });
        let (due, later) = (
            first.max(bought(Charge::ThisMonth)),
            bought(Charge::NextMonth),
        );
        let item = Item::AddOn(add_on);
        if add_on == AddOn::CommentBandwidth {
            // It is billed by days from its first on, in the month of its activation too (RULES 6.5, rule 38).
            let days = self.days_on(|phase| {
                price(
                    self.catalog,
                    phase.edition,
                    add_on,
                    phase.choices.get(add_on),
                )
                .is_some()
            });
            let (quantity, days) = self.usage.bandwidth(self.month, days);
            let price = due.max(later).unwrap_or(Money::ZERO);
            return self.line(item, price, quantity, Basis::Bandwidth { days });
        }
        self.line(
            item,
            due.unwrap_or(Money::ZERO),
            Quantity::ONE,
            Basis::Month,
        );
        if later > due {
            self.free(item, FreeReason::EditionAdjusted);
        }
    }

    /// The days of the month on which the app had something at any instant; such a day counts whole (RULES B29).
    fn days_on(&self, has: impl Fn(&crate::subscription::Phase) -> bool) -> Days {
        let start = self.month.first_day();
        let mut days = Days::default();
        for (phase, from, to) in self.subscription.phases(self.from, self.to) {
            if phase.exists && has(phase) {
                days.add(start, self.zone.day(from), self.zone.day(to.plus_ms(-1)));
            }
        }
        days
    }
}

/// Overage by the prices of one edition.
#[derive(Clone, Copy)]
struct Overage {
    peak: Counted,
    free: u64,
    block: u64,
    price: Money,
    blocks: u64,
}

impl Overage {
    /// Every started block above the free quota is paid (RULES B22); of an estimate, what is sure.
    fn of(blocks: &Blocks, peak: Counted) -> Self {
        Self {
            peak,
            free: blocks.free,
            block: blocks.block,
            price: blocks.price,
            blocks: peak
                .lower()
                .saturating_sub(blocks.free)
                .div_ceil(blocks.block.max(1)),
        }
    }

    fn rank(&self) -> (Money, Counted) {
        let amount = Money::of_line(self.price, Quantity::whole(self.blocks));
        (amount, self.peak)
    }
}

fn dearer(held: &mut Option<Overage>, other: Overage) {
    if held.is_none_or(|held| other.rank() > held.rank()) {
        *held = Some(other);
    }
}
