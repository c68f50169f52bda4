//! What `app preview` prints, and what things cost.
//!
//! Invariant: every number has its name beside it, and says whether it is of now or of after the change. Absent on purpose: sums.

use super::bill;
use super::overrides::in_zone;
use super::table::{finished, shown as counted, table, together};
use crate::money::Money;
use crate::proto::{Bill, BillChange, Cost, PreviewChangeResponse};

/// A previewed change, in words and tables.
pub(super) fn shown(app: u32, previewed: &PreviewChangeResponse) -> String {
    let zone = &previewed.time_zone;
    let (before, after) = (&previewed.edition_before, &previewed.edition_after);
    let edition = if before == after {
        format!("stays on {after}")
    } else {
        format!("from {before} to {after}")
    };
    let at = in_zone(previewed.as_of.as_ref(), zone);
    let head = format!("app {app} {edition}, if it were changed at {at}; nothing has been changed");
    let drafts =
        "The bills are drafts: by the usage known now, which may grow until a month closes.";
    together([
        Some(head),
        limits(previewed),
        over(previewed),
        bills(&previewed.bills),
        lines(app, &previewed.bills),
        costs(&previewed.costs, zone),
        Some(drafts.to_owned()),
    ])
}

fn limits(previewed: &PreviewChangeResponse) -> Option<String> {
    let mut rows = table(&["limit", "now", "after the change"]);
    let bound = |bound: Option<u64>| bound.map_or_else(|| "unlimited".into(), counted);
    for it in &previewed.limits {
        rows.add_row([it.limit.clone(), bound(it.before), bound(it.after)]);
    }
    let days = [previewed.history_days_before, previewed.history_days_after];
    if days[0] != days[1] {
        let [before, after] = days.map(counted);
        rows.add_row(["days of history".to_owned(), before, after]);
    }
    finished(rows, 1)
}

fn over(previewed: &PreviewChangeResponse) -> Option<String> {
    let header = [
        "beyond its new limit: stays, nothing can be added",
        "used",
        "at most",
    ];
    let mut rows = table(&header);
    for it in &previewed.over {
        rows.add_row([it.limit.clone(), counted(it.used), counted(it.at_most)]);
    }
    finished(rows, 1)
}

fn bills(changes: &[BillChange]) -> Option<String> {
    let mut rows = table(&[
        "bill of the account",
        "without the change",
        "with it",
        "more",
        "less",
    ]);
    for change in changes {
        let (Some(before), Some(after)) = (&change.before, &change.after) else {
            continue;
        };
        let amount = |bill: &Bill| Money::parse(&bill.total).unwrap_or_default();
        let (without, with) = (amount(before), amount(after));
        let difference = |amount: Money| {
            if amount.is_zero() {
                String::new()
            } else {
                amount.to_string()
            }
        };
        rows.add_row([
            format!("{} {}, {}", after.account, after.month, after.currency),
            before.total.clone(),
            after.total.clone(),
            difference(with.minus_or_zero(without)),
            difference(without.minus_or_zero(with)),
        ]);
    }
    finished(rows, 1)
}

/// What the app would owe with the change, line by line.
fn lines(app: u32, changes: &[BillChange]) -> Option<String> {
    let of_app = changes.iter().filter_map(|change| {
        let mut after = change.after.clone()?;
        after.lines.retain(|line| line.sdk_app_id == app);
        after.free.retain(|free| free.sdk_app_id == app);
        let lines = bill::lines(&after)?;
        Some(format!(
            "app {app} in {} with the change:\n{lines}",
            after.month
        ))
    });
    let all: Vec<_> = of_app.collect();
    (!all.is_empty()).then(|| all.join("\n\n"))
}

/// What an edition and add-ons cost, and from when on.
pub(super) fn costs(costs: &[Cost], zone: &str) -> Option<String> {
    let mut rows = table(&["costs", "due from", "for each", "price"]);
    for cost in costs {
        let per = if cost.item == "comment_bandwidth" {
            "Mbps and day"
        } else {
            "month"
        };
        rows.add_row([
            cost.item.clone(),
            in_zone(cost.from.as_ref(), zone),
            per.to_owned(),
            format!("{} {}", cost.price, cost.currency),
        ]);
    }
    finished(rows, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{BillLine, FreeItem, LimitChange, OverLimit};

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn bill(month: &str, total: &str, lines: Vec<BillLine>, free: Vec<FreeItem>) -> Bill {
        Bill {
            account: "acme".into(),
            month: month.into(),
            total: total.into(),
            currency: "USD".into(),
            lines,
            free,
            ..Bill::default()
        }
    }

    fn plan(price: &str, because: &str) -> BillLine {
        BillLine {
            sdk_app_id: 7,
            item: "plan".into(),
            quantity: "1".into(),
            unit_price: price.into(),
            amount: price.into(),
            because: because.into(),
        }
    }

    /// RULES C14: Flagship to Pro on 2026-04-10.
    #[test]
    fn a_preview_says_what_is_now_and_what_would_be() {
        let other = BillLine {
            sdk_app_id: 8,
            ..plan("149.99", "Pro, calendar month")
        };
        let april = vec![plan("449.99", "Flagship, calendar month"), other.clone()];
        let may = |line| vec![line, other.clone()];
        let free = FreeItem {
            sdk_app_id: 7,
            item: "dau_overage".into(),
            because: "peak 3, within the free 10000".into(),
        };
        let bills = vec![
            BillChange {
                before: Some(bill("2026-04", "599.98", april.clone(), Vec::new())),
                after: Some(bill("2026-04", "599.98", april, vec![free])),
            },
            BillChange {
                before: Some(bill(
                    "2026-05",
                    "599.98",
                    may(plan("449.99", "Flagship")),
                    Vec::new(),
                )),
                after: Some(bill(
                    "2026-05",
                    "299.98",
                    may(plan("149.99", "Pro")),
                    Vec::new(),
                )),
            },
        ];
        let limit = |limit: &str, before, after| LimitChange {
            limit: limit.into(),
            before,
            after,
        };
        let previewed = PreviewChangeResponse {
            edition_before: "flagship".into(),
            edition_after: "pro".into(),
            limits: vec![
                limit("group_members", Some(2_000), Some(200)),
                limit("av_chat_rooms", None, Some(50)),
            ],
            history_days_before: 30,
            history_days_after: 7,
            over: vec![OverLimit {
                limit: "av_chat_rooms".into(),
                used: 1_234,
                at_most: 50,
            }],
            bills,
            costs: vec![Cost {
                item: "plan".into(),
                price: "149.99".into(),
                currency: "USD".into(),
                from: Some(at(1_777_564_800)),
            }],
            as_of: Some(at(1_775_786_400)),
            time_zone: "+08:00".into(),
        };
        insta::assert_snapshot!(shown(7, &previewed), @r"
        app 7 from flagship to pro, if it were changed at 2026-04-10T10:00:00+08:00; nothing has been changed

        ┌────────────────────────────────────────────────┐
        │ limit                   now   after the change │
        ╞════════════════════════════════════════════════╡
        │ group_members         2,000                200 │
        │ av_chat_rooms     unlimited                 50 │
        │ days of history          30                  7 │
        └────────────────────────────────────────────────┘

        ┌─────────────────────────────────────────────────────────────────────┐
        │ beyond its new limit: stays, nothing can be added    used   at most │
        ╞═════════════════════════════════════════════════════════════════════╡
        │ av_chat_rooms                                       1,234        50 │
        └─────────────────────────────────────────────────────────────────────┘

        ┌────────────────────────────────────────────────────────────────────┐
        │ bill of the account   without the change   with it   more     less │
        ╞════════════════════════════════════════════════════════════════════╡
        │ acme 2026-04, USD                 599.98    599.98                 │
        │ acme 2026-05, USD                 599.98    299.98          300.00 │
        └────────────────────────────────────────────────────────────────────┘

        app 7 in 2026-04 with the change:
        ┌─────────────────────────────────────────────────────────────────────────────────────────┐
        │ app   item          because                         quantity   unit price   amount, USD │
        ╞═════════════════════════════════════════════════════════════════════════════════════════╡
        │ 7     plan          Flagship, calendar month               1       449.99        449.99 │
        │ 7     dau_overage   peak 3, within the free 10000                                  free │
        └─────────────────────────────────────────────────────────────────────────────────────────┘

        app 7 in 2026-05 with the change:
        ┌────────────────────────────────────────────────────────────┐
        │ app   item   because   quantity   unit price   amount, USD │
        ╞════════════════════════════════════════════════════════════╡
        │ 7     plan   Pro              1       149.99        149.99 │
        └────────────────────────────────────────────────────────────┘

        ┌───────────────────────────────────────────────────────────┐
        │ costs   due from                    for each        price │
        ╞═══════════════════════════════════════════════════════════╡
        │ plan    2026-05-01T00:00:00+08:00   month      149.99 USD │
        └───────────────────────────────────────────────────────────┘

        The bills are drafts: by the usage known now, which may grow until a month closes.
        ");
    }
}
