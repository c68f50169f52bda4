//! Listening sockets, and giving what they accept to the workers.
//!
//! Invariant: accepting goes on whatever fails; no more connections than allowed are open at once. Absent on purpose: TLS.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::worker::{Accepted, Seat, Socket};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// How long to wait when nothing can be accepted, because descriptors or memory ran out.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on an address of this machine.
    pub(super) fn tcp(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // A restart must not wait for the last connections of the one before to be forgotten.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
    }

    /// Listens on a path. A socket that nobody listens on any more is replaced; anything else that is there is left alone.
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        if let Ok(there) = fs::symlink_metadata(path) {
            if !there.file_type().is_socket() {
                let what = "something that is no socket stands there: name another path";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
            }
            if StdUnixStream::connect(path).is_ok() {
                let what = "another process listens there: stop it, or name another path";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
            }
            fs::remove_file(path)?;
        }
        Ok(Self::Unix(UnixListener::bind(path)?, path.to_owned()))
    }

    /// The address it listens on; nothing for a path.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => Ok(Socket::Tcp(listener.accept().await?.0.into_std()?)),
            Self::Unix(listener, _) => Ok(Socket::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // It may have been removed already.
            let _ = fs::remove_file(path);
        }
    }
}

/// Accepts until told to stop, each connection for the worker that has the fewest.
pub(super) async fn accept(
    listener: Listener,
    workers: Vec<Seat>,
    open: Arc<Semaphore>,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(socket) => match Arc::clone(&open).try_acquire_owned() {
                Ok(permit) => {
                    let seat = workers.iter().min_by_key(|seat| seat.load());
                    if let Some(seat) = seat {
                        seat.give(Accepted { socket, permit });
                    }
                }
                // Closed at once: waiting would keep those from coming in who end theirs.
                Err(_) => tracing::debug!("connection refused: as many as allowed are open"),
            },
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!("cannot accept connections: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether accepting failed because that one peer has gone already.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
