//! `/docs`: the API documents for a browser, from `/openapi.json`, with no need of the internet.
//!
//! Swagger UI comes with the crate `utoipa-swagger-ui`, compressed. The page around it and the script that starts it
//! are the hub's own: they name what they load from the root, where the crate's page would need an address with a slash
//! at its end, and they hold no inline code.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use utoipa_swagger_ui::Config;

use crate::wire::Problem;

/// What the page may do. Swagger UI sets styles through the document's own interface, which needs no `unsafe-inline`,
/// and has its small pictures in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What of Swagger UI is served. The crate has more, which nothing asks for.
const OF_SWAGGER: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// A file: its type, how it is compressed, and what is in it.
struct File {
    kind: &'static str,
    encoding: Option<&'static str>,
    body: Bytes,
}

/// The file at `path`.
pub fn file(path: &str) -> Result<Response<Body>, Problem> {
    let html = "text/html; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let own = |kind, body: &'static str| File {
        kind,
        encoding: None,
        body: Bytes::from_static(body.as_bytes()),
    };
    let file = match path.trim_start_matches("/docs").trim_start_matches('/') {
        "" => Some(own(html, include_str!("docs/index.html"))),
        "start.js" => Some(own(script, include_str!("docs/start.js"))),
        "swagger-ui.css" => of_swagger(0, "text/css; charset=utf-8"),
        "swagger-ui-bundle.js" => of_swagger(1, script),
        _ => None,
    };
    file.map(respond).ok_or_else(|| {
        let detail = "there is no such file; the documents are at /docs";
        Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail)
    })
}

/// A file that the crate has. It is sent as it is kept, compressed: there is no browser that cannot read it.
fn of_swagger(index: usize, kind: &'static str) -> Option<File> {
    static FILES: LazyLock<[Option<(Bytes, bool)>; OF_SWAGGER.len()]> = LazyLock::new(|| {
        let config = Arc::new(Config::from("/openapi.json"));
        OF_SWAGGER.map(|name| {
            let file = utoipa_swagger_ui::serve(name, config.clone()).ok().flatten()?;
            let body = match file.bytes {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            Some((body, file.gzpipped))
        })
    });
    let (body, is_gzipped) = FILES[index].clone()?;
    Some(File { kind, encoding: is_gzipped.then_some("gzip"), body })
}

fn respond(file: File) -> Response<Body> {
    let mut response = Response::new(Body::from(file.body));
    let mut set = |name: HeaderName, value| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, file.kind);
    if let Some(encoding) = file.encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
    // Another version of the hub may have other files under the same names.
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::router;

    #[test]
    fn what_the_page_loads_is_there() {
        let page = include_str!("docs/index.html");
        let quoted = page.split('"').skip(1).step_by(2).filter(|text| text.starts_with("/docs/"));
        let loaded: Vec<&str> = quoted.collect();
        assert_eq!(loaded.len(), 3, "{loaded:?}");
        for path in loaded.into_iter().chain(["/docs"]) {
            assert!(router::find(&axum::http::Method::GET, path).is_some(), "{path}");
            assert_eq!(file(path).expect(path).status(), StatusCode::OK, "{path}");
        }
        for path in ["/docs/index.html", "/docs/swagger-initializer.js", "/docs/nothing"] {
            assert_eq!(file(path).expect_err(path).code(), "unknown_path", "{path}");
        }
    }

    #[test]
    fn nothing_is_inline() {
        let page = include_str!("docs/index.html");
        for word in ["style=", "<style", "onload", "onclick", "http:", "https:"] {
            assert!(!page.contains(word), "{word}");
        }
        let scripts = page.split("<script").skip(1);
        assert!(scripts.clone().all(|script| script.starts_with(" src=")) && scripts.count() == 2);
    }
}
