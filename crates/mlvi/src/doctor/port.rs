//! Whether `mlvi up` can have its port.

use super::finding::Finding;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

const WHAT: &str = "HTTP port";

pub(super) fn look(port: u16) -> Finding {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Finding::fine(WHAT, format!("{port} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => taken(port),
        Err(error) => Finding::wrong(
            WHAT,
            format!("{port} cannot be had: {error}"),
            "mlvi up --port 5001 (ports below 1024 need rights of their own)",
        ),
    }
}

fn taken(port: u16) -> Finding {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).build();
    let answer = ureq::Agent::new_with_config(config)
        .get(format!("http://127.0.0.1:{port}/"))
        .header("accept", "application/json")
        .call();
    let text = answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
    if text.is_some_and(|text| text.contains("mlvi web-server")) {
        return Finding::fine(WHAT, format!("{port} is taken by a suite that runs already"));
    }
    Finding::doubtful(
        WHAT,
        format!("another program has {port}"),
        format!("mlvi up --port {}", if port < u16::MAX { port + 1 } else { 5000 }),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // it answers nothing that an MLVI would
        let answering = std::thread::spawn(move || drop(listener.accept()));
        let finding = look(port);
        assert_eq!(finding.state, State::Doubtful);
        assert!(finding.says.contains(&port.to_string()), "{}", finding.says);
        answering.join().unwrap();
    }
}
