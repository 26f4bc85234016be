//! The two ends of a connection that report to its watch: the socket and the response body.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Seat;
use super::deliveries::Deliveries;
use super::tls::Wire;
use super::watch::Watch;

/// A socket that tells its watch what went through it, and keeps its seat until it closes.
#[derive(Debug)]
pub(super) struct WatchedStream {
    stream: Wire,
    watch: Arc<Watch>,
    deliveries: Arc<Deliveries>,
    /// Whether anything was taken since the last flush.
    has_unflushed: bool,
    _seat: Seat,
}

impl WatchedStream {
    /// Takes the seat along, also into an upgrade.
    pub(super) fn new(
        stream: Wire,
        watch: Arc<Watch>,
        deliveries: Arc<Deliveries>,
        seat: Seat,
    ) -> Self {
        Self { stream, watch, deliveries, has_unflushed: false, _seat: seat }
    }

    /// The bare socket, for what is said outside the protocol.
    pub(super) fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    /// Whether it is under TLS.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.stream, Wire::Tls(_))
    }

    fn report_write<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Pending => self.watch.write_blocked(),
            // Only its flush tells whether the system has them.
            Poll::Ready(Ok(_)) if self.stream.keeps_bytes() => self.has_unflushed = true,
            Poll::Ready(Ok(_)) => {
                self.watch.bytes_written();
                self.deliveries.written();
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.watch.bytes_read();
        } else if room > 0 {
            self.watch.peer_finished();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.report_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.report_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if self.stream.keeps_bytes() {
            match &flushed {
                Poll::Pending => self.watch.write_blocked(),
                Poll::Ready(Ok(())) => {
                    self.watch.bytes_written();
                    if std::mem::take(&mut self.has_unflushed) {
                        self.deliveries.written();
                    }
                }
                Poll::Ready(Err(_)) => {}
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A response body that tells its watch when it is over: hyper drops it once it has it all, or as
/// soon as it knows that nobody wants it.
#[derive(Debug)]
pub(super) struct WatchedBody<B> {
    body: B,
    watch: Arc<Watch>,
}

impl<B> WatchedBody<B> {
    /// The connection is busy for as long as this lives.
    pub(super) fn new(body: B, watch: Arc<Watch>) -> Self {
        Self { body, watch }
    }
}

impl<B: Body + Unpin> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for WatchedBody<B> {
    fn drop(&mut self) {
        self.watch.response_ended();
    }
}
