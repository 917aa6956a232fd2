//! Receiving as a member of a group.

use crate::client::handoff::{Handoff, LeavingThread};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::health::broker::Link;
use crate::health::membership::Seat;
use crate::health::outage::Outage;
use crate::position::log_watch::LogWatch;
use crate::position::resume::Read;
use crate::receive::delivery::{Ack, Delivery, SharedTracker};
use crate::receive::join::{Client, Seating};
use crate::receive::marks::Lowered;
use crate::receive::poll_thread::{Member, Received};
use crate::takes::tracker::{Followed, SharedTakes};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// One message is ready while the next is on its way; everything else waits in the client's small
/// fetch queue.
const READY: usize = 1;
/// Leaving takes a round trip or two; with the broker away there is nothing to wait for.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// What to consume, and how much at a time.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The consumer group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// How many deliveries may be out without being acknowledged; 0 counts as 1.
    pub max_in_flight: usize,
}

/// A member of a consumer group.
///
/// A thread of its own keeps the membership alive, whether or not anybody receives. While nobody
/// does, it pauses its partitions after a second and fetches nothing. Dropping a consumer leaves
/// the group in the background; [`Consumer::close`] waits for it.
#[derive(Debug)]
pub struct Consumer {
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) tracker: SharedTracker,
    pub(crate) takes: SharedTakes,
    /// The member's thread owns it, exchanges it when the topic was made again, and closes it at
    /// the end.
    pub(crate) client: Client,
    link: Arc<Link>,
    seat: Seat,
    handoff: Arc<Handoff<Received>>,
    places: Arc<Semaphore>,
    room: Room,
    /// A message that waits for room.
    waiting: Option<Received>,
}

/// Room for the bytes of the messages in hand.
#[derive(Debug)]
struct Room {
    /// A permit for each KiB.
    kib: Arc<Semaphore>,
    all: u32,
}

impl Room {
    fn of(bytes: usize) -> Self {
        let all = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 3);
        Self { kib: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// A message that is larger than all of it gets all of it.
    async fn take(&self, bytes: usize) -> OwnedSemaphorePermit {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.all);
        Arc::clone(&self.kib).acquire_many_owned(kib).await.expect("nobody closes the room")
    }
}

impl Consumer {
    pub(crate) fn join(
        config: &BusConfig,
        link: &Arc<Link>,
        options: ConsumerOptions,
        followed: Followed,
    ) -> Result<Self, BusError> {
        let ConsumerOptions { group, topic, max_in_flight } = options;
        let (tracker, takes) = (SharedTracker::default(), SharedTakes::new(followed));
        let seat = (group.clone(), topic.clone());
        let seating = Seating {
            config: config.clone(),
            link: Arc::clone(link),
            logs: LogWatch::default(),
            tracker: tracker.clone(),
            takes: takes.clone(),
            lowered: Lowered::default(),
            client: Client::default(),
        };
        let consumer = seating.join(&seat)?;
        let handoff = Arc::new(Handoff::new(READY));
        let client = seating.client.clone();
        let member = Member {
            seating,
            consumer,
            topic: topic.clone(),
            group: group.clone(),
            handoff: Arc::clone(&handoff),
            read: Read::default(),
            starts_over: false,
            lowered_at: None,
            unknown_topic: Outage::default(),
            trouble: Outage::default(),
        };
        link.joins(seat.clone());
        let leaving = LeavingThread::of(&handoff);
        link.threads
            .start("bus-consumer", move || {
                member.run();
                leaving.finish();
            })
            .map_err(|error| BusError::Client(error.to_string()))?;
        let (link, places) = (Arc::clone(link), Arc::new(Semaphore::new(max_in_flight.max(1))));
        let room = Room::of(config.in_hand_bytes);
        Ok(Self {
            topic,
            group,
            tracker,
            takes,
            client,
            link,
            seat,
            handoff,
            places,
            room,
            waiting: None,
        })
    }

    /// Waits for a free place among the deliveries in flight, then for a message and for room for
    /// its bytes. A broker that is away, a topic that is not there yet and a rebalance are
    /// waited for. Cancel-safe: a call that is dropped loses nothing.
    ///
    /// # Errors
    /// Only when the client has failed for good.
    ///
    /// # Panics
    /// Never: the places are not closed.
    pub async fn recv(&mut self) -> Result<Delivery, BusError> {
        let place =
            Arc::clone(&self.places).acquire_owned().await.expect("nobody closes the places");
        loop {
            let received = match self.waiting.take() {
                Some(received) => received,
                None => self.handoff.take().await?,
            };
            let bytes = received.message.payload.len();
            // should this call be dropped while it waits
            self.waiting = Some(received);
            let room = self.room.take(bytes).await;
            let Some(Received { message, epoch }) = self.waiting.take() else { continue };
            let (partition, offset) = (message.partition, message.offset);
            // the partition may have left us while the message lay ready: its next owner gets it
            if self.tracker.with(|tracker| tracker.is_current(partition, epoch)) {
                let ack = Ack {
                    tracker: self.tracker.clone(),
                    takes: self.takes.clone(),
                    partition,
                    offset,
                    epoch,
                    _place: place,
                    _room: room,
                };
                return Ok(Delivery { message, ack });
            }
        }
    }

    /// Commits what is finished and leaves the group. Deliveries that are still out are not
    /// finished: drain them before.
    pub async fn close(self) {
        self.handoff.close();
        if tokio::time::timeout(LEAVE_LIMIT, self.handoff.left()).await.is_err() {
            warn!(
                topic = self.topic,
                "the group could not be left in time: its offsets may be behind the finished work"
            );
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.link.leaves(&self.seat);
        self.handoff.close();
    }
}
