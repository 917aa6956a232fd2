//! A broker that is there and does not let us in: what its words mean, and what to do.

use crate::config::security::Security;
use rdkafka::error::RDKafkaErrorCode;

/// A listener that wants a login hangs up at the first question, not later.
const SOON_MS: u64 = 2000;

/// The client says the same in several ways, which must not make several lines.
const NO_TLS: &str = "does not answer in TLS: set MLVI_KAFKA_SECURITY to plaintext or \
                      sasl_plaintext, or use another port; or it wants \
                      MLVI_KAFKA_CERTIFICATE_FILE and MLVI_KAFKA_KEY_FILE";

/// Why the broker's listener and this client do not come together. Only a person can mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Which listener, what is wrong and what to do.
    pub(crate) text: String,
    /// `false` when a broker that is just being stopped would look the same for a moment.
    pub(crate) certain: bool,
}

impl Rejection {
    /// What a client's error about a connection means; `None` when it is transient.
    pub(crate) fn of(security: &Security, code: RDKafkaErrorCode, reason: &str) -> Option<Self> {
        let Reason { listener, words, state, reached_ms } = Reason::read(reason);
        let (protocol, who) = (security.protocol(), security.who());
        let rejection = |certain, text: String| {
            Some(Self { certain, text: format!("the listener {listener} ({protocol}) {text}") })
        };
        let has = |hint: &str| words.contains(hint);
        let no_mechanism = has("mechanism handshake failed");
        match code {
            RDKafkaErrorCode::Authentication
                if no_mechanism && has("Unsupported SASL mechanism") =>
            {
                let offered = words.rsplit("supported mechanisms: ").next().unwrap_or_default();
                let wanted = security.login.as_ref().map_or("", |login| login.mechanism.name());
                rejection(
                    true,
                    format!(
                        "does not take {wanted}: set MLVI_KAFKA_SASL_MECHANISM to what it offers: \
                         {offered}"
                    ),
                )
            }
            RDKafkaErrorCode::Authentication if no_mechanism || has("not supported by broker") => {
                rejection(
                    true,
                    format!(
                        "takes no login ({words}): set MLVI_KAFKA_SECURITY to plaintext or ssl, or \
                         use another port"
                    ),
                )
            }
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
                rejection(
                    true,
                    format!(
                        "refuses the login of {who} ({words}): mend MLVI_KAFKA_USERNAME and \
                         MLVI_KAFKA_PASSWORD_FILE or MLVI_KAFKA_PASSWORD and restart, or the user \
                         at the broker"
                    ),
                )
            }
            RDKafkaErrorCode::SSL
                if has("certificate verify failed") || has("verify broker certificate") =>
            {
                rejection(true, Self::of_certificate(security, listener))
            }
            RDKafkaErrorCode::SSL
                if ["wrong version number", "unexpected message", "packet length"]
                    .into_iter()
                    .any(has) =>
            {
                rejection(true, NO_TLS.into())
            }
            RDKafkaErrorCode::SSL => rejection(
                true,
                format!(
                    "ends the TLS handshake ({words}): it may want MLVI_KAFKA_CERTIFICATE_FILE and \
                     MLVI_KAFKA_KEY_FILE"
                ),
            ),
            _ if !has("Disconnected") => None,
            _ if state == "SSL_HANDSHAKE" => rejection(false, NO_TLS.into()),
            _ if state == "APIVERSION_QUERY" && security.tls.is_none() => rejection(
                false,
                "hangs up at the first word, as one that speaks TLS does: set MLVI_KAFKA_SECURITY \
                 to ssl or sasl_ssl, or use another port"
                    .into(),
            ),
            _ if state == "UP" && reached_ms < SOON_MS && security.login.is_none() => rejection(
                false,
                "hangs up at the first question, as one that wants a login does: set \
                 MLVI_KAFKA_SECURITY to sasl_plaintext or sasl_ssl, with MLVI_KAFKA_USERNAME and \
                 MLVI_KAFKA_PASSWORD_FILE"
                    .into(),
            ),
            _ => None,
        }
    }

    fn of_certificate(security: &Security, listener: &str) -> String {
        let host = listener.rsplit_once(':').map_or(listener, |(host, _)| host);
        let ca_file = security.tls.as_ref().and_then(|tls| tls.ca_file.as_ref());
        let authority = match ca_file {
            Some(file) => format!("MLVI_KAFKA_CA_FILE={}", file.display()),
            None => "the system's authorities, since MLVI_KAFKA_CA_FILE is unset".to_owned(),
        };
        format!(
            "shows a certificate that is not trusted: it must be valid now, signed by {authority}, \
             and made for the name '{host}'"
        )
    }
}

/// A client says `protocol://HOST:PORT/ID: words (after 3ms in state UP)`, without the protocol
/// when that is plaintext.
struct Reason<'a> {
    listener: &'a str,
    words: &'a str,
    /// How far the connection had come.
    state: &'a str,
    /// How long before the end it had come so far.
    reached_ms: u64,
}

impl<'a> Reason<'a> {
    fn read(reason: &'a str) -> Self {
        let (lasting, passing) = reason.rsplit_once(" (after ").unwrap_or((reason, ""));
        let (ms, state) = passing.split_once("ms in state ").unwrap_or_default();
        let state = state.trim_end_matches(')').split(',').next().unwrap_or_default();
        let rest = lasting.split_once("://").map_or(lasting, |(_, rest)| rest);
        let (place, words) = rest.split_once(": ").unwrap_or((rest, ""));
        let place = place.split('/').next().unwrap_or(place);
        // the coordinator of a group has a name; its address follows
        let (listener, words) = if place.contains(':') {
            (place, words)
        } else {
            words.split_once(": ").unwrap_or((place, words))
        };
        Self { listener, words, state, reached_ms: ms.parse().unwrap_or(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::security::{Login, Mechanism, Password, Tls};

    fn security() -> Security {
        let login = Login {
            mechanism: Mechanism::ScramSha512,
            username: "cloud".into(),
            password: Password::new("x"),
        };
        Security { tls: Some(Tls::default()), login: Some(login) }
    }

    #[test]
    fn a_refusal_names_the_listener_and_what_to_do() {
        let at = "sasl_ssl://broker.site:9094/bootstrap: ";
        for (code, words, certain, parts) in [
            (
                RDKafkaErrorCode::Authentication,
                "SASL authentication error: invalid credentials (after 3ms in state AUTH_REQ)",
                true,
                ["user 'cloud'", "MLVI_KAFKA_PASSWORD_FILE"],
            ),
            (
                RDKafkaErrorCode::Authentication,
                "SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL \
                 mechanism: broker's supported mechanisms: PLAIN",
                true,
                ["MLVI_KAFKA_SASL_MECHANISM", "offers: PLAIN"],
            ),
            (
                RDKafkaErrorCode::SSL,
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                 broker certificate",
                true,
                ["MLVI_KAFKA_CA_FILE is unset", "'broker.site'"],
            ),
            (
                RDKafkaErrorCode::BrokerTransportFailure,
                "Disconnected: SSL connection closed by peer (after 0ms in state SSL_HANDSHAKE, 1 \
                 identical error(s) suppressed)",
                false,
                ["does not answer in TLS", "MLVI_KAFKA_SECURITY"],
            ),
        ] {
            let refusal = Rejection::of(&security(), code, &format!("{at}{words}")).unwrap();
            assert!(
                refusal.text.contains("broker.site:9094 (sasl_ssl)") && refusal.certain == certain,
                "{refusal:?}"
            );
            assert!(
                parts.iter().all(|part| refusal.text.contains(part))
                    && !refusal.text.contains("(after"),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn one_that_hangs_up_early_may_speak_something_else() {
        let of = |reason: &str| {
            Rejection::of(&Security::default(), RDKafkaErrorCode::BrokerTransportFailure, reason)
        };
        let closed = "Disconnected: connection closed by peer";
        let tls =
            of(&format!("a:1/bootstrap: {closed} (after 0ms in state APIVERSION_QUERY)")).unwrap();
        assert!(
            tls.text.contains("a:1 (plaintext)")
                && tls.text.contains("ssl or sasl_ssl")
                && !tls.certain,
            "{tls:?}"
        );
        let login =
            of("a:1/1: Disconnected: connection closed by peer (after 12ms in state UP)").unwrap();
        assert!(login.text.contains("wants a login"), "{login:?}");
        assert_eq!(
            of("a:1/1: Disconnected: connection closed by peer (after 90000ms in state UP)"),
            None
        );
    }

    #[test]
    fn a_transient_error_is_no_rejection() {
        let reason = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection \
                      refused (after 0ms in state CONNECT)";
        assert_eq!(
            Rejection::of(&security(), RDKafkaErrorCode::BrokerTransportFailure, reason),
            None
        );
    }

    #[test]
    fn a_coordinator_is_named_by_its_address() {
        let reason = "sasl_ssl://GroupCoordinator: 127.0.0.1:9094: SASL authentication error: no \
                      (after 1ms in state AUTH_REQ)";
        let Reason { listener, words, state, reached_ms } = Reason::read(reason);
        assert_eq!(
            (listener, words, state, reached_ms),
            ("127.0.0.1:9094", "SASL authentication error: no", "AUTH_REQ", 1)
        );
        assert_eq!(Reason::read("[::1]:1/bootstrap: Disconnected: why").listener, "[::1]:1");
    }
}
