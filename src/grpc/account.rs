//! Accounts and their statements as the messages of the proto files have them.
//!
//! Invariant: amounts are decimal texts, with the currency beside them. Absent on purpose: bills, which are `bill`'s.

use super::convert::{self, timestamp};
use crate::control::{AccountView, Received};
use crate::gateway::Gateway;
use crate::id::SdkAppId;
use crate::ledger::{Posted, Posting};
use crate::money::Money;
use crate::proto;
use crate::proto::statement_entry::Kind;
use crate::subscription::AppState;
use crate::time::Timestamp;

/// An account, with its apps as they stand in the gateway.
pub(super) fn shown(view: &AccountView, gateway: &Gateway) -> proto::Account {
    let known = |at| (at != Timestamp::MAX).then(|| timestamp(at));
    let owed = view.unpaid.iter().map(|bill| bill.total);
    let unpaid = view.unpaid.iter().map(|bill| proto::UnpaidBill {
        month: bill.month.to_string(),
        total: bill.total.to_string(),
    });
    let terms = gateway.terms();
    proto::Account {
        account: view.account.as_str().to_owned(),
        balance: view.balance.to_string(),
        owed: owed.fold(Money::ZERO, Money::plus).to_string(),
        currency: terms.catalog.currency.to_string(),
        unpaid: unpaid.collect(),
        in_arrears_since: view.arrears_since.map(timestamp),
        suspended_from: known(view.suspended_from),
        repossessed_from: known(view.repossessed_from),
        apps: view
            .apps
            .iter()
            .filter_map(|(id, state)| app(*id, *state, gateway))
            .collect(),
        time_zone: terms.zone.to_string(),
    }
}

fn app(id: SdkAppId, state: AppState, gateway: &Gateway) -> Option<proto::AccountApp> {
    Some(proto::AccountApp {
        sdk_app_id: id.get(),
        edition: gateway.control(id)?.plan.edition.to_string(),
        state: convert::state(state).into(),
    })
}

/// What came of money that was given.
pub(super) fn receipt(received: &Received, account: proto::Account) -> proto::Receipt {
    proto::Receipt {
        at: Some(timestamp(received.at)),
        is_repeated: received.is_repeated,
        account: Some(account),
    }
}

/// An entry of a statement.
pub(super) fn entry(posting: Posting) -> proto::StatementEntry {
    let (kind, reference, reason, month) = match posting.what {
        Posted::ToppedUp { reference } => (Kind::TopUp, reference, None, None),
        Posted::Credited { note, reference } => (Kind::Credit, reference, note, None),
        Posted::Billed { month } => (Kind::Bill, None, None, Some(month)),
    };
    proto::StatementEntry {
        at: Some(timestamp(posting.at)),
        kind: kind.into(),
        amount: posting.amount.to_string(),
        reference: reference.unwrap_or_default(),
        reason: reason.unwrap_or_default(),
        month: month.map(|month| month.to_string()).unwrap_or_default(),
    }
}
