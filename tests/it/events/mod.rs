//! What happens, told as it happens: over server-sent events and over gRPC.

pub(crate) mod grpc;
mod grpc_refused;
mod grpc_status;
mod many;
mod python;
mod sse;
mod stream;
mod watch;
