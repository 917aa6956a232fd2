//! `mlvi topics list`.

use frame::MAX_MESSAGE_BYTES;
use frame_bus::{Bus, BusError, Cleanup, TopicSpec, TopicState};
use serde::Serialize;

/// A topic as it is shown; what is not known, since there is no topic or no right to see it, is
/// `null`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    name: String,
    partitions: Option<usize>,
    wanted_partitions: i32,
    replicas: Option<usize>,
    max_message_bytes: Option<u64>,
    retention_ms: Option<i64>,
    retention_bytes: Option<i64>,
    /// `delete` or `compact`.
    cleanup: Option<String>,
    /// What is not as it should be.
    problems: Vec<String>,
}

pub(super) async fn run(bus: &Bus, specs: &[TopicSpec], json: bool) -> anyhow::Result<()> {
    let rows = rows(bus, specs).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print!("{}", table(&rows));
    }
    Ok(())
}

pub(super) async fn rows(bus: &Bus, specs: &[TopicSpec]) -> Result<Vec<Row>, BusError> {
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let topics = bus.topics(&names).await?;
    Ok(specs
        .iter()
        .map(|spec| row(spec, topics.iter().find(|topic| topic.name == spec.name)))
        .collect())
}

pub(super) fn row(spec: &TopicSpec, topic: Option<&TopicState>) -> Row {
    let setting = |name: &str| {
        topic.and_then(|topic| topic.settings.get(name)).and_then(|text| text.parse::<i64>().ok())
    };
    let max_message_bytes =
        setting("max.message.bytes").and_then(|bytes| u64::try_from(bytes).ok());
    let mut problems = Vec::new();
    match topic {
        None => problems.push(
            "is not there, or this user may not see it: `mlvi topics create` makes it".to_owned(),
        ),
        Some(topic)
            if i32::try_from(topic.partitions)
                .is_ok_and(|partitions| partitions < spec.partitions) =>
        {
            problems.push(format!(
                "fewer partitions than MLVI_PARTITIONS={}: `mlvi topics create --grow` adds them",
                spec.partitions
            ));
        }
        Some(_) => {}
    }
    if max_message_bytes.is_some_and(|bytes| bytes < MAX_MESSAGE_BYTES as u64) {
        problems.push(format!(
            "max.message.bytes is below {MAX_MESSAGE_BYTES}: the largest frames do not fit"
        ));
    }
    let cleanup = topic.and_then(|topic| topic.settings.get("cleanup.policy")).cloned();
    let wanted = match spec.cleanup {
        Cleanup::Delete { .. } => "delete",
        Cleanup::Compact { .. } => "compact",
    };
    if let Some(cleanup) = cleanup.as_ref().filter(|cleanup| *cleanup != wanted) {
        problems.push(format!(
            "cleanup.policy is {cleanup}, but should be {wanted}: \
             `kafka-configs.sh --alter --add-config cleanup.policy={wanted}` changes it"
        ));
    }
    Row {
        name: spec.name.clone(),
        partitions: topic.map(|topic| topic.partitions),
        wanted_partitions: spec.partitions,
        replicas: topic.map(|topic| topic.replicas),
        max_message_bytes,
        retention_ms: setting("retention.ms"),
        retention_bytes: setting("retention.bytes"),
        cleanup,
        problems,
    }
}

pub(super) fn table(rows: &[Row]) -> String {
    let heads =
        ["TOPIC", "PARTITIONS", "REPLICAS", "MAX MESSAGE", "RETENTION", "SIZE LIMIT PER PARTITION"];
    let cells: Vec<[String; 6]> =
        std::iter::once(heads.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| cells.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &[String; 6]| {
        let padded: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text: String = cells.iter().map(line).collect();
    for row in rows {
        for problem in &row.problems {
            text += &format!("{}: {problem}\n", row.name);
        }
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
        value.map_or_else(|| "-".into(), show)
    }
    let mib = |bytes: i64| if bytes < 0 { "none".into() } else { format!("{} MiB", bytes >> 20) };
    let hours = |ms: i64| if ms < 0 { "for ever".into() } else { format!("{} h", ms / 3_600_000) };
    [
        row.name.clone(),
        or_dash(row.partitions, |count| count.to_string()),
        or_dash(row.replicas, |count| count.to_string()),
        or_dash(row.max_message_bytes, |bytes| format!("{bytes} bytes")),
        if row.cleanup.as_deref() == Some("compact") {
            "the last of each key".into()
        } else {
            or_dash(row.retention_ms, hours)
        },
        or_dash(row.retention_bytes, mib),
    ]
}
