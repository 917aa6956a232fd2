//! What is asked and noted before a message is taken up.

use crate::client::process::{client_id_ending, this_process};
use crate::error::BusError;
use crate::receive::consumer::Consumer;
use crate::receive::delivery::Ack;
use crate::receive::marks::{Mark, list_of, partitions_of, store};
use crate::receive::rebalance::MemberContext;
use crate::takes::note::Note;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;
use tracing::{debug, warn};

/// How long each question may take; it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a question or a commit is waited for in all.
const ASK_LIMIT: Duration = Duration::from_secs(12);
/// How long to wait before a question or a note that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is known of a partition from the broker.
struct Past {
    committed: Option<i64>,
    note: Note,
    /// The offset after the last message; asked for only when somebody has the partition open.
    end: Option<i64>,
    holder_lives: bool,
}

impl Consumer {
    /// Reads the note of the message's partition unless that is known; tries until it can be read.
    /// `false` when the partition has left.
    pub(crate) async fn learn(&self, ack: &Ack) -> bool {
        while self.takes.with(|takes| takes.wants_note(ack.partition)) {
            let (topic, group, partition) = (self.topic.clone(), self.group.clone(), ack.partition);
            match self.asks(move |client| read_past(client, &group, &topic, partition)).await {
                Ok(past) if ack.is_current() => self.begins(ack, past),
                Ok(_) => return false,
                Err(error) => {
                    debug!(self.topic, partition, %error, "what was in hand is not known yet")
                }
            }
            if self.takes.with(|takes| takes.wants_note(partition)) {
                tokio::time::sleep(AGAIN).await;
            }
            if !ack.is_current() {
                return false;
            }
        }
        ack.is_current()
    }

    fn begins(&self, ack: &Ack, past: Past) {
        let Past { committed, note, end, holder_lives } = past;
        let (partition, offset) = (ack.partition, ack.offset);
        let suspects = self.takes.with(|takes| {
            takes.begin(partition, committed.unwrap_or(offset), end, note, holder_lives);
            takes.suspects(partition, offset)
        });
        if suspects > 0 {
            let (group, topic) = (&self.group, &self.topic);
            warn!(
                group,
                topic,
                partition,
                offset,
                suspects,
                "a process has ended with messages in hand: they are taken up one by one"
            );
        }
    }

    /// Lets the broker know that the message may be in hand, if it does not yet. When that fails,
    /// the next message tries again.
    pub(crate) async fn announce(&self, ack: &Ack) {
        if self.takes.with(|takes| takes.must_announce(ack.partition, ack.offset))
            && let Err(error) = self.commit_note(ack).await
        {
            let (partition, offset) = (ack.partition, ack.offset);
            debug!(self.topic, partition, offset, %error, "messages in hand not announced yet");
        }
    }

    /// Notes that the message is taken up alone; tries until that is committed. `false` when the
    /// partition has left.
    pub(crate) async fn note_alone(&self, ack: &Ack) -> bool {
        self.takes.with(|takes| takes.alone(ack.partition, ack.offset));
        while ack.is_current() {
            match self.commit_note(ack).await {
                Ok(()) => return true,
                Err(error) => {
                    let (partition, offset) = (ack.partition, ack.offset);
                    debug!(self.topic, partition, offset, %error, "not noted yet, it waits");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        false
    }

    async fn commit_note(&self, ack: &Ack) -> Result<(), BusError> {
        let (topic, partition) = (self.topic.clone(), ack.partition);
        let Some((mark, next)) = self.tracker.with(|tracker| tracker.span(partition)) else {
            return Ok(());
        };
        let note = self.takes.with(|takes| takes.open_note(partition, Some(next)));
        let mark = Mark { partition, mark, note };
        let takes = self.takes.clone();
        self.asks(move |client| {
            // the same words for the regular commits, lest one of them takes the note back
            store(client, &topic, std::slice::from_ref(&mark));
            client.commit(&list_of(&topic, [&mark])?, CommitMode::Sync)?;
            if let Some(note) = &mark.note {
                takes.with(|takes| takes.committed(partition, note));
            }
            Ok(())
        })
        .await
    }

    /// Asks on a thread that may be blocked.
    async fn asks<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&BaseConsumer<MemberContext>) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let client = self.client.borrow().ok_or(BusError::ShuttingDown)?;
        let asked = crate::client::blocking(move || {
            ask(&client).map_err(|error| BusError::BrokerAway { reason: error.to_string() })
        });
        // librdkafka waits without a limit for a commit's answer, and up to the session timeout for
        // a coordinator; the call goes on by itself
        let late = |_| Err(BusError::BrokerAway { reason: "no answer in time".into() });
        tokio::time::timeout(ASK_LIMIT, asked).await.unwrap_or_else(late)
    }
}

/// Blocks.
fn read_past(
    client: &BaseConsumer<MemberContext>,
    group: &str,
    topic: &str,
    partition: i32,
) -> KafkaResult<Past> {
    let mut asked = TopicPartitionList::with_capacity(1);
    asked.add_partition(topic, partition);
    let answer = client.committed_offsets(asked, PATIENCE)?;
    debug_assert_eq!(partitions_of(&answer), [partition]);
    let element = answer.find_partition(topic, partition);
    let committed = element.as_ref().and_then(|element| match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    });
    let note = element.map(|element| Note::parse(element.metadata())).unwrap_or_default();
    let Some(holder) = note.holder() else {
        return Ok(Past { committed, note, end: None, holder_lives: false });
    };
    let holder_lives = holder == this_process() || is_member(client, group, holder);
    let end = client.fetch_watermarks(topic, partition, PATIENCE).ok().map(|(_, high)| high);
    Ok(Past { committed, note, end, holder_lives })
}

/// Whether the process is still a member of the group. One that has ended is none any more when its
/// partitions go to others.
fn is_member(client: &BaseConsumer<MemberContext>, group: &str, process: u64) -> bool {
    let ending = client_id_ending(process);
    let groups = client.fetch_group_list(Some(group), PATIENCE);
    groups.is_ok_and(|groups| {
        let mut members = groups.groups().iter().flat_map(rdkafka::groups::GroupInfo::members);
        members.any(|member| member.client_id().ends_with(&ending))
    })
}
