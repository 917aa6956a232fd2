//! How a suite is put together.

use anyhow::Context;
use ports::ReservedPort;
use settings::{ConfigError, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use unit::Faults;
use units::UnitKind;

/// Which broker the units talk over.
#[derive(Clone, Debug)]
pub enum BrokerChoice {
    /// One inside this process.
    Embedded {
        /// Where it keeps its data.
        dir: PathBuf,
        /// Where it listens; port 0 takes a free port, which stays the suite's.
        listen: SocketAddr,
    },
    /// One that runs already: `HOST:PORT`, or several separated by commas.
    External(String),
}

/// How a suite is put together.
#[derive(Clone, Debug)]
pub struct SuiteConfig {
    /// Which broker.
    pub broker: BrokerChoice,
    /// Where clients speak to the web-server; port 0 takes a free port, which stays the suite's.
    pub http: SocketAddr,
    /// The units' admin ports, by [`UnitKind`]; port 0 takes a free port, which stays the suite's
    /// while the unit is stopped.
    pub admin: [SocketAddr; UnitKind::COUNT],
    /// Settings of all units: variable and value.
    pub settings: Vec<(String, String)>,
    /// Settings of one unit, which win over those of all.
    pub unit_settings: Vec<(UnitKind, String, String)>,
    /// Whether the process's environment counts too, below the settings given here.
    pub inherit_environment: bool,
    /// Background tasks that are made to panic, of the units and of the suite itself (unit
    /// [`SUITE`](super::SUITE)): none, unless a test plants one.
    pub faults: Faults,
}

/// How clients get in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entrance {
    /// The certificate, DER, if the HTTP port speaks HTTPS.
    pub(crate) certificate: Option<Vec<u8>>,
    /// The file that it was read from.
    pub(crate) certificate_file: Option<PathBuf>,
    /// Not everybody may send and read.
    pub(crate) tokens: bool,
}

impl SuiteConfig {
    /// On free ports of the loopback interface, with an embedded broker that keeps its data in
    /// `dir`, and nothing set.
    #[must_use]
    pub fn embedded(dir: impl Into<PathBuf>) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            broker: BrokerChoice::Embedded { dir: dir.into(), listen: any },
            http: any,
            admin: [any; UnitKind::COUNT],
            settings: Vec::new(),
            unit_settings: Vec::new(),
            inherit_environment: false,
            faults: Faults::default(),
        }
    }

    /// The settings of a unit: the suite's, then the unit's own. Brokers and ports are not among
    /// them.
    pub(crate) fn settings_of(&self, kind: UnitKind) -> Vec<(String, String)> {
        let own = self
            .unit_settings
            .iter()
            .filter(|(of, _, _)| *of == kind)
            .map(|(_, name, value)| (name.clone(), value.clone()));
        self.settings.iter().cloned().chain(own).collect()
    }

    /// What a unit reads its settings from: `pairs` over the environment, if that counts.
    pub(super) fn source(&self, pairs: Vec<(String, String)>) -> Result<Settings, ConfigError> {
        let base = if self.inherit_environment {
            Settings::from_environment()?
        } else {
            Settings::from_pairs([("", "")])
        };
        Ok(base.with_overrides(pairs))
    }

    /// Reserves a port wherever the port is 0. As long as the reservations are kept, what is stopped
    /// and started again finds its port free, as a process of its own too.
    pub(super) fn reserve_ports(&mut self) -> anyhow::Result<Vec<ReservedPort>> {
        let broker = match &mut self.broker {
            BrokerChoice::Embedded { listen, .. } => Some(listen),
            BrokerChoice::External(_) => None,
        };
        let open = broker.into_iter().chain([&mut self.http]).chain(&mut self.admin);
        open.filter(|address| address.port() == 0)
            .map(|address| {
                let port = ReservedPort::on(address.ip())
                    .with_context(|| format!("no port to listen on at {}", address.ip()))?;
                *address = port.address();
                Ok(port)
            })
            .collect()
    }

    /// Whether every unit would accept its settings: cheap, and before anything is fetched or
    /// started.
    ///
    /// # Errors
    /// The problems of the first unit that has any.
    pub fn check(&self) -> Result<(), ConfigError> {
        for kind in UnitKind::ALL {
            let mut pairs = self.settings_of(kind);
            if let BrokerChoice::External(brokers) = &self.broker {
                pairs.push(("MLVI_BROKERS".into(), brokers.clone()));
            }
            let mut settings = self.source(pairs)?;
            (kind.about().read_settings)(&mut settings);
            settings.finish()?;
        }
        Ok(())
    }

    /// How clients get in, by the web-server's settings.
    ///
    /// # Errors
    /// When these cannot be read at all.
    pub(crate) fn entrance(&self) -> Result<Entrance, ConfigError> {
        let mut settings = self.source(self.settings_of(UnitKind::WebServer))?;
        let access = web_server::config(&mut settings).access;
        let file = settings.optional_text("MLVI_TLS_CERT", "the certificate");
        Ok(Entrance {
            certificate_file: file.filter(|_| access.tls.is_some()).map(PathBuf::from),
            certificate: access.tls.as_ref().map(|(_, tls)| tls.certificate()),
            // what is open beside tokens is what the settings say
            tokens: access.tokens.is_some() || access.open.is_some(),
        })
    }

    /// With a setting for all units.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// With a setting for one unit.
    #[must_use]
    pub fn with_unit(
        mut self,
        kind: UnitKind,
        name: impl Into<String>,
        value: impl ToString,
    ) -> Self {
        self.unit_settings.push((kind, name.into(), value.to_string()));
        self
    }
}
