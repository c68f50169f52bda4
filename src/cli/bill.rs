//! `bill`: what accounts owe for a month: previewed, listed, shown, made.
//!
//! Invariant: a draft says that it is one, and until when. Absent on purpose: how a bill comes about.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::app::Common;
use super::overrides::in_zone;
use super::table::{finished, table, together};
use super::{counted, json, print};
use crate::proto::bill::State;
use crate::proto::{Bill, ListBillsRequest, ListBillsResponse};

/// Bills asked for at a time.
const PAGE: u32 = 1_000;

#[derive(Subcommand)]
pub(super) enum Command {
    Preview(Preview),
    List(List),
    Show(Show),
    Close(Close),
}

/// Shows what an account's bill of the running month would be by what is known now
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate bill preview acme
  quotagate bill preview acme --month 2026-03 --json | jq .total

Exit status:
  0  shown
  2  trouble: there is no such account, an argument is wrong, or no gateway answers")]
pub(super) struct Preview {
    /// The account; that of an app which was created without one has the SDKAppID as its name
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The month, like 2026-03; of one that has closed, the bill that was made [default: the running month]
    #[arg(long, value_name = "MONTH")]
    month: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Lists the bills of closed months, newest first
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate bill list --account acme
  quotagate bill list --month 2026-03 --last 10000 --json | jq '.bills[] | select(.state == \"UNPAID\")'

Exit status:
  0  listed
  2  trouble: an argument is wrong, or no gateway answers")]
pub(super) struct List {
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only of this month, like 2026-03
    #[arg(long, value_name = "MONTH")]
    month: Option<String>,
    /// Only so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    #[command(flatten)]
    common: Common,
}

/// Shows an account's bill of a closed month, line by line
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate bill show acme 2026-03
  quotagate bill show acme 2026-03 --json | jq '.lines[]'

Exit status:
  0  shown
  2  trouble: there is no such bill, an argument is wrong, or no gateway answers")]
pub(super) struct Show {
    /// The account
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The month, like 2026-03
    #[arg(value_name = "MONTH")]
    month: String,
    #[command(flatten)]
    common: Common,
}

/// Closes a month that is due, and makes and pushes its bills
#[derive(Args)]
#[command(
    long_about = "Closes a month whose push day has come, and makes and pushes its bills. Months close by themselves: this is for whoever \
                  does not want to wait, or after trouble. Closing a month again changes nothing and says the same.",
    after_long_help = "\
Examples:
  quotagate bill close
  quotagate bill close 2026-03

Exit status:
  0  closed
  2  trouble: it does not close yet, an argument is wrong, or no gateway answers"
)]
pub(super) struct Close {
    /// The month, like 2026-03 [default: every one that is due; says the last]
    #[arg(value_name = "MONTH")]
    month: Option<String>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Preview(it) => {
            let month = it.month.as_deref().unwrap_or_default();
            let ask =
                async |client: crate::client::Client| client.preview_bill(&it.account, month).await;
            one(&it.common, &it.common.server.must(ask)?)
        }
        Command::List(it) => it.run(),
        Command::Show(it) => {
            let ask =
                async |client: crate::client::Client| client.get_bill(&it.account, &it.month).await;
            one(&it.common, &it.common.server.must(ask)?)
        }
        Command::Close(it) => it.run(),
    }
}

fn one(common: &Common, bill: &Bill) -> anyhow::Result<ExitCode> {
    let text = if common.json {
        json::line("Bill", bill)?
    } else {
        together([Some(head(bill)), lines(bill)])
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl List {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let common = &self.common;
        let mut left = self.last;
        let (bills, next_page_token) = common.server.must(async |client| {
            let (mut bills, mut token) = (Vec::new(), String::new());
            loop {
                let request = ListBillsRequest {
                    account: self.account.clone().unwrap_or_default(),
                    month: self.month.clone().unwrap_or_default(),
                    page_size: left.min(PAGE),
                    page_token: token,
                };
                let page = client.list_bills(request).await?;
                left = left.saturating_sub(PAGE);
                bills.extend(page.bills);
                token = page.next_page_token;
                if token.is_empty() || left == 0 {
                    return Ok((bills, token));
                }
            }
        })?;
        let text = if common.json {
            let all = ListBillsResponse {
                bills,
                next_page_token,
            };
            json::line("ListBillsResponse", &all)?
        } else if bills.is_empty() {
            "no bills: none is made before a month closes; see `bill preview`\n".to_owned()
        } else {
            let more = (!next_page_token.is_empty()).then(|| {
                format!(
                    "There are older ones: --last {} shows more.",
                    self.last.saturating_mul(10)
                )
            });
            together([listed(&bills), more])
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Close {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let (common, month) = (&self.common, self.month.as_deref().unwrap_or_default());
        let closed = common
            .server
            .must(async |client| client.close_month(month).await)?;
        let text = if common.json {
            json::line("CloseMonthResponse", &closed)?
        } else {
            let at = in_zone(closed.closed_at.as_ref(), &closed.time_zone);
            let count = usize::try_from(closed.bills).unwrap_or(usize::MAX);
            let bills = counted(count, "bill", "bills");
            let (month, total, currency) = (&closed.month, &closed.total, &closed.currency);
            format!("{month} closed at {at}: {bills}, {total} {currency} in all\n")
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn listed(bills: &[Bill]) -> Option<String> {
    let mut rows = table(&["month", "account", "state", "pushed", "currency", "total"]);
    for bill in bills {
        rows.add_row([
            bill.month.as_str(),
            &bill.account,
            state(bill.state()),
            &bill.pushed,
            &bill.currency,
            &bill.total,
        ]);
    }
    finished(rows, 5)
}

/// What a bill comes to and where it stands, in a sentence.
fn head(bill: &Bill) -> String {
    let (account, month) = (&bill.account, &bill.month);
    let total = format!("{} {}", bill.total, bill.currency);
    let zone = &bill.time_zone;
    match bill.state() {
        State::Draft => {
            let until = in_zone(bill.as_of.as_ref(), zone);
            let closes = in_zone(bill.closes_at.as_ref(), zone);
            format!(
                "{account} {month}: {total} so far, a draft: usage and changes until {until} are in it.\n\
                 Usage to come may raise it; the month closes and the bill is made at {closes}"
            )
        }
        State::NothingDue => format!("{account} {month}: {total}, nothing to pay, not pushed"),
        paid => format!(
            "{account} {month}: {total}, pushed {}, {}",
            bill.pushed,
            state(paid)
        ),
    }
}

const fn state(state: State) -> &'static str {
    match state {
        State::Unspecified => "",
        State::Draft => "draft",
        State::NothingDue => "nothing to pay",
        State::Unpaid => "unpaid",
        State::Paid => "paid",
    }
}

/// The lines of a bill, and what was free; nothing if there is neither.
pub(super) fn lines(bill: &Bill) -> Option<String> {
    let amount = format!("amount, {}", bill.currency);
    let header = ["app", "item", "because", "quantity", "unit price", &amount];
    let mut rows = table(&header);
    for line in &bill.lines {
        rows.add_row([
            line.sdk_app_id.to_string(),
            line.item.clone(),
            line.because.clone(),
            line.quantity.clone(),
            line.unit_price.clone(),
            line.amount.clone(),
        ]);
    }
    for free in &bill.free {
        rows.add_row([
            free.sdk_app_id.to_string(),
            free.item.clone(),
            free.because.clone(),
            String::new(),
            String::new(),
            "free".to_owned(),
        ]);
    }
    finished(rows, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{BillLine, FreeItem};

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn bill(state: State) -> Bill {
        Bill {
            account: "acme".into(),
            month: "2026-03".into(),
            state: state.into(),
            pushed: "2026-04-01".into(),
            total: "299.98".into(),
            currency: "USD".into(),
            as_of: Some(at(1_773_540_000)),
            closes_at: Some(at(1_774_972_800)),
            time_zone: "+08:00".into(),
            ..Bill::default()
        }
    }

    #[test]
    fn a_bill_says_where_it_stands_and_a_draft_until_when() {
        let heads = [State::Draft, State::NothingDue, State::Unpaid, State::Paid];
        let heads = heads.map(|state| head(&bill(state)));
        insta::assert_snapshot!(heads.join("\n"), @r"
        acme 2026-03: 299.98 USD so far, a draft: usage and changes until 2026-03-15T10:00:00+08:00 are in it.
        Usage to come may raise it; the month closes and the bill is made at 2026-04-01T00:00:00+08:00
        acme 2026-03: 299.98 USD, nothing to pay, not pushed
        acme 2026-03: 299.98 USD, pushed 2026-04-01, unpaid
        acme 2026-03: 299.98 USD, pushed 2026-04-01, paid
        ");
    }

    #[test]
    fn lines_say_what_they_were_made_from() {
        let line = |item: &str, quantity: &str, because: &str| BillLine {
            sdk_app_id: 1,
            item: item.into(),
            quantity: quantity.into(),
            unit_price: "149.99".into(),
            amount: "149.99".into(),
            because: because.into(),
        };
        let of_lines = Bill {
            lines: vec![
                line("plan", "1", "Pro, calendar month"),
                line(
                    "dau_overage",
                    "1",
                    "peak 10001, 10000 free, blocks of 10000",
                ),
            ],
            free: vec![FreeItem {
                sdk_app_id: 1,
                item: "group_overage".into(),
                because: "peak 3, within the free 100000".into(),
            }],
            ..bill(State::Paid)
        };
        insta::assert_snapshot!(lines(&of_lines).expect("lines"), @r"
        ┌─────────────────────────────────────────────────────────────────────────────────────────────────────┐
        │ app   item            because                                   quantity   unit price   amount, USD │
        ╞═════════════════════════════════════════════════════════════════════════════════════════════════════╡
        │ 1     plan            Pro, calendar month                              1       149.99        149.99 │
        │ 1     dau_overage     peak 10001, 10000 free, blocks of 10000          1       149.99        149.99 │
        │ 1     group_overage   peak 3, within the free 100000                                           free │
        └─────────────────────────────────────────────────────────────────────────────────────────────────────┘
        ");
        assert_eq!(lines(&bill(State::NothingDue)), None);
    }
}
