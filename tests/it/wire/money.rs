//! Months and bills, accounts and their money over the wire: right and wrong calls, drafts, pages, references, and the audit trail.

use quotagate::clock::Clock;
use quotagate::proto::bill::State;
use quotagate::proto::billing_service_client::BillingServiceClient;
use quotagate::proto::statement_entry::Kind;
use quotagate::proto::{
    AddCreditRequest, CloseMonthRequest, CreateAppRequest, GetAccountRequest, GetBillRequest,
    ListAccountsRequest, ListBillsRequest, PreviewBillRequest, TopUpRequest,
};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::gate::Gate;
use super::operators::{shown, trail};
use crate::support::{MORNING, at};

/// A gateway with app 1 on Pro, of the account of that name, since [`MORNING`] of 2026-03-02.
fn by_hand() -> (Gate, Clock, BillingServiceClient<Channel>) {
    let clock = Clock::by_hand(at(MORNING));
    let gate = Gate::with(|setup| {
        setup.clock = clock.clone();
        setup.edition = "pro";
    });
    let billing = BillingServiceClient::new(gate.channel());
    (gate, clock, billing)
}

fn create(gate: &Gate, sdk_app_id: u32, account: &str, edition: &str) {
    let request = CreateAppRequest {
        sdk_app_id,
        edition: edition.to_owned(),
        account: account.to_owned(),
    };
    gate.run(gate.control().create_app(request))
        .expect("a new app");
}

fn top_up(account: &str, amount: &str, reference: &str) -> TopUpRequest {
    TopUpRequest {
        account: account.to_owned(),
        amount: amount.to_owned(),
        reference: reference.to_owned(),
    }
}

fn credit(account: &str, amount: &str, reference: &str, reason: &str) -> AddCreditRequest {
    AddCreditRequest {
        account: account.to_owned(),
        amount: amount.to_owned(),
        reference: reference.to_owned(),
        reason: reason.to_owned(),
    }
}

fn preview(account: &str, month: &str) -> PreviewBillRequest {
    PreviewBillRequest {
        account: account.to_owned(),
        month: month.to_owned(),
    }
}

fn bill(account: &str, month: &str) -> GetBillRequest {
    GetBillRequest {
        account: account.to_owned(),
        month: month.to_owned(),
    }
}

fn close(month: &str) -> CloseMonthRequest {
    CloseMonthRequest {
        month: month.to_owned(),
    }
}

fn of(account: &str) -> GetAccountRequest {
    GetAccountRequest {
        account: account.to_owned(),
        ..GetAccountRequest::default()
    }
}

fn wrong_field(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_details_bad_request().expect("details");
    details.field_violations[0].field.clone()
}

#[test]
fn a_running_month_is_a_draft_until_it_closes() {
    let (gate, clock, mut billing) = by_hand();
    let draft = gate
        .run(billing.preview_bill(preview("1", "")))
        .expect("a draft");
    let draft = draft.into_inner();
    assert_eq!(
        (draft.month.as_str(), draft.state()),
        ("2026-03", State::Draft)
    );
    assert_eq!(
        (draft.total.as_str(), draft.currency.as_str()),
        ("0.00", "USD")
    );
    assert!(draft.free.iter().any(|it| it.item == "plan"), "{draft:?}");
    let instant = |at: Option<prost_types::Timestamp>| at.expect("it is told").seconds * 1_000;
    assert_eq!(instant(draft.as_of), at(MORNING).as_unix_ms());
    let closes = at("2026-04-01T00:00:00+08:00");
    assert_eq!(instant(draft.closes_at), closes.as_unix_ms());

    clock.turn(closes.plus_ms(-1));
    let early = gate.run(billing.get_bill(bill("1", "2026-03")));
    assert_eq!(early.expect_err("it is not made").code(), Code::NotFound);
    clock.turn(closes);
    let made = gate
        .run(billing.get_bill(bill("1", "2026-03")))
        .expect("it closed");
    assert_eq!(
        made.get_ref().state(),
        State::NothingDue,
        "activation is free"
    );
    let same = gate.run(billing.preview_bill(preview("1", "2026-03")));
    assert_eq!(same.expect("of a closed month").get_ref(), made.get_ref());
    let draft = gate
        .run(billing.preview_bill(preview("1", "")))
        .expect("a draft");
    assert_eq!(
        (
            draft.get_ref().month.as_str(),
            draft.get_ref().total.as_str()
        ),
        ("2026-04", "149.99")
    );
    let ahead = gate.run(billing.preview_bill(preview("1", "2026-05")));
    assert_eq!(
        ahead.expect_err("not begun").code(),
        Code::FailedPrecondition
    );
}

#[test]
fn a_month_is_closed_when_it_is_due_and_again_with_the_same_answer() {
    let (gate, clock, mut billing) = by_hand();
    let status = gate
        .run(billing.close_month(close("")))
        .expect_err("not due");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    let status = gate
        .run(billing.close_month(close("2026-03")))
        .expect_err("not due");
    let details = status.get_details_precondition_failure().expect("details");
    let violation = &details.violations[0];
    assert_eq!(
        (violation.r#type.as_str(), violation.subject.as_str()),
        ("NOT_DUE", "2026-03")
    );
    assert!(
        status.message().contains("2026-04-01T00:00:00+08:00"),
        "{status}"
    );
    clock.turn(at("2026-05-01T00:00:00+08:00"));
    let closed = gate
        .run(billing.close_month(close("")))
        .expect("due")
        .into_inner();
    assert_eq!(
        (closed.month.as_str(), closed.bills, closed.total.as_str()),
        ("2026-04", 1, "149.99")
    );
    let again = gate
        .run(billing.close_month(close("2026-04")))
        .expect("the same");
    assert_eq!(again.into_inner(), closed);
    let march = gate
        .run(billing.close_month(close("2026-03")))
        .expect("it closed too");
    assert_eq!(march.get_ref().total, "0.00");
    let never = gate.run(billing.close_month(close("2020-01")));
    assert_eq!(never.expect_err("no app then").code(), Code::NotFound);
}

#[test]
fn money_is_taken_once_for_each_reference() {
    let (gate, clock, mut billing) = by_hand();
    let first = gate
        .run(billing.top_up(top_up("1", "100", "wire 1")))
        .expect("taken");
    let first = first.into_inner();
    assert!(!first.is_repeated);
    clock.turn(at("2026-03-03T09:00:00+08:00"));
    let again = gate.run(billing.top_up(top_up("1", "100.00", " wire 1 ")));
    let again = again.expect("the first answer").into_inner();
    assert_eq!((again.is_repeated, again.at), (true, first.at));
    assert_eq!(again.account.expect("an account").balance, "100.00");
    for status in [
        gate.run(billing.top_up(top_up("1", "99", "wire 1")))
            .expect_err("another amount"),
        gate.run(billing.add_credit(credit("1", "100", "wire 1", "why")))
            .expect_err("no payment"),
    ] {
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        let details = status.get_details_precondition_failure().expect("details");
        assert_eq!(details.violations[0].r#type, "REFERENCE_USED");
    }
    let given = gate.run(billing.add_credit(credit("1", "0.5", "case 1", "an outage")));
    let account = given
        .expect("given")
        .into_inner()
        .account
        .expect("an account");
    assert_eq!(account.balance, "100.50");
    let found = gate
        .run(billing.get_account(of("1")))
        .expect("an account")
        .into_inner();
    assert_eq!(found.account, Some(account));
    let told: Vec<_> = found
        .statement
        .iter()
        .map(|it| {
            (
                it.kind(),
                it.amount.as_str(),
                it.reference.as_str(),
                it.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Kind::Credit, "0.50", "case 1", "an outage"),
            (Kind::TopUp, "100.00", "wire 1", ""),
        ]
    );
}

#[test]
fn an_account_in_arrears_says_since_when_and_what_comes() {
    let (gate, clock, mut billing) = by_hand();
    create(&gate, 2, "clear", "trial");
    clock.turn(at("2026-05-02T09:00:00+08:00"));
    let found = gate
        .run(billing.get_account(of("1")))
        .expect("an account")
        .into_inner();
    let account = found.account.expect("an account");
    assert_eq!(
        (account.balance.as_str(), account.owed.as_str()),
        ("0.00", "149.99")
    );
    assert_eq!(account.unpaid[0].month, "2026-04");
    let instants = [
        account.in_arrears_since,
        account.suspended_from,
        account.repossessed_from,
    ];
    let instants = instants.map(|at| at.expect("it is told").seconds * 1_000);
    let expected = ["2026-05-01", "2026-05-08", "2026-08-06"];
    let expected = expected.map(|day| at(&format!("{day}T00:00:00+08:00")).as_unix_ms());
    assert_eq!(instants, expected, "RULES B14, B16");
    assert_eq!(found.statement[0].kind(), Kind::Bill);
    let all = |in_arrears| ListAccountsRequest {
        in_arrears,
        ..ListAccountsRequest::default()
    };
    for (in_arrears, expected) in [(false, vec!["1", "clear"]), (true, vec!["1"])] {
        let page = gate
            .run(billing.list_accounts(all(in_arrears)))
            .expect("a page");
        let names = page.get_ref().accounts.iter().map(|it| it.account.as_str());
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
    let paid = gate
        .run(billing.top_up(top_up("1", "149.99", "wire 1")))
        .expect("taken");
    let account = paid.into_inner().account.expect("an account");
    assert_eq!(
        (account.owed.as_str(), account.suspended_from),
        ("0.00", None)
    );
    let made = gate
        .run(billing.get_bill(bill("1", "2026-04")))
        .expect("a bill");
    assert_eq!(made.get_ref().state(), State::Paid);
}

#[test]
fn pages_show_every_bill_account_and_entry_once() {
    let (gate, clock, mut billing) = by_hand();
    for number in 2..=7 {
        create(&gate, number, &format!("a/{number}"), "pro");
    }
    for number in 1..=7 {
        let paid = top_up("1", "1", &format!("wire {number}"));
        gate.run(billing.top_up(paid)).expect("taken");
    }
    clock.turn(at("2026-06-01T00:00:00+08:00"));
    for page_size in [0, 1, 4, 7, 21, 22] {
        let (mut bills, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListBillsRequest {
                page_size,
                page_token,
                ..ListBillsRequest::default()
            };
            let page = gate
                .run(billing.list_bills(request))
                .expect("a page")
                .into_inner();
            bills.extend(page.bills.into_iter().map(|it| (it.month, it.account)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let mut sorted = bills.clone();
        sorted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        sorted.dedup();
        assert_eq!((bills.len(), &bills), (21, &sorted), "by {page_size}");

        let (mut accounts, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListAccountsRequest {
                page_size,
                page_token,
                in_arrears: true,
            };
            let page = gate
                .run(billing.list_accounts(request))
                .expect("a page")
                .into_inner();
            accounts.extend(page.accounts.into_iter().map(|it| it.account));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(
            accounts,
            ["1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7"],
            "by {page_size}"
        );

        let (mut entries, mut page_token) = (0, String::new());
        loop {
            let request = GetAccountRequest {
                account: "1".to_owned(),
                page_size,
                page_token,
            };
            let page = gate
                .run(billing.get_account(request))
                .expect("a page")
                .into_inner();
            entries += page.statement.len();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(entries, 9, "seven payments and two bills, by {page_size}");
    }
    let of_one = ListBillsRequest {
        account: "a/3".to_owned(),
        month: "2026-05".to_owned(),
        ..ListBillsRequest::default()
    };
    let page = gate
        .run(billing.list_bills(of_one))
        .expect("a page")
        .into_inner();
    assert_eq!(page.bills.len(), 1);
    assert_eq!(
        (page.bills[0].state(), page.bills[0].total.as_str()),
        (State::Unpaid, "149.99")
    );
    assert!(page.bills[0].lines.is_empty());
}

#[test]
fn what_is_wrong_is_named_and_unknown_accounts_are_not_found() {
    let (gate, _, mut billing) = by_hand();
    let long = "x".repeat(129);
    let page = |page_size, page_token: &str| GetAccountRequest {
        account: "1".to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let bills = |month: &str, page_token: &str| ListBillsRequest {
        month: month.to_owned(),
        page_token: page_token.to_owned(),
        ..ListBillsRequest::default()
    };
    for (status, field) in [
        (
            gate.run(billing.top_up(top_up("", "1", "r"))).err(),
            "account",
        ),
        (
            gate.run(billing.top_up(top_up(&long, "1", "r"))).err(),
            "account",
        ),
        (
            gate.run(billing.top_up(top_up("1", "0.00", "r"))).err(),
            "amount",
        ),
        (
            gate.run(billing.top_up(top_up("1", "-5", "r"))).err(),
            "amount",
        ),
        (
            gate.run(billing.top_up(top_up("1", "1.23456", "r"))).err(),
            "amount",
        ),
        (
            gate.run(billing.top_up(top_up("1", "5", " "))).err(),
            "reference",
        ),
        (
            gate.run(billing.top_up(top_up("1", "5", &long))).err(),
            "reference",
        ),
        (
            gate.run(billing.add_credit(credit("1", "5", "r", "")))
                .err(),
            "reason",
        ),
        (
            gate.run(billing.add_credit(credit("1", "many", "r", "w")))
                .err(),
            "amount",
        ),
        (
            gate.run(billing.get_bill(bill("1", "2026-13"))).err(),
            "month",
        ),
        (gate.run(billing.get_bill(bill("1", ""))).err(), "month"),
        (
            gate.run(billing.preview_bill(preview("", ""))).err(),
            "account",
        ),
        (gate.run(billing.close_month(close("March"))).err(), "month"),
        (gate.run(billing.list_bills(bills("x", ""))).err(), "month"),
        (
            gate.run(billing.list_bills(bills("", "x"))).err(),
            "page_token",
        ),
        (
            gate.run(billing.get_account(page(1_001, ""))).err(),
            "page_size",
        ),
        (
            gate.run(billing.get_account(page(1, "x"))).err(),
            "page_token",
        ),
    ] {
        assert_eq!(wrong_field(&status.expect(field)), field);
    }
    for status in [
        gate.run(billing.top_up(top_up("none", "5", "r")))
            .expect_err("unknown"),
        gate.run(billing.add_credit(credit("none", "5", "r", "w")))
            .expect_err("unknown"),
        gate.run(billing.get_account(of("none")))
            .expect_err("unknown"),
        gate.run(billing.get_bill(bill("none", "2026-01")))
            .expect_err("unknown"),
        gate.run(billing.preview_bill(preview("none", "")))
            .expect_err("unknown"),
        gate.run(billing.get_bill(bill("1", "2020-01")))
            .expect_err("no bill"),
    ] {
        assert_eq!(status.code(), Code::NotFound, "{status}");
    }
}

#[test]
fn every_call_about_money_is_in_the_trail_once() {
    let (gate, clock, mut billing) = by_hand();
    gate.run(billing.top_up(top_up("1", "100", "wire 1")))
        .expect("taken");
    gate.run(billing.top_up(top_up("1", "100", "wire 1")))
        .expect("again");
    gate.run(billing.top_up(top_up("1", "99", "wire 1")))
        .expect_err("another");
    gate.run(billing.top_up(top_up("none", "99", "wire 1")))
        .expect_err("nobody");
    gate.run(billing.add_credit(credit("1", "5", "case 1", "an outage")))
        .expect("given");
    gate.run(billing.close_month(close("2026-03")))
        .expect_err("not due");
    clock.turn(at("2026-04-01T00:00:00+08:00"));
    gate.run(billing.get_account(of("1")))
        .expect("it closes March");
    gate.run(billing.close_month(close("2026-03")))
        .expect("again");
    let told = trail(&gate, 0);
    let told: Vec<_> = told.iter().rev().map(shown).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    1 CreateApp 1:  -> {"edition":"pro","account":"1"} OK
    2 TopUp 0: {"account":"1","balance":"0.00"} -> {"account":"1","amount":"100.00","reference":"wire 1"} OK
    3 TopUp 0:  -> {"account":"1","reference":"wire 1","repeated":true} OK
    4 TopUp 0:  ->  the reference was used for 100.00 at 2026-03-02T01:00:00.001Z: use another one for another payment
    5 TopUp 0:  ->  there is no account none: it comes with its first app
    6 AddCredit 0: {"account":"1","balance":"100.00"} -> {"account":"1","amount":"5.00","reason":"an outage","reference":"case 1"} OK
    7 CloseMonth 0:  ->  2026-03 closes at 2026-03-31T16:00:00Z, not before
    8 CloseMonth 0:  -> {"month":"2026-03","bills":1,"total":"0.00"} OK
    9 CloseMonth 0:  -> {"month":"2026-03","bills":1,"total":"0.00"} OK
    "#);
}
