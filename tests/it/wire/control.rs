//! ControlService as operators call it: what is wrong is said, and pages show every app once.

use quotagate::proto::{
    AdmitRequest, App, CreateAppRequest, GetAppRequest, ListAppsRequest, Reason, ReloadRequest,
    SetEditionRequest,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::gate::{Gate, ask, register};

fn create(sdk_app_id: u32, edition: &str) -> CreateAppRequest {
    CreateAppRequest {
        sdk_app_id,
        edition: edition.to_owned(),
        account: String::new(),
    }
}

fn assert_wrong(status: &Status, field: &str, says: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_details_bad_request().expect("details");
    assert_eq!(details.field_violations[0].field, field);
    let said = &details.field_violations[0].description;
    assert!(said.contains(says), "{said}");
}

#[test]
fn an_app_is_created_once_and_moved_at_once() {
    let gate = Gate::open();
    let mut control = gate.control();
    let made = gate
        .run(control.create_app(create(2, "")))
        .expect("a new app");
    assert_eq!(made.get_ref().edition, "trial", "the first of the catalog");
    let status = gate
        .run(control.create_app(create(2, "pro")))
        .expect_err("there is one");
    assert_eq!(status.code(), Code::AlreadyExists);
    let app = gate
        .run(control.get_app(GetAppRequest { sdk_app_id: 2 }))
        .expect("an app");
    assert_eq!(app.into_inner(), made.into_inner(), "it is left as it was");

    let to = |edition: &str| SetEditionRequest {
        sdk_app_id: 2,
        edition: edition.to_owned(),
    };
    let moved = gate
        .run(control.set_edition(to("pro")))
        .expect("an edition");
    let asked = AdmitRequest {
        sdk_app_id: 2,
        ..ask(register("a"))
    };
    let answer = gate.run(gate.admission().admit(asked)).expect("an answer");
    assert_eq!(answer.get_ref().revision, moved.get_ref().revision);
    let status = gate.run(control.set_edition(to("gold"))).expect_err("none");
    assert_wrong(&status, "edition", "\"gold\"; it has trial, pro, flagship");
    let app = gate
        .run(control.get_app(GetAppRequest { sdk_app_id: 2 }))
        .expect("an app");
    assert_eq!(app.into_inner(), moved.into_inner());
}

#[test]
fn wrong_control_calls_say_what_is_wrong() {
    let gate = Gate::open();
    let mut control = gate.control();
    let status = gate
        .run(control.create_app(create(3, "gold")))
        .expect_err("no edition");
    assert_wrong(&status, "edition", "\"gold\"; it has trial, pro, flagship");
    let long = "é".repeat(4_000);
    let status = gate
        .run(control.create_app(create(3, &long)))
        .expect_err("no edition");
    assert_wrong(&status, "edition", "it has trial, pro, flagship");
    let status = gate
        .run(control.create_app(create(0, "")))
        .expect_err("no app");
    assert_wrong(&status, "sdk_app_id", "is 0");
    let status = gate
        .run(control.get_app(GetAppRequest { sdk_app_id: 0 }))
        .expect_err("no app");
    assert_wrong(&status, "sdk_app_id", "is 0");
    let status = gate
        .run(control.get_app(GetAppRequest { sdk_app_id: 3 }))
        .expect_err("no app");
    assert_eq!(status.code(), Code::NotFound);
    let to = SetEditionRequest {
        sdk_app_id: 3,
        edition: "pro".to_owned(),
    };
    let status = gate.run(control.set_edition(to)).expect_err("no app");
    assert_eq!(status.code(), Code::NotFound);
    for (page_size, page_token, field) in [
        (1_001, "", "page_size"),
        (u32::MAX, "", "page_size"),
        (1, "next", "page_token"),
        (1, "-1", "page_token"),
        (1, "4294967296", "page_token"),
    ] {
        let page_token = page_token.to_owned();
        let asked = ListAppsRequest {
            page_size,
            page_token,
        };
        let status = gate.run(control.list_apps(asked)).expect_err(field);
        assert_wrong(&status, field, "");
    }
    let status = gate
        .run(control.reload(ReloadRequest {}))
        .expect_err("no files");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("built in"), "{status}");
    assert_eq!(gate.gateway.app_ids().len(), 1);
}

#[test]
fn pages_show_every_app_once_in_order() {
    let gate = Gate::open();
    let mut control = gate.control();
    // Beside app 1: 249 from both ends of what there may be.
    let mut expected: Vec<u32> = (10..135).chain(u32::MAX - 123..=u32::MAX).collect();
    expected.sort_unstable_by_key(|id| id.reverse_bits());
    for id in &expected {
        gate.run(control.create_app(create(*id, "pro")))
            .expect("a new app");
    }
    expected.push(1);
    expected.sort_unstable();
    for (page_size, pages) in [
        (0, 3),
        (100, 3),
        (125, 2),
        (249, 2),
        (250, 1),
        (1_000, 1),
        (1, 250),
    ] {
        let (mut token, mut seen, mut count) = (String::new(), Vec::new(), 0);
        loop {
            let asked = ListAppsRequest {
                page_size,
                page_token: token,
            };
            let page = gate
                .run(control.list_apps(asked))
                .expect("a page")
                .into_inner();
            seen.extend(page.apps.iter().map(|app: &App| app.sdk_app_id));
            count += 1;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((count, &seen), (pages, &expected), "by {page_size}");
    }
    let past = ListAppsRequest {
        page_size: 5,
        page_token: u32::MAX.to_string(),
    };
    let page = gate
        .run(control.list_apps(past))
        .expect("a page")
        .into_inner();
    assert_eq!((page.apps.len(), page.next_page_token.as_str()), (0, ""));
    let answer = gate.admit(register("a"));
    assert_eq!(answer.reason(), Reason::Unspecified);
}
