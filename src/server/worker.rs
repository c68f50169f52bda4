//! Threads that serve connections: each has a runtime of its own, and a connection stays where it was put.
//!
//! Invariant: a worker ends when it gets no more connections and those it has are done, or at its deadline. Absent on purpose:
//! accepting; see `listen`.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::authority::Mended;
use super::bell::Bell;
use super::connection;
use crate::clock::Clock;
use crate::config::Connections;
use crate::gateway::Gateway;
use crate::grpc::Peer;
use crate::telemetry::Counters;

/// What the connections of one worker share.
pub(super) struct Shared {
    pub(super) gateway: Arc<Gateway>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
    /// The services that tonic answers.
    pub(super) routes: Routes,
    pub(super) limits: Connections,
    /// Rung for connections to look at their peers, and when the gateway stops.
    pub(super) bell: Arc<Bell>,
    /// Cancelled when the gateway stops: calls that last end.
    pub(super) drain: CancellationToken,
    /// Cancelled when it has waited long enough.
    pub(super) deadline: CancellationToken,
}

/// A connection on its way to a worker.
pub(super) struct Accepted {
    pub(super) socket: Socket,
    /// Given back when the connection ends.
    pub(super) permit: OwnedSemaphorePermit,
}

/// A connected socket, in no runtime yet.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Where connections are given to a worker.
#[derive(Clone)]
pub(super) struct Seat {
    connections: UnboundedSender<Accepted>,
    /// One for each connection that it has.
    load: Arc<AtomicUsize>,
}

/// A worker thread.
pub(super) struct Worker {
    seat: Seat,
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts a worker.
    pub(super) fn start(number: usize, shared: Arc<Shared>) -> io::Result<Self> {
        let (connections, receiver) = unbounded_channel();
        let (done, ended) = oneshot::channel();
        let seat = Seat {
            connections,
            load: Arc::default(),
        };
        let load = Arc::clone(&seat.load);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                runtime.block_on(serve(receiver, shared, load));
                // Nobody waits any more if the receiver is gone.
                let _ = done.send(());
            })?;
        Ok(Self {
            seat,
            ended,
            thread,
        })
    }

    /// Where it is given connections.
    pub(super) fn seat(&self) -> Seat {
        self.seat.clone()
    }

    /// Waits until it is done with its connections.
    pub(super) async fn finish(self) {
        drop(self.seat);
        // It also counts as ended when it panicked.
        let _ = self.ended.await;
        let _ = self.thread.join();
    }
}

/// A connection's part of its worker's load, however it ends.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Seat {
    /// How many connections the worker has.
    pub(super) fn load(&self) -> usize {
        // Relaxed: a guess is enough to spread connections.
        self.load.load(Ordering::Relaxed)
    }

    /// Gives it a connection.
    pub(super) fn give(&self, accepted: Accepted) {
        self.load.fetch_add(1, Ordering::Relaxed);
        // A worker that has ended drops it, and the peer sees it closed.
        let _ = self.connections.send(accepted);
    }
}

async fn serve(
    mut accepted: UnboundedReceiver<Accepted>,
    shared: Arc<Shared>,
    load: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shared.deadline.cancelled() => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            next = accepted.recv() => {
                let Some(Accepted { socket, permit }) = next else { break };
                let (shared, place) = (Arc::clone(&shared), Place(Arc::clone(&load)));
                connections.spawn(async move {
                    if let Err(error) = run(socket, shared).await {
                        tracing::debug!("connection lost: {error}");
                    }
                    drop((permit, place));
                });
            }
        }
    }
    tokio::select! {
        () = shared.deadline.cancelled() => {}
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
}

async fn run(socket: Socket, shared: Arc<Shared>) -> io::Result<()> {
    match socket {
        Socket::Tcp(socket) => {
            let peer = Peer(socket.peer_addr()?.to_string().into());
            let socket = tokio::net::TcpStream::from_std(socket)?;
            socket.set_nodelay(true)?;
            connection::serve(socket, peer, shared).await;
        }
        Socket::Unix(socket) => {
            let socket = tokio::net::UnixStream::from_std(socket)?;
            let peer = Peer("unix".into());
            connection::serve(Mended::new(socket), peer, shared).await;
        }
    }
    Ok(())
}
