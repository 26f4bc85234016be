//! The page at `/` and what it loads: files of `dashboard/`, embedded, each with the headers that keep it harmless.
//!
//! The page runs scripts and styles of the hub's own and nothing else. No file changes while the hub runs, so a browser
//! asks whether it has the right one and is told so in a few bytes.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};

/// A file of the page.
struct Asset {
    path: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

/// Lists the files once: where each is served, and which file of `dashboard/` it is.
macro_rules! assets {
    ($($path:literal = $kind:ident $file:literal,)+) => {
        const ASSETS: &[Asset] = &[$(Asset {
            path: $path,
            kind: $kind,
            body: include_bytes!(concat!("../dashboard/", $file)),
        },)+];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

assets! {
    "/" = HTML "index.html",
    "/assets/style.css" = STYLE "style.css",
    "/assets/views.css" = STYLE "views.css",
    "/assets/work.css" = STYLE "work.css",
    "/assets/icon.svg" = IMAGE "icon.svg",
    "/assets/main.js" = SCRIPT "js/main.js",
    "/assets/dom.js" = SCRIPT "js/dom.js",
    "/assets/view.js" = SCRIPT "js/view.js",
    "/assets/form.js" = SCRIPT "js/form.js",
    "/assets/act.js" = SCRIPT "js/act.js",
    "/assets/format.js" = SCRIPT "js/format.js",
    "/assets/hub.js" = SCRIPT "js/hub.js",
    "/assets/socket.js" = SCRIPT "js/socket.js",
    "/assets/identity.js" = SCRIPT "js/identity.js",
    "/assets/leaving.js" = SCRIPT "js/leaving.js",
    "/assets/session.js" = SCRIPT "js/session.js",
    "/assets/load.js" = SCRIPT "js/load.js",
    "/assets/once.js" = SCRIPT "js/once.js",
    "/assets/outbox.js" = SCRIPT "js/outbox.js",
    "/assets/store.js" = SCRIPT "js/store.js",
    "/assets/people.js" = SCRIPT "js/people.js",
    "/assets/messages.js" = SCRIPT "js/messages.js",
    "/assets/roll-calls.js" = SCRIPT "js/roll-calls.js",
    "/assets/tasks.js" = SCRIPT "js/tasks.js",
    "/assets/notes.js" = SCRIPT "js/notes.js",
    "/assets/attention.js" = SCRIPT "js/attention.js",
    "/assets/proposals.js" = SCRIPT "js/proposals.js",
    "/assets/types.js" = SCRIPT "js/types.js",
    "/assets/views/sign-in.js" = SCRIPT "js/views/sign-in.js",
    "/assets/views/status.js" = SCRIPT "js/views/status.js",
    "/assets/views/sections.js" = SCRIPT "js/views/sections.js",
    "/assets/views/alerts.js" = SCRIPT "js/views/alerts.js",
    "/assets/views/channels.js" = SCRIPT "js/views/channels.js",
    "/assets/views/people.js" = SCRIPT "js/views/people.js",
    "/assets/views/chat.js" = SCRIPT "js/views/chat.js",
    "/assets/views/message.js" = SCRIPT "js/views/message.js",
    "/assets/views/roll-call.js" = SCRIPT "js/views/roll-call.js",
    "/assets/views/composer.js" = SCRIPT "js/views/composer.js",
    "/assets/views/waiting.js" = SCRIPT "js/views/waiting.js",
    "/assets/views/tasks.js" = SCRIPT "js/views/tasks.js",
    "/assets/views/task-card.js" = SCRIPT "js/views/task-card.js",
    "/assets/views/answer.js" = SCRIPT "js/views/answer.js",
    "/assets/views/notes.js" = SCRIPT "js/views/notes.js",
    "/assets/views/task-form.js" = SCRIPT "js/views/task-form.js",
    "/assets/views/proposals.js" = SCRIPT "js/views/proposals.js",
    "/assets/views/proposal-form.js" = SCRIPT "js/views/proposal-form.js",
}

/// What the page may do. `trusted-types` takes from it the means to read markup out of text at all.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The file at `path`, or that the caller has it already. `None` where there is no such file.
pub fn asset(path: &str, request: &HeaderMap) -> Option<Response<Body>> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    let tag = tag(asset);
    let known = request.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let has_it = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let body = if has_it { Body::empty() } else { Body::from(asset.body) };
    let mut response = Response::new(body);
    if has_it {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    let mut set = |name: HeaderName, value| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, asset.kind);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    Some(response)
}

fn tag(asset: &Asset) -> String {
    let mut hasher = DefaultHasher::new();
    asset.body.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::http::router;

    #[test]
    fn every_file_of_the_page_is_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard");
        let mut files = 0;
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let body = fs::read(&path).expect("a file");
                let served = ASSETS.iter().any(|asset| asset.body == body);
                assert!(served, "{} is not in the table", path.display());
                files += 1;
            }
        }
        assert_eq!(files, ASSETS.len());
        for asset in ASSETS {
            let route = router::find(&axum::http::Method::GET, asset.path);
            assert!(route.is_some(), "{} has no route", asset.path);
        }
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let first = asset("/assets/main.js", &HeaderMap::new()).expect("a file");
        assert_eq!(first.status(), StatusCode::OK);
        let mut again = HeaderMap::new();
        again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let second = asset("/assets/main.js", &again).expect("a file");
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert!(asset("/assets/nothing.js", &HeaderMap::new()).is_none());
    }
}
