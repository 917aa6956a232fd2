//! Tokens, and HTTPS, from files that change while the server runs.

use crate::client::{get, post, talk};
use crate::suite::{Kafka, Server, jpeg};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use web_server::Secret;

fn write_token(file: &Path, lines: &str) -> String {
    let secret = Secret::fresh().unwrap();
    let hash = secret.hash().unwrap();
    std::fs::write(file, format!("[[token]]\nname = 'a'\nhash = '{hash}'\n{lines}")).unwrap();
    format!("Bearer {}", secret.reveal())
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_need_a_token_and_health_does_not() {
    let kafka = Kafka::start().await;
    let file = kafka.dir.path().join("tokens.toml");
    let token = write_token(&file, "rights = ['send']\ncameras = ['gate']");
    let settings = [("MLVI_TOKENS_FILE", file.to_str().unwrap()), ("MLVI_FILES_RELOAD", "10ms")];
    let server = Server::ready(kafka.address, &settings).await;
    post(server.http, "/inference", &[], jpeg()).await.expect_problem(401, "token-needed");
    let bearer = [("authorization", token.as_str())];
    let reply = post(server.http, "/cameras/gate/frames", &bearer, jpeg()).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    post(server.http, "/cameras/yard/frames", &bearer, jpeg())
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(get(server.admin, "/readyz").await.status, 200, "the admin port asks nobody");

    // the connection of a refused upload ends, and the client reads why
    let refused = talk(
        server.http,
        b"POST /inference HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n".to_vec(),
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");

    let other = write_token(&file, "rights = ['read']");
    let bearer = [("authorization", other.as_str())];
    while post(server.http, "/inference", &bearer, jpeg()).await.status != 403 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
    }

    /// Exchanges both files as a mounted Secret does: at once.
    fn write(&self, dir: &Path, name: &str) {
        let own = dir.join(name);
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("tls.crt"), &self.certificate).unwrap();
        std::fs::write(own.join("tls.key"), &self.key).unwrap();
        std::os::unix::fs::symlink(&own, dir.join("next")).unwrap();
        std::fs::rename(dir.join("next"), dir.join("now")).unwrap();
    }

    /// The status, for who trusts this certificate alone.
    async fn ask(&self, address: SocketAddr) -> Result<u16, ureq::Error> {
        let root = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).build();
        let agent = Agent::new_with_config(Agent::config_builder().tls_config(tls).build());
        let ask = move || agent.get(format!("https://{address}/session")).call();
        tokio::task::spawn_blocking(ask).await.unwrap().map(|reply| reply.status().as_u16())
    }
}

/// Settings with every file that is read again when it changes.
pub(crate) fn watched_files(dir: &Path) -> Vec<(&'static str, String)> {
    write_token(&dir.join("tokens.toml"), "rights = ['read']");
    Pair::new().write(dir, "pair");
    std::fs::write(dir.join("regions.toml"), "").unwrap();
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    vec![
        ("MLVI_REGIONS_FILE", path("regions.toml")),
        ("MLVI_REGIONS_RELOAD", "10ms".to_owned()),
        ("MLVI_TOKENS_FILE", path("tokens.toml")),
        ("MLVI_TLS_CERT", path("now/tls.crt")),
        ("MLVI_TLS_KEY", path("now/tls.key")),
        // what is planted fails when it is read the next time
        ("MLVI_FILES_RELOAD", "10ms".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn https_goes_on_with_a_new_certificate() {
    let kafka = Kafka::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Pair::new(), Pair::new());
    old.write(dir.path(), "old");
    let path = |name: &str| dir.path().join("now").join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let settings = [
        ("MLVI_TLS_CERT", certificate.as_str()),
        ("MLVI_TLS_KEY", key.as_str()),
        ("MLVI_FILES_RELOAD", "10ms"),
    ];
    let server = Server::ready(kafka.address, &settings).await;
    assert_eq!(old.ask(server.http).await.unwrap(), 200);
    assert_eq!(get(server.http, "/session").await.status, 400, "plain HTTP");

    std::fs::write(dir.path().join("old").join("tls.key"), "broken").unwrap();
    let refused = "mlvi_web_server_file_reloads_total{file=\"certificate\",outcome=\"refused\"}";
    server.until_metric_appears(refused).await;
    assert_eq!(old.ask(server.http).await.unwrap(), 200);
    new.write(dir.path(), "new");
    let used = "mlvi_web_server_file_reloads_total{file=\"certificate\",outcome=\"used\"}";
    server.until_metric_appears(used).await;
    assert!(old.ask(server.http).await.is_err());
    assert_eq!(new.ask(server.http).await.unwrap(), 200);
    server.stop().await;
}
