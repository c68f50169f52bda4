//! What came of a scenario as one JSON object: `bills`, `states`, `refused`.
//!
//! Invariant: the same keys in the same order, whatever happened; texts for money, days and instants, so that no reader rounds
//! them. Absent on purpose: tables for people; see `presentation`.

use serde::{Serialize, Serializer};

use super::play::Played;
use crate::id::{AccountId, SdkAppId};
use crate::presentation::{BillJson, Detail};
use crate::rating::Happening;
use crate::subscription::AppState;
use crate::time::{Timestamp, Zone};

/// A change of an app's state.
#[derive(Clone, Debug)]
pub struct StateChange<'a> {
    /// When.
    pub at: Timestamp,
    /// The app's account.
    pub account: &'a AccountId,
    /// The app.
    pub app: SdkAppId,
    /// Its state from then on.
    pub state: AppState,
}

#[derive(Serialize)]
struct Report<'a> {
    bills: Vec<BillJson<'a>>,
    states: Vec<StateRow<'a>>,
    refused: Vec<RefusedRow>,
}

#[derive(Serialize)]
struct StateRow<'a> {
    at: String,
    #[serde(serialize_with = "as_text")]
    account: &'a AccountId,
    app: u32,
    state: &'static str,
}

#[derive(Serialize)]
struct RefusedRow {
    line: u64,
    reason: &'static str,
}

fn as_text<S: Serializer>(account: &AccountId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(account.as_str())
}

impl Played {
    /// Every change of state but creation, by instant, account and app.
    pub fn states(&self) -> Vec<StateChange<'_>> {
        let changes = self.books.happened().iter();
        let changes = changes.filter_map(|dated| match dated.what {
            Happening::State { app, state } => Some(StateChange {
                at: dated.at,
                account: &dated.account,
                app,
                state,
            }),
            Happening::Pushed { .. } | Happening::Paid { .. } => None,
        });
        let mut changes: Vec<_> = changes.collect();
        // Stable: what happened to one app at one instant stays in its order.
        changes.sort_by_key(|change| (change.at, change.account, change.app));
        changes
    }

    /// The object as text, without a line's end.
    pub fn json(&self, detail: Detail) -> Result<String, serde_json::Error> {
        let tariff = self.books.tariff();
        let revision = tariff.catalog.revision();
        let bills = self.books.bills().iter();
        let bills = bills.map(|bill| BillJson::of(bill, &tariff.catalog, &revision, detail));
        let refused = self.refused.iter().map(|refused| RefusedRow {
            line: refused.line,
            reason: refused.reason.name(),
        });
        let report = Report {
            bills: bills.collect(),
            states: self
                .states()
                .iter()
                .map(|it| row(it, tariff.zone))
                .collect(),
            refused: refused.collect(),
        };
        serde_json::to_string(&report)
    }
}

fn row<'a>(change: &StateChange<'a>, zone: Zone) -> StateRow<'a> {
    StateRow {
        at: zone.show(change.at),
        account: change.account,
        app: change.app.get(),
        state: change.state.name(),
    }
}
