//! Calls about money: payments and credits, each counted once; accounts, their statements and bills.

use super::call::{Call, Told};
use super::{ControlError, ControlPlane, words};
use crate::id::{AccountId, SdkAppId};
use crate::ledger::{BillHead, BillPage, Caller, LedgerError, Posted, Posting, StatementPage};
use crate::money::Money;
use crate::rating::{Bill, Books, Command};
use crate::subscription::{AppState, Unpaid};
use crate::time::{Month, Timestamp};

use super::closing::report_of;

/// Money that an account was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// When it was taken in.
    pub at: Timestamp,
    /// How much.
    pub amount: Money,
    /// Whether that was by an earlier call of the same reference.
    pub is_repeated: bool,
}

/// The money side of an account, and its apps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountView {
    /// The account.
    pub account: AccountId,
    /// What is left to spend.
    pub balance: Money,
    /// The bills that wait for money, oldest first.
    pub unpaid: Vec<Unpaid>,
    /// The push since which it is in arrears; nothing while it is clear.
    pub arrears_since: Option<Timestamp>,
    /// When its apps are suspended; [`Timestamp::MAX`] while it is clear.
    pub suspended_from: Timestamp,
    /// When its apps are repossessed; [`Timestamp::MAX`] while it is clear.
    pub repossessed_from: Timestamp,
    /// Its apps, by id, with their states.
    pub apps: Vec<(SdkAppId, AppState)>,
}

impl ControlPlane {
    /// Takes in money that has arrived. The same reference again with the same amount gives the first answer again, and counts
    /// once; an empty one is none.
    pub async fn top_up(
        &self,
        caller: &Caller,
        account: AccountId,
        amount: Money,
        reference: &str,
        now: Timestamp,
    ) -> Result<Received, ControlError> {
        let call = self.begin("TopUp", caller, None, now).await?;
        self.receive(call, account, amount, Given::Paid, reference)
            .await
    }

    /// Gives an account money, for a reason. References as for [`Self::top_up`].
    pub async fn credit(
        &self,
        caller: &Caller,
        account: AccountId,
        amount: Money,
        reason: &str,
        reference: &str,
        now: Timestamp,
    ) -> Result<Received, ControlError> {
        let call = self.begin("AddCredit", caller, None, now).await?;
        let given = Given::Credited { reason };
        self.receive(call, account, amount, given, reference).await
    }

    async fn receive(
        &self,
        mut call: Call<'_>,
        account: AccountId,
        amount: Money,
        given: Given<'_>,
        reference: &str,
    ) -> Result<Received, ControlError> {
        let known = call.state.books.account(&account);
        let checked = match known {
            None => Err(ControlError::UnknownAccount(account.clone())),
            Some(_) if amount.is_zero() => Err(ControlError::NoAmount),
            Some(money) => Ok(money.balance()),
        };
        let balance = call.unless_refused(checked).await?;
        let reference = Some(reference).filter(|text| !text.is_empty());
        if let Some(text) = reference
            && let Some(first) = self.ledger.by_reference(&account, text).await?
        {
            let same = same_as(&first, given, amount);
            let received = call.unless_refused(same).await?;
            let entry = call.done(None, Some(words::repeated(&account, text)));
            self.ledger.write(&[], &[entry]).await?;
            return Ok(received);
        }
        let note = given.reason();
        let told = Told {
            before: Some(words::balance(&account, balance)),
            after: Some(words::received(&account, amount, note, reference)),
            note,
            reference,
        };
        let command = match given {
            Given::Paid => Command::TopUp { account, amount },
            Given::Credited { .. } => Command::Credit { account, amount },
        };
        let event = call.checked(&command).await?;
        call.take(event, told).await?;
        Ok(Received {
            at: call.at,
            amount,
            is_repeated: false,
        })
    }

    /// An account as the books have it, with the states of its apps at an instant.
    pub async fn account(
        &self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<AccountView, ControlError> {
        let state = self.state.lock().await;
        let books = &state.books;
        let money = books.account(account);
        let money = money.ok_or_else(|| ControlError::UnknownAccount(account.clone()))?;
        let state_of = |app| {
            let control = self.gateway.control(app)?;
            Some((app, control.standing.state(now)))
        };
        Ok(AccountView {
            account: account.clone(),
            balance: money.balance(),
            unpaid: money.unpaid().copied().collect(),
            arrears_since: money.arrears_since(),
            suspended_from: money.suspended_from(),
            repossessed_from: money.repossessed_from(),
            apps: books.apps_of(account).filter_map(state_of).collect(),
        })
    }

    /// Accounts by name, those after one, so many at most.
    pub async fn accounts(&self, after: Option<&AccountId>, count: usize) -> Vec<AccountId> {
        let state = self.state.lock().await;
        let after = |account: &&AccountId| after.is_none_or(|after| *account > after);
        let accounts = state.books.accounts().filter(after);
        accounts.take(count).cloned().collect()
    }

    /// A page of an account's statement, newest first.
    pub async fn statement(
        &self,
        account: &AccountId,
        page: StatementPage,
    ) -> Result<Vec<Posting>, LedgerError> {
        self.ledger.statement(account, page).await
    }

    /// An account's bill of a month as it stands, by the usage of now: of the running month if none is named. That of a closed
    /// month is the bill itself.
    pub async fn preview_bill(
        &self,
        account: &AccountId,
        month: Option<Month>,
        now: Timestamp,
    ) -> Result<Bill, ControlError> {
        let state = self.state.lock().await;
        let unknown = || ControlError::UnknownAccount(account.clone());
        state.books.account(account).ok_or_else(unknown)?;
        let running = state.books.tariff().zone.day(now).month();
        let month = month.unwrap_or(running);
        if month > running {
            let at = state.books.push_instant(month);
            return Err(ControlError::NotDue { month, at });
        }
        if state.books.open_month().is_some_and(|open| month < open) {
            drop(state);
            let bill = self.bill(account, month).await?;
            return bill.ok_or(ControlError::NothingToBill(month));
        }
        let mut books = self.with_usage(&state.books, account, now);
        drop(state);
        books.settle(now.max(books.now()));
        let bill = books.draft(account, month, None);
        bill.ok_or(ControlError::NothingToBill(month))
    }

    /// Bills without their lines, the newest month first, and of a month by account.
    pub async fn bills(&self, page: &BillPage) -> Result<Vec<BillHead>, LedgerError> {
        self.ledger.bills(page).await
    }

    /// An account's bill of a closed month, whole.
    pub async fn bill(
        &self,
        account: &AccountId,
        month: Month,
    ) -> Result<Option<Bill>, LedgerError> {
        let terms = std::sync::Arc::clone(&self.gateway.terms());
        self.ledger.bill(&terms.catalog, account, month).await
    }

    /// A copy of an account's books with the usage of now, to look ahead in.
    pub(super) fn with_usage(&self, books: &Books, account: &AccountId, now: Timestamp) -> Books {
        let mut copy = books.only(account);
        let running = books.tariff().zone.day(now).month();
        let Some(open) = books.open_month() else {
            return copy;
        };
        let months = std::iter::successors(Some(running), |month| Some(month.previous()));
        let months: Vec<_> = months
            .take_while(|month| month.next().next() >= open)
            .collect();
        for app in books.apps_of(account) {
            for month in months.iter().rev() {
                for day in self.days_of(app, *month, now) {
                    // The app is one of the account's.
                    let _ = copy.report(app, day.day, &report_of(&day));
                }
            }
        }
        copy
    }
}

/// How money comes.
#[derive(Clone, Copy)]
enum Given<'a> {
    Paid,
    Credited { reason: &'a str },
}

impl<'a> Given<'a> {
    fn reason(self) -> Option<&'a str> {
        match self {
            Self::Paid => None,
            Self::Credited { reason } => Some(reason),
        }
    }
}

/// The first answer, where a reference stands for the same as before.
fn same_as(first: &Posting, given: Given<'_>, amount: Money) -> Result<Received, ControlError> {
    let is_same = match (given, &first.what) {
        (Given::Paid, Posted::ToppedUp { .. })
        | (Given::Credited { .. }, Posted::Credited { .. }) => amount == first.amount,
        (Given::Paid | Given::Credited { .. }, _) => false,
    };
    let (at, amount) = (first.at, first.amount);
    if is_same {
        let is_repeated = true;
        Ok(Received {
            at,
            amount,
            is_repeated,
        })
    } else {
        Err(ControlError::ReferenceUsed { amount, at })
    }
}
