//! `mlvi topics create`.

use anyhow::Context;
use frame_bus::{Bus, BusError, TopicSpec, TopicState};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A broker shows new partitions to everyone a moment later.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const LOOKS: usize = 50;

pub(super) async fn run(
    bus: &Bus,
    specs: &[TopicSpec],
    grow: bool,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    for outcome in make(bus, specs, grow, shutdown).await? {
        println!("{outcome}");
    }
    Ok(())
}

/// Makes them, and looks again and again until it is stopped. A broker that is away for a while is
/// waited for; only the first time a refusal is final, since then somebody is there to read it.
pub(super) async fn keep(
    bus: &Bus,
    specs: &[TopicSpec],
    grow: bool,
    every: Duration,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut told = make(bus, specs, grow, shutdown).await?;
    told.iter().for_each(|outcome| println!("{outcome}"));
    while shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        match make(bus, specs, grow, shutdown).await {
            Ok(outcomes) => {
                outcomes
                    .iter()
                    .filter(|outcome| !told.contains(outcome))
                    .for_each(|outcome| println!("{outcome}"));
                told = outcomes;
            }
            Err(_) if shutdown.is_cancelled() => break,
            Err(error) => {
                let error = text::with_causes(&*error);
                eprintln!("mlvi: the topics cannot be listed: {error}");
            }
        }
    }
    Ok(())
}

/// Gives a line for each topic.
async fn make(
    bus: &Bus,
    specs: &[TopicSpec],
    grow: bool,
    shutdown: &CancellationToken,
) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let before = bus.topics(&names).await?;
    if grow {
        for spec in specs.iter().filter(|spec| lacks(spec, &before)) {
            bus.grow_topic(spec)
                .await
                .with_context(|| format!("adding partitions to '{}'", spec.name))?;
        }
        wait_for_partitions(bus, specs, &names).await?;
    }
    match bus.ensure_topics(specs, shutdown).await {
        Err(BusError::ShuttingDown) => anyhow::bail!("interrupted"),
        outcome => outcome?,
    }
    let after = bus.topics(&names).await?;
    Ok(specs
        .iter()
        .map(|spec| outcome(spec, find(&before, &spec.name), find(&after, &spec.name)))
        .collect())
}

fn find<'a>(topics: &'a [TopicState], name: &str) -> Option<&'a TopicState> {
    topics.iter().find(|topic| topic.name == name)
}

/// Whether it is there, with too few partitions.
fn lacks(spec: &TopicSpec, topics: &[TopicState]) -> bool {
    find(topics, &spec.name).is_some_and(|topic| topic.partitions < wanted(spec))
}

fn wanted(spec: &TopicSpec) -> usize {
    usize::try_from(spec.partitions).unwrap_or(0)
}

async fn wait_for_partitions(
    bus: &Bus,
    specs: &[TopicSpec],
    names: &[String],
) -> anyhow::Result<()> {
    for _ in 0..LOOKS {
        let topics = bus.topics(names).await?;
        if !specs.iter().any(|spec| lacks(spec, &topics)) {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    anyhow::bail!(
        "the broker accepted the new partitions but does not show them yet: look with `mlvi topics \
         list`"
    )
}

/// What became of a topic, in a line.
pub(super) fn outcome(
    spec: &TopicSpec,
    before: Option<&TopicState>,
    after: Option<&TopicState>,
) -> String {
    let (name, wanted) = (&spec.name, wanted(spec));
    match (before, after) {
        (_, None) => format!("{name}: made, but the broker does not show it"),
        (None, Some(after)) => format!("{name}: made with {} partitions", after.partitions),
        (Some(before), Some(after)) if before.partitions < after.partitions => {
            format!("{name}: from {} to {} partitions", before.partitions, after.partitions)
        }
        (Some(_), Some(after)) if after.partitions < wanted => format!(
            "{name}: {} partitions, which is fewer than MLVI_PARTITIONS={wanted}: `mlvi topics \
             create --grow` adds them",
            after.partitions
        ),
        (Some(_), Some(after)) => format!("{name}: is there with {} partitions", after.partitions),
    }
}
