//! The year 2026 of four accounts, told from its first day to its last.

use prost::Message as _;
use quotagate::proto::admit_request::Operation;
use quotagate::proto::app::State;
use quotagate::proto::bill::State as BillState;
use quotagate::proto::{
    Account, AddCreditRequest, AddOns, App, Bill, ChangeConfigurationRequest, CreateAppRequest,
    CreateGroup, DeleteGroup, DisableRequest, GetAccountRequest, GetAppRequest, LeaveGroup,
    ListBillsRequest, Login, Outcome, PreviewChangeRequest, Reason, Receipt, RegisterUser,
    SetPrepaidRequest, TopUpRequest, UpgradeRequest,
};
use tonic::Status;
use tonic_types::StatusExt as _;

use super::house::{House, lines};

/// Chats, and pays until June.
const CHAT: u32 = 1;
/// The same account's on Trial.
const TRIAL: u32 = 2;
/// Is disabled in July.
const SOLO: u32 = 3;
/// Is paid ahead.
const AHEAD: u32 = 4;

fn login(user: &str) -> Operation {
    Operation::Login(Login { user: user.into() })
}

fn register(user: &str) -> Operation {
    Operation::RegisterUser(RegisterUser { user: user.into() })
}

fn create_group(group: &str) -> Operation {
    Operation::CreateGroup(CreateGroup {
        group: group.into(),
        r#type: "Public".into(),
        owner: "u1".into(),
        members: Vec::new(),
    })
}

fn delete_group(group: &str) -> Operation {
    Operation::DeleteGroup(DeleteGroup {
        group: group.into(),
    })
}

fn leave(group: &str, user: &str) -> Operation {
    Operation::LeaveGroup(LeaveGroup {
        group: group.into(),
        user: user.into(),
    })
}

/// What a refused call says.
fn reason(status: &Status) -> String {
    let details = status.get_details_precondition_failure();
    let violations = details.expect("a precondition").violations;
    violations[0].r#type.clone()
}

/// The calls of the story, each noted in the diary.
impl House {
    fn create(&mut self, sdk_app_id: u32, account: &str, edition: &str) -> App {
        let request = CreateAppRequest {
            sdk_app_id,
            account: account.into(),
            edition: edition.into(),
        };
        let mut control = self.control();
        let made = self.operate(
            "CreateApp",
            async move { control.create_app(request).await },
        );
        made.expect("a new app")
    }

    fn upgrade(&mut self, sdk_app_id: u32, edition: &str) -> Result<App, Status> {
        let request = UpgradeRequest {
            sdk_app_id,
            edition: edition.into(),
            add_ons: None,
        };
        let mut control = self.control();
        self.operate("Upgrade", async move { control.upgrade(request).await })
    }

    fn change(&mut self, sdk_app_id: u32, edition: &str, add_ons: AddOns) -> Result<App, Status> {
        let request = ChangeConfigurationRequest {
            sdk_app_id,
            edition: edition.into(),
            add_ons: Some(add_ons),
        };
        let mut control = self.control();
        self.operate("ChangeConfiguration", async move {
            control.change_configuration(request).await
        })
    }

    fn disable(&mut self, sdk_app_id: u32, confirm_sdk_app_id: u32) -> Result<App, Status> {
        let request = DisableRequest {
            sdk_app_id,
            confirm_sdk_app_id,
        };
        let mut control = self.control();
        self.operate("Disable", async move { control.disable(request).await })
    }

    fn prepay(&mut self, sdk_app_id: u32, expires: &str) -> Result<App, Status> {
        let request = SetPrepaidRequest {
            sdk_app_id,
            expires: expires.into(),
        };
        let mut control = self.control();
        self.operate(
            "SetPrepaid",
            async move { control.set_prepaid(request).await },
        )
    }

    fn top_up(&mut self, account: &str, amount: &str, reference: &str) -> Result<Receipt, Status> {
        let request = TopUpRequest {
            account: account.into(),
            amount: amount.into(),
            reference: reference.into(),
        };
        let mut billing = self.billing();
        self.operate("TopUp", async move { billing.top_up(request).await })
    }

    fn credit(&mut self, account: &str, amount: &str, reference: &str) -> Result<Receipt, Status> {
        let request = AddCreditRequest {
            account: account.into(),
            amount: amount.into(),
            reference: reference.into(),
            reason: "an outage".into(),
        };
        let mut billing = self.billing();
        self.operate(
            "AddCredit",
            async move { billing.add_credit(request).await },
        )
    }

    fn account(&self, account: &str) -> Account {
        let request = GetAccountRequest {
            account: account.into(),
            ..GetAccountRequest::default()
        };
        let mut billing = self.billing();
        let found = self.run(async { billing.get_account(request).await });
        let found = found.expect("an account").into_inner();
        found.account.expect("an account")
    }

    fn app(&self, sdk_app_id: u32) -> App {
        let mut control = self.control();
        let found = self.run(async { control.get_app(GetAppRequest { sdk_app_id }).await });
        found.expect("an app").into_inner()
    }

    fn all_bills(&self) -> Vec<Bill> {
        let mut billing = self.billing();
        let request = ListBillsRequest {
            page_size: 1_000,
            ..ListBillsRequest::default()
        };
        let page = self.run(async { billing.list_bills(request).await });
        let heads = page.expect("a page").into_inner().bills;
        let whole = heads
            .iter()
            .map(|head| self.bill(&head.account, &head.month));
        whole.collect()
    }
}

/// To the spring: activation, overage, a late login, a change that costs and one that is refused.
fn spring(house: &mut House) {
    house.create(CHAT, "acme", "");
    house.create(TRIAL, "acme", "");
    for user in ["u1", "u2", "u3", "u4", "u5", "u6"] {
        assert_eq!(house.admit(CHAT, register(user)), None);
    }
    assert_eq!(house.admit(TRIAL, register("t1")), None);

    house.turn("2026-02-10T09:00:00+08:00");
    let app = house.upgrade(CHAT, "pro").expect("off the free edition");
    assert_eq!(
        (app.edition.as_str(), app.account.as_str()),
        ("pro", "acme")
    );
    assert_eq!(
        reason(&house.upgrade(CHAT, "flagship").expect_err("once")),
        "NOT_UPGRADABLE"
    );
    // Exactly the free quota of a day.
    for user in ["u1", "u2", "u3"] {
        assert_eq!(house.admit(CHAT, login(user)), None);
    }

    house.turn("2026-03-25T20:00:00+08:00");
    for user in ["u1", "u2", "u3", "u4", "u5", "u5"] {
        assert_eq!(house.admit(CHAT, login(user)), None);
    }
    for group in ["g1", "g2", "g3", "g4", "g5"] {
        assert_eq!(house.admit(CHAT, create_group(group)), None);
    }
    let receipt = house.top_up("acme", "1000", "wire 1").expect("money");
    assert!(!receipt.is_repeated);
    let again = house
        .top_up("acme", "1000.00", "wire 1")
        .expect("the first answer");
    assert!(again.is_repeated && again.at == receipt.at);
    assert_eq!(again.account.expect("an account").balance, "1000.00");
    let other = house
        .top_up("acme", "999", "wire 1")
        .expect_err("another amount");
    assert_eq!(reason(&other), "REFERENCE_USED");
    house.turn("2026-03-31T23:59:59.999+08:00");
    assert_eq!(
        house.admit(CHAT, delete_group("g5")),
        None,
        "carries four in"
    );

    house.turn("2026-04-02T10:00:00+08:00");
    assert_eq!(house.bill("acme", "2026-01").state(), BillState::NothingDue);
    assert_eq!(house.bill("acme", "2026-02").total, "0.00", "RULES C2");
    let march = house.bill("acme", "2026-03");
    assert_eq!(
        lines(&march),
        "1 plan 149.99, 1 dau_overage 149.99, 1 group_overage 149.99 = 449.97",
        "RULES C4"
    );
    assert_eq!(
        (march.state(), march.pushed.as_str()),
        (BillState::Paid, "2026-04-01")
    );
    assert_eq!(house.account("acme").balance, "550.03");
    let late = house.admitted_at(CHAT, login("u6"), Some("2026-03-25T23:00:00+08:00"));
    assert_eq!(late.outcome(), Outcome::Allowed, "it counts on its own day");

    house.turn("2026-04-05T12:00:00+08:00");
    let filter = AddOns {
        content_filtering: Some(true),
        ..AddOns::default()
    };
    let app = house.change(CHAT, "", filter).expect("its first change");
    assert!(app.published.expect("it is told").content_filtering);
    house.turn("2026-04-10T12:00:00+08:00");
    preview_of_flagship(house);
    house
        .change(CHAT, "flagship", AddOns::default())
        .expect("B1");
    let again = house.change(CHAT, "pro", AddOns::default());
    assert_eq!(reason(&again.expect_err("B4")), "ONCE_A_MONTH");
}

fn preview_of_flagship(house: &House) {
    let mut control = house.control();
    let request = PreviewChangeRequest {
        sdk_app_id: CHAT,
        edition: "flagship".into(),
        add_ons: None,
    };
    let previewed = house.run(async { control.preview_change(request).await });
    let previewed = previewed.expect("a preview").into_inner();
    let totals = previewed.bills.iter().map(|change| {
        let total = |bill: &Option<Bill>| bill.as_ref().map(|it| it.total.clone());
        (total(&change.before), total(&change.after))
    });
    let [april, may] = <[_; 2]>::try_from(totals.collect::<Vec<_>>()).expect("two months");
    // Plan, filter, and the late login's block.
    assert_eq!(april, (Some("449.97".into()), Some("449.97".into())));
    assert_eq!(may, (Some("299.98".into()), Some("599.98".into())));
    assert_eq!(house.app(CHAT).edition, "pro", "nothing has changed");
}

/// To the summer: arrears that bite at their instant, and money that restores.
fn summer(house: &mut House) {
    house.turn("2026-05-02T09:00:00+08:00");
    assert_eq!(
        lines(&house.bill("acme", "2026-04")),
        "1 plan 149.99, 1 content_filtering 149.99, 1 adjustment 149.99 = 449.97",
        "RULES B1, B2, B49"
    );
    assert_eq!(house.account("acme").balance, "100.06");
    assert_eq!(
        house.bill("acme", "2026-03").total,
        "449.97",
        "it never changes"
    );
    house.create(SOLO, "solo", "pro");
    house.create(AHEAD, "ahead", "pro");
    house
        .top_up("solo", "1000", "wire 1")
        .expect("another account's");
    house.prepay(AHEAD, "2026-06-30").expect("paid ahead");

    house.turn("2026-06-05T03:00:00+08:00");
    house.restart();
    let may = house.bill("acme", "2026-05");
    assert_eq!(
        lines(&may),
        "1 plan 449.99, 1 content_filtering 149.99 = 599.98"
    );
    assert_eq!(may.state(), BillState::Unpaid);
    let acme = house.account("acme");
    assert_eq!(
        (acme.balance.as_str(), acme.owed.as_str()),
        ("100.06", "599.98")
    );

    house.turn("2026-06-07T23:59:59.999+08:00");
    for (app, user) in [(CHAT, "u1"), (TRIAL, "t1")] {
        assert_eq!(house.admit(app, login(user)), None, "a millisecond before");
    }
    house.turn("2026-06-08T00:00:00+08:00");
    for (app, user) in [(CHAT, "u1"), (TRIAL, "t1")] {
        let denied = house.admit(app, login(user));
        assert_eq!(denied, Some(Reason::AppSuspended), "B17: both");
    }
    assert_eq!(house.admit(CHAT, leave("g1", "u1")), None, "B19");
    assert_eq!(house.admit(SOLO, login("s1")), None, "another account's");
    let off = AddOns {
        content_filtering: Some(false),
        ..AddOns::default()
    };
    assert_eq!(
        reason(&house.change(CHAT, "", off).expect_err("B19")),
        "APP_SUSPENDED"
    );
    assert_eq!(house.app(CHAT).state(), State::Suspended);

    house.turn("2026-07-05T12:00:00+08:00");
    let receipt = house.top_up("acme", "499.92", "wire 2").expect("money");
    let acme = receipt.account.expect("an account");
    assert_eq!(
        (acme.balance.as_str(), acme.owed.as_str()),
        ("0.00", "599.98")
    );
    assert_eq!(
        house.admit(CHAT, login("u1")),
        Some(Reason::AppSuspended),
        "B20: still"
    );
    house.turn("2026-07-06T12:00:00+08:00");
    house.credit("acme", "599.98", "case 1").expect("money");
    assert_eq!(house.admit(CHAT, login("u1")), None, "restored at once");
    assert_eq!(house.admit(TRIAL, login("t1")), None);
    ahead_and_solo(house);
}

/// A plan that expires and is renewed, and an app that is disabled for ever.
fn ahead_and_solo(house: &mut House) {
    house.turn("2026-07-07T23:59:59.999+08:00");
    assert_eq!(
        house.admit(AHEAD, login("a1")),
        None,
        "B15: seven days after it"
    );
    house.turn("2026-07-08T00:00:00+08:00");
    assert_eq!(house.admit(AHEAD, login("a1")), Some(Reason::AppSuspended));
    house.turn("2026-07-15T12:00:00+08:00");
    assert_eq!(
        house.disable(SOLO, CHAT).expect_err("not confirmed").code(),
        tonic::Code::InvalidArgument
    );
    assert_eq!(house.admit(SOLO, login("s1")), None, "nothing was done");
    house.disable(SOLO, SOLO).expect("disabled");
    assert_eq!(house.admit(SOLO, login("s1")), Some(Reason::AppDisabled));
    assert_eq!(
        reason(&house.disable(SOLO, SOLO).expect_err("gone")),
        "APP_DISABLED"
    );
    house.turn("2026-07-20T12:00:00+08:00");
    let earlier = house
        .prepay(AHEAD, "2026-05-31")
        .expect_err("an earlier day");
    assert_eq!(reason(&earlier), "OUT_OF_RANGE");
    house.prepay(AHEAD, "2027-01-31").expect("renewed");
    assert_eq!(house.admit(AHEAD, login("a1")), None, "restored");
}

/// To the winter: nobody pays any more, and the resources go at their instant.
fn winter(house: &mut House) {
    house.turn("2026-08-02T12:00:00+08:00");
    let july = house.bill("acme", "2026-07");
    assert_eq!(
        (july.total.as_str(), july.state()),
        ("599.98", BillState::Unpaid),
        "B18: restored in it, so due in full"
    );
    house.turn("2026-08-07T23:59:59.999+08:00");
    assert_eq!(house.admit(CHAT, login("u2")), None);
    house.turn("2026-08-08T00:00:00+08:00");
    assert_eq!(house.admit(CHAT, login("u2")), Some(Reason::AppSuspended));
    house.turn("2026-10-02T12:00:00+08:00");
    house.restart();
    house.turn("2026-11-05T23:59:59.999+08:00");
    assert_eq!(house.admit(CHAT, login("u2")), Some(Reason::AppSuspended));
    house.turn("2026-11-06T00:00:00+08:00");
    for (app, user) in [(CHAT, "u2"), (TRIAL, "t1")] {
        assert_eq!(
            house.admit(app, login(user)),
            Some(Reason::AppRepossessed),
            "B16"
        );
    }
    assert_eq!(
        house.admit(CHAT, leave("g2", "u1")),
        Some(Reason::AppRepossessed)
    );
    house.turn("2026-11-10T12:00:00+08:00");
    house.top_up("acme", "1199.96", "wire 3").expect("money");
    let acme = house.account("acme");
    assert_eq!(
        (acme.balance.as_str(), acme.owed.as_str()),
        ("0.00", "0.00")
    );
    assert_eq!(
        house.admit(CHAT, login("u2")),
        Some(Reason::AppRepossessed),
        "B20: too late"
    );
    house.turn("2027-01-02T12:00:00+08:00");
}

#[test]
fn a_year_is_billed_suspended_restored_and_repossessed_as_the_rules_say() {
    let mut house = House::found("2026-01-10T09:00:00+08:00");
    spring(&mut house);
    summer(&mut house);
    winter(&mut house);

    let bills = house.all_bills();
    let told: Vec<_> = bills
        .iter()
        .filter(|bill| bill.state() != BillState::NothingDue)
        .map(|bill| {
            format!(
                "{} {} {:?}: {}",
                bill.month,
                bill.account,
                bill.state(),
                lines(bill)
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    2026-08 acme Paid: 1 plan 449.99, 1 content_filtering 149.99 = 599.98
    2026-07 acme Paid: 1 plan 449.99, 1 content_filtering 149.99 = 599.98
    2026-07 solo Paid: 3 plan 149.99 = 149.99
    2026-06 acme Paid: 1 plan 449.99, 1 content_filtering 149.99 = 599.98
    2026-06 solo Paid: 3 plan 149.99 = 149.99
    2026-05 acme Paid: 1 plan 449.99, 1 content_filtering 149.99 = 599.98
    2026-04 acme Paid: 1 plan 149.99, 1 content_filtering 149.99, 1 adjustment 149.99 = 449.97
    2026-03 acme Paid: 1 plan 149.99, 1 dau_overage 149.99, 1 group_overage 149.99 = 449.97
    ");
    assert_eq!(
        bills.iter().filter(|bill| bill.account == "acme").count(),
        12
    );
    for bill in &bills {
        assert_eq!(
            (bill.currency.as_str(), bill.time_zone.as_str()),
            ("USD", "+08:00")
        );
    }
    house.restart();
    let again = house.all_bills();
    let bytes = |bills: &[Bill]| bills.iter().map(Bill::encode_to_vec).collect::<Vec<_>>();
    assert_eq!(bytes(&bills), bytes(&again), "the same, to the byte");
    audited(&house);
}

/// Every call is in the trail once, as it went; and each month has closed by itself, once.
fn audited(house: &House) {
    let trail = house.trail();
    let by_itself = |entry: &&quotagate::proto::AuditEntry| entry.call == "CloseMonth";
    let called = trail.iter().filter(|entry| !by_itself(entry));
    let called: Vec<_> = called
        .map(|entry| (entry.call.as_str(), entry.outcome == "OK"))
        .collect();
    assert_eq!(called, house.diary());
    let closed: Vec<_> = trail.iter().filter(by_itself).collect();
    assert_eq!(closed.len(), 12, "{closed:?}");
    assert!(
        closed
            .iter()
            .all(|entry| entry.outcome == "OK" && entry.peer.is_empty())
    );
    let sequence: Vec<_> = trail.iter().map(|entry| entry.sequence).collect();
    let expected: Vec<_> = (1..).take(trail.len()).collect();
    assert_eq!(sequence, expected, "none is left out");
}
