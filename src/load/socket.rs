//! A non-blocking socket for one thread that waits for several itself, in one `poll` of the system.
//!
//! Invariant: what is not ready is not tried again before the thread has heard that it is. So wakers are never used, and a
//! turn of the thread costs one `poll`, and one read and one write for each socket that has something.
//! Absent on purpose: a runtime. Its timers count in milliseconds, and an open loop counts in microseconds.

use std::cell::Cell;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::address::Address;

/// A host that does not answer holds up the other connections of the thread no longer than this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What is known of a socket, shared by who waits for it and who uses it.
#[derive(Debug)]
pub(super) struct Readiness {
    /// There may be something to read.
    pub(super) is_readable: Cell<bool>,
    /// A write has found no room.
    pub(super) is_full: Cell<bool>,
    /// Something was read since this was last cleared.
    pub(super) has_read: Cell<bool>,
}

/// A connected socket.
pub(super) struct Socket {
    stream: Arc<Stream>,
    readiness: Rc<Readiness>,
}

/// The socket beneath, for waiting.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects; the socket does not block from then on.
    pub(super) fn connect(address: &Address) -> io::Result<Self> {
        let stream = match address {
            Address::Tcp(place) => {
                let stream = connect_tcp(place)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Stream::Tcp(stream)
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_nonblocking(true)?;
                Stream::Unix(stream)
            }
        };
        let readiness = Readiness {
            is_readable: Cell::new(true),
            is_full: Cell::new(false),
            has_read: Cell::new(false),
        };
        Ok(Self {
            stream: Arc::new(stream),
            readiness: Rc::new(readiness),
        })
    }

    /// What to wait for, and where to note it.
    pub(super) fn handles(&self) -> (Arc<Stream>, Rc<Readiness>) {
        (Arc::clone(&self.stream), Rc::clone(&self.readiness))
    }

    fn written(&self, result: io::Result<usize>) -> Poll<io::Result<usize>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.is_full.set(true);
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }
}

fn connect_tcp(place: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let readiness = &self.readiness;
        if !readiness.is_readable.get() {
            return Poll::Pending;
        }
        let room = buffer.remaining();
        let unfilled = buffer.initialize_unfilled();
        let read = match &*self.stream {
            Stream::Tcp(stream) => (&*stream).read(unfilled),
            Stream::Unix(stream) => (&*stream).read(unfilled),
        };
        match read {
            Ok(count) => {
                buffer.advance(count);
                // A short read has emptied the socket, or met its end, which is heard of again.
                readiness.is_readable.set(count == room || count == 0);
                readiness.has_read.set(true);
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                readiness.is_readable.set(false);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.readiness.is_full.get() {
            return Poll::Pending;
        }
        let result = match &*self.stream {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        };
        self.written(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.readiness.is_full.get() {
            return Poll::Pending;
        }
        let result = match &*self.stream {
            Stream::Tcp(stream) => (&*stream).write_vectored(parts),
            Stream::Unix(stream) => (&*stream).write_vectored(parts),
        };
        self.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
