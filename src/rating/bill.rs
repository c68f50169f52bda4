//! A bill: one for an account and month, with lines for each app (RULES B47).
//!
//! Invariant: no line is nothing; the total is the sum of the lines, which alone are rounded. Absent on purpose: how a bill comes
//! about, and how it looks.

use crate::catalog::{AddOn, EditionId};
use crate::id::{AccountId, SdkAppId};
use crate::metering::Counted;
use crate::money::{Money, Quantity};
use crate::time::{Day, Month};

/// What is billed. The order is that of a bill's lines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Item {
    /// The edition's monthly fee (RULES 6.3).
    Plan,
    /// Daily users above the free quota (RULES 6.4, rule 26).
    DauOverage,
    /// Groups above the free quota (rule 27).
    GroupOverage,
    /// A value-added service (RULES 6.5).
    AddOn(AddOn),
    /// A correction of an earlier month's bill (RULES B49).
    Adjustment,
}

impl Item {
    /// The name in files and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::DauOverage => "dau_overage",
            Self::GroupOverage => "group_overage",
            Self::AddOn(add_on) => add_on.name(),
            Self::Adjustment => "adjustment",
        }
    }

    /// The item of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let add_ons = AddOn::ALL.into_iter().map(Self::AddOn);
        let plain = [
            Self::Plan,
            Self::DauOverage,
            Self::GroupOverage,
            Self::Adjustment,
        ];
        let mut all = plain.into_iter().chain(add_ons);
        all.find(|item| item.name() == name)
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Plan => "Plan",
            Self::DauOverage => "Daily users above the free quota",
            Self::GroupOverage => "Groups above the free quota",
            Self::AddOn(AddOn::AvChatRooms) => "Unlimited audio-video chat rooms",
            Self::AddOn(AddOn::GroupMembers) => "More members per group",
            Self::AddOn(AddOn::JoinedGroups) => "More groups per user",
            Self::AddOn(AddOn::ContentFiltering) => "Content filtering",
            Self::AddOn(AddOn::History) => "Message history",
            Self::AddOn(AddOn::CommentBandwidth) => "On-screen comment bandwidth",
            Self::Adjustment => "Adjustment",
        }
    }
}

/// What a line's quantity was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// One calendar month on an edition, whatever its length (RULES B30).
    Plan(EditionId),
    /// One calendar month (RULES B30).
    Month,
    /// Started blocks above the free quota, by the month's peak (RULES B22, B23).
    Peak {
        /// The highest value; of an estimate the lower bound counts.
        peak: Counted,
        /// The free quota.
        free: u64,
        /// Units in a block.
        block: u64,
    },
    /// The peaks of days, summed: Mbps and days (RULES B40).
    Bandwidth {
        /// Days with usage.
        days: u32,
    },
    /// What usage that arrived late adds to a month that had closed (RULES B49).
    Late {
        /// The month.
        month: Month,
        /// The line of that month's bill that it belongs to.
        item: Item,
    },
}

/// A line: what an app owes for one item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line {
    /// The app.
    pub app: SdkAppId,
    /// What for.
    pub item: Item,
    /// How many.
    pub quantity: Quantity,
    /// The price of one.
    pub unit_price: Money,
    /// What it comes to, rounded once, half up; never nothing. For late bandwidth, the difference of the rounded lines.
    pub amount: Money,
    /// What the quantity was made from.
    pub basis: Basis,
}

/// Something that an app had and does not pay for, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Free {
    /// The app.
    pub app: SdkAppId,
    /// What.
    pub item: Item,
    /// Why.
    pub why: FreeReason,
}

/// Why something is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FreeReason {
    /// The plan was activated in this month (RULES 6.3, rule 22).
    ActivationMonth {
        /// The app's how many-th activation; from the second on it comes back from the free edition (RULES B5).
        number: u32,
    },
    /// Bought in the month in which the edition was adjusted (RULES 6.7, rule 46).
    EditionAdjusted,
    /// The plan was paid ahead (RULES B15).
    Prepaid {
        /// The day on which it expires.
        until: Day,
    },
    /// The month started suspended, and the service was not restored during it (RULES B18).
    Suspended,
    /// Not above the free quota (RULES 6.2, rules 18 and 19).
    WithinQuota {
        /// The highest value; of an estimate the lower bound counts.
        peak: Counted,
        /// The free quota.
        free: u64,
    },
}

/// A bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bill {
    /// Who pays.
    pub account: AccountId,
    /// The month it is for.
    pub month: Month,
    /// The day it was pushed; nothing for a bill of nothing, which is not (RULES B46).
    pub pushed: Option<Day>,
    /// The sum of the lines.
    pub total: Money,
    /// By app and item; adjustments last, by month and item.
    pub lines: Vec<Line>,
    /// What was free, by app and item.
    pub free: Vec<Free>,
}
