//! `GET /openapi.json`: the description of this API for programs.

use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use flate2::read::GzDecoder;
use std::io::Read as _;
use std::sync::LazyLock;

/// OpenAPI 3.1, written by hand, as the build script has compressed it.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));

/// Unpacked by whoever asks first, in less than half a millisecond.
static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| {
    let mut plain = Vec::new();
    GzDecoder::new(PACKED).read_to_end(&mut plain).expect("the build script has written it");
    plain.into()
});

pub(super) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Right;
    use crate::jobs::{Finished, samples};
    use crate::moment::Hint;
    use crate::problem::RequestError;
    use crate::routes::cameras::Cameras;
    use crate::routes::jobs::Ticket;
    use crate::routes::{contracts, index, policy, regions, router, routes};
    use crate::stats::{Backlog, Breaker, Stats};
    use crate::streams::sample_summary;
    use crate::testing::{app, call};
    use axum::body::{Body, to_bytes};
    use axum::http::{Method, Request, StatusCode};
    use frame::{FrameId, PerTier, Problem, Status, Timestamp};
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn description() -> Value {
        serde_json::from_slice(&DESCRIPTION).unwrap()
    }

    fn described(path: &str) -> BTreeSet<String> {
        let methods = description()["paths"][path].as_object().cloned().unwrap_or_default();
        methods.keys().map(|method| method.to_uppercase()).collect()
    }

    #[tokio::test]
    async fn routes_and_description_are_the_same() {
        let description = description();
        let described_paths: BTreeSet<&str> =
            description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let paths: BTreeSet<&str> = routes().into_iter().map(|route| route.path).collect();
        assert_eq!(described_paths, paths);

        let router = router(app(&[]));
        for path in paths {
            let uri =
                path.replace("{camera}", "gate").replace("{id}", &FrameId::fresh().to_string());
            let uri = uri.replace("{version}", "1").replace("{file}", "app.js");
            let mut answered = BTreeSet::new();
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let request = Request::builder()
                    .method(method.clone())
                    .uri(&uri)
                    .body(Body::empty())
                    .unwrap();
                let response = call(&router, request).await;
                if response.status() != StatusCode::METHOD_NOT_ALLOWED {
                    answered.insert(method.to_string());
                }
            }
            assert_eq!(answered, described(path), "{path}");
        }
    }

    #[test]
    fn a_query_takes_what_is_described_alone() {
        let description = description();
        let mut strict = 0;
        for route in routes() {
            for need in route.needs {
                let method = need.method.as_str().to_lowercase();
                let operation = &description["paths"][route.path][&method];
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let described: BTreeSet<&str> = parameters
                    .map(|parameter| match parameter["$ref"].as_str() {
                        Some(at) => description.pointer(at.trim_start_matches('#')).unwrap(),
                        None => parameter,
                    })
                    .filter(|parameter| parameter["in"] == "query")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                let known = need.query.unwrap_or_default().iter().copied().collect();
                assert_eq!(described, known, "{method} {}", route.path);
                if need.query.is_some() {
                    strict += 1;
                    assert!(operation["responses"]["400"].is_object(), "{method} {}", route.path);
                }
            }
        }
        assert!(strict >= 15, "{strict}");
    }

    #[tokio::test]
    async fn what_is_not_described_is_a_problem_document() {
        let router = router(app(&[]));
        for (method, path, status, kind) in [
            (Method::GET, "/nowhere", 404, "unknown-route"),
            (Method::GET, "/inference", 405, "wrong-method"),
            (Method::DELETE, "/jobs/1", 405, "wrong-method"),
            (Method::GET, "/jobs/1", 404, "unknown-job"),
            (Method::GET, "/jobs/%FF", 400, "invalid-parameter"),
            (Method::POST, "/cameras/%FF/frames", 400, "invalid-parameter"),
            (Method::POST, "/cameras/a%20b/frames", 400, "invalid-parameter"),
            (Method::GET, "/results?camera=%FF", 400, "invalid-parameter"),
            (Method::GET, "/results?camra=gate", 400, "unknown-parameter"),
            (Method::POST, "/inference?wiat=5s", 400, "unknown-parameter"),
            (Method::POST, "/cameras/gate/frames?camera=yard", 400, "unknown-parameter"),
            (Method::GET, "/jobs/1/frame?width=640", 400, "unknown-parameter"),
            (Method::GET, "/policy?by=me", 400, "unknown-parameter"),
            (Method::GET, "/jobs/1?_=1764335000", 404, "unknown-job"),
        ] {
            let request = Request::builder().method(&method).uri(path).body(Body::empty()).unwrap();
            let response = call(&router, request).await;
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            assert_eq!(response.headers().contains_key("allow"), status == 405, "{method} {path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let body = to_bytes(response.into_body(), 10_000).await.unwrap();
            let problem: Problem = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem.kind, format!("/problems/{kind}"), "{method} {path}");
        }
    }

    #[tokio::test]
    async fn samples_are_as_described() {
        let done = samples::done("gate", 1);
        let failed = samples::failed(Problem::undecodable("the JPEG breaks off"));
        let in_words =
            |result| serde_json::from_str::<Value>(&Finished::new(result, None).json).unwrap();
        let id = FrameId::fresh();
        let provisional = samples::provisional_for(id, "gate", 3);
        check(
            "FrameResult",
            &in_words(&done),
            Complete::But(&["error", "overtaken_by", "same_as"]),
        );
        check(
            "FrameResult",
            &in_words(&provisional),
            Complete::But(&["error", "overtaken_by", "same_as"]),
        );
        check("FrameResult", &in_words(&failed), Complete::But(&["overtaken_by", "same_as"]));
        check(
            "FrameResult",
            &in_words(&samples::skipped(id)),
            Complete::But(&["error", "model", "overtaken_by"]),
        );
        let camera = "gate".parse().unwrap();
        let provisional = Finished::new(&provisional, None);
        check(
            "Ticket",
            &json!(Ticket::new(id, Some((&camera, 3)), Some(&provisional))),
            Complete::Yes,
        );
        check(
            "Ticket",
            &json!(Ticket::new(id, Some((&camera, 3)), None)),
            Complete::But(&["provisional"]),
        );
        check(
            "Ticket",
            &json!(Ticket::new(id, None, None)),
            Complete::But(&["camera", "provisional", "sequence"]),
        );
        let session = json!({
            "login": true, "by": "cookie", "rights": ["send"], "name": "gate",
            "cameras": ["gate-*"], "expires": "2027-01-01T00:00:00Z",
        });
        check("Session", &session, Complete::Yes);
        let policy = policy::tests::full().await;
        check("Contracts", &contracts::tests::full(), Complete::Yes);
        check("Contract", &contracts::tests::full()["contracts"][0], Complete::Yes);
        check("Policy", &policy, Complete::Yes);
        check("PolicyRecord", &policy["record"], Complete::But(&["effective", "problem"]));
        check("PreprocessorPolicy", &policy["preprocessors"][0], Complete::Yes);
        let regions = regions::tests::full().await;
        let all = regions::tests::full_list().await;
        check("AllRegions", &all, Complete::Yes);
        check("RegionsSummary", &all["cameras"][0], Complete::But(&["problem"]));
        check("CameraRegions", &regions, Complete::But(&["problem"]));
        check("Mask", &regions["masks"][0], Complete::Yes);
        check("Zone", &regions["zones"][0], Complete::Yes);
        let app = app(&[]);
        app.store.finish(Finished::new(&done, None), frame::Timestamp::now());
        check("Cameras", &json!(Cameras::of(&app)), Complete::Yes);
        check("Camera", &json!(Cameras::of(&app))["cameras"][0], Complete::Yes);
        check("Index", &index::list(), Complete::Yes);
        let stats = Stats::new();
        stats.count(&done, Status::Done, Timestamp::now());
        stats.breakers(PerTier { edge: Some(Breaker::Closed), cloud: Some(Breaker::Open) });
        stats.waits(Some(Backlog { frames: 1, edge: 2, cloud: 3 }));
        let stats: Value = serde_json::from_str(&stats.since(0).to_json()).unwrap();
        check("Stats", &stats, Complete::Yes);
        check("StreamSummary", &json!(sample_summary()), Complete::Yes);
        for refusal in [
            RequestError::NoToken(Right::Read),
            RequestError::OtherCamera("yard".parse().unwrap()),
            RequestError::EmptyBody,
            RequestError::TooLarge,
            RequestError::Parameter {
                name: "wait",
                value: "x".into(),
                allowed: "y".into(),
                hint: Hint::default(),
            },
            RequestError::UnknownParameter { name: "x".into(), known: &["wait"] },
            RequestError::Result(Arc::new(Finished::new(&failed, None))),
            RequestError::Policy {
                problem: "no".into(),
                line: Some(3),
                key: Some("ratio.cloud_share".into()),
            },
        ] {
            let response = axum::response::IntoResponse::into_response(refusal);
            let body = to_bytes(response.into_body(), 100_000).await.unwrap();
            check("Problem", &serde_json::from_slice(&body).unwrap(), Complete::No);
        }
    }

    /// Whether a sample has every member that its schema describes.
    enum Complete<'a> {
        Yes,
        No,
        But(&'a [&'a str]),
    }

    fn check(schema: &str, sample: &Value, complete: Complete<'_>) {
        let description = description();
        let top = &description["components"]["schemas"][schema];
        compare(&description, top, sample, schema);
        let described = top["properties"].as_object().unwrap().keys().map(String::as_str);
        let missing: Vec<&str> = described.filter(|name| sample.get(name).is_none()).collect();
        match complete {
            Complete::No => {}
            Complete::Yes => assert!(missing.is_empty(), "{schema}: the sample lacks {missing:?}"),
            Complete::But(expected) => assert_eq!(missing, expected, "{schema}"),
        }
    }

    /// As much of JSON Schema as the description uses.
    fn compare(description: &Value, schema: &Value, sample: &Value, at: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = description
                .pointer(reference.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("{at}: {reference}"));
            return compare(description, target, sample, at);
        }
        let fits = match schema["type"].as_str().unwrap_or_else(|| panic!("{at} has no type")) {
            "object" => sample.is_object(),
            "array" => sample.is_array(),
            "string" => sample.is_string(),
            "boolean" => sample.is_boolean(),
            "number" => sample.is_number(),
            "integer" => sample.is_u64() || sample.is_i64(),
            other => panic!("{at}: unknown type {other}"),
        };
        assert!(fits, "{at}: {sample} is no {}", schema["type"]);
        if let Some(allowed) = schema["enum"].as_array() {
            assert!(allowed.contains(sample), "{at}: {sample} is none of {allowed:?}");
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(sample.get(name.as_str().unwrap()).is_some(), "{at} lacks {name}");
        }
        for (name, value) in sample.as_object().into_iter().flatten() {
            let described =
                schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            compare(
                description,
                described.unwrap_or_else(|| panic!("{at}.{name} is not described")),
                value,
                &format!("{at}.{name}"),
            );
        }
        for value in sample.as_array().into_iter().flatten() {
            compare(description, &schema["items"], value, &format!("{at}[]"));
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(root: &Value, value: &Value, found: &mut usize) {
            match value {
                Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                        assert!(
                            root.pointer(reference.trim_start_matches('#')).is_some(),
                            "{reference}"
                        );
                        *found += 1;
                    }
                    members.values().for_each(|member| walk(root, member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(root, item, found)),
                _ => {}
            }
        }
        let (root, mut found) = (description(), 0);
        walk(&root, &root, &mut found);
        assert!(found > 50, "{found}");
    }
}
