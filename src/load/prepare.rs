//! What must be there before the load begins: the app, its users and its groups. What is there already stays as it is.

use std::time::Duration;

use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::answer::described;
use super::{GROUP_TYPE, LoadError, Options, Population};
use crate::proto::admission_service_client::AdmissionServiceClient;
use crate::proto::control_service_client::ControlServiceClient;
use crate::proto::operation::Operation as One;
use crate::proto::{
    AdmitBatchRequest, AdmitBatchResponse, CreateAppRequest, CreateGroup, Operation, Outcome,
    RegisterUser,
};

/// The edition of an app that is created here: users without a limit, and 500 joined groups for each.
const EDITION: &str = "pro";

/// Operations in a batch.
const BATCH: u32 = 500;

/// A server that has not answered for so long will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Creates what is not there.
pub(super) fn prepare(options: &Options) -> Result<(), LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LoadError::Runtime)?;
    runtime.block_on(async {
        let channel = connect(options).await?;
        create_app(channel.clone(), options.population.app).await?;
        fill(channel, options.population).await
    })
}

async fn connect(options: &Options) -> Result<Channel, LoadError> {
    let unreachable = |error: tonic::transport::Error| LoadError::Unreachable {
        server: options.server.to_string(),
        why: innermost(&error),
    };
    let endpoint = Endpoint::from_shared(options.server.to_string()).map_err(unreachable)?;
    let endpoint = endpoint.connect_timeout(PATIENCE).tcp_nodelay(true);
    endpoint.connect().await.map_err(unreachable)
}

async fn create_app(channel: Channel, app: u32) -> Result<(), LoadError> {
    let request = CreateAppRequest {
        sdk_app_id: app,
        edition: EDITION.into(),
        account: String::new(),
    };
    let mut client = ControlServiceClient::new(channel);
    match in_time(client.create_app(request)).await {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        Err(status) => Err(failed("creating the app", &status)),
    }
}

async fn fill(channel: Channel, population: Population) -> Result<(), LoadError> {
    const WHAT: &str = "registering users and creating groups";
    let fault = |status: Status| failed(WHAT, &status);
    let mut client = AdmissionServiceClient::new(channel);
    let requests = tokio_stream::iter(batches(population));
    let answers = in_time(client.admit_stream(requests))
        .await
        .map_err(fault)?;
    let mut answers = answers.into_inner();
    let mut answered = 0;
    while let Some(answer) = in_time(answers.message()).await.map_err(fault)? {
        answered += 1;
        check(&answer)?;
    }
    let expected = batches(population).count();
    if answered == expected {
        return Ok(());
    }
    Err(LoadError::SetUp {
        what: WHAT,
        why: format!("the server has answered {answered} of {expected} batches"),
    })
}

/// Everyone and everything there is to be, in batches.
fn batches(population: Population) -> impl Iterator<Item = AdmitBatchRequest> + Send + 'static {
    let users = (0..population.users).map(|number| {
        One::RegisterUser(RegisterUser {
            user: format!("u{number}"),
        })
    });
    let groups = (0..population.groups).map(move |number| {
        One::CreateGroup(CreateGroup {
            group: format!("g{number}"),
            r#type: GROUP_TYPE.into(),
            owner: format!("u{}", population.owner(number)),
            members: Vec::new(),
        })
    });
    let mut operations = users.chain(groups).map(|operation| Operation {
        at: None,
        operation: Some(operation),
    });
    std::iter::from_fn(move || {
        let together: Vec<_> = operations.by_ref().take(BATCH as usize).collect();
        (!together.is_empty()).then(|| AdmitBatchRequest {
            sdk_app_id: population.app,
            operations: together,
            ..AdmitBatchRequest::default()
        })
    })
}

fn check(answer: &AdmitBatchResponse) -> Result<(), LoadError> {
    let what = "registering users and creating groups";
    if let Some(error) = &answer.error {
        let why = error.message.clone();
        return Err(LoadError::SetUp { what, why });
    }
    let mut results = answer.results.iter();
    match results.find(|result| result.outcome() != Outcome::Allowed) {
        None => Ok(()),
        Some(denied) => Err(LoadError::SetUp {
            what,
            why: format!(
                "denied {}: {}; use another app with --app, or fewer --users and --groups",
                denied.reason().as_str_name(),
                denied.message
            ),
        }),
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let too_late = || Status::deadline_exceeded(format!("no answer in {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(too_late()))
}

fn failed(what: &'static str, status: &Status) -> LoadError {
    LoadError::SetUp {
        what,
        why: described(status),
    }
}

/// What an error comes from in the end: the outer ones say no more than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_before_groups_and_every_group_has_its_owner() {
        let population = Population {
            app: 1,
            users: 700,
            groups: 40,
        };
        let batches: Vec<_> = batches(population).collect();
        let sizes: Vec<_> = batches.iter().map(|batch| batch.operations.len()).collect();
        assert_eq!(sizes, [500, 240]);
        let Some(One::CreateGroup(last)) = batches[1].operations[239].operation.clone() else {
            panic!("a group is last");
        };
        assert_eq!((last.group.as_str(), last.owner.as_str()), ("g39", "u39"));
    }
}
