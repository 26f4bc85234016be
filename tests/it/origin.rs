//! Which web pages and which `Host` names may drive the hub: a page elsewhere must not.

use coordhub_harness::{Hub, HubOptions, Request, Socket};
use serde_json::json;

#[tokio::test]
async fn host_in_open_mode() {
    let hub = Hub::start(HubOptions::default().arg("--allow-host").arg("hub.example"));
    let port = hub.port();
    for host in [
        "localhost".into(),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        "127.0.0.1".into(),
        "127.0.0.1:1".into(),
        "192.0.2.7:8550".into(),
        "[::1]".into(),
        format!("[::1]:{port}"),
        "hub.example".into(),
        "hub.example:8550".into(),
    ] {
        hub.send(Request::get("/tasks/list").header("Host", &host)).await.ok();
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8550",
        "hub.example.org",
    ] {
        let problem = hub.send(Request::get("/tasks/list").header("Host", host)).await.refusal(403);
        assert!(problem["detail"].as_str().unwrap().contains("--allow-host"), "{problem}");
        hub.send(Request::get("/health").header("Host", host)).await.ok();
    }
}

#[tokio::test]
async fn origin_where_present_is_the_hubs_own() {
    let hub = Hub::start(HubOptions::default().arg("--allow-origin").arg("https://page.example"));
    let port = hub.port();
    let create = |origin: &str| {
        Request::post("/tasks/create").header("Origin", origin).json(&json!({ "title": "t" }))
    };
    hub.send(create(&format!("http://127.0.0.1:{port}"))).await.ok();
    hub.send(create("https://page.example")).await.ok();
    let foreign = [
        "null".into(),
        "https://evil.example".into(),
        format!("https://127.0.0.1:{port}"),
        "http://127.0.0.1:1".into(),
        format!("http://localhost:{port}"),
        "https://page.example.evil.example".into(),
        "http://page.example".into(),
        "".into(),
    ];
    for origin in foreign {
        let response = hub.send(create(&origin)).await;
        assert_eq!(response.status, 403, "{origin}: {}", response.text());
        let problem = response.refusal(403);
        assert!(problem["detail"].as_str().unwrap().contains("--allow-origin"), "{problem}");
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
    assert_eq!(hub.get_ok("/tasks/list").await["count"], 2);
}

#[tokio::test]
async fn fetch_metadata_without_an_origin() {
    let hub = Hub::new();
    let get = |path: &str, site: &str| Request::get(path).header("Sec-Fetch-Site", site);
    for site in ["cross-site", "same-site"] {
        hub.send(get("/tasks/list", site)).await.refusal(403);
        hub.send(Request::post("/tasks/create?title=t").header("Sec-Fetch-Site", site))
            .await
            .refusal(403);
        let navigation = get("/", site)
            .header("Sec-Fetch-Mode", "navigate")
            .header("Sec-Fetch-Dest", "document");
        assert_eq!(hub.send(navigation).await.status, 200);
    }
    for site in ["same-origin", "none"] {
        hub.send(get("/tasks/list", site)).await.ok();
    }
}

#[tokio::test]
async fn an_allowed_foreign_origin_is_answered() {
    let hub = Hub::start(HubOptions::default().arg("--allow-origin").arg("https://page.example"));
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/tasks/create")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type")
    };
    let allowed = hub.send(preflight("https://page.example")).await;
    assert!(matches!(allowed.status, 200 | 204), "{}", allowed.text());
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://page.example"));
    assert!(
        allowed
            .header("access-control-allow-methods")
            .is_some_and(|methods| methods.contains("POST"))
    );
    let headers = allowed.header("access-control-allow-headers").unwrap_or_default();
    assert!(headers.to_ascii_lowercase().contains("content-type"), "{headers}");
    let plain =
        hub.send(Request::get("/tasks/list").header("Origin", "https://page.example")).await;
    plain.ok();
    for response in [&allowed, &plain] {
        assert_eq!(response.header("access-control-allow-origin"), Some("https://page.example"));
        let vary = response.header("vary").unwrap_or_default().to_ascii_lowercase();
        assert!(vary.contains("origin"), "Vary: {vary}");
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
    let refused = hub.send(preflight("https://evil.example")).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_foreign_page_gets_no_socket() {
    let hub = Hub::new();
    let own = format!("http://127.0.0.1:{}", hub.port());
    Socket::try_open(hub.addr(), "/ws/ai", &[("origin", &own)]).await.unwrap();
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("host", "evil.example")],
        [("sec-fetch-site", "cross-site")],
    ] {
        let refused = Socket::try_open(hub.addr(), "/ws/ai", &headers).await;
        assert_eq!(refused.err(), Some(403), "{headers:?}");
    }
}
