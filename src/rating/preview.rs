//! What a change would do, before it is done: limits, what is over them, and the next bills, before and after.
//!
//! Pure. Invariant: the same rules that would make the change judge it, and nothing is changed. The bills are drafts: of the
//! usage known now, as if nothing else were changed and every bill paid. Absent on purpose: guesses of usage to come.

use super::bill::Bill;
use super::books::Books;
use crate::catalog::{Bound, LimitName};
use crate::entitlement::{Entitlements, Terms};
use crate::id::SdkAppId;
use crate::subscription::{Change, Cost, Refusal};
use crate::time::{Month, Timestamp};

/// Drafted bills: the month of the change, and the one after it.
const MONTHS: usize = 2;

/// What a change would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preview {
    /// Every limit that would be another.
    pub limits: Vec<LimitChange>,
    /// Days for which messages are kept, before and after.
    pub history_days: [u64; 2],
    /// What is used beyond a limit after the change. It stays; nothing can be added until it is below (RULES 6.6, rule 43; B39).
    pub over: Vec<Over>,
    /// The next bills of the app's account, in order.
    pub bills: Vec<BillChange>,
    /// What everything costs after the change, and from when on.
    pub costs: Vec<Cost>,
}

/// A limit before and after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitChange {
    /// Which.
    pub limit: LimitName,
    /// Now.
    pub before: Bound,
    /// After the change.
    pub after: Bound,
}

/// A use beyond its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Over {
    /// Which limit.
    pub limit: LimitName,
    /// The highest use.
    pub used: u64,
    /// The limit after the change.
    pub bound: Bound,
}

/// A drafted bill before and after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BillChange {
    /// The month.
    pub month: Month,
    /// Without the change.
    pub before: Bill,
    /// With it.
    pub after: Bill,
}

/// Previews a change of an app at an instant that the books' clock has reached.
///
/// `used` says, for limits that are of interest, the highest use: the longest list of friends, the largest group and so on.
pub fn preview(
    books: &Books,
    terms: &Terms,
    app: SdkAppId,
    change: &Change,
    used: &[(LimitName, u64)],
    at: Timestamp,
) -> Result<Preview, Refusal> {
    let (account, before) = books.app(app).ok_or(Refusal::AppNotFound)?;
    let (catalog, zone) = (&books.tariff().catalog, books.tariff().zone);
    let mut after = before.clone();
    let changed = before.decide(catalog, zone, at, change)?;
    after.change(zone, at, &changed);

    let money = books.account(account).cloned().unwrap_or_default();
    let resolved = [before, &after].map(|subscription| {
        let standing = subscription.standing(&money, zone);
        terms.resolve(app, &subscription.plan(catalog), standing, at, 0)
    });
    let bound_of = |entitlements: &Option<Entitlements>, limit| {
        let entitlements = entitlements.as_ref();
        entitlements.map_or(Bound::UNLIMITED, |it| it.limit(limit).bound)
    };
    let [bounds_before, bounds_after] = resolved;
    let limits = LimitName::ALL.into_iter().map(|limit| LimitChange {
        limit,
        before: bound_of(&bounds_before, limit),
        after: bound_of(&bounds_after, limit),
    });
    let over = used.iter().map(|(limit, used)| Over {
        limit: *limit,
        used: *used,
        bound: bound_of(&bounds_after, *limit),
    });
    let this = zone.day(at).month();
    let months = std::iter::successors(Some(this), |month| Some(month.next()));
    let bills = months.take(MONTHS).filter_map(|month| {
        Some(BillChange {
            month,
            before: books.draft(account, month, None)?,
            after: books.draft(account, month, Some((app, &after)))?,
        })
    });
    Ok(Preview {
        limits: limits
            .filter(|change| change.before != change.after)
            .collect(),
        history_days: [before, &after].map(|subscription| subscription.history_days(catalog)),
        over: over
            .filter(|over| over.bound.finite().is_some_and(|bound| over.used > bound))
            .collect(),
        bills: bills.collect(),
        costs: after.costs(catalog, zone),
    })
}
