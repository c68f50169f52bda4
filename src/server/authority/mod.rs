//! Connections whose clients name the server by the path of its Unix socket.
//!
//! gRPC's C-core (C++, Python, Ruby, PHP) calls a server at `unix:/tmp/q.sock` by the `:authority` `tmp%2Fq.sock`, which `h2`
//! refuses as no name of a host: every call would be reset. Here each `%` of such a value becomes `-` before `h2` reads it;
//! nothing in the gateway depends on the name.
//!
//! Invariant: no byte is added, taken away or held back, and none changes but a `%` in the value of an `:authority`; lengths
//! stay as the peer counts them, so its table of headers and ours agree. How reads cut the bytes makes no difference. What is
//! no valid HTTP/2 passes as it is, for `h2` to refuse. A connection that begins with a name without `%` is watched no more.
//! Absent on purpose: what else `h2` refuses in a name, which paths seldom have, as two `:`; and what C-core never writes (see
//! `field`).

mod field;

use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use field::Field;

/// The client's first bytes (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;
/// Of a frame's head (4.1).
const HEAD_BYTES: usize = 9;
/// Types of frames (6).
const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
/// Flags of those (6.2, 6.10).
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;

/// A connection that reads without `%` in the names that it is called by.
pub(super) struct Mended<I> {
    io: I,
    /// Nothing once there is nothing more to look for.
    watch: Option<Watch>,
}

impl<I> Mended<I> {
    /// Of a connection that nothing was read from yet.
    pub(super) fn new(io: I) -> Self {
        Self {
            io,
            watch: Some(Watch::new()),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Mended<I> {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let io = Pin::new(&mut this.io);
        let Some(watch) = &mut this.watch else {
            return io.poll_read(cx, buf);
        };
        let before = buf.filled().len();
        let read = io.poll_read(cx, buf);
        let new = buf.filled_mut().get_mut(before..).unwrap_or_default();
        if watch.mend(new).is_break() {
            this.watch = None;
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Mended<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Where in its frames a connection stands. `Break`: there is nothing more to look for.
struct Watch {
    part: Part,
    /// Bytes of the part that are to come.
    left: usize,
    /// Bytes of the frame that come after the part.
    after: usize,
    flags: u8,
    padding: u8,
    /// Of the headers that have begun, which may take several frames.
    field: Option<Field>,
    /// Whether there was a `%`.
    found: bool,
}

/// What frames are made of; of those with headers in the order that they have it.
#[derive(Clone, Copy)]
enum Part {
    /// Of no interest: the preface, padding, other frames.
    Skipped,
    /// The head, with its bytes so far.
    Head(u128),
    PadLength,
    Priority,
    Headers,
}

impl Watch {
    fn new() -> Self {
        Self {
            part: Part::Skipped,
            left: PREFACE_BYTES,
            after: 0,
            flags: 0,
            padding: 0,
            field: None,
            found: false,
        }
    }

    /// Takes the next bytes that were read, and changes what must be changed in them.
    fn mend(&mut self, mut bytes: &mut [u8]) -> ControlFlow<()> {
        loop {
            // Ends: a frame's head has bytes.
            while self.left == 0 {
                self.next_part()?;
            }
            let here = self.left.min(bytes.len());
            let Some((these, rest)) = bytes.split_at_mut_checked(here) else {
                return ControlFlow::Break(());
            };
            if these.is_empty() {
                return ControlFlow::Continue(());
            }
            self.left -= here;
            bytes = rest;
            match &mut self.part {
                Part::Skipped | Part::Priority => {}
                Part::Head(head) => {
                    for byte in these {
                        *head = *head << 8 | u128::from(*byte);
                    }
                }
                Part::PadLength => self.padding = these.first().copied().unwrap_or_default(),
                Part::Headers => self.headers(these)?,
            }
        }
    }

    fn headers(&mut self, bytes: &mut [u8]) -> ControlFlow<()> {
        for byte in bytes {
            let Some(field) = self.field else {
                return ControlFlow::Break(());
            };
            if field.is_authority() && *byte == b'%' {
                *byte = b'-';
                self.found = true;
            }
            self.field = Some(field.after(*byte)?);
        }
        ControlFlow::Continue(())
    }

    /// Goes on from a part that is whole.
    fn next_part(&mut self) -> ControlFlow<()> {
        match self.part {
            Part::Skipped => {
                self.part = Part::Head(0);
                self.left = HEAD_BYTES;
                ControlFlow::Continue(())
            }
            Part::Head(head) => self.begin_frame(head),
            Part::PadLength => self.begin(Part::Priority, self.if_flag(PRIORITY, PRIORITY_BYTES)),
            Part::Priority => {
                let padding = usize::from(self.padding);
                match self.after.checked_sub(padding) {
                    Some(bytes) => self.begin(Part::Headers, bytes),
                    None => ControlFlow::Break(()),
                }
            }
            Part::Headers => {
                if self.flags & END_HEADERS != 0 {
                    self.field = None;
                    // What a client says first of its server, it says again.
                    if !self.found {
                        return ControlFlow::Break(());
                    }
                }
                self.begin(Part::Skipped, self.after)
            }
        }
    }

    fn begin_frame(&mut self, head: u128) -> ControlFlow<()> {
        let [.., high, middle, low, kind, flags, _, _, _, _] = head.to_be_bytes();
        let [high, middle, low] = [high, middle, low].map(usize::from);
        self.after = high << 16 | middle << 8 | low;
        self.flags = flags;
        self.padding = 0;
        match (kind, self.field) {
            (HEADERS, None) => {
                self.field = Some(Field::Start);
                self.begin(Part::PadLength, self.if_flag(PADDED, 1))
            }
            (CONTINUATION, Some(_)) => self.begin(Part::Headers, self.after),
            // Headers that go on after anything else, or without having begun.
            (_, Some(_)) | (CONTINUATION, None) => ControlFlow::Break(()),
            (_, None) => self.begin(Part::Skipped, self.after),
        }
    }

    /// Begins a part of the frame, if the frame has as many bytes.
    fn begin(&mut self, part: Part, bytes: usize) -> ControlFlow<()> {
        let Some(after) = self.after.checked_sub(bytes) else {
            return ControlFlow::Break(());
        };
        self.after = after;
        self.left = bytes;
        self.part = part;
        ControlFlow::Continue(())
    }

    fn if_flag(&self, flag: u8, bytes: usize) -> usize {
        if self.flags & flag == 0 { 0 } else { bytes }
    }
}

#[cfg(test)]
mod tests;
