//! Sends the batches and takes the answers; opens the stream when there is something to send, and anew when it has ended.
//!
//! Invariant: at most [`IN_FLIGHT_MAX`] batches are on their way at once; one that is overdue ends the stream. Absent on purpose:
//! waiting between attempts. When a stream fails its callers are told, and it is they who stop asking (see `breaker`).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::super::answer::Cause;
use super::super::call::admit_once;
use super::super::error::{self, Undecided};
use super::super::stream::{self, Messages};
use super::batch::{Batch, Pending};
use crate::proto::admission_service_client::AdmissionServiceClient;
use crate::proto::{AdmitBatchRequest, AdmitBatchResponse};

/// Most batches on their way: enough to keep both ends busy, few enough that what comes meanwhile is gathered.
const IN_FLIGHT_MAX: usize = 4;
/// Most operations gathered ahead: more of them wait in the queue, where their callers can take them back.
const GATHERED_MAX: usize = 512;
/// Nothing is overdue where nothing is on its way.
const FOR_EVER: Duration = Duration::MAX;

pub(super) struct Worker {
    service: AdmissionServiceClient<Channel>,
    waiting: mpsc::Receiver<Pending>,
    ready: VecDeque<Batch>,
    in_flight: VecDeque<Batch>,
    /// Refused batches, being asked for one by one.
    singly: JoinSet<()>,
    last_id: u64,
}

/// How a stream has ended.
enum Ended {
    /// Nobody can ask any more.
    ClientsGone,
    /// The connection went away, or the gateway is going: what was on its way is sent once more.
    GoneAway(Cause),
    /// Another attempt at once would end the same way.
    Failed(Cause),
    /// An answer is overdue.
    Stalled,
}

impl Ended {
    fn by_the_gateway() -> Self {
        Self::GoneAway(Cause::Unreachable("the gateway ended the stream".into()))
    }

    fn with(status: &Status) -> Self {
        let cause = stream::cause(status);
        if error::is_going_away(status) {
            Self::GoneAway(cause)
        } else {
            Self::Failed(cause)
        }
    }
}

impl Worker {
    pub(super) fn new(
        service: AdmissionServiceClient<Channel>,
        waiting: mpsc::Receiver<Pending>,
    ) -> Self {
        Self {
            service,
            waiting,
            ready: VecDeque::new(),
            in_flight: VecDeque::new(),
            singly: JoinSet::new(),
            last_id: 0,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            if self.ready.is_empty() {
                let Some(first) = self.waiting.recv().await else {
                    return;
                };
                self.gather(first);
            }
            let ended = self.stream().await;
            match ended {
                Ended::ClientsGone => return,
                Ended::GoneAway(cause) => self.send_again(&cause),
                Ended::Stalled => self.fail_overdue(),
                Ended::Failed(cause) => self.fail_all(&cause),
            }
        }
    }

    /// Sends and receives on one stream until it ends.
    async fn stream(&mut self) -> Ended {
        let (outbound, batches) = mpsc::channel(IN_FLIGHT_MAX);
        let batches = ReceiverStream::new(batches);
        let mut service = self.service.clone();
        let mut inbound = Messages::opened_by(async move { service.admit_stream(batches).await });
        loop {
            self.send(&outbound);
            let patience = self.in_flight.iter().map(Batch::patience).max();
            let patience = patience.unwrap_or(FOR_EVER);
            let has_room = self.ready.is_empty() && self.on_their_way() < IN_FLIGHT_MAX;
            tokio::select! {
                biased;
                answer = timeout(patience, inbound.message()) => {
                    let taken = match answer {
                        Ok(Ok(Some(response))) => self.take(response),
                        Ok(Ok(None)) => Err(Ended::by_the_gateway()),
                        Ok(Err(status)) => Err(Ended::with(&status)),
                        Err(_) => Err(Ended::Stalled),
                    };
                    if let Err(ended) = taken {
                        return ended;
                    }
                }
                Some(_) = self.singly.join_next() => {}
                next = self.waiting.recv(), if has_room => match next {
                    Some(pending) => self.gather(pending),
                    None => return Ended::ClientsGone,
                },
            }
        }
    }

    fn on_their_way(&self) -> usize {
        self.in_flight.len() + self.singly.len()
    }

    /// Sends what is ready or waits, as far as there is room for it.
    fn send(&mut self, outbound: &mpsc::Sender<AdmitBatchRequest>) {
        while self.on_their_way() < IN_FLIGHT_MAX {
            if self.ready.is_empty() {
                match self.waiting.try_recv() {
                    Ok(first) => self.gather(first),
                    Err(_) => return,
                }
            }
            let Some(mut batch) = self.ready.pop_front() else {
                return;
            };
            if let Some(request) = batch.request() {
                // It has room for as many as may be on their way. A stream that is closed says so when it is read.
                let _ = outbound.try_send(request);
                self.in_flight.push_back(batch);
            }
        }
    }

    /// Makes batches of an operation and those that wait behind it.
    fn gather(&mut self, first: Pending) {
        let mut next = Some(first);
        let mut gathered = 0;
        while let Some(pending) = next {
            if !pending.is_given_up() {
                Batch::gather(&mut self.ready, pending, &mut self.last_id);
                gathered += 1;
            }
            next = (gathered < GATHERED_MAX)
                .then(|| self.waiting.try_recv().ok())
                .flatten();
        }
    }

    /// Hands an answer to those who wait for it.
    fn take(&mut self, mut response: AdmitBatchResponse) -> Result<(), Ended> {
        let id = response.batch_id;
        let place = self.in_flight.iter().position(|batch| batch.id == id);
        let Some(batch) = place.and_then(|place| self.in_flight.remove(place)) else {
            return Err(Ended::Failed(Cause::Failed {
                code: Code::Unknown,
                message: format!("it answered batch {id}, which was not sent").into(),
            }));
        };
        let Some(error) = response.error.take() else {
            batch.answer(response);
            return Ok(());
        };
        match Undecided::from_batch(error) {
            Undecided::Because(cause) => batch.fail(&cause),
            invalid @ Undecided::Invalid(_) => self.ask_singly(batch.refuse(invalid)),
        }
        Ok(())
    }

    /// Asks for each by a call of its own, in their order, so that what is wrong with one is told to its caller alone.
    fn ask_singly(&mut self, refused: Vec<Pending>) {
        if refused.is_empty() {
            return;
        }
        let service = self.service.clone();
        self.singly.spawn(async move {
            for pending in refused {
                if pending.is_given_up() {
                    continue;
                }
                let patience = pending.patience;
                let asked = admit_once(&service, &pending.request, patience);
                let late = || Err(Cause::Deadline(patience).into());
                let answer = timeout(patience, asked).await;
                pending.answer(answer.unwrap_or_else(|_| late()));
            }
        });
    }

    /// Makes ready again what was on its way, in its order, but for what was sent twice.
    fn send_again(&mut self, cause: &Cause) {
        while let Some(mut batch) = self.in_flight.pop_back() {
            if batch.repeated {
                batch.fail(cause);
            } else {
                batch.repeated = true;
                self.ready.push_front(batch);
            }
        }
    }

    fn fail_overdue(&mut self) {
        for batch in self.in_flight.drain(..) {
            let cause = Cause::Deadline(batch.patience());
            batch.fail(&cause);
        }
    }

    fn fail_all(&mut self, cause: &Cause) {
        for batch in self.in_flight.drain(..).chain(self.ready.drain(..)) {
            batch.fail(cause);
        }
    }
}
