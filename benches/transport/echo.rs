//! The yardstick: an echo over stock tonic, as its own code generator would have it. Messages are as large as an admission.
//!
//! The code below is what `tonic-prost-build` makes of a service with one method, written by hand because no other proto file
//! is compiled here. It is run in a process of its own, with the program's allocator and memory settings.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::codegen::{Body, BoxFuture, Service, StdError, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

/// The method.
pub const PATH: &str = "/echo.Echo/Unary";

/// A question of some 40 bytes.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Op {
    #[prost(uint32, tag = "1")]
    app: u32,
    #[prost(fixed64, tag = "2")]
    user: u64,
    #[prost(fixed64, tag = "3")]
    channel: u64,
    #[prost(fixed64, tag = "4")]
    request: u64,
    #[prost(uint32, tag = "5")]
    verb: u32,
    #[prost(uint32, tag = "6")]
    cost: u32,
    #[prost(fixed32, tag = "7")]
    epoch: u32,
}

/// Its answer, of the same size.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reply {
    #[prost(uint32, tag = "1")]
    app: u32,
    #[prost(fixed64, tag = "2")]
    user: u64,
    #[prost(fixed64, tag = "3")]
    channel: u64,
    #[prost(fixed64, tag = "4")]
    request: u64,
    #[prost(uint32, tag = "5")]
    verdict: u32,
    #[prost(uint32, tag = "6")]
    remaining: u32,
    #[prost(fixed32, tag = "7")]
    epoch: u32,
}

impl Op {
    /// The question of a number.
    pub fn sample(number: u64) -> Self {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self {
            app: 4242,
            user: mixed,
            channel: mixed.rotate_left(17),
            request: number | (1 << 60),
            verb: 1,
            cost: 1,
            epoch: 77,
        }
    }
}

/// What a generated service asks of who implements it.
#[tonic::async_trait]
pub trait Echo: Send + Sync + 'static {
    async fn unary(&self, request: Request<Op>) -> Result<Response<Reply>, Status>;
}

/// Echoes.
pub struct Echoing;

#[tonic::async_trait]
impl Echo for Echoing {
    async fn unary(&self, request: Request<Op>) -> Result<Response<Reply>, Status> {
        let op = request.get_ref();
        Ok(Response::new(Reply {
            app: op.app,
            user: op.user,
            channel: op.channel,
            request: op.request,
            verdict: op.verb,
            remaining: op.cost,
            epoch: op.epoch,
        }))
    }
}

/// The generated service.
pub struct EchoServer<T>(Arc<T>);

impl<T> EchoServer<T> {
    pub fn new(inner: T) -> Self {
        Self(Arc::new(inner))
    }
}

impl<T> Clone for EchoServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for EchoServer<T> {
    const NAME: &'static str = "echo.Echo";
}

struct UnaryMethod<T>(Arc<T>);

impl<T: Echo> UnaryService<Op> for UnaryMethod<T> {
    type Response = Reply;
    type Future = BoxFuture<Response<Reply>, Status>;

    fn call(&mut self, request: Request<Op>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.unary(request).await })
    }
}

impl<T, B> Service<http::Request<B>> for EchoServer<T>
where
    T: Echo,
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if request.uri().path() == PATH {
            let inner = Arc::clone(&self.0);
            return Box::pin(async move {
                let codec = tonic_prost::ProstCodec::default();
                let mut grpc = Grpc::new(codec)
                    .apply_compression_config(
                        tonic::codec::EnabledCompressionEncodings::default(),
                        tonic::codec::EnabledCompressionEncodings::default(),
                    )
                    .apply_max_message_size_config(None, None);
                Ok(grpc.unary(UnaryMethod(inner), request).await)
            });
        }
        Box::pin(async move {
            let status = Status::unimplemented("there is but one method");
            Ok(status.into_http())
        })
    }
}
