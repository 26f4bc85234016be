//! tokio-tungstenite alone: what is posted goes to every socket, a task a socket. It is acknowledged at once, as long as
//! not too many messages wait for some socket: neither are the sockets idle while a sender waits, nor do messages pile up.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{self, Message, Utf8Bytes, protocol::WebSocketConfig},
};

use super::{Kind, http};

/// How many messages may wait for some socket.
const UNDER_WAY_MAX: usize = 32;
/// More than may wait, so that nobody who reads them falls behind.
const KEPT: usize = 2 * UNDER_WAY_MAX;
/// A socket that closed never writes what was meant for it, too.
const WRITTEN_MAX: Duration = Duration::from_secs(2);

/// A message, and how many sockets it was not yet written to.
struct Posted {
    text: Utf8Bytes,
    left: AtomicUsize,
    room: Mutex<Option<OwnedSemaphorePermit>>,
}

/// What all connections share.
struct Room {
    posts: broadcast::Sender<Arc<Posted>>,
    under_way: Arc<Semaphore>,
    seq: Mutex<u64>,
    reply: Bytes,
    frame_bytes: usize,
    kind: Kind,
}

/// Accepts for ever.
pub(super) async fn serve(
    listener: TcpListener,
    reply_bytes: usize,
    frame_bytes: usize,
    kind: Kind,
) -> io::Result<()> {
    let room = Arc::new(Room {
        posts: broadcast::channel(KEPT).0,
        under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
        seq: Mutex::new(0),
        reply: http::filler(reply_bytes),
        frame_bytes,
        kind,
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(meet(stream, Arc::clone(&room)));
    }
}

/// A request for a socket names it; anything else is a post.
async fn meet(stream: TcpStream, room: Arc<Room>) -> Result<(), tungstenite::Error> {
    let mut begin = [0; 8];
    stream.peek(&mut begin).await?;
    if &begin != b"GET /ws/" {
        take_posts(stream, room).await;
        return Ok(());
    }
    // The default read buffer of 128 KiB is filled with zeros at every look.
    let config = WebSocketConfig::default().read_buffer_size(4096);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let mut posts = room.posts.subscribe();
    socket.send(Message::text("{\"type\":\"hello\",\"head_seq\":0}")).await?;
    loop {
        tokio::select! {
            biased;
            post = posts.recv() => match post {
                Ok(post) => write(&mut socket, post, &mut posts, room.kind).await?,
                Err(_) => return Ok(()),
            },
            frame = socket.next() => if !matches!(frame, Some(Ok(_))) { return Ok(()) },
        }
    }
}

async fn write(
    socket: &mut WebSocketStream<TcpStream>,
    post: Arc<Posted>,
    posts: &mut broadcast::Receiver<Arc<Posted>>,
    kind: Kind,
) -> Result<(), tungstenite::Error> {
    let mut written = vec![post];
    if kind == Kind::Joined {
        written.extend(std::iter::from_fn(|| posts.try_recv().ok()));
    }
    for post in &written {
        socket.feed(Message::Text(post.text.clone())).await?;
    }
    socket.flush().await?;
    for post in written {
        if post.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop(lock(&post.room).take());
        }
    }
    Ok(())
}

async fn take_posts(stream: TcpStream, room: Arc<Room>) {
    let service = service_fn(async |request: Request<Incoming>| {
        if let Ok(body) = request.into_body().collect().await {
            room.post(&body.to_bytes()).await;
        }
        Ok::<_, Infallible>(http::reply(room.reply.clone()))
    });
    // Where the client goes away there is nobody to tell.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Room {
    /// Sends to every socket, once there is room.
    async fn post(&self, body: &[u8]) {
        let room = timeout(WRITTEN_MAX, Arc::clone(&self.under_way).acquire_owned()).await;
        let body = String::from_utf8_lossy(body);
        // Numbers go out in their order.
        let mut seq = lock(&self.seq);
        *seq += 1;
        let mut text = format!("{{\"type\":\"message\",\"seq\":{seq},\"message\":{body}");
        let filler = self.frame_bytes.saturating_sub(text.len() + 14);
        text += &format!(",\"filler\":\"{}\"}}", "x".repeat(filler));
        let post = Arc::new(Posted {
            text: text.into(),
            left: AtomicUsize::new(self.posts.receiver_count()),
            room: Mutex::new(room.ok().and_then(Result::ok)),
        });
        if self.posts.send(Arc::clone(&post)).is_err() {
            // Nobody listens.
            drop(lock(&post.room).take());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
