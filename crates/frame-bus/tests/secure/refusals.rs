//! Listeners that do not let a client in.

use crate::log;
use crate::stand::{
    Stand, complains, config, fresh, is_usable, login, make, outgoing, script, soon,
};
use anyhow::Result;
use frame_bus::{Bus, BusConfig, ConsumerOptions, Login, Mechanism, Security, Tls};
use std::time::Duration;

/// Many attempts of every client.
const A_WHILE: Duration = Duration::from_secs(5);

/// Opens a bus and everything that connects, waits for the complaint, and for the one line in the
/// log.
async fn is_refused(config: BusConfig, words: &[&str]) -> Result<Bus> {
    let bus = Bus::open(config)?;
    let mut consumer = bus.consumer(ConsumerOptions {
        group: "mlvi-g".into(),
        topic: "mlvi-t".into(),
        max_in_flight: 1,
    })?;
    complains(&bus, words).await?;
    let sent = soon(bus.send(outgoing("mlvi-t", *b"x"))).await?.unwrap_err().to_string();
    assert!(words.iter().all(|word| sent.contains(word)), "{words:?}: {sent}");
    assert!(tokio::time::timeout(A_WHILE, consumer.recv()).await.is_err(), "it receives");
    let lines = log::lines("ERROR", words);
    assert_eq!(lines.len(), 1, "{words:?}: {lines:?}");
    soon(consumer.close()).await?;
    Ok(bus)
}

pub(crate) async fn a_refused_login_is_told_once_and_waited_for(stand: Stand) -> Result<()> {
    let secure = stand.secure();
    let user = fresh("newcomer");
    let as_newcomer =
        |password| Security { tls: Some(stand.tls()), login: Some(login(&user, password)) };
    let unknown = format!("user '{user}'");
    let words =
        [secure.as_str(), "(sasl_ssl)", "refuses the login", &unknown, "MLVI_KAFKA_PASSWORD_FILE"];
    let bus = is_refused(config(&secure, as_newcomer("open sesame")), &words).await?;
    // the known user with another password
    let wrong = Security { tls: None, login: Some(login("site", "not it")) };
    is_refused(
        config(&stand.login_only(), wrong),
        &[&stand.login_only(), "(sasl_plaintext)", "user 'site'"],
    )
    .await?;
    assert!(!log::holds("open sesame") && !log::holds("not it"), "a password is in the log");

    if !script(&["user", &stand.port().to_string(), &user, "open sesame"]).await? {
        return Ok(());
    }
    is_usable(&bus).await
}

pub(crate) async fn a_certificate_that_is_not_trusted_is_told_once(stand: Stand) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let other = dir.path().join("other-ca.pem");
    let made = rcgen::generate_simple_self_signed(["other".to_owned()])?;
    std::fs::write(&other, made.cert.pem())?;
    let with = |tls| {
        Ok::<_, anyhow::Error>(Security { tls: Some(tls), login: Some(stand.login("site")?) })
    };
    let secure = stand.secure();
    let file = format!("MLVI_KAFKA_CA_FILE={}", other.display());
    let untrusted = with(Tls { ca_file: Some(other), identity: None })?;
    is_refused(config(&secure, untrusted), &[&secure, "not trusted", &file]).await?;
    let system = with(Tls::default())?;
    is_refused(config(&secure, system), &[&secure, "not trusted", "MLVI_KAFKA_CA_FILE is unset"])
        .await?;
    // the certificate is for the address only
    let by_name = format!("localhost:{}", stand.port() + 2);
    is_refused(
        config(&by_name, with(stand.tls())?),
        &[&by_name, "not trusted", "the name 'localhost'"],
    )
    .await?;
    Ok(())
}

pub(crate) async fn listeners_that_speak_something_else_are_told_once(stand: Stand) -> Result<()> {
    let (open, login_only, secure) = (stand.open(), stand.login_only(), stand.secure());
    let (tls, login) = (Some(stand.tls()), Some(stand.login("site")?));
    let short = login.clone().map(|login| Login { mechanism: Mechanism::ScramSha256, ..login });
    let hint = "set MLVI_KAFKA_SECURITY to";
    let cases = [
        (
            &open,
            Security { tls: tls.clone(), login: None },
            ["(ssl)", "does not answer in TLS", hint],
        ),
        (
            &login_only,
            Security { tls: tls.clone(), login: login.clone() },
            ["(sasl_ssl)", "does not answer in TLS", hint],
        ),
        (
            &open,
            Security { tls: None, login: login.clone() },
            ["(sasl_plaintext)", "takes no login", hint],
        ),
        (
            &secure,
            Security::default(),
            ["(plaintext)", "hangs up at the first word", "ssl or sasl_ssl"],
        ),
        (
            &secure,
            Security { tls: None, login },
            ["(sasl_plaintext)", "hangs up at the first word", "ssl or sasl_ssl"],
        ),
        (
            &login_only,
            Security::default(),
            ["(plaintext)", "wants a login", "sasl_plaintext or sasl_ssl"],
        ),
        (
            &secure,
            Security { tls: tls.clone(), login: short },
            ["(sasl_ssl)", "does not take SCRAM-SHA-256", "SCRAM-SHA-512"],
        ),
        (
            &secure,
            Security { tls, login: None },
            ["(ssl)", "wants a login", "sasl_plaintext or sasl_ssl"],
        ),
    ];
    for (listener, security, [protocol, problem, advice]) in cases {
        is_refused(config(listener, security), &[listener, protocol, problem, advice]).await?;
    }
    // the same node lets in who comes as it should
    make(&Bus::open(stand.as_user("site")?)?, &[&fresh("fine")]).await
}
