//! `account`: what an account has, owes and was billed, and money that comes in.
//!
//! Invariant: an account that owes says how much it lacks, and from when on its apps do not serve. Absent on purpose: bills line by
//! line, which are `bill`'s.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::app::{self, Common};
use super::overrides::in_zone;
use super::table::{finished, table, together};
use super::{json, print};
use crate::money::Money;
use crate::proto::statement_entry::Kind;
use crate::proto::{
    Account, AddCreditRequest, GetAccountRequest, GetAccountResponse, ListAccountsRequest,
    ListAccountsResponse, Receipt, StatementEntry,
};

/// Accounts or entries asked for at a time.
const PAGE: u32 = 1_000;

#[derive(Subcommand)]
pub(super) enum Command {
    Show(Show),
    List(List),
    TopUp(TopUp),
    Credit(Credit),
}

/// Shows an account: balance, debts, apps, and its statement, newest first
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate account show acme
  quotagate account show acme --last 1000 --json | jq '.statement[]'

Exit status:
  0  shown
  2  trouble: there is no such account, an argument is wrong, or no gateway answers")]
pub(super) struct Show {
    /// The account; that of an app which was created without one has the SDKAppID as its name
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// Only so many entries of the statement
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    last: u32,
    #[command(flatten)]
    common: Common,
}

/// Lists every account, or those that owe
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  quotagate account list
  quotagate account list --in-arrears

Exit status:
  0  listed
  2  trouble: an argument is wrong, or no gateway answers")]
pub(super) struct List {
    /// Only those with an unpaid bill
    #[arg(long)]
    in_arrears: bool,
    #[command(flatten)]
    common: Common,
}

/// Books money that has arrived
#[derive(Args)]
#[command(
    long_about = "Books money that has arrived. It pays unpaid bills, oldest first, each whole or not at all; what is left is the balance. \
                  When no bill is unpaid any more, suspended apps of the account are restored.\n\n\
                  The reference is what the money came by, like a payment's number: repeated with the same amount, nothing is taken again.",
    after_long_help = "\
Examples:
  quotagate account top-up acme 299.98 --reference 'wire 2026-117'

Exit status:
  0  booked, now or before
  2  trouble: the reference was used for something else, an argument is wrong, or no gateway answers"
)]
pub(super) struct TopUp {
    /// The account
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// How much, like 299.98
    #[arg(value_name = "AMOUNT")]
    amount: String,
    /// What it came by, each for one payment of the account
    #[arg(long, value_name = "TEXT")]
    reference: String,
    #[command(flatten)]
    common: Common,
}

/// Gives an account money that nobody has paid
#[derive(Args)]
#[command(
    long_about = "Gives an account money that nobody has paid, with a reason. It has the effect of a top-up, under another name on the \
                  statement. Repeated with the same reference and amount, nothing is given again.",
    after_long_help = "\
Examples:
  quotagate account credit acme 50 --reference 'case 2026-9' --reason 'outage of 2026-03-04'

Exit status:
  0  given, now or before
  2  trouble: the reference was used for something else, an argument is wrong, or no gateway answers"
)]
pub(super) struct Credit {
    /// The account
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// How much, like 50
    #[arg(value_name = "AMOUNT")]
    amount: String,
    /// What it is found again by, each for one payment or credit of the account
    #[arg(long, value_name = "TEXT")]
    reference: String,
    /// Why, for those who come after
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Show(it) => it.run(),
        Command::List(it) => it.run(),
        Command::TopUp(it) => {
            let ask = async |client: crate::client::Client| {
                client.top_up(&it.account, &it.amount, &it.reference).await
            };
            receipt(&it.common, &it.common.server.must(ask)?)
        }
        Command::Credit(it) => {
            let request = AddCreditRequest {
                account: it.account.clone(),
                amount: it.amount.clone(),
                reference: it.reference.clone(),
                reason: it.reason.clone(),
            };
            let server = &it.common.server;
            let given = server.must(async |client| client.add_credit(request).await)?;
            receipt(&it.common, &given)
        }
    }
}

impl Show {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let common = &self.common;
        let mut left = self.last;
        let shown = common.server.must(async |client| {
            let mut shown = GetAccountResponse::default();
            loop {
                let request = GetAccountRequest {
                    account: self.account.clone(),
                    page_size: left.min(PAGE),
                    page_token: shown.next_page_token,
                };
                let page = client.get_account(request).await?;
                left = left.saturating_sub(PAGE);
                shown.account = page.account;
                shown.statement.extend(page.statement);
                shown.next_page_token = page.next_page_token;
                if shown.next_page_token.is_empty() || left == 0 {
                    return Ok(shown);
                }
            }
        })?;
        let text = if common.json {
            json::line("GetAccountResponse", &shown)?
        } else {
            let account = shown.account.unwrap_or_default();
            let more = (!shown.next_page_token.is_empty()).then(|| {
                format!(
                    "There are older entries: --last {} shows more.",
                    self.last.saturating_mul(10)
                )
            });
            let (currency, zone) = (&account.currency, &account.time_zone);
            let entries = statement(&shown.statement, currency, zone);
            together(whole(&account).into_iter().chain([entries, more]))
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let common = &self.common;
        let accounts = common.server.must(async |client| {
            let (mut accounts, mut token) = (Vec::new(), String::new());
            loop {
                let request = ListAccountsRequest {
                    in_arrears: self.in_arrears,
                    page_size: PAGE,
                    page_token: token,
                };
                let page = client.list_accounts(request).await?;
                accounts.extend(page.accounts);
                token = page.next_page_token;
                if token.is_empty() {
                    return Ok(accounts);
                }
            }
        })?;
        let text = if common.json {
            let next_page_token = String::new();
            let all = ListAccountsResponse {
                accounts,
                next_page_token,
            };
            json::line("ListAccountsResponse", &all)?
        } else if accounts.is_empty() && self.in_arrears {
            "no account owes anything\n".to_owned()
        } else if accounts.is_empty() {
            "no accounts; each app that is created has one\n".to_owned()
        } else {
            together([listed(&accounts)])
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn receipt(common: &Common, receipt: &Receipt) -> anyhow::Result<ExitCode> {
    let text = if common.json {
        json::line("Receipt", receipt)?
    } else {
        let account = receipt.account.clone().unwrap_or_default();
        let at = in_zone(receipt.at.as_ref(), &account.time_zone);
        let taken = if receipt.is_repeated {
            format!("it was booked already, at {at}: nothing has changed")
        } else {
            format!("booked at {at}")
        };
        together([Some(taken)].into_iter().chain(whole(&account)))
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// An account without its statement.
fn whole(account: &Account) -> [Option<String>; 4] {
    [
        money(account),
        lacks(account),
        unpaid(account),
        apps(account),
    ]
}

fn money(account: &Account) -> Option<String> {
    let (zone, currency) = (&account.time_zone, &account.currency);
    let mut rows = table(&["account", &account.account]);
    rows.add_row(["balance", &format!("{} {currency}", account.balance)]);
    rows.add_row(["owed", &format!("{} {currency}", account.owed)]);
    for (name, at) in [
        ("in arrears since", &account.in_arrears_since),
        ("apps suspended from", &account.suspended_from),
        ("apps repossessed from", &account.repossessed_from),
    ] {
        if at.is_some() {
            rows.add_row([name, &in_zone(at.as_ref(), zone)]);
        }
    }
    finished(rows, 1)
}

/// What to do about what is owed.
fn lacks(account: &Account) -> Option<String> {
    let amount = |text: &str| Money::parse(text).unwrap_or_default();
    let lacking = amount(&account.owed).minus_or_zero(amount(&account.balance));
    if lacking.is_zero() {
        return None;
    }
    let (name, currency) = (&account.account, &account.currency);
    let from = in_zone(account.suspended_from.as_ref(), &account.time_zone);
    let gone = in_zone(account.repossessed_from.as_ref(), &account.time_zone);
    Some(format!(
        "{name} lacks {lacking} {currency}: topped up before {from}, its apps stay in service;\nuntil {gone} they are restored by it"
    ))
}

fn unpaid(account: &Account) -> Option<String> {
    let mut rows = table(&["unpaid bill", &format!("total, {}", account.currency)]);
    for bill in &account.unpaid {
        rows.add_row([&bill.month, &bill.total]);
    }
    finished(rows, 1)
}

fn apps(account: &Account) -> Option<String> {
    let mut rows = table(&["app", "edition", "state"]);
    for it in &account.apps {
        let state = app::state(it.state());
        rows.add_row([&*it.sdk_app_id.to_string(), &it.edition, state]);
    }
    finished(rows, 3)
}

fn statement(entries: &[StatementEntry], currency: &str, zone: &str) -> Option<String> {
    let (came_in, billed) = (
        format!("came in, {currency}"),
        format!("billed, {currency}"),
    );
    let mut rows = table(&["when", "what", "of", "reason", &came_in, &billed]);
    for entry in entries {
        let when = in_zone(entry.at.as_ref(), zone);
        let amount = &entry.amount;
        let (what, of, came_in, billed) = match entry.kind() {
            Kind::Unspecified => continue,
            Kind::TopUp => ("top-up", &entry.reference, amount.as_str(), ""),
            Kind::Credit => ("credit", &entry.reference, amount.as_str(), ""),
            Kind::Bill => ("bill", &entry.month, "", amount.as_str()),
        };
        rows.add_row([&when, what, of, &entry.reason, came_in, billed]);
    }
    finished(rows, 4)
}

fn listed(accounts: &[Account]) -> Option<String> {
    let header = [
        "account",
        "in arrears since",
        "apps suspended from",
        "apps",
        "currency",
        "balance",
        "owed",
    ];
    let mut rows = table(&header);
    for it in accounts {
        rows.add_row([
            it.account.clone(),
            in_zone(it.in_arrears_since.as_ref(), &it.time_zone),
            in_zone(it.suspended_from.as_ref(), &it.time_zone),
            it.apps.len().to_string(),
            it.currency.clone(),
            it.balance.clone(),
            it.owed.clone(),
        ]);
    }
    finished(rows, 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::app::State;
    use crate::proto::{AccountApp, UnpaidBill};

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    /// RULES B20: 149.99 pushed on 2026-03-01, and a top-up that was too small.
    #[test]
    fn an_account_that_owes_says_what_it_lacks_and_until_when() {
        let account = Account {
            account: "acme".into(),
            balance: "100.00".into(),
            owed: "149.99".into(),
            currency: "USD".into(),
            unpaid: vec![UnpaidBill {
                month: "2026-02".into(),
                total: "149.99".into(),
            }],
            in_arrears_since: Some(at(1_772_294_400)),
            suspended_from: Some(at(1_772_899_200)),
            repossessed_from: Some(at(1_780_675_200)),
            apps: vec![AccountApp {
                sdk_app_id: 7,
                edition: "pro".into(),
                state: State::Active.into(),
            }],
            time_zone: "+08:00".into(),
        };
        let entries = [
            StatementEntry {
                at: Some(at(1_772_348_400)),
                kind: Kind::TopUp.into(),
                amount: "100.00".into(),
                reference: "wire 9".into(),
                ..StatementEntry::default()
            },
            StatementEntry {
                at: Some(at(1_772_294_400)),
                kind: Kind::Bill.into(),
                amount: "149.99".into(),
                month: "2026-02".into(),
                ..StatementEntry::default()
            },
        ];
        let entries = statement(&entries, "USD", "+08:00");
        let text = together(whole(&account).into_iter().chain([entries]));
        insta::assert_snapshot!(text, @r"
        ┌───────────────────────────────────────────────────┐
        │ account                                      acme │
        ╞═══════════════════════════════════════════════════╡
        │ balance                                100.00 USD │
        │ owed                                   149.99 USD │
        │ in arrears since        2026-03-01T00:00:00+08:00 │
        │ apps suspended from     2026-03-08T00:00:00+08:00 │
        │ apps repossessed from   2026-06-06T00:00:00+08:00 │
        └───────────────────────────────────────────────────┘

        acme lacks 49.99 USD: topped up before 2026-03-08T00:00:00+08:00, its apps stay in service;
        until 2026-06-06T00:00:00+08:00 they are restored by it

        ┌──────────────────────────┐
        │ unpaid bill   total, USD │
        ╞══════════════════════════╡
        │ 2026-02           149.99 │
        └──────────────────────────┘

        ┌────────────────────────┐
        │ app   edition   state  │
        ╞════════════════════════╡
        │ 7     pro       active │
        └────────────────────────┘

        ┌────────────────────────────────────────────────────────────────────────────────────┐
        │ when                        what     of        reason   came in, USD   billed, USD │
        ╞════════════════════════════════════════════════════════════════════════════════════╡
        │ 2026-03-01T15:00:00+08:00   top-up   wire 9                   100.00               │
        │ 2026-03-01T00:00:00+08:00   bill     2026-02                                149.99 │
        └────────────────────────────────────────────────────────────────────────────────────┘
        ");
        let clear = Account {
            owed: "0.00".into(),
            ..account
        };
        assert_eq!(lacks(&clear), None);
    }
}
