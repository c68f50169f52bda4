//! gRPC's frame around a message: whether it is compressed, and its length.
//!
//! Invariant: what is taken out of a frame is one whole message of a size that is allowed. Absent on purpose: compression.

use bytes::{Buf as _, Bytes};
use tonic::Status;

/// Bytes before a message.
pub const PREFIX_BYTES: usize = 5;
/// Largest message, in bytes: a batch of 1,000 operations with the longest ids has some 0.3 MiB.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// The message of a body that has one.
#[inline]
pub fn unframed(mut body: Bytes) -> Result<Bytes, Status> {
    let Some((&[compressed, a, b, c, d], message)) = body.split_first_chunk::<PREFIX_BYTES>()
    else {
        return Err(Status::invalid_argument(
            "the body is no gRPC message: it has less than a prefix of 5 bytes",
        ));
    };
    let has = message.len();
    if has > MESSAGE_BYTES_MAX {
        return Err(too_large());
    }
    let length = length([compressed, a, b, c, d])?;
    if length != has {
        return Err(Status::invalid_argument(format!(
            "the body is not one gRPC message: its prefix says {length} bytes, and {has} follow"
        )));
    }
    body.advance(PREFIX_BYTES);
    Ok(body)
}

/// The bytes of the message behind a prefix.
#[inline]
pub fn length(prefix: [u8; PREFIX_BYTES]) -> Result<usize, Status> {
    let [compressed, length @ ..] = prefix;
    if compressed != 0 {
        return Err(Status::unimplemented(
            "messages cannot be compressed: send them as they are",
        ));
    }
    match usize::try_from(u32::from_be_bytes(length)) {
        Ok(length) if length <= MESSAGE_BYTES_MAX => Ok(length),
        _ => Err(too_large()),
    }
}

/// The status for a message that is too large.
#[cold]
pub fn too_large() -> Status {
    Status::resource_exhausted(format!(
        "the message has more than {MESSAGE_BYTES_MAX} bytes: send fewer operations at once"
    ))
}

/// A frame whose message, of some `bytes`, `put` appends. If the guess is right the frame is made with one allocation.
#[inline]
pub(super) fn framed(bytes: usize, put: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(PREFIX_BYTES + bytes);
    frame.extend_from_slice(&[0; PREFIX_BYTES]);
    put(&mut frame);
    let length = u32::try_from(frame.len() - PREFIX_BYTES).unwrap_or(u32::MAX);
    if let Some([_, prefix @ ..]) = frame.first_chunk_mut::<PREFIX_BYTES>() {
        *prefix = length.to_be_bytes();
    }
    frame.into()
}
