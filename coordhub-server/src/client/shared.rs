//! What all calls of a client share.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    header::{self, HeaderName, HeaderValue},
};

use super::{ClientError, Delivery, address::Address, connect::Connector, request::misused};

const ENTITY_HEADER: HeaderName = HeaderName::from_static("x-entity-id");
const USER_AGENT: &str = concat!("coordhub/", env!("CARGO_PKG_VERSION"));

/// What all calls of a client share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: Address,
    /// What `Authorization` says; its `Debug` does not show it.
    pub(super) token: Option<HeaderValue>,
    pub(super) entity: Option<String>,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
    pub(super) connector: Connector,
}

impl Shared {
    pub(super) fn url(&self) -> &str {
        &self.address.url
    }

    /// A request with what every request has.
    pub(super) fn request(
        &self,
        method: Method,
        target: &str,
        entity: Option<&HeaderValue>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let uri: Uri = format!("{}{target}", self.address.prefix)
            .parse()
            .map_err(|why| misused(format!("the arguments make no address: {why}")))?;
        let host = HeaderValue::try_from(&self.address.authority)
            .map_err(|_| misused(format!("{}: this is no host", self.address.authority)))?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::HOST, host);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        if let Some(entity) = entity {
            headers.insert(ENTITY_HEADER, entity.clone());
        }
        Ok(request)
    }

    pub(super) fn unreachable(&self, why: String, delivery: Delivery) -> ClientError {
        ClientError::Unreachable { url: self.url().to_owned(), why, delivery }
    }
}
