//! `replay --server`: a trace in order through one stream to a running gateway.
//!
//! Invariant: answers are counted in the order of the lines, and a change of edition is sent when everything before it is answered.
//! Absent on purpose: the trace's times, which only a gateway in this process can be put back to.

use std::collections::VecDeque;

use anyhow::Context as _;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::remote::{self, DEADLINE};
use crate::admission::Sides;
use crate::client::{BatchStream, Cause, Client, ClientError, OperationKind};
use crate::proto::get_usage_response::Usage as Had;
use crate::proto::operation::Operation as Part;
use crate::proto::{
    AddFriend, AdmitBatchRequest, AdmitBatchResponse, AdmitResponse, BatchError, CreateGroup,
    DeleteGroup, DeleteUser, GetUsageRequest, JoinGroup, LeaveGroup, Login, Operation, Outcome,
    RegisterUser, RemoveFriend,
};
use crate::trace::{Entry, Reader, Report, Said, Tally, Usage};

/// Operations of a batch: beyond a hundred, the cost of a message is no longer seen beside theirs.
const BATCH: usize = 128;
/// Initial members of a batch, of the 10,000 that a gateway takes; a line may have 6,000 of the longest ids.
const MEMBERS_MAX: usize = 10_000;
/// Bytes of a batch of several operations, of the 1 MiB that a gateway takes; a single one may be that long.
const BYTES_MAX: usize = 1 << 19;
/// Batches on their way: the gateway always has the next one.
const IN_FLIGHT_MAX: usize = 8;

/// Replays a trace on an app of a gateway; `watch` is shown every answer. The report's `elapsed` is left for the caller.
pub(super) async fn replay(
    reader: &mut Reader,
    file: &str,
    server: &str,
    app: u32,
    watch: &mut dyn FnMut(&AdmitResponse),
) -> anyhow::Result<Report> {
    let client = remote::connect(server)?;
    let trouble = |error: ClientError| remote::trouble(server, &error);
    check_app(&client, server, app).await?;
    let mut replay = Replay {
        file,
        server,
        stream: Pipeline::new(&client),
        batch: AdmitBatchRequest::default(),
        lines: Vec::new(),
        members: 0,
        bytes: 0,
        app,
        tally: Tally::default(),
        watch,
    };
    while let Some(line) = reader.next_line()? {
        let number = line.number();
        let Entry { at, action } = line.said()?;
        replay.tally.line(at);
        match part(action) {
            Step::Admit(part) => replay.add(number, part).await?,
            Step::SetEdition(edition) => {
                replay.flush().await?;
                let set = client.set_edition(app, edition).await;
                set.map_err(trouble)
                    .with_context(|| format!("{file}:{number}"))?;
            }
        }
    }
    replay.flush().await?;
    let request = GetUsageRequest {
        sdk_app_id: app,
        subject: None,
    };
    let usage = client.get_usage(request).await.map_err(trouble)?;
    let usage = match usage.usage {
        Some(Had::App(app)) => Usage {
            users: app.users,
            groups: app.groups,
            memberships: app.memberships,
            friend_entries: app.friend_entries,
        },
        _ => anyhow::bail!("{server}: the gateway told no usage of app {app}"),
    };
    Ok(replay.tally.report_from_elsewhere(usage))
}

async fn check_app(client: &Client, server: &str, app: u32) -> anyhow::Result<()> {
    match client.get_app(app).await {
        Ok(_) => Ok(()),
        Err(ClientError::Refused {
            code: Code::NotFound,
            ..
        }) => anyhow::bail!(
            "{server}: there is no app {app}; create it: quotagate app create {app} --edition pro --server {server}"
        ),
        Err(error) => Err(remote::trouble(server, &error)),
    }
}

/// An operation whose answer is to come: its line in the trace, and its name.
type Line = (u64, OperationKind);

struct Replay<'a> {
    file: &'a str,
    server: &'a str,
    stream: Pipeline,
    batch: AdmitBatchRequest,
    /// Those of the batch.
    lines: Vec<Line>,
    members: usize,
    bytes: usize,
    app: u32,
    tally: Tally,
    watch: &'a mut dyn FnMut(&AdmitResponse),
}

/// The stream, and what is on its way.
struct Pipeline {
    batches: mpsc::Sender<AdmitBatchRequest>,
    answers: BatchStream,
    in_flight: VecDeque<Vec<Line>>,
    last_id: u64,
}

impl Replay<'_> {
    /// Adds an operation to the batch, which is sent before when there is no room in it.
    async fn add(&mut self, line: u64, part: Part) -> anyhow::Result<()> {
        let members = match &part {
            Part::CreateGroup(new) => new.members.len(),
            _ => 0,
        };
        let operation = Operation {
            at: None,
            operation: Some(part),
        };
        let bytes = operation.encoded_len();
        let is_full = self.lines.len() >= BATCH
            || self.bytes + bytes > BYTES_MAX
            || self.members + members > MEMBERS_MAX;
        if is_full {
            self.send().await?;
        }
        self.members += members;
        self.bytes += bytes;
        let kind = operation.operation.as_ref().map(OperationKind::from);
        self.lines.extend(kind.map(|kind| (line, kind)));
        self.batch.operations.push(operation);
        Ok(())
    }

    /// Sends the batch, when there is room for it on its way.
    async fn send(&mut self) -> anyhow::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if self.stream.in_flight.len() >= IN_FLIGHT_MAX {
            self.receive().await?;
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.sdk_app_id = self.app;
        let lines = std::mem::take(&mut self.lines);
        (self.members, self.bytes) = (0, 0);
        self.stream.send(batch, lines);
        Ok(())
    }

    /// Sends what is left, and takes every answer.
    async fn flush(&mut self) -> anyhow::Result<()> {
        self.send().await?;
        while !self.stream.in_flight.is_empty() {
            self.receive().await?;
        }
        Ok(())
    }

    /// Counts the next answer.
    async fn receive(&mut self) -> anyhow::Result<()> {
        let answer = self.stream.receive().await;
        let (lines, response) = answer.map_err(|error| remote::trouble(self.server, &error))?;
        if let Some(error) = &response.error {
            return Err(self.refused(&lines, error));
        }
        anyhow::ensure!(
            response.results.len() == lines.len(),
            "{}: the gateway answered {} operations of {}",
            self.server,
            response.results.len(),
            lines.len()
        );
        for ((_, kind), result) in lines.iter().zip(&response.results) {
            let verdict = match result.outcome() {
                Outcome::Denied => result.reason().as_str_name(),
                Outcome::Allowed | Outcome::Unspecified => result.outcome().as_str_name(),
            };
            self.tally.verdict(kind.name(), verdict);
            (self.watch)(result);
        }
        Ok(())
    }

    /// What is wrong, at its line of the trace where the gateway names an operation.
    fn refused(&self, lines: &[Line], error: &BatchError) -> anyhow::Error {
        let file = self.file;
        let named = error.violations.first().and_then(|violation| {
            let (place, field) = violation
                .field
                .strip_prefix("operations[")?
                .split_once(']')?;
            let (line, kind) = lines.get(place.parse::<usize>().ok()?)?;
            let field = field.trim_start_matches('.');
            let field = field.strip_prefix(kind.name()).unwrap_or(field);
            let field = field.trim_start_matches('.');
            let description = &violation.description;
            Some(anyhow::anyhow!("{file}:{line}: {field}: {description}"))
        });
        let first = lines.first().map_or(0, |(line, _)| *line);
        let message = &error.message;
        named.unwrap_or_else(|| anyhow::anyhow!("{file}: from line {first} on: {message}"))
    }
}

impl Pipeline {
    fn new(client: &Client) -> Self {
        let (batches, sent) = mpsc::channel(IN_FLIGHT_MAX);
        Self {
            batches,
            answers: client.admit_stream(ReceiverStream::new(sent)),
            in_flight: VecDeque::new(),
            last_id: 0,
        }
    }

    fn send(&mut self, mut batch: AdmitBatchRequest, lines: Vec<Line>) {
        self.last_id += 1;
        batch.batch_id = self.last_id;
        // It has room for as many as may be on their way. A stream that is closed says so when it is read.
        let _ = self.batches.try_send(batch);
        self.in_flight.push_back(lines);
    }

    async fn receive(&mut self) -> Result<(Vec<Line>, AdmitBatchResponse), ClientError> {
        let answer = timeout(DEADLINE, self.answers.next()).await;
        let answer = answer.map_err(|_| Cause::Deadline(DEADLINE))??;
        let gone = || Cause::Unreachable("it ended the stream".into());
        let (answer, lines) = answer.zip(self.in_flight.pop_front()).ok_or_else(gone)?;
        Ok((lines, answer))
    }
}

/// What a line has the replay do.
enum Step<'a> {
    Admit(Part),
    SetEdition(&'a str),
}

/// A line in the words of the API.
fn part(said: Said<'_>) -> Step<'_> {
    let part = match said {
        Said::RegisterUser { user } => Part::RegisterUser(RegisterUser {
            user: user.as_str().into(),
        }),
        Said::DeleteUser { user } => Part::DeleteUser(DeleteUser {
            user: user.as_str().into(),
        }),
        Said::Login { user } => Part::Login(Login {
            user: user.as_str().into(),
        }),
        Said::AddFriend(new) => Part::AddFriend(AddFriend {
            user: new.user().as_str().into(),
            friend: new.friend().as_str().into(),
            one_way: new.sides() == Sides::Own,
        }),
        Said::RemoveFriend {
            user,
            friend,
            sides,
        } => Part::RemoveFriend(RemoveFriend {
            user: user.as_str().into(),
            friend: friend.as_str().into(),
            one_way: sides == Sides::Own,
        }),
        Said::CreateGroup {
            group,
            kind,
            owner,
            members,
        } => Part::CreateGroup(CreateGroup {
            group: group.as_str().into(),
            r#type: kind.into(),
            owner: owner.as_str().into(),
            members: members.iter().map(|it| it.as_str().into()).collect(),
        }),
        Said::DeleteGroup { group } => Part::DeleteGroup(DeleteGroup {
            group: group.as_str().into(),
        }),
        Said::JoinGroup { group, user, kind } => Part::JoinGroup(JoinGroup {
            group: group.as_str().into(),
            user: user.as_str().into(),
            r#type: kind.unwrap_or_default().into(),
        }),
        Said::LeaveGroup { group, user } => Part::LeaveGroup(LeaveGroup {
            group: group.as_str().into(),
            user: user.as_str().into(),
        }),
        Said::SetEdition { edition } => return Step::SetEdition(edition),
    };
    Step::Admit(part)
}
