//! Clients that ask for all nine operations, one by one, in batches and in streams, until they have asked enough, are stopped, or
//! the gateway is gone.
//!
//! Invariant: whatever was sent is noted, with its answer or without.

use std::collections::VecDeque;
use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quotagate::proto::admission_service_client::AdmissionServiceClient;
use quotagate::proto::{
    AdmitBatchRequest, AdmitBatchResponse, AdmitRequest, admit_request, operation,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::deed::{
    APPS, CLIENTS, DAYS, Deed, FILLED, GROUPS, HALLS, USERS, group_of, is_room, owner,
};
use super::told::{Exchange, Heard};

/// How long a client waits for an answer; none may take as long.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Batches of a stream in flight.
const WINDOW: usize = 3;
/// How long a client rests after UNAVAILABLE.
const REST: Duration = Duration::from_millis(10);

/// A xorshift generator.
#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: u8) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u8::try_from((self.0 >> 33) % u64::from(end)).expect("below 256")
    }

    /// A generator that goes its own way.
    pub fn another(&mut self) -> Self {
        self.below(2);
        Self(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
}

/// How much is asked.
#[derive(Clone)]
pub struct Much {
    /// Questions of each client at most.
    pub questions: u32,
    /// Set when they are to stop.
    pub stop: Arc<AtomicBool>,
    /// The time of today's logins.
    pub noon: i64,
}

/// A client of one app.
struct Client {
    channel: Channel,
    app: u32,
    number: u8,
    dice: Dice,
    much: Much,
    noted: Vec<Exchange>,
}

/// Has every client of every app ask, each on a connection of its own; what each noted, in its order.
pub async fn load(channels: Vec<Channel>, dice: &mut Dice, much: &Much) -> Vec<Vec<Exchange>> {
    let clients = APPS
        .into_iter()
        .flat_map(|app| (0..CLIENTS).map(move |number| (app, number)));
    let asking: Vec<_> = clients
        .zip(channels)
        .map(|((app, number), channel)| {
            let client = Client {
                channel,
                app,
                number,
                dice: dice.another(),
                much: much.clone(),
                noted: Vec::new(),
            };
            tokio::spawn(client.ask())
        })
        .collect();
    let mut noted = Vec::new();
    for asking in asking {
        noted.push(asking.await.expect("no panic"));
    }
    noted
}

/// What must be there before the clients ask: their first users, and the groups that all may join.
pub async fn prepare(channel: Channel, much: &Much) -> Vec<Exchange> {
    let mut noted = Vec::new();
    for app in APPS {
        let users = (0..CLIENTS).map(|client| Deed::Register(owner(client)));
        let halls = (0..HALLS).map(|group| Deed::Create(group, Vec::new()));
        let client = Client {
            channel: channel.clone(),
            app,
            number: 0,
            dice: Dice(1),
            much: much.clone(),
            noted: Vec::new(),
        };
        noted.extend(client.one_by_one(users.chain(halls).collect()).await);
    }
    noted
}

/// Makes the journal some KiB longer, so many times: a friendship that begins and ends. Whether all was allowed.
pub async fn fill(channel: Channel, times: u32) -> bool {
    let users = [Deed::Register(0), Deed::Register(1)].into_iter();
    let changes = [Deed::Befriend(0, 1, false), Deed::Unfriend(0, 1, false)];
    let deeds = users.chain(std::iter::repeat_n(changes, 499).flatten());
    let request = AdmitBatchRequest {
        sdk_app_id: FILLED,
        operations: deeds.map(|deed| deed.ask(0)).collect(),
        ..AdmitBatchRequest::default()
    };
    let mut service = AdmissionServiceClient::new(channel);
    for _ in 0..times {
        if in_time(service.admit_batch(request.clone())).await.is_err() {
            return false;
        }
    }
    true
}

impl Client {
    async fn ask(self) -> Vec<Exchange> {
        match self.number {
            0 | 1 => self.by_calls().await,
            2 => self.by_batches().await,
            _ => self.by_stream().await,
        }
    }

    fn goes_on(&self, asked: u32) -> bool {
        asked < self.much.questions && !self.much.stop.load(Ordering::Relaxed)
    }

    async fn by_calls(mut self) -> Vec<Exchange> {
        let mut asked = 0;
        while self.goes_on(asked) {
            let deed = self.deed();
            if !self.call(deed).await {
                break;
            }
            asked += 1;
        }
        self.noted
    }

    async fn one_by_one(mut self, deeds: Vec<Deed>) -> Vec<Exchange> {
        for deed in deeds {
            if !self.call(deed).await {
                break;
            }
        }
        self.noted
    }

    /// Asks for one deed; whether there is somebody to ask for more.
    async fn call(&mut self, deed: Deed) -> bool {
        let request = AdmitRequest {
            sdk_app_id: self.app,
            ..single(deed.ask(self.much.noon))
        };
        let mut service = AdmissionServiceClient::new(self.channel.clone());
        let begun = Instant::now();
        let answer = in_time(service.admit(request)).await;
        let heard = match answer {
            Ok(answer) => Heard::Answers(vec![answer.into_inner().into()]),
            Err(status) => unheard(&status),
        };
        self.note(vec![deed], false, heard, begun).await
    }

    async fn by_batches(mut self) -> Vec<Exchange> {
        let mut asked = 0;
        while self.goes_on(asked) {
            let (deeds, request) = self.batch(u64::from(asked));
            let whole = request.all_or_nothing;
            let mut service = AdmissionServiceClient::new(self.channel.clone());
            let begun = Instant::now();
            let answer = in_time(service.admit_batch(request)).await;
            let heard = match answer {
                Ok(answer) => answers(answer.into_inner()),
                Err(status) => unheard(&status),
            };
            if !self.note(deeds, whole, heard, begun).await {
                break;
            }
            asked += 1;
        }
        self.noted
    }

    async fn by_stream(mut self) -> Vec<Exchange> {
        let (sender, batches) = mpsc::channel(WINDOW);
        let mut service = AdmissionServiceClient::new(self.channel.clone());
        let opened = in_time(service.admit_stream(ReceiverStream::new(batches))).await;
        let Ok(opened) = opened else {
            return self.noted;
        };
        let mut stream = opened.into_inner();
        let mut waiting = VecDeque::new();
        let mut asked = 0;
        loop {
            while waiting.len() < WINDOW && self.goes_on(asked) {
                let (deeds, request) = self.batch(u64::from(asked));
                let (whole, begun) = (request.all_or_nothing, Instant::now());
                waiting.push_back((deeds, whole, begun));
                if sender.send(request).await.is_err() {
                    break;
                }
                asked += 1;
            }
            let Some((deeds, whole, begun)) = waiting.pop_front() else {
                return self.noted;
            };
            let heard = match in_time(stream.message()).await {
                Ok(Some(answer)) => answers(answer),
                Ok(None) => Heard::Silence,
                Err(status) => unheard(&status),
            };
            // Only of the last question is it certain that nothing else was asked after it.
            let whole = whole && (waiting.is_empty() || !matches!(heard, Heard::Silence));
            if !self.note(deeds, whole, heard, begun).await {
                break;
            }
        }
        for (deeds, _, begun) in waiting {
            self.note(deeds, false, Heard::Silence, begun).await;
        }
        self.noted
    }

    /// Notes an exchange; whether there is somebody to ask for more.
    async fn note(&mut self, deeds: Vec<Deed>, whole: bool, heard: Heard, begun: Instant) -> bool {
        let goes_on = !matches!(heard, Heard::Silence | Heard::Wrong(_));
        let rests = matches!(heard, Heard::Unavailable(_));
        self.noted.push(Exchange {
            app: self.app,
            client: self.number,
            deeds,
            whole,
            heard,
            at: Instant::now(),
            took: begun.elapsed(),
        });
        if rests {
            tokio::time::sleep(REST).await;
        }
        goes_on
    }

    fn batch(&mut self, batch_id: u64) -> (Vec<Deed>, AdmitBatchRequest) {
        let whole = self.dice.below(3) == 0;
        let deeds: Vec<_> = if whole {
            let few = usize::from(2 + self.dice.below(2));
            let all = std::iter::repeat_with(|| self.deed());
            all.filter(Deed::is_adding).take(few).collect()
        } else {
            (0..=self.dice.below(12)).map(|_| self.deed()).collect()
        };
        let noon = self.much.noon;
        let request = AdmitBatchRequest {
            sdk_app_id: self.app,
            all_or_nothing: whole,
            batch_id,
            operations: deeds.iter().map(|deed| deed.ask(noon)).collect(),
            ..AdmitBatchRequest::default()
        };
        (deeds, request)
    }

    fn deed(&mut self) -> Deed {
        let user = self.user();
        let own = group_of(self.number, self.dice.below(GROUPS));
        let any = match self.dice.below(3) {
            0 => self.dice.below(HALLS),
            _ => own,
        };
        let one_way = self.dice.below(4) == 0;
        match self.dice.below(100) {
            0..14 => Deed::Register(user),
            // The first user owns groups.
            14..20 if user != owner(self.number) => Deed::DeleteUser(user),
            14..30 => Deed::Login(user, self.dice.below(DAYS)),
            30..46 => Deed::Befriend(user, self.friend(user), one_way),
            46..54 => Deed::Unfriend(user, self.friend(user), one_way),
            54..64 => {
                let members = self.dice.below(3) * u8::from(!is_room(own));
                Deed::Create(own, (0..members).map(|_| self.user()).collect())
            }
            64..69 => Deed::Disband(own),
            69..90 => Deed::Join(any, user),
            _ => Deed::Leave(any, user),
        }
    }

    fn user(&mut self) -> u8 {
        owner(self.number) + self.dice.below(USERS)
    }

    fn friend(&mut self, of: u8) -> u8 {
        let first = owner(self.number);
        first + (of - first + 1 + self.dice.below(USERS - 1)) % USERS
    }
}

/// As a request of its own.
fn single(operation: quotagate::proto::Operation) -> AdmitRequest {
    use admit_request::Operation as To;
    use operation::Operation as From;
    let to = operation.operation.map(|operation| match operation {
        From::RegisterUser(it) => To::RegisterUser(it),
        From::DeleteUser(it) => To::DeleteUser(it),
        From::Login(it) => To::Login(it),
        From::AddFriend(it) => To::AddFriend(it),
        From::RemoveFriend(it) => To::RemoveFriend(it),
        From::CreateGroup(it) => To::CreateGroup(it),
        From::DeleteGroup(it) => To::DeleteGroup(it),
        From::JoinGroup(it) => To::JoinGroup(it),
        From::LeaveGroup(it) => To::LeaveGroup(it),
    });
    AdmitRequest {
        at: operation.at,
        operation: to,
        ..AdmitRequest::default()
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = || Status::deadline_exceeded(format!("no answer within {PATIENCE:?}"));
    timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(late()))
}

/// What a status means to a client.
fn unheard(status: &Status) -> Heard {
    let is_from_here = status.source().is_some();
    match status.code() {
        Code::Unavailable if !is_from_here => Heard::Unavailable(status.message().to_owned()),
        Code::DeadlineExceeded => Heard::Wrong(status.message().to_owned()),
        _ if is_from_here => Heard::Silence,
        // How tonic and h2 tell of a connection that went away under a call.
        Code::Cancelled | Code::Unknown | Code::Internal => Heard::Silence,
        _ => Heard::Wrong(format!("{status:?}")),
    }
}

fn answers(answer: AdmitBatchResponse) -> Heard {
    match answer.error {
        Some(error) if error.code == i32::from(Code::Unavailable) => {
            Heard::Unavailable(error.message)
        }
        Some(error) => Heard::Wrong(format!("{error:?}")),
        None if !answer.committed => Heard::Nothing,
        None => Heard::Answers(answer.results.into_iter().map(Into::into).collect()),
    }
}
