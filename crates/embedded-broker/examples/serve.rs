//! Runs a broker until Ctrl-C, for trying it by hand: `serve [address] [directory]`.

use embedded_broker::{Broker, BrokerConfig};
use std::io::Write;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:9092".into()).parse()?;
    let dir = arguments.next().unwrap_or_else(|| "broker-data".into());
    let broker = Broker::start(BrokerConfig { listen, ..BrokerConfig::new(dir) }).await?;
    writeln!(std::io::stdout(), "bootstrap.servers={}", broker.address())?;
    tokio::signal::ctrl_c().await?;
    Ok(broker.shutdown().await?)
}
