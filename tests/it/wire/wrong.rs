//! Every wrong request, asked by a call, in a batch and in a stream: refused with its field, and nothing has changed.

mod rows;

use bytes::Bytes;
use prost::Message as _;
use quotagate::grpc::MESSAGE_BYTES_MAX;
use quotagate::proto::{self, Outcome, Reason};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use self::rows::rows;
use super::gate::{
    ADMIT, ADMIT_BATCH, ADMIT_STREAM, CREATE_APP, GET_USAGE, Gate, ask, batch, framed, register,
    register_in_batch, stream, unary,
};

fn assert_refused(refused: Result<Bytes, Status>, field: &str, says: &str) {
    let status = refused.expect_err(says);
    assert_eq!(status.code(), Code::InvalidArgument, "{says}: {status}");
    assert!(status.message().contains(says), "{says}: {status}");
    let details = status.get_details_bad_request().expect("details");
    let [violation] = details.field_violations.as_slice() else {
        panic!("{details:?}");
    };
    assert_eq!(violation.field, field, "{says}");
    assert!(violation.description.contains(says), "{violation:?}");
}

#[test]
fn wrong_requests_name_their_field_and_change_nothing() {
    let gate = Gate::open();
    gate.admit(register("there"));
    let before = (gate.usage(), gate.gateway.totals().held());
    let channel = gate.channel();
    for row in rows() {
        let refused = gate.run(unary(&channel, ADMIT, row.call()));
        assert_refused(refused, row.field, row.says);
        let refused = gate.run(unary(&channel, ADMIT_BATCH, row.batch(1)));
        assert_refused(refused, &row.field_in_batch(), row.says);
    }
    for (count, says) in [
        (0, "is empty: name 1 to 1,000"),
        (1_001, "has 1001 operations"),
    ] {
        let asked = batch((0..count).map(|user| register_in_batch(format!("u{user}"))));
        let refused = gate.run(unary(&channel, ADMIT_BATCH, asked.encode_to_vec().into()));
        assert_refused(refused, "operations", says);
    }
    // Initial members are counted over the whole batch.
    let members = |group: &str| {
        let create = proto::CreateGroup {
            group: group.to_owned(),
            r#type: "Public".to_owned(),
            owner: "there".to_owned(),
            members: (0..5_001).map(|user| format!("m{user}")).collect(),
        };
        proto::operation::Operation::CreateGroup(create)
    };
    let asked = batch(["g", "h"].map(members)).encode_to_vec();
    let refused = gate.run(unary(&channel, ADMIT_BATCH, asked.into()));
    assert_refused(
        refused,
        "operations[1].create_group.members",
        "at most 10000",
    );
    assert_eq!((gate.usage(), gate.gateway.totals().held()), before);
}

#[test]
fn a_stream_answers_wrong_batches_and_goes_on() {
    let gate = Gate::open();
    gate.admit(register("there"));
    let before = (gate.usage(), gate.gateway.totals().held());
    let fine = batch([register_in_batch("there")]);
    let empty = proto::AdmitBatchRequest {
        batch_id: 7,
        ..batch([])
    };
    let many = (0..1_001).map(|user| register_in_batch(format!("u{user}")));
    let many = proto::AdmitBatchRequest {
        batch_id: 8,
        ..batch(many)
    };
    let rows = rows();
    let wrong = rows.iter().zip(100..).map(|(row, batch_id)| {
        (
            batch_id,
            row.batch(batch_id),
            row.field_in_batch(),
            row.says,
        )
    });
    let wrong = wrong.chain([
        (
            7,
            empty.encode_to_vec().into(),
            "operations".to_owned(),
            "is empty",
        ),
        (
            8,
            many.encode_to_vec().into(),
            "operations".to_owned(),
            "has 1001",
        ),
    ]);
    let channel = gate.channel();
    gate.run(async {
        let (give, batches) = mpsc::unbounded_channel();
        let mut answers = stream(&channel, UnboundedReceiverStream::new(batches))
            .await
            .expect("a stream");
        let mut next = async || {
            let answer = answers
                .message()
                .await
                .expect("it goes on")
                .expect("an answer");
            proto::AdmitBatchResponse::decode(answer).expect("an answer")
        };
        for (batch_id, message, field, says) in wrong {
            give.send(message).expect("it reads");
            let answer = next().await;
            assert_eq!(
                (answer.batch_id, answer.committed),
                (batch_id, false),
                "{says}"
            );
            assert!(answer.results.is_empty(), "{says}");
            let error = answer.error.expect(says);
            assert_eq!(error.code, 3, "{says}");
            assert!(error.message.contains(says), "{error:?}");
            assert_eq!(error.violations.len(), 1);
            assert_eq!(error.violations[0].field, field, "{says}");
            assert!(error.violations[0].description.contains(says), "{error:?}");

            let fine = proto::AdmitBatchRequest {
                batch_id: batch_id + 1_000,
                ..fine.clone()
            };
            give.send(fine.encode_to_vec().into()).expect("it reads");
            let answer = next().await;
            assert_eq!(
                (answer.batch_id, answer.committed),
                (batch_id + 1_000, true)
            );
            assert_eq!((answer.results.len(), answer.error), (1, None));
            assert_eq!(answer.results[0].outcome(), Outcome::Allowed);
        }
        drop(give);
        assert_eq!(answers.message().await.expect("a good end"), None);
    });
    assert_eq!((gate.usage(), gate.gateway.totals().held()), before);
}

/// Of a body, whatever reads it: the calls answered at once, the stream, and what tonic answers.
#[test]
fn bodies_that_are_no_messages_are_refused() {
    let gate = Gate::open();
    let fine = framed(&ask(register("a")).encode_to_vec());
    let compressed = [&[1], &fine[1..]].concat();
    let large = framed(&vec![0; MESSAGE_BYTES_MAX + 1]);
    let longer = [&[0, 0, 0, 1, 0], &fine[5..]].concat();
    let rows: [(&str, &[u8], Code); 7] = [
        ("no message", &[], Code::InvalidArgument),
        ("a cut prefix", &fine[..3], Code::InvalidArgument),
        (
            "a cut message",
            &fine[..fine.len() - 1],
            Code::InvalidArgument,
        ),
        ("a length that is too great", &longer, Code::InvalidArgument),
        ("compressed", &compressed, Code::Unimplemented),
        (
            "flagged with what nobody knows",
            &[7, 0, 0, 0, 0],
            Code::Unimplemented,
        ),
        ("too large", &large, Code::ResourceExhausted),
    ];
    for (what, body, code) in rows {
        for path in [ADMIT, ADMIT_BATCH, GET_USAGE, ADMIT_STREAM, CREATE_APP] {
            // A stream may end before its first message; that is none of these faults.
            if body.is_empty() && [ADMIT_STREAM, CREATE_APP].contains(&path) {
                continue;
            }
            let (told, message) = gate.status_of(path, body);
            assert_eq!(told, code, "{what} to {path}: {message}");
        }
    }
    let shorter = [&[0, 0, 0, 0, 1], &fine[5..]].concat();
    for path in [ADMIT, ADMIT_BATCH, GET_USAGE] {
        let (told, message) = gate.status_of(path, &shorter);
        assert_eq!(
            told,
            Code::InvalidArgument,
            "more than the prefix says: {message}"
        );
    }
    // The largest that is allowed is read: zeros are no fields.
    let largest = framed(&vec![0; MESSAGE_BYTES_MAX]);
    for path in [ADMIT, ADMIT_BATCH] {
        let (told, message) = gate.status_of(path, &largest);
        assert_eq!(told, Code::InvalidArgument, "{message}");
    }
    assert_eq!(gate.status_of(ADMIT_STREAM, &largest).0, Code::Ok);
    assert_eq!(gate.usage().users, 0);
}

#[test]
fn batches_before_a_broken_one_are_answered() {
    let gate = Gate::open();
    let fine = framed(&batch([register_in_batch("a")]).encode_to_vec());
    for (broken, code) in [
        (vec![1, 0, 0, 0, 0], Code::Unimplemented),
        (vec![0, 0, 16, 0, 1], Code::ResourceExhausted),
        (vec![0, 0, 0], Code::InvalidArgument),
    ] {
        assert_eq!(
            gate.status_of(ADMIT_STREAM, &[&fine[..], &broken].concat())
                .0,
            code
        );
        assert_eq!(gate.usage().users, 1);
    }
}

#[test]
fn only_calls_by_grpc_are_taken() {
    let gate = Gate::open();
    for path in [
        "/",
        "/quotagate.v1.AdmissionService/Settle",
        "/quotagate.v1.Nothing/Admit",
    ] {
        assert_eq!(
            gate.status_of(path, &framed(&[])).0,
            Code::Unimplemented,
            "{path}"
        );
    }
}

#[test]
fn unknown_apps_are_denied_and_not_found() {
    let gate = Gate::open();
    let mut admission = gate.admission();
    let alone = proto::AdmitRequest {
        sdk_app_id: 9,
        ..ask(register("a"))
    };
    let answer = gate
        .run(admission.admit(alone))
        .expect("an answer")
        .into_inner();
    assert_eq!(
        (answer.outcome(), answer.reason()),
        (Outcome::Denied, Reason::AppNotFound)
    );
    assert_eq!((answer.revision, answer.im_error_code), (0, 60_006));
    let two = ["a", "b"].map(register_in_batch);
    for all_or_nothing in [false, true] {
        let asked = proto::AdmitBatchRequest {
            sdk_app_id: 9,
            all_or_nothing,
            ..batch(two.clone())
        };
        let answer = gate
            .run(admission.admit_batch(asked))
            .expect("an answer")
            .into_inner();
        assert_eq!((answer.committed, answer.revision), (!all_or_nothing, 0));
        assert_eq!(answer.results.len(), 2);
        for result in answer.results {
            assert_eq!(result.reason(), Reason::AppNotFound);
        }
    }
    let none = proto::GetUsageRequest {
        sdk_app_id: 9,
        subject: None,
    };
    let status = gate.run(admission.get_usage(none)).expect_err("no app");
    assert_eq!(status.code(), Code::NotFound);
    let none = proto::GetUsageRequest {
        sdk_app_id: 0,
        subject: None,
    };
    let status = gate.run(admission.get_usage(none)).expect_err("no app");
    assert_eq!(status.code(), Code::InvalidArgument);
    for subject in [
        proto::get_usage_request::Subject::User("nobody".to_owned()),
        proto::get_usage_request::Subject::Group("none".to_owned()),
    ] {
        let asked = proto::GetUsageRequest {
            sdk_app_id: 1,
            subject: Some(subject),
        };
        let status = gate.run(admission.get_usage(asked)).expect_err("unknown");
        assert_eq!(status.code(), Code::NotFound);
    }
}
