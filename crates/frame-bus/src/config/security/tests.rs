//! Combinations of settings.

use super::*;
use settings::{ConfigError, Settings};
use std::path::Path;
use tempfile::TempDir;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
const SECRET: &str = "not-for-any-eyes";

fn read(pairs: &[(&str, &str)]) -> Result<Security, ConfigError> {
    let mut settings = Settings::from_pairs(pairs.iter().copied());
    let security = Security::from_settings(&mut settings);
    settings.finish().map(|()| security)
}

fn file(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn property(security: &Security, name: &str) -> Option<String> {
    let mut properties = ClientConfig::new();
    security.apply(&mut properties);
    properties.get(name).map(str::to_owned)
}

#[test]
fn nothing_set_is_plaintext() {
    let security = read(&[]).unwrap();
    assert_eq!(security, Security::default());
    assert_eq!(property(&security, "security.protocol").as_deref(), Some("plaintext"));
    assert_eq!(property(&security, "sasl.username"), None);
}

#[test]
fn a_login_over_tls_sets_every_property() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, certificate, key) = (
        file(&dir, "ca.pem", CERTIFICATE),
        file(&dir, "tls.crt", CERTIFICATE),
        file(&dir, "tls.key", KEY),
    );
    let security = read(&[
        ("MLVI_KAFKA_SECURITY", "sasl_ssl"),
        ("MLVI_KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"),
        ("MLVI_KAFKA_USERNAME", "cloud"),
        ("MLVI_KAFKA_PASSWORD", SECRET),
        ("MLVI_KAFKA_CA_FILE", &ca),
        ("MLVI_KAFKA_CERTIFICATE_FILE", &certificate),
        ("MLVI_KAFKA_KEY_FILE", &key),
    ])
    .unwrap();
    for (name, value) in [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanisms", "SCRAM-SHA-256"),
        ("sasl.username", "cloud"),
        ("sasl.password", SECRET),
        ("ssl.ca.location", ca.as_str()),
        ("ssl.certificate.location", certificate.as_str()),
        ("ssl.key.location", key.as_str()),
        ("enable.ssl.certificate.verification", "true"),
        ("ssl.endpoint.identification.algorithm", "https"),
    ] {
        assert_eq!(property(&security, name).as_deref(), Some(value), "{name}");
    }
    assert!(!format!("{security:?}").contains(SECRET), "{security:?}");
}

#[test]
fn a_password_file_wins_and_its_line_break_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    for (text, password) in [
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("\u{feff}secret\n", "secret"),
        ("sec ret", "sec ret"),
    ] {
        let path = file(&dir, "password", text);
        let security = read(&[
            ("MLVI_KAFKA_SECURITY", "sasl_plaintext"),
            ("MLVI_KAFKA_USERNAME", "site"),
            ("MLVI_KAFKA_PASSWORD", "another"),
            ("MLVI_KAFKA_PASSWORD_FILE", &path),
        ])
        .unwrap();
        assert_eq!(property(&security, "sasl.password").as_deref(), Some(password), "{text:?}");
    }
}

#[test]
fn files_for_tls_are_not_read_without_tls() {
    let pairs = [
        ("MLVI_KAFKA_CA_FILE", "/nonexistent/ca.crt"),
        ("MLVI_KAFKA_PASSWORD_FILE", "/nonexistent/password"),
    ];
    assert_eq!(read(&pairs).unwrap(), Security::default());
}

/// Variables and their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

#[test]
fn bad_combinations_are_named_with_what_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let (empty, pem) = (file(&dir, "empty", "\n"), file(&dir, "ca.pem", CERTIFICATE));
    let locked = file(
        &dir,
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let sasl = [("MLVI_KAFKA_SECURITY", "sasl_plaintext"), ("MLVI_KAFKA_USERNAME", "site")];
    let tls = [("MLVI_KAFKA_SECURITY", "ssl")];
    let missing = Path::new("/nonexistent/file").display().to_string();
    let cases: [(Pairs, Pairs, &str, &str); 13] = [
        (
            &[],
            &[("MLVI_KAFKA_SECURITY", "tls")],
            "MLVI_KAFKA_SECURITY",
            "plaintext, ssl, sasl_plaintext, sasl_ssl",
        ),
        (
            &sasl,
            &[("MLVI_KAFKA_SASL_MECHANISM", "GSSAPI"), ("MLVI_KAFKA_PASSWORD", SECRET)],
            "MLVI_KAFKA_SASL_MECHANISM",
            "SCRAM-SHA-512, SCRAM-SHA-256, PLAIN",
        ),
        (&sasl, &[], "MLVI_KAFKA_PASSWORD", "MLVI_KAFKA_PASSWORD_FILE"),
        (
            &sasl,
            &[("MLVI_KAFKA_USERNAME", ""), ("MLVI_KAFKA_PASSWORD", SECRET)],
            "MLVI_KAFKA_USERNAME",
            "a user's name",
        ),
        (
            &sasl,
            &[("MLVI_KAFKA_PASSWORD_FILE", &missing)],
            "MLVI_KAFKA_PASSWORD_FILE",
            "No such file",
        ),
        (&sasl, &[("MLVI_KAFKA_PASSWORD_FILE", &empty)], "MLVI_KAFKA_PASSWORD_FILE", "empty"),
        (
            &[],
            &[("MLVI_KAFKA_USERNAME", "site")],
            "MLVI_KAFKA_USERNAME",
            "sasl_plaintext or sasl_ssl",
        ),
        (&tls, &[("MLVI_KAFKA_PASSWORD", SECRET)], "MLVI_KAFKA_PASSWORD", "unset while"),
        (&tls, &[("MLVI_KAFKA_CA_FILE", &missing)], "MLVI_KAFKA_CA_FILE", "No such file"),
        (&tls, &[("MLVI_KAFKA_CA_FILE", &empty)], "MLVI_KAFKA_CA_FILE", "BEGIN CERTIFICATE"),
        (
            &tls,
            &[("MLVI_KAFKA_CERTIFICATE_FILE", &pem)],
            "MLVI_KAFKA_KEY_FILE",
            "MLVI_KAFKA_CERTIFICATE_FILE",
        ),
        (
            &tls,
            &[("MLVI_KAFKA_KEY_FILE", &pem)],
            "MLVI_KAFKA_CERTIFICATE_FILE",
            "MLVI_KAFKA_KEY_FILE",
        ),
        (
            &tls,
            &[("MLVI_KAFKA_CERTIFICATE_FILE", &pem), ("MLVI_KAFKA_KEY_FILE", &locked)],
            "MLVI_KAFKA_KEY_FILE",
            "not encrypted",
        ),
    ];
    for (base, more, name, allowed) in cases {
        let pairs: Vec<(&str, &str)> = base
            .iter()
            .filter(|(known, _)| more.iter().all(|(name, _)| name != known))
            .chain(more)
            .copied()
            .collect();
        let text = read(&pairs).expect_err(&format!("{pairs:?}")).to_string();
        assert!(
            text.starts_with(&format!("{name}='")) && text.contains(allowed),
            "{pairs:?}: {text}"
        );
        assert!(!text.contains(SECRET) && text.lines().count() == 1, "{pairs:?}: {text}");
    }
}

#[test]
fn a_clients_complaint_names_our_variables() {
    assert_eq!(in_our_words("ssl.ca.location failed: bad"), "MLVI_KAFKA_CA_FILE failed: bad");
}
