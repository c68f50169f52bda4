//! An account: its balance, its unpaid bills, and the clock of its arrears (RULES 6.9, B13, B14, B20).
//!
//! Invariant: money pays unpaid bills oldest first, each whole or not at all; so the balance is never below zero. The clock is
//! continuous: it starts with the oldest push since the account was last clear. Absent on purpose: what bills are for.

use std::collections::VecDeque;

use crate::money::Money;
use crate::time::{DAY_MS, Month, Timestamp};

/// Days from the push of an unpaid bill to the suspension, both ends at 00:00 (RULES B14).
const GRACE_DAYS: i64 = 7;
/// Days from a suspension to the repossession, the day of suspension among them (RULES B16).
pub(super) const RETENTION_DAYS: i64 = 90;

/// A bill that waits for money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unpaid {
    /// The month it is for.
    pub month: Month,
    /// What is owed; more than nothing.
    pub total: Money,
}

/// The money side of an account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    balance: Money,
    unpaid: VecDeque<Unpaid>,
    arrears_since: Option<Timestamp>,
}

impl Account {
    /// A bill of more than nothing is pushed (RULES B46). Gives the bills that are paid at once, it or older ones.
    pub fn push(&mut self, bill: Unpaid, at: Timestamp) -> Vec<Unpaid> {
        self.unpaid.push_back(bill);
        let paid = self.pay();
        if !self.unpaid.is_empty() && self.arrears_since.is_none() {
            self.arrears_since = Some(at);
        }
        paid
    }

    /// Money arrives. Gives the bills that it pays.
    pub fn top_up(&mut self, amount: Money) -> Vec<Unpaid> {
        self.balance = self.balance.plus(amount);
        self.pay()
    }

    fn pay(&mut self) -> Vec<Unpaid> {
        let mut paid = Vec::new();
        while let Some(oldest) = self.unpaid.front().copied() {
            if oldest.total > self.balance {
                return paid;
            }
            self.balance = self.balance.minus_or_zero(oldest.total);
            self.unpaid.pop_front();
            paid.push(oldest);
        }
        self.arrears_since = None;
        paid
    }

    /// What is left to spend.
    pub fn balance(&self) -> Money {
        self.balance
    }

    /// The bills that wait for money, oldest first.
    pub fn unpaid(&self) -> impl Iterator<Item = &Unpaid> {
        self.unpaid.iter()
    }

    /// The push since which the account is in arrears; nothing while it is clear.
    pub fn arrears_since(&self) -> Option<Timestamp> {
        self.arrears_since
    }

    /// When its apps are suspended: 00:00 of the 8th day, counting the push's (RULES B14); never while it is clear.
    pub fn suspended_from(&self) -> Timestamp {
        self.after_push(GRACE_DAYS)
    }

    /// When its apps are repossessed: 00:00 of the 91st day of suspension (RULES B16); never while it is clear.
    pub fn repossessed_from(&self) -> Timestamp {
        self.after_push(GRACE_DAYS + RETENTION_DAYS)
    }

    fn after_push(&self, days: i64) -> Timestamp {
        self.arrears_since
            .map_or(Timestamp::MAX, |push| push.plus_ms(days * DAY_MS))
    }
}
