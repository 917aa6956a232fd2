//! An authority, and the broker's certificate that it signs.

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: Duration = Duration::from_secs(86_400);

/// PEM texts.
pub(super) struct Certificates {
    /// The authority's certificate: what clients trust. Its key exists only while this runs, so
    /// that nobody can sign another one.
    pub(super) authority: String,
    /// The broker's.
    pub(super) certificate: String,
    /// The broker's key, PKCS#8, which is what Kafka reads.
    pub(super) key: String,
}

pub(super) fn make(
    namespace: &str,
    brokers: u32,
    hosts: &[String],
    valid_days: u32,
) -> anyhow::Result<Certificates> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let valid = |mut params: CertificateParams, name: &str| {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        // clocks of small boards are not always right
        params.not_before = epoch + now.saturating_sub(DAY);
        params.not_after = epoch + now + DAY * valid_days;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut params = valid(CertificateParams::new(Vec::new())?, "MLVI broker authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority = params.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(params, authority_key);

    let names = names(namespace, brokers, hosts);
    let mut params =
        valid(CertificateParams::new(names).context("a name in the certificate")?, "edge-broker");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?.pem();
    Ok(Certificates { authority, certificate, key: key.serialize_pem() })
}

/// Under which names and addresses clients reach the broker: by the Service of all nodes, by that
/// of each, and as a node of the headless Service.
pub(super) fn names(namespace: &str, brokers: u32, hosts: &[String]) -> Vec<String> {
    let services = ["edge-broker".to_owned(), "*.edge-broker-nodes".to_owned()];
    let services =
        services.into_iter().chain((0..brokers).map(|node| format!("edge-broker-{node}")));
    let forms = |service: String| {
        let inside = format!("{service}.{namespace}.svc");
        [
            service.clone(),
            format!("{service}.{namespace}"),
            inside.clone(),
            format!("{inside}.cluster.local"),
        ]
    };
    let mut names: Vec<String> =
        services.flat_map(forms).chain(["localhost", "127.0.0.1"].map(str::to_owned)).collect();
    for host in hosts {
        if !names.contains(host) {
            names.push(host.clone());
        }
    }
    names
}
