//! Who gets where, over every route.

use super::secret::Secret;
use super::tokens::tests::entry;
use super::{Access, Guard, Right};
use crate::app::App;
use crate::routes::{needs, router};
use crate::testing::{app, call};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Method, Request};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A tokens file, and who is in it.
struct Known {
    dir: TempDir,
    gate: Secret,
    eye: Secret,
    boss: Secret,
}

impl Known {
    fn new() -> Self {
        let (gate, gate_lines) = entry("gate", "rights = ['send']\ncameras = ['gate-*']");
        let (eye, eye_lines) = entry("eye", "rights = ['read']\nrate = 1000");
        let (boss, boss_lines) = entry("boss", "rights = ['settings']");
        let dir = tempfile::tempdir().unwrap();
        let lines = format!("{gate_lines}{eye_lines}{boss_lines}");
        std::fs::write(dir.path().join("tokens.toml"), lines).unwrap();
        Self { dir, gate, eye, boss }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("tokens.toml")
    }

    fn app(&self, settings: &[(&str, &str)]) -> Arc<App> {
        let file = self.file();
        let tokens = ("MLVI_TOKENS_FILE", file.to_str().unwrap());
        app(&[settings, &[tokens]].concat())
    }

    /// Nobody, and everybody with the names of what they may do.
    fn callers(&self) -> [(Option<&Secret>, &'static str); 4] {
        [
            (None, ""),
            (Some(&self.gate), "send"),
            (Some(&self.eye), "read"),
            (Some(&self.boss), "settings"),
        ]
    }
}

/// What came back.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default().trim_start_matches("/problems/")
    }
}

async fn ask(router: &Router, request: Builder, body: impl Into<Body>) -> Reply {
    let response = call(router, request.body(body.into()).unwrap()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let limit = if is_stream { 0 } else { 1 << 20 };
    let body =
        if is_stream { None } else { Some(to_bytes(response.into_body(), limit).await.unwrap()) };
    let body = body.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    Reply { status, headers, body }
}

fn request(method: &Method, path: &str) -> Builder {
    let uri = path.replace("{camera}", "gate-1").replace("{id}", "x");
    // where the camera is named in the query, the gate's are
    let uri = if path == "/inference" { format!("{uri}?camera=gate-1") } else { uri };
    Request::builder().method(method).uri(uri)
}

fn with(request: Builder, token: Option<&Secret>) -> Builder {
    match token {
        Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
        None => request,
    }
}

#[tokio::test]
async fn every_route_asks_for_its_right() {
    let known = Known::new();
    let router = router(known.app(&[]));
    let mut refused = 0;
    for (method, path, right) in needs() {
        for (token, may) in known.callers() {
            let reply = ask(&router, with(request(&method, path), token), Body::empty()).await;
            let what = format!("{method} {path} by one who may {may}: {}", reply.body);
            if right == "public" || right == may {
                assert!(!matches!(reply.status, 401 | 403), "{what}");
                continue;
            }
            refused += 1;
            if token.is_none() {
                assert_eq!((reply.status, reply.kind()), (401, "token-needed"), "{what}");
                assert_eq!(reply.headers["www-authenticate"], "Bearer realm=\"mlvi\"");
            } else {
                assert_eq!((reply.status, reply.kind()), (403, "forbidden"), "{what}");
            }
            assert_eq!(reply.body["right"], right, "{what}");
        }
    }
    assert!(refused >= 15, "{refused}");
}

#[tokio::test]
async fn frames_are_taken_of_the_tokens_own_cameras_alone() {
    let known = Known::new();
    let router = router(known.app(&[]));
    for (path, allowed) in [
        ("/cameras/gate-7/frames", true),
        ("/cameras/yard/frames", false),
        ("/cameras/%20yard/frames", false),
        ("/cameras/yard%20/stream", false),
        ("/cameras/%09yard/frames", false),
        ("/cameras/yard/frames?camera=gate-7", false),
        ("/cameras/gat%65-7/frames", true),
        ("/inference?camera=gate-7", true),
        ("/inference?camera=gate-7&camera=yard", false),
        ("/inference", false),
    ] {
        let request = with(Request::post(path), Some(&known.gate));
        let reply = ask(&router, request, Body::empty()).await;
        assert_eq!(reply.status != 403, allowed, "{path}: {}", reply.body);
    }
    let request = with(Request::post("/cameras/a%20b/frames"), Some(&known.gate));
    assert_eq!(ask(&router, request, Body::empty()).await.status, 400);
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_even_where_none_is_needed() {
    let known = Known::new();
    let router = router(known.app(&[]));
    let other = Secret::fresh().unwrap();
    for value in [format!("Bearer {}", other.reveal()), "Basic YTpi".into(), "Bearer".into()] {
        let request = Request::get("/session").header("authorization", &value);
        let reply = ask(&router, request, Body::empty()).await;
        assert_eq!((reply.status, reply.kind()), (401, "unknown-token"), "{value}");
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
    let request = Request::get("/session");
    let request = request.header("authorization", format!("bearer  {}", known.eye.reveal()));
    let told = ask(&router, request, Body::empty()).await.body;
    assert_eq!((told["name"].as_str(), told["by"].as_str()), (Some("eye"), Some("bearer")));
}

#[tokio::test]
async fn a_browser_logs_in_and_out() {
    let known = Known::new();
    let (one, replica) = (router(known.app(&[])), router(known.app(&[])));
    let wrong = format!("{{\"token\":\"{}\"}}", Secret::fresh().unwrap().reveal());
    for (body, status) in [(wrong.as_str(), 401), ("token", 400), ("{}", 400)] {
        let reply = ask(&one, Request::post("/login"), body.to_owned()).await;
        assert_eq!(reply.status, status, "{body}");
        assert!(!reply.headers.contains_key("set-cookie"));
    }
    let right = format!("{{\"token\":\"{}\"}}", known.eye.reveal());
    let page = Request::post("/login").header("origin", "http://localhost");
    let reply = ask(&one, page, right.clone()).await;
    assert_eq!((reply.status, reply.body["by"].as_str()), (200, Some("cookie")), "{}", reply.body);
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains(known.eye.reveal()), "{cookie}");
    let value = cookie.split(';').next().unwrap().to_owned();

    // on every replica, without anything that they share but the file
    for router in [&one, &replica] {
        let jobs = Request::get("/jobs/x").header("cookie", &value);
        assert_eq!(ask(router, jobs, Body::empty()).await.status, 404);
        let frames = Request::post("/inference").header("cookie", &value);
        assert_eq!(ask(router, frames, Body::empty()).await.status, 403);
    }
    let session = Request::get("/session").header("cookie", &value);
    let told = ask(&replica, session, Body::empty()).await.body;
    assert_eq!(told["rights"], serde_json::json!(["read"]));
    let expires = crate::moment::parse_rfc3339(told["expires"].as_str().unwrap()).unwrap();
    let ahead = expires.as_micros() - frame::Timestamp::now().as_micros();
    assert!((43_100..=43_200).contains(&(ahead / 1_000_000)), "{told}");

    let by_https = Request::post("/login").header("x-forwarded-proto", "https");
    let reply = ask(&one, by_https, right).await;
    assert!(reply.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    let reply = ask(&one, Request::post("/logout").header("cookie", &value), Body::empty()).await;
    assert_eq!(reply.status, 204);
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("mlvi_session=;") && cookie.contains("Max-Age=0"), "{cookie}");
}

#[tokio::test]
async fn without_tokens_all_is_open_but_settings() {
    let router = router(app(&[]));
    let told = ask(&router, Request::get("/session"), Body::empty()).await.body;
    let open = serde_json::json!({"login": false, "by": "nothing", "rights": ["send", "read"]});
    assert_eq!(told, open);
    let reply = ask(&router, Request::post("/login"), "{\"token\":\"x\"}").await;
    assert_eq!((reply.status, reply.kind()), (409, "no-login"));
}

#[tokio::test]
async fn what_is_open_needs_no_token_beside_tokens_either() {
    let known = Known::new();
    let router = router(known.app(&[("MLVI_OPEN_RIGHTS", "read")]));
    assert_eq!(ask(&router, Request::get("/jobs/x"), Body::empty()).await.status, 404);
    assert_eq!(ask(&router, Request::post("/inference"), Body::empty()).await.status, 401);
    let gate = with(Request::get("/jobs/x"), Some(&known.gate));
    assert_eq!(ask(&router, gate, Body::empty()).await.status, 404);
}

#[tokio::test]
async fn a_strangers_page_changes_nothing() {
    let known = Known::new();
    let open = router(app(&[]));
    let closed = router(known.app(&[("MLVI_ALLOWED_ORIGINS", "https://wall.example.com")]));
    let mut refused = 0;
    for (method, path, right) in needs() {
        let changes = !method.is_safe() || matches!(right, "send" | "settings");
        for (router, token) in [(&open, None), (&closed, Some(&known.gate))] {
            for (name, value) in
                [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
            {
                let stranger = with(request(&method, path), token).header(name, value);
                let reply = ask(router, stranger, Body::empty()).await;
                assert_eq!(reply.kind() == "foreign-page", changes, "{method} {path} {value}");
                assert!(!reply.headers.contains_key("access-control-allow-origin"));
                refused += usize::from(changes);
            }
        }
        let listed = with(request(&method, path), Some(&known.gate));
        let listed = listed.header("origin", "https://wall.example.com");
        let reply = ask(&closed, listed, Body::empty()).await;
        assert_ne!(reply.kind(), "foreign-page", "{method} {path}");
        let allowed = &reply.headers["access-control-allow-origin"];
        assert_eq!(allowed, "https://wall.example.com");
    }
    assert!(refused >= 16, "{refused}");
}

#[tokio::test]
async fn a_listed_origin_is_told_what_it_may_ask() {
    let router = router(app(&[("MLVI_ALLOWED_ORIGINS", "https://wall.example.com")]));
    for (origin, listed) in [("https://wall.example.com", true), ("https://evil.example", false)] {
        let asks = Request::options("/inference").header("origin", origin);
        let asks = asks.header("access-control-request-method", "POST");
        let Reply { status, headers, .. } = ask(&router, asks, Body::empty()).await;
        assert_eq!((status, &headers["allow"]), (204, &"POST, OPTIONS".parse().unwrap()));
        assert_eq!(headers.contains_key("access-control-allow-methods"), listed, "{origin}");
        assert_eq!(headers.contains_key("access-control-allow-origin"), listed, "{origin}");
        assert!(headers["vary"].to_str().unwrap().contains("origin"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn a_name_that_leads_here_by_another_is_refused() {
    let listed = router(app(&[("MLVI_ALLOWED_HOSTS", "mlvi.lan")]));
    let router = router(app(&[]));
    for (host, status) in [("localhost:5000", 200), ("127.0.0.1", 200), ("evil.example:5000", 421)]
    {
        let request = Request::get("/session").header("host", host);
        assert_eq!(ask(&router, request, Body::empty()).await.status, status, "{host}");
    }
    let request = Request::get("/session").header("host", "mlvi.lan:5000");
    assert_eq!(ask(&listed, request, Body::empty()).await.status, 200);
}

#[tokio::test]
async fn a_token_and_a_camera_have_their_rates() {
    let known = Known::new();
    let router = router(known.app(&[("MLVI_TOKEN_RATE", "0.01")]));
    for (token, taken) in [(&known.gate, 5), (&known.eye, 20)] {
        let mut statuses = Vec::new();
        for _ in 0..20 {
            let request = with(Request::get("/session"), Some(token));
            statuses.push(ask(&router, request, Body::empty()).await);
        }
        let passed = statuses.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(passed, taken);
        for reply in statuses.iter().filter(|reply| reply.status != 200) {
            assert_eq!((reply.status, reply.kind()), (429, "too-often"));
            let wait: u32 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((90..=100).contains(&wait), "{wait}");
        }
    }
    let access = &app(&[("MLVI_CAMERA_RATE", "0.01")]).access;
    let count = |camera: &str| access.count_frame(&camera.parse().unwrap()).is_ok();
    assert_eq!((0..20).filter(|_| count("gate")).count(), 5);
    assert!(count("yard"), "each has its own");
}

#[tokio::test]
async fn a_resource_tells_its_methods() {
    let router = router(app(&[]));
    for (path, allow) in [("/", "GET, HEAD, OPTIONS"), ("/inference", "POST, OPTIONS")] {
        for (method, status) in [("OPTIONS", 204), ("DELETE", 405), ("BREW", 405)] {
            let reply = ask(&router, Request::builder().method(method).uri(path), "").await;
            assert_eq!(reply.status, status, "{method} {path}");
            assert_eq!(reply.headers["allow"], allow, "{method} {path}");
        }
    }
    let reply = ask(&router, Request::options("*"), "").await;
    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn what_is_closed_is_refused_without_tokens_too() {
    let router = router(app(&[("MLVI_OPEN_RIGHTS", "none")]));
    for (method, path, right) in needs() {
        let reply = ask(&router, request(&method, path), Body::empty()).await;
        assert_eq!(reply.status == 403, right != "public", "{method} {path}");
    }
}

#[tokio::test]
async fn a_route_that_names_no_right_is_closed() {
    let guard = Guard::new(app(&[]).access.clone(), []);
    let router = Router::new()
        .route("/forgotten", axum::routing::get(|| async { "open" }))
        .layer(axum::middleware::from_fn_with_state(guard, super::guard));
    let reply = ask(&router, Request::get("/forgotten"), Body::empty()).await;
    assert_eq!((reply.status, reply.kind()), (500, "internal-error"));
}

#[tokio::test]
async fn every_answer_has_the_headers_that_browsers_need() {
    let router = router(app(&[]));
    for path in ["/", "/nowhere", "/jobs/x", "/openapi.json"] {
        let headers = ask(&router, Request::get(path), Body::empty()).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
    }
}

#[tokio::test]
async fn head_is_as_get_without_a_body() {
    let router = router(app(&[]));
    for (method, path, _) in needs() {
        if method != Method::GET {
            continue;
        }
        let get = ask(&router, request(&method, path), Body::empty()).await;
        let head = call(&router, request(&Method::HEAD, path).body(Body::empty()).unwrap()).await;
        assert_eq!(head.status().as_u16(), get.status, "{path}");
        let kind = "content-type";
        assert_eq!(head.headers().get(kind), get.headers.get(kind), "{path}");
        assert!(to_bytes(head.into_body(), 1).await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn tokens_are_read_again_and_a_broken_file_changes_nothing() {
    let known = Known::new();
    let app = known.app(&[("MLVI_FILES_RELOAD", "10ms")]);
    let watching = tokio::spawn(app.access.clone().watch_tokens(app.metrics.clone()));
    let may_read = |access: &Access, secret: &Secret| {
        let value = format!("Bearer {}", secret.reveal()).parse().unwrap();
        let headers = HeaderMap::from_iter([(axum::http::header::AUTHORIZATION, value)]);
        access.caller(&headers).is_ok_and(|caller| caller.may(Right::Read))
    };
    let (new, new_lines) = entry("new", "rights = ['read']");
    assert!(may_read(&app.access, &known.eye) && !may_read(&app.access, &new));
    let shown = unit::Metrics::default();
    app.metrics.register(&shown);
    let until = async |line: &str| {
        while !shown.encode().contains(line) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    std::fs::write(known.file(), "[[token]]\nname = 'x'").unwrap();
    until("mlvi_web_server_file_reloads_total{file=\"tokens\",outcome=\"refused\"}").await;
    assert!(may_read(&app.access, &known.eye), "the one before holds");
    std::fs::write(known.dir.path().join("next"), new_lines).unwrap();
    std::fs::rename(known.dir.path().join("next"), known.file()).unwrap();
    until("mlvi_web_server_file_reloads_total{file=\"tokens\",outcome=\"used\"}").await;
    assert!(!may_read(&app.access, &known.eye), "its line is gone");
    assert!(may_read(&app.access, &new));
    watching.abort();
}
