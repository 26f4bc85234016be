//! hyper alone: it reads a request to its end and answers with the same body, whatever was asked.

use std::{
    convert::Infallible,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

const BLOCK: usize = 4_096;
const BLOCKS: u64 = 4_096;

/// A file that was written once, so that a sync has nothing to do but the block that is written over.
pub(super) struct Synced {
    file: File,
    next: AtomicU64,
}

impl Synced {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create(path)?;
        for block in 0..BLOCKS {
            file.write_all_at(&[1; BLOCK], block * BLOCK as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, next: AtomicU64::new(0) })
    }

    fn write(&self) -> io::Result<()> {
        let block = self.next.fetch_add(1, Ordering::Relaxed) % BLOCKS;
        self.file.write_all_at(&[2; BLOCK], block * BLOCK as u64)?;
        self.file.sync_data()
    }
}

/// Accepts and answers for ever.
pub(super) async fn serve(
    listener: TcpListener,
    reply_bytes: usize,
    sync: Option<Synced>,
) -> io::Result<()> {
    let (body, sync) = (filler(reply_bytes), sync.map(Arc::new));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer_all(stream, body.clone(), sync.clone()));
    }
}

/// JSON of a size.
pub(super) fn filler(size: usize) -> Bytes {
    let text = format!("{{\"status\":\"sent\",\"filler\":\"{}\"}}", "x".repeat(size));
    let surplus = text.len() - size;
    Bytes::from(text.replacen(&"x".repeat(surplus.min(size)), "", 1))
}

async fn answer_all(stream: TcpStream, body: Bytes, sync: Option<Arc<Synced>>) {
    let service = service_fn(async |request: Request<Incoming>| {
        let body = body.clone();
        // A body that broke off ends the connection by itself.
        let _read = request.into_body().collect().await;
        if let Some(sync) = &sync
            && let Err(error) = sync.write()
        {
            eprintln!("the block cannot be written: {error}");
        }
        Ok::<_, Infallible>(reply(body))
    });
    // Where the client goes away there is nobody to tell.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A reply with the headers that the hub's has.
pub(super) fn reply(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    headers.insert("x-request-id", hyper::header::HeaderValue::from_static("0123456789abcdef"));
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_filler_has_its_size() {
        for size in [60, 500, 20_000] {
            assert_eq!(super::filler(size).len(), size);
        }
    }
}
