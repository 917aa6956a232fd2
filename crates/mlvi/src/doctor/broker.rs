//! Whether a broker that is not the embedded one answers.

use super::finding::Finding;
use frame_bus::{Bus, BusConfig};
use settings::Settings;
use std::time::Duration;

const WHAT: &str = "broker";
/// A broker that is there answers at once; name lookups take longer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn look(brokers: &str) -> Finding {
    look_for(brokers, PATIENCE)
}

fn look_for(brokers: &str, patience: Duration) -> Finding {
    let mend = "is the address right from here, does the broker run, and does MLVI_KAFKA_SECURITY \
                fit its listener?";
    match ask(brokers, patience) {
        Ok(()) => Finding::fine(WHAT, format!("{brokers} answers")),
        Err(error) => {
            Finding::wrong(WHAT, format!("{brokers}: {}", text::with_causes(&*error)), mend)
        }
    }
}

fn ask(brokers: &str, patience: Duration) -> anyhow::Result<()> {
    let mut settings = Settings::from_environment()?.with_overrides([("MLVI_BROKERS", brokers)]);
    let config = BusConfig::from_settings(&mut settings, "mlvi-doctor");
    settings.finish()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let bus = Bus::open(config)?;
        let mut state = bus.state();
        let there = tokio::time::timeout(patience, state.wait_for(Result::is_ok)).await.is_ok();
        let reason = bus.state().borrow().clone().err();
        match reason {
            _ if there => Ok(()),
            Some(reason) => Err(anyhow::anyhow!("{reason}")),
            None => Err(anyhow::anyhow!("no answer within {} s", patience.as_secs())),
        }
    });
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use embedded_broker::{Broker, BrokerConfig};

    #[test]
    fn a_broker_that_answers_is_fine_and_another_is_not() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let broker = runtime.block_on(Broker::start(BrokerConfig::new(dir.path()))).unwrap();
        let address = broker.address().to_string();
        assert_eq!(look(&address).state, State::Fine);
        runtime.block_on(broker.shutdown()).unwrap();
        assert_eq!(look_for("127.0.0.1:1", Duration::from_millis(300)).state, State::Wrong);
    }
}
