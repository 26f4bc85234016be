//! What a client may cost before it has said anything worth keeping it for.

use std::time::Duration;

/// The most header fields a request may have; one more is answered with 431.
///
/// This is hyper's own default, on purpose: setting it explicitly, even to the same number, makes
/// hyper allocate the header table on the heap for every request.
pub const HEADERS_MAX: usize = 100;

/// The most bytes a request head may have, request line included; more is answered with 431.
///
/// It is also the read buffer of a connection, so it bounds what a silent peer makes us keep.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Descriptors that are not for connections: the store's files, listeners, the runtime's own, and
/// the connections that are being told that there is no seat for them.
const DESCRIPTORS_RESERVED: usize = 192;

/// Limits of one listener's connections. All of them are about clients that are slow or many; none
/// bounds how long a handler may take.
///
/// # Examples
///
/// ```
/// use coordhub_server::net::ConnectionLimits;
/// use std::time::Duration;
///
/// let limits = ConnectionLimits { idle_timeout: Duration::from_secs(30), ..Default::default() };
/// assert_eq!(limits.fit_descriptors(1024).connections_max, 832);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections that are open at once, upgraded ones included. Over it, a client gets a 503.
    pub connections_max: usize,
    /// From the accept to the first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte of a request to the end of its head, however steadily it drips.
    pub head_timeout: Duration,
    /// From the end of a response to the first byte of the next request.
    pub idle_timeout: Duration,
    /// The longest pause in a request body; handlers hand it to [`read_body`](super::read_body).
    pub body_progress_timeout: Duration,
    /// The longest time that a client may refuse to take any byte of a response.
    pub write_progress_timeout: Duration,
    /// From the start of the drain to the moment when [`serve`](super::serve()) stops waiting.
    pub drain_timeout: Duration,
}

impl ConnectionLimits {
    /// Lowers `connections_max` to what a process with `descriptors_max` open files can serve, so
    /// that it refuses politely instead of failing to accept.
    #[must_use]
    pub fn fit_descriptors(self, descriptors_max: u64) -> Self {
        let descriptors = usize::try_from(descriptors_max).unwrap_or(usize::MAX);
        let seats = descriptors.saturating_sub(DESCRIPTORS_RESERVED).max(1);
        Self { connections_max: self.connections_max.min(seats), ..self }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            first_byte_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            body_progress_timeout: Duration::from_secs(10),
            write_progress_timeout: Duration::from_secs(60),
            // The process has 10 s to end; the last one is for what must still be flushed.
            drain_timeout: Duration::from_secs(9),
        }
    }
}
