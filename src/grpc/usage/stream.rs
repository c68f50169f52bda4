//! A stream of usage: look, send, wait, as long as its reader reads.
//!
//! Invariant: no more than one batch is made before the reader takes it, and none leaves before the journal has what it tells as
//! well as an admission's answer would need it. Absent on purpose: what a reader that does not read costs in time; the
//! connection sees to that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval};
use tonic::Status;

use super::look::{Look, Wanted};
use super::pace::Pace;
use super::token::{Apps, Token};
use super::{Shared, in_memory, kept};
use crate::gateway::Mark;
use crate::grpc::convert::timestamp;
use crate::proto::UsageBatch;
use crate::telemetry::OpenStream;

/// A stream that has been accepted.
pub(super) struct Stream {
    pub(super) shared: Arc<Shared>,
    pub(super) wanted: Arc<Wanted>,
    /// Which apps, as its tokens say it.
    pub(super) apps: Apps,
    /// Up to where its reader has been told.
    pub(super) since: Option<Mark>,
    pub(super) interval: Duration,
    /// Given back when it ends.
    pub(super) permit: OwnedSemaphorePermit,
    /// Counted as long.
    pub(super) open: OpenStream,
}

/// Why a stream ends.
enum End {
    /// Nobody reads any more.
    Left,
    /// The gateway cannot go on.
    With(Status),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self::With(status)
    }
}

impl Stream {
    /// Sends batches until the reader has gone.
    pub(super) async fn run(mut self, to: Sender<Result<UsageBatch, Status>>) {
        let end = tokio::select! {
            biased;
            () = to.closed() => End::Left,
            end = self.looks(&to) => end,
        };
        if let End::With(status) = end {
            // It may have gone meanwhile.
            let _ = to.send(Err(status)).await;
        }
        drop((self.permit, self.open));
    }

    async fn looks(&mut self, to: &Sender<Result<UsageBatch, Status>>) -> End {
        let mut ticks = interval(self.interval);
        // A reader that was slow is not to be hurried.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pace = Pace::new(self.interval);
        loop {
            ticks.tick().await;
            pace.begins();
            if let Err(end) = self.look(to, &mut pace).await {
                return end;
            }
        }
    }

    async fn look(
        &mut self,
        to: &Sender<Result<UsageBatch, Status>>,
        pace: &mut Pace,
    ) -> Result<(), End> {
        let (gateway, now) = (&self.shared.gateway, self.shared.clock.now());
        let mark = gateway.usage_mark(now).ok_or_else(in_memory)?;
        if self.since == Some(mark) && !pace.tells_nothing() {
            return Ok(());
        }
        let mut look = Look::new(gateway, &self.wanted, self.since, now);
        // What has begun to be told is told to its end, though the end may have nothing.
        let mut is_told = pace.tells_nothing();
        loop {
            let room = to.reserve().await.map_err(|_| End::Left)?;
            let taken = tokio::task::spawn_blocking(move || {
                let batch = look.next_batch();
                (look, batch)
            });
            let (rest, batch) = taken
                .await
                .map_err(|_| Status::internal("the look for changes broke off"))?;
            is_told |= !batch.records.is_empty();
            if batch.is_last {
                self.since = Some(mark);
            }
            if is_told {
                kept(gateway).await?;
                self.shared.counts.sent(batch.records.len());
                pace.told();
                room.send(Ok(UsageBatch {
                    records: batch.records,
                    token: self.token(),
                    as_of: Some(timestamp(now)),
                    time_zone: gateway.terms().zone.to_string(),
                    complete: batch.is_last,
                }));
            }
            if batch.is_last {
                return Ok(());
            }
            look = rest;
        }
    }

    /// How far the reader has got; empty if it has nothing yet.
    fn token(&self) -> String {
        let place = self.shared.place();
        let token = self.since.zip(place).map(|(mark, place)| Token {
            set: place.set,
            life: place.life,
            apps: self.apps,
            mark,
        });
        token.map(|token| token.text()).unwrap_or_default()
    }
}
