//! TLS: the certificate and its key, and a connection that may be one of either kind.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use parking_lot::{Mutex, RwLock};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject as _},
        },
    },
    server::TlsStream,
};

/// Where a certificate and its key are, as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and whom clients trust.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// There can be no TLS with these files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// Certificate and key do not fit, or are of a kind that is not known.
    #[error("the certificate {cert} and its key cannot be used: {source}")]
    Unfit {
        /// The certificate's file.
        cert: String,
        /// Why.
        source: tokio_rustls::rustls::Error,
    },
}

/// What makes TLS of a connection. Cheap to clone; clones share the certificate that is used now.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    files: TlsFiles,
    /// How the files looked when they were read last, whatever came of it.
    read: Mutex<Looks>,
    used: RwLock<Arc<ServerConfig>>,
}

/// When each of the two files was written, and how long it is; nothing, where it is not there.
type Looks = [Option<(SystemTime, u64)>; 2];

impl TlsFiles {
    fn looks(&self) -> Looks {
        [&self.cert, &self.key].map(|path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        })
    }
}

impl Tls {
    /// Reads certificate and key. Blocks.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let looks = files.looks();
        let used = RwLock::new(Self::read(files)?);
        let inner = Inner { files: files.clone(), read: Mutex::new(looks), used };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Reads them anew, for the connections that are yet to come. Where they cannot be used those go on
    /// with the old ones. Blocks.
    pub fn reload(&self) -> Result<(), TlsError> {
        let Inner { files, read, used } = &*self.inner;
        // Before they are read: what is written meanwhile looks like something else the next time.
        *read.lock() = files.looks();
        *used.write() = Self::read(files)?;
        Ok(())
    }

    /// Whether either file is another than the one that was read last. Blocks.
    pub fn has_changed(&self) -> bool {
        self.inner.files.looks() != *self.inner.read.lock()
    }

    fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
        let certs = CertificateDer::pem_file_iter(&files.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|why| file_error(&files.cert, why))?;
        if certs.is_empty() {
            return Err(file_error(&files.cert, pem::Error::NoItemsFound));
        }
        let key =
            PrivateKeyDer::from_pem_file(&files.key).map_err(|why| file_error(&files.key, why))?;
        let unfit = |source| TlsError::Unfit { cert: files.cert.display().to_string(), source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(certs, key)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Agrees with the other end on keys.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Wire> {
        let acceptor = TlsAcceptor::from(Arc::clone(&*self.inner.used.read()));
        acceptor.accept(stream).await.map(|stream| Wire::Tls(Box::new(stream)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

fn file_error(path: &Path, why: pem::Error) -> TlsError {
    let why = match why {
        pem::Error::Io(why) => why.to_string(),
        pem::Error::NoItemsFound => {
            "holds no certificate or key in PEM, which begins with -----BEGIN".to_owned()
        }
        _ => "is no PEM that can be read".to_owned(),
    };
    TlsError::File { path: path.display().to_string(), why }
}

/// What a connection's bytes go over.
#[derive(Debug)]
pub(super) enum Wire {
    /// As they are.
    Plain(TcpStream),
    /// Under TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The bare socket.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Whether bytes that are taken may still wait here, and not with the system, until a flush.
    pub(super) fn keeps_bytes(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
