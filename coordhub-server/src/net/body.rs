//! Request bodies, bounded in size and in patience.

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

/// Why a request body could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More than the limit, announced or sent: 413.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was passed in.
        limit_bytes: usize,
    },
    /// No byte came for as long as the caller was willing to wait: 408.
    #[error("the body stopped coming")]
    TooSlow,
    /// The client went away, or its chunks are not chunks: 400, if there is anybody to answer.
    #[error("the body is broken")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// Reads the whole body, which must fit in `limit_bytes` and never pause for `progress_timeout`.
///
/// A body whose `Content-Length` exceeds the limit is refused before a byte of it is read, and so
/// before a client that waits for `100 Continue` sends any. One that came in one piece, as nearly
/// all do, is handed on without a copy.
///
/// # Errors
///
/// [`BodyError`]. The rest of the body is then unread, and the connection closes after the answer.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), coordhub_server::net::BodyError> {
/// use coordhub_server::net::read_body;
/// use std::time::Duration;
///
/// let body = axum::body::Body::from("{}");
/// assert_eq!(read_body(body, 1024, Duration::from_secs(10)).await?, "{}");
/// # Ok(())
/// # }
/// ```
pub async fn read_body<B>(
    mut body: B,
    limit_bytes: usize,
    progress_timeout: Duration,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let announced_bytes = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced_bytes > limit_bytes {
        return Err(BodyError::TooLarge { limit_bytes });
    }
    let Some(first) = next_piece(&mut body, progress_timeout).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit_bytes {
        return Err(BodyError::TooLarge { limit_bytes });
    }
    let Some(second) = next_piece(&mut body, progress_timeout).await? else {
        return Ok(first);
    };

    // An announced length is within the limit, but still only a claim: the buffer grows with what
    // really comes.
    let mut whole = BytesMut::from(first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if whole.len() + bytes.len() > limit_bytes {
            return Err(BodyError::TooLarge { limit_bytes });
        }
        whole.extend_from_slice(&bytes);
        piece = next_piece(&mut body, progress_timeout).await?;
    }
    Ok(whole.freeze())
}

/// The next piece that has bytes; `None` at the end. Trailers are skipped.
async fn next_piece<B>(body: &mut B, progress_timeout: Duration) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    while !body.is_end_stream() {
        // The timer is armed only if the frame is not there yet.
        let frame = match timeout(progress_timeout, body.frame()).await {
            Err(_elapsed) => return Err(BodyError::TooSlow),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(BodyError::Broken(error.into())),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(bytes) = frame.into_data()
            && !bytes.is_empty()
        {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}
