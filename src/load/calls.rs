//! Calls under way on one connection: each a request with one message, answered by one message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request, Uri, Version, header};

use super::answer::{self, Verdicts};
use super::tally::Tally;

/// Reads an answer's message.
pub(super) type Read = fn(Bytes) -> Result<Verdicts, String>;

/// The calls under way.
pub(super) struct Calls {
    under_way: Vec<Call>,
    read: Read,
}

/// What every call of a connection begins with.
pub(super) struct Head {
    uri: Uri,
    headers: HeaderMap,
}

struct Call {
    due: Duration,
    operations: u64,
    stage: Stage,
}

enum Stage {
    Waiting(ResponseFuture),
    Answered(RecvStream, BytesMut),
}

impl Head {
    /// The head of calls to a method, like `/quotagate.v1.AdmissionService/Admit`.
    pub(super) fn new(path: &'static str) -> Self {
        let uri = Uri::builder().scheme("http").authority("localhost");
        let mut headers = HeaderMap::new();
        let grpc = header::HeaderValue::from_static("application/grpc");
        headers.insert(header::CONTENT_TYPE, grpc);
        headers.insert(header::TE, header::HeaderValue::from_static("trailers"));
        Self {
            uri: uri
                .path_and_query(path)
                .build()
                .expect("a path that is a constant"),
            headers,
        }
    }

    /// A request without its body.
    pub(super) fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

impl Calls {
    /// None yet; their answers will be read so.
    pub(super) fn new(read: Read) -> Self {
        Self {
            under_way: Vec::new(),
            read,
        }
    }

    /// Calls under way.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Sends a message that was due at an instant.
    pub(super) fn send(
        &mut self,
        sender: &mut SendRequest<Bytes>,
        head: &Head,
        message: Bytes,
        due: Duration,
        operations: u64,
    ) -> Result<(), h2::Error> {
        let (response, mut body) = sender.send_request(head.request(), false)?;
        body.send_data(message, true)?;
        self.under_way.push(Call {
            due,
            operations,
            stage: Stage::Waiting(response),
        });
        Ok(())
    }

    /// Counts what was answered.
    pub(super) fn harvest(&mut self, cx: &mut Context<'_>, now: Duration, tally: &mut Tally) {
        let read = self.read;
        self.under_way.retain_mut(|call| match call.poll(cx, read) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                match result.and_then(|verdicts| of_all(verdicts, call.operations)) {
                    Ok(verdicts) => tally.answered(call.due, now, verdicts),
                    Err(trouble) => tally.failed(now, call.operations, trouble),
                }
                false
            }
        });
    }

    /// Counts what will not be answered any more.
    pub(super) fn give_up(&mut self, now: Duration, tally: &mut Tally, trouble: &str) {
        for call in self.under_way.drain(..) {
            tally.failed(now, call.operations, trouble.into());
        }
    }
}

impl Call {
    fn poll(&mut self, cx: &mut Context<'_>, read: Read) -> Poll<Result<Verdicts, String>> {
        loop {
            match &mut self.stage {
                Stage::Waiting(response) => {
                    let response = ready!(Pin::new(response).poll(cx)).map_err(broken)?;
                    if let Some(trouble) = refused(&response) {
                        return Poll::Ready(Err(trouble));
                    }
                    self.stage = Stage::Answered(response.into_body(), BytesMut::new());
                }
                Stage::Answered(body, received) => match ready!(body.poll_data(cx)) {
                    Some(chunk) => answer::take(received, &chunk.map_err(broken)?, body),
                    None => {
                        let trailers = ready!(body.poll_trailers(cx)).map_err(broken)?;
                        answer::status(&trailers.unwrap_or_default())?;
                        let message = answer::next_message(received)?;
                        let message = message.ok_or("the answer has no message")?;
                        return Poll::Ready(read(message));
                    }
                },
            }
        }
    }
}

/// Why a response is none: HTTP's status, or gRPC's where there is no message.
pub(super) fn refused(response: &http::Response<RecvStream>) -> Option<String> {
    if !response.status().is_success() {
        return Some(format!("HTTP status {}", response.status()));
    }
    let headers = response.headers();
    headers.get("grpc-status")?;
    answer::status(headers).err()
}

/// An answer must answer every operation.
pub(super) fn of_all(verdicts: Verdicts, operations: u64) -> Result<Verdicts, String> {
    if verdicts.operations == operations {
        return Ok(verdicts);
    }
    let answered = verdicts.operations;
    Err(format!(
        "{answered} of {operations} operations were answered"
    ))
}

/// A fault of HTTP/2 in words.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn broken(error: h2::Error) -> String {
    format!("the connection broke: {error}")
}
