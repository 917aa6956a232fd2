//! What a fleet is.

use crate::{Load, Scenario, ScenarioError, Trace};
use serde::{Deserialize, Serialize};

/// Sites that are alike, and the region that they share, as a fleet file (TOML) tells it. What is
/// left out has the default.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fleet {
    /// How many sites there are.
    pub sites: u32,
    /// Whether all sites have their bursts at the same time.
    pub synchronous: bool,
    /// One site, as in a scenario file; its `cloud.workers` and `prices` do not count, the region's
    /// do.
    pub site: Scenario,
    /// What all sites share.
    pub region: Region,
    /// What things cost.
    pub prices: FleetPrices,
}

impl Default for Fleet {
    /// 10,000 cameras at 500 sites: each sends a frame every two seconds, and five frames a second
    /// for half a minute every five minutes.
    fn default() -> Self {
        let load = Load {
            cameras: 20,
            base_fps: 10.0,
            burst_fps: 50.0,
            period_s: 300.0,
            ..Load::default()
        };
        let site = Scenario { minutes: 60.0, load, ..Scenario::default() };
        let (region, prices) = (Region::default(), FleetPrices::default());
        Self { sites: 500, synchronous: false, site, region, prices }
    }
}

/// What all sites share.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Region {
    /// Frames that the cloud's workers take at a time, all together.
    pub workers: u32,
    /// Partitions of the topic of frames for the cloud: no more replicas take frames than there
    /// are partitions.
    pub partitions: u32,
    /// Frames that one replica of cloud-inference works on at a time.
    pub workers_per_replica: u32,
    /// Brokers.
    pub brokers: u32,
    /// What one broker takes in and gives out together, in 10⁶ bytes a second.
    pub broker_mb_s: f64,
    /// On how many brokers a frame is kept.
    pub replication: u32,
    /// Replicas of web-server in the region, which hand results to clients.
    pub web_servers: u32,
    /// Frames a second that one of them takes.
    pub web_server_fps: f64,
}

impl Default for Region {
    fn default() -> Self {
        Self {
            workers: 128,
            partitions: 96,
            workers_per_replica: 2,
            brokers: 3,
            broker_mb_s: 100.0,
            replication: 3,
            web_servers: 4,
            web_server_fps: 2000.0,
        }
    }
}

/// What things cost a month or an amount, in one currency.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetPrices {
    /// An edge node, a month.
    pub site_month: f64,
    /// A cloud worker, an hour.
    pub worker_hour: f64,
    /// A broker, an hour.
    pub broker_hour: f64,
    /// A replica of web-server, an hour.
    pub web_server_hour: f64,
    /// The way to the cloud, per 10⁹ bytes.
    pub gigabyte: f64,
}

impl Default for FleetPrices {
    fn default() -> Self {
        Self {
            site_month: 20.0,
            worker_hour: 0.04,
            broker_hour: 0.2,
            web_server_hour: 0.04,
            gigabyte: 0.1,
        }
    }
}

impl Fleet {
    /// Reads a fleet file's text and checks it.
    ///
    /// # Errors
    /// When it cannot be read (with line and column) or simulated.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let fleet: Self = toml::from_str(text).map_err(Box::new)?;
        fleet.check()?;
        Ok(fleet)
    }

    /// Whether every value is in its range.
    ///
    /// # Errors
    /// When one is not.
    pub fn check(&self) -> Result<(), ScenarioError> {
        self.site.check()?;
        if !self.site.uplink.loss.is_none() {
            let loss = self.site.uplink.loss;
            let (name, value) = if loss.share > 0.0 {
                ("site.uplink.loss.share", loss.share)
            } else {
                ("site.uplink.loss.every_s", loss.every_s)
            };
            let allowed = "0: a fleet's servers are fluids, which lose nothing; \
                           `mlvi simulate sites` does";
            return Err(ScenarioError::Value { name, value, allowed });
        }
        let (region, prices) = (&self.region, &self.prices);
        let above_zero = [
            ("sites", f64::from(self.sites), 100_000.0),
            ("region.workers", f64::from(region.workers), 1e6),
            ("region.partitions", f64::from(region.partitions), 1e6),
            ("region.workers_per_replica", f64::from(region.workers_per_replica), 1e4),
            ("region.brokers", f64::from(region.brokers), 1e4),
            ("region.broker_mb_s", region.broker_mb_s, 1e6),
            ("region.replication", f64::from(region.replication), f64::from(region.brokers)),
            ("region.web_servers", f64::from(region.web_servers), 1e5),
            ("region.web_server_fps", region.web_server_fps, 1e7),
            ("site.minutes", self.site.minutes, 1440.0),
        ];
        for (name, value, most) in above_zero {
            if !(value > 0.0 && value <= most) {
                let allowed = "above 0 and not absurdly large (a replication: at most the brokers)";
                return Err(ScenarioError::Value { name, value, allowed });
            }
        }
        let from_zero = [
            ("prices.site_month", prices.site_month),
            ("prices.worker_hour", prices.worker_hour),
            ("prices.broker_hour", prices.broker_hour),
            ("prices.web_server_hour", prices.web_server_hour),
            ("prices.gigabyte", prices.gigabyte),
        ];
        for (name, value) in from_zero {
            if !(0.0..=1e9).contains(&value) {
                return Err(ScenarioError::Value { name, value, allowed: "0 or more" });
            }
        }
        Ok(())
    }

    /// One of its sites for the exact engine, with a seed and phases of its own and the region's
    /// workers as its cloud.
    #[must_use]
    pub fn scenario(&self, trace: &Trace, number: u32) -> Scenario {
        let apart = self.sites > 1 && !self.synchronous;
        let mut site = self.site.at_site(number, apart, trace.period());
        (site.cloud.workers, site.cloud.autoscale) = (self.region.workers, None);
        site
    }

    /// How many cameras all sites have.
    #[must_use]
    pub fn cameras(&self) -> u64 {
        u64::from(self.sites) * u64::from(self.site.load.cameras)
    }
}
