//! Where spans go and which, by OpenTelemetry's own variables.
//!
//! Names, values and defaults: *OpenTelemetry Environment Variable Specification* and *OTLP
//! Exporter Configuration*, both 1.49. One thing is different: without an endpoint nothing is
//! exported.

use super::post::Endpoint;
use super::sampler::Sampler;
use settings::Settings;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// Of a process: which pod it is in, on which node, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whereabouts<'a> {
    pub(crate) unit: &'a str,
    pub(crate) pod: Option<&'a str>,
    pub(crate) node: Option<&'a str>,
}

/// How a unit exports spans.
#[derive(Clone, Debug)]
pub struct TracesConfig {
    pub(super) endpoint: Endpoint,
    /// For each request.
    pub(super) timeout: Duration,
    pub(super) sampler: Sampler,
    /// Whose spans these are.
    pub(super) resource: Vec<(String, String)>,
    /// How many spans may wait.
    pub(super) max_queue: usize,
    /// How long a span waits for others to be sent with.
    pub(super) delay: Duration,
}

const SAMPLERS: [(&str, (bool, Option<f64>)); 6] = [
    ("parentbased_always_on", (true, Some(1.0))),
    ("parentbased_always_off", (true, Some(0.0))),
    ("parentbased_traceidratio", (true, None)),
    ("always_on", (false, Some(1.0))),
    ("always_off", (false, Some(0.0))),
    ("traceidratio", (false, None)),
];

/// What the variables say.
struct Variables {
    base: Option<String>,
    traces: Option<String>,
    headers: Option<String>,
    timeout: u64,
    parent_based: bool,
    /// The share of traces that the sampler takes, if its name says that.
    fixed: Option<f64>,
    ratio: f64,
    service: Option<String>,
    attributes: Option<String>,
    delay: u64,
    max_queue: usize,
    disabled: bool,
}

/// `true` in capitals or not, as the specification says.
struct Flag(bool);

impl FromStr for Flag {
    type Err = NoFlag;

    fn from_str(text: &str) -> Result<Self, NoFlag> {
        match text {
            _ if text.eq_ignore_ascii_case("true") => Ok(Self(true)),
            _ if text.eq_ignore_ascii_case("false") => Ok(Self(false)),
            _ => Err(NoFlag),
        }
    }
}

/// What a flag has to be.
#[derive(Debug, thiserror::Error)]
#[error("true or false")]
struct NoFlag;

impl Variables {
    fn read(settings: &mut Settings) -> Self {
        let base = settings.optional_text(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://HOST:PORT of an OpenTelemetry Collector that takes OTLP/HTTP, often on port \
             4318; traces are exported there, and not at all if unset",
        );
        let traces = settings.optional_text(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "the whole address for traces, where it is not OTEL_EXPORTER_OTLP_ENDPOINT with \
             /v1/traces behind it",
        );
        let headers = settings.optional_text(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "headers of the requests to the Collector, as name=value,name=value",
        );
        settings.choice(
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/protobuf",
            &[("http/protobuf", ())],
            "how the Collector is spoken to; it takes this on its port 4318",
        );
        let timeout = settings.number(
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            10_000,
            1..=600_000,
            "how long a request to the Collector may take, in milliseconds",
        );
        let (parent_based, fixed) = settings.choice(
            "OTEL_TRACES_SAMPLER",
            "parentbased_always_on",
            &SAMPLERS,
            "which traces are exported as they come; those of failed frames and missed deadlines \
             always are",
        );
        let ratio = settings.number(
            "OTEL_TRACES_SAMPLER_ARG",
            1.0,
            0.0..=1.0,
            "the share of traces that a sampler with traceidratio takes",
        );
        let service = settings.optional_text(
            "OTEL_SERVICE_NAME",
            "service.name of the spans; the unit's name if unset",
        );
        let attributes = settings.optional_text(
            "OTEL_RESOURCE_ATTRIBUTES",
            "further attributes of the spans' resource, as name=value,name=value",
        );
        let delay = settings.number(
            "OTEL_BSP_SCHEDULE_DELAY",
            5_000,
            10..=600_000,
            "how long a span waits for others to be sent with, in milliseconds",
        );
        let max_queue = settings.number(
            "OTEL_BSP_MAX_QUEUE_SIZE",
            2_048,
            1..=1_000_000,
            "how many spans may wait for the Collector; what is more is dropped and counted",
        );
        let Flag(disabled) = settings.parsed(
            "OTEL_SDK_DISABLED",
            "false",
            "one of: false, true",
            "true: no traces, whatever else is set",
        );
        Self {
            base,
            traces,
            headers,
            timeout,
            parent_based,
            fixed,
            ratio,
            service,
            attributes,
            delay,
            max_queue,
            disabled,
        }
    }

    /// Whether anything is exported. OpenTelemetry's variables may be meant for others.
    fn are_used(&self) -> bool {
        !self.disabled && (self.base.is_some() || self.traces.is_some())
    }
}

impl TracesConfig {
    /// Reads the variables that begin with `OTEL_`; `None` when nothing is exported, and then they
    /// may say whatever they like.
    pub(crate) fn from_settings(settings: &mut Settings, at: Whereabouts<'_>) -> Option<Self> {
        let variables = settings.if_used(Variables::read, Variables::are_used)?;
        let Variables { base, traces, headers, service, attributes, .. } = &variables;
        let endpoint = match (traces, base) {
            (Some(whole), _) => {
                let name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
                accepted(settings, name, shown(whole), || Endpoint::parse(whole))
            }
            (None, Some(base)) => {
                let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
                accepted(settings, name, shown(base), || Endpoint::parse_base(base))
            }
            (None, None) => None,
        };
        let attributes = attributes
            .as_ref()
            .and_then(|list| accepted(settings, "OTEL_RESOURCE_ATTRIBUTES", list, || pairs(list)));
        let attributes = attributes.unwrap_or_default();
        // a token in them is shown to nobody
        let headers = headers.as_ref().and_then(|list| {
            accepted(settings, "OTEL_EXPORTER_OTLP_HEADERS", NOT_SHOWN, || pairs(list))
        });
        let endpoint = endpoint.and_then(|endpoint| {
            accepted(settings, "OTEL_EXPORTER_OTLP_HEADERS", NOT_SHOWN, || {
                endpoint.with_headers(&headers.unwrap_or_default())
            })
        });
        let Variables { timeout, parent_based, fixed, ratio, delay, max_queue, .. } = variables;
        Some(Self {
            endpoint: endpoint?,
            timeout: Duration::from_millis(timeout),
            sampler: Sampler::of(parent_based, fixed.unwrap_or(ratio)),
            resource: resource(at, service.clone(), attributes),
            max_queue,
            delay: Duration::from_millis(delay),
        })
    }
}

/// What stands for a value that may be a secret.
const NOT_SHOWN: &str = "(not shown)";

/// An address as a message may show it: not one with a password, or with a query, which may be a
/// token.
fn shown(address: &str) -> &str {
    if address.contains(['@', '?']) { NOT_SHOWN } else { address }
}

/// What `parse` gives; `None`, and a problem with the value, when it cannot be read.
fn accepted<T, E: Display>(
    settings: &mut Settings,
    name: &'static str,
    value: &str,
    parse: impl FnOnce() -> Result<T, E>,
) -> Option<T> {
    parse().map_err(|problem| settings.refuse(name, value, problem.to_string())).ok()
}

/// What a list of pairs has to look like.
#[derive(Debug, thiserror::Error)]
#[error("name=value,name=value, with %XX for what is no plain character")]
struct NoPairs;

/// A list as in the W3C's *Baggage*: `name=value,name=value`, values in percent-encoding.
fn pairs(list: &str) -> Result<Vec<(String, String)>, NoPairs> {
    let members = list.split(',').map(str::trim).filter(|member| !member.is_empty());
    let pair = |member: &str| {
        let (name, value) = member.split_once('=').ok_or(NoPairs)?;
        let (name, value) = (name.trim(), decoded(value.trim()).ok_or(NoPairs)?);
        if name.is_empty() { Err(NoPairs) } else { Ok((name.to_owned(), value)) }
    };
    members.map(pair).collect()
}

/// Without percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let [first, rest @ ..] = left {
        left = rest;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, rest) = left.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.contains('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        left = rest;
    }
    String::from_utf8(bytes).ok()
}

/// By the semantic conventions for resources; what the user says wins.
fn resource(
    at: Whereabouts<'_>,
    service: Option<String>,
    given: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let instance = format!("{}-{}", at.pod.unwrap_or(at.unit), std::process::id());
    let own = [
        ("service.name", Some(at.unit)),
        ("service.namespace", Some("mlvi")),
        ("service.version", Some(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", Some(instance.as_str())),
        ("k8s.pod.name", at.pod),
        ("k8s.node.name", at.node),
        ("mlvi.unit", Some(at.unit)),
        ("telemetry.sdk.name", Some("mlvi")),
        ("telemetry.sdk.language", Some("rust")),
        ("telemetry.sdk.version", Some(env!("CARGO_PKG_VERSION"))),
    ];
    let mut all: Vec<(String, String)> = Vec::new();
    let own = own.into_iter().filter_map(|(name, value)| Some((name.into(), value?.to_owned())));
    let service = service.map(|service| ("service.name".to_owned(), service));
    for (name, value) in own.chain(given).chain(service) {
        match all.iter_mut().find(|(there, _)| *there == name) {
            Some(there) => there.1 = value,
            None => all.push((name, value)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Whereabouts<'_> = Whereabouts { unit: "unit", pod: Some("pod-1"), node: None };
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    fn read(pairs: &[(&str, &str)]) -> (Option<TracesConfig>, Settings) {
        let mut settings = Settings::from_pairs(pairs.iter().copied());
        (TracesConfig::from_settings(&mut settings, AT), settings)
    }

    #[test]
    fn nothing_is_exported_without_an_endpoint_or_when_it_is_disabled() {
        // set for other programs: an SDK that speaks gRPC, a Collector with TLS
        let foreign = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz"),
        ];
        let tls = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317");
        for own in [
            &[("OTEL_SERVICE_NAME", "x")][..],
            &[("OTEL_SDK_DISABLED", "perhaps")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "true")],
            &[tls, ("OTEL_SDK_DISABLED", "True")],
        ] {
            let (config, settings) = read(&[own, &foreign].concat());
            assert!(config.is_none(), "{config:?}");
            settings.finish().unwrap();
        }
    }

    #[test]
    fn endpoints_are_as_the_specification_says() {
        for (pairs, url) in [
            (&[ENDPOINT][..], "http://collector:4318/v1/traces"),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]/base")],
                "http://[::1]:80/base/v1/traces",
            ),
            (
                &[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:9/in")],
                "http://other:9/in",
            ),
        ] {
            let (config, settings) = read(pairs);
            settings.finish().unwrap();
            assert_eq!(config.unwrap().endpoint.to_string(), url);
        }
    }

    #[test]
    fn an_endpoints_query_is_sent_and_not_shown() {
        let address = "http://collector:4318/in?token=secret";
        let (config, settings) = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", address)]);
        settings.finish().unwrap();
        assert_eq!(config.unwrap().endpoint.to_string(), "http://collector:4318/in");
    }

    #[test]
    fn what_the_user_says_of_the_resource_wins() {
        let (config, _) = read(&[
            ENDPOINT,
            ("OTEL_SERVICE_NAME", "named"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x, site=Z%C3%BCrich%2C west,k8s.pod.name=p"),
        ]);
        let resource = config.unwrap().resource;
        let value = |wanted: &str| {
            let found = resource.iter().filter(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(value("service.name"), ["named"]);
        assert_eq!(value("site"), ["Zürich, west"]);
        assert_eq!(value("k8s.pod.name"), ["p"]);
        assert_eq!(value("mlvi.unit"), ["unit"]);
        assert_eq!(value("k8s.node.name"), [""; 0]);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_can() {
        let bad = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318", "http://"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "http://"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector", "http://"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector?token=secret", "http://"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "token", "name=value"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "name=value"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=%zz", "name=value"),
            ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5", "0 to 1"),
            ("OTEL_SDK_DISABLED", "perhaps", "false, true"),
        ];
        for (name, value, allowed) in bad {
            let (_, settings) = read(&[ENDPOINT, (name, value)]);
            let text = settings.finish().unwrap_err().to_string();
            assert!(text.contains(name) && text.contains(allowed), "{name}={value}: {text}");
            let is_secret = name.ends_with("HEADERS") || value.contains("secret");
            assert_eq!(text.contains(value), !is_secret, "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
