//! The suite that a command asks over HTTP; here is what its tests play.

pub(crate) use cli::ServerArgs;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::certificate;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject as _;
    use std::io::{Read as _, Write as _};
    use std::net::{IpAddr, Ipv4Addr, TcpListener};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::thread::JoinHandle;
    use ureq::Agent;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn server_config(certificate: &Path, key: &Path) -> Arc<rustls::ServerConfig> {
        let certificate = CertificateDer::from_pem_file(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        Arc::new(config.unwrap())
    }

    /// A server of one connection with the certificate of `mlvi up --tls` in `dir`; gives its port.
    pub(crate) fn server(dir: &Path) -> (u16, JoinHandle<()>) {
        let files = certificate::ensure(dir, HERE).unwrap();
        let config = server_config(&files.certificate, &files.key);
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            // a client that does not trust us ends the connection
            if tls.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").unwrap();
                tls.flush().unwrap();
            }
        });
        (port, thread)
    }

    pub(crate) fn args(port: u16, ca: Option<PathBuf>) -> ServerArgs {
        ServerArgs::of(format!("https://127.0.0.1:{port}/")).trusting(ca)
    }

    fn ask(args: &ServerArgs) -> anyhow::Result<String> {
        let url = args.url("/x");
        let agent = args.agent(Agent::config_builder())?;
        let mut response = agent.get(&url).call().map_err(|error| args.away(error, &url))?;
        Ok(response.body_mut().read_to_string()?)
    }

    #[test]
    fn a_certificate_of_our_own_is_trusted_when_it_is_named_and_the_error_says_how() {
        let dir = tempfile::tempdir().unwrap();
        let (port, thread) = server(dir.path());
        let error = format!("{:#}", ask(&args(port, None)).unwrap_err());
        assert!(error.contains("--ca FILE (MLVI_CA_FILE)"), "{error}");
        thread.join().unwrap();

        let (port, thread) = server(dir.path());
        let trusted = Some(dir.path().join("certificate.pem"));
        assert_eq!(ask(&args(port, trusted)).unwrap(), "hi");
        thread.join().unwrap();

        // another one's certificate of the same name
        let other = tempfile::tempdir().unwrap();
        certificate::ensure(other.path(), HERE).unwrap();
        let (port, thread) = server(dir.path());
        let other = Some(other.path().join("certificate.pem"));
        let error = format!("{:#}", ask(&args(port, other)).unwrap_err());
        assert!(error.contains("not one of the file that --ca"), "{error}");
        thread.join().unwrap();
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.pem");
        std::fs::write(&path, "nothing").unwrap();
        for path in [path, dir.path().join("missing.pem")] {
            let error = format!("{:#}", ask(&args(1, Some(path.clone()))).unwrap_err());
            assert!(error.contains(&format!("--ca {}", path.display())), "{error}");
        }
    }

    #[test]
    fn nobody_there_is_told_apart_from_a_certificate() {
        // a port that is reserved and that nobody listens on
        let port = ports::ReservedPort::on(HERE).unwrap();
        let args = args(port.address().port(), None);
        let error = format!("{:#}", ask(&args).unwrap_err());
        assert!(error.contains("does a suite run there"), "{error}");
    }
}
