//! The certificate that `mlvi up --tls` makes: it vouches for nobody but itself, so browsers warn
//! until the person before them has compared its fingerprint.

use anyhow::Context;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: Duration = Duration::from_secs(86_400);
/// Browsers refuse those that are valid for longer than 398 days.
const VALID: Duration = Duration::from_secs(397 * 86_400);
/// It is made anew when it is older than this.
const RENEWED: Duration = Duration::from_secs(360 * 86_400);

/// Files of a certificate and its key.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    fn of(dir: &Path) -> Self {
        Self { certificate: dir.join("certificate.pem"), key: dir.join("key.pem") }
    }

    fn are_fresh(&self) -> bool {
        let age = |path: &Path| path.metadata().ok()?.modified().ok()?.elapsed().ok();
        let fresh = |path: &Path| age(path).is_some_and(|age| age < RENEWED);
        fresh(&self.certificate) && fresh(&self.key)
    }
}

/// The files in the folder of the data, or in the one beside it where releases before 0.2 made
/// them, as long as these hold.
pub(crate) fn ensure_beside(data_dir: &Path, host: IpAddr) -> anyhow::Result<Files> {
    let own = data_dir.join("tls");
    let older = Files::of(&data_dir.with_file_name("tls"));
    if !own.exists() && older.are_fresh() {
        return Ok(older);
    }
    ensure(&own, host)
}

/// The files in `dir`, made if they are not there or too old, so that a browser has to be told once
/// only. `host`: an address by which others come, if it is one.
pub(crate) fn ensure(dir: &Path, host: IpAddr) -> anyhow::Result<Files> {
    let files = Files::of(dir);
    if !files.are_fresh() {
        make(dir, &files, host).with_context(|| format!("a certificate in {}", dir.display()))?;
    }
    Ok(files)
}

fn make(dir: &Path, files: &Files, host: IpAddr) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !host.is_unspecified() && !host.is_loopback() {
        names.push(host.to_string());
    }
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_name = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-');
    let machine = machine.trim();
    if !machine.is_empty() && machine.bytes().all(is_name) {
        names.push(machine.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    // clocks of small boards are not always right
    params.not_before = epoch + now.saturating_sub(DAY);
    params.not_after = epoch + now + VALID - DAY;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "mlvi up");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    write(&files.key, &key.serialize_pem())?;
    write(&files.certificate, &certificate.pem())?;
    Ok(())
}

/// By way of a new file, so that the modes of an old one do not stay.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

/// As browsers show it: SHA-256 of the certificate, pairs of digits with colons.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use unit::http::Tls;

    #[test]
    fn a_certificate_is_made_once_and_again_when_half_of_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("tls");
        let host = IpAddr::from([192, 168, 1, 7]);
        let der = || {
            let files = ensure(&dir, host).unwrap();
            let read = |path: &Path| std::fs::read(path).unwrap();
            Tls::from_pem(&read(&files.certificate), &read(&files.key)).unwrap().certificate()
        };
        let first = der();
        assert_eq!(der(), first);
        assert_eq!(fingerprint(&first).len(), 32 * 3 - 1);
        let mode = dir.join("key.pem").metadata().unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
        std::fs::remove_file(dir.join("key.pem")).unwrap();
        assert_ne!(der(), first);
    }

    #[test]
    fn a_key_is_made_in_the_folder_of_the_data_and_an_older_one_beside_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (host, data) = (IpAddr::from([127, 0, 0, 1]), dir.path().join("data"));
        let files = ensure_beside(&data, host).unwrap();
        assert_eq!(files.key, data.join("tls/key.pem"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing beside it");
        let mode = files.key.metadata().unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);

        let dir = tempfile::tempdir().unwrap();
        let (data, older) = (dir.path().join("data"), dir.path().join("tls"));
        ensure(&older, host).unwrap();
        let files = ensure_beside(&data, host).unwrap();
        assert_eq!(files.key, older.join("key.pem"));
        std::fs::remove_file(files.key).unwrap();
        let files = ensure_beside(&data, host).unwrap();
        assert_eq!(files.key, data.join("tls/key.pem"), "half of it does not count");
    }

    #[test]
    fn a_fingerprint_is_the_digest_as_browsers_show_it() {
        assert!(fingerprint(b"").starts_with("E3:B0:C4:42:98:FC:1C:14:"));
    }
}
