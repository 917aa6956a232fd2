//! Pictures of events: read back from the frames topic, made small without what is masked, stored.
//!
//! A result's message says where its frame stands on the frames topic, so that only the few frames
//! that are wanted are read again, as long as the topic keeps them (an hour, unless it says
//! otherwise). Nothing here holds results up: what cannot be made in time is counted.

use crate::highlights::Highlights;
use crate::masks::Masks;
use crate::metrics::{Metrics, PictureEnd};
use crate::picture::{sized, small};
use crate::wishes::{Wish, Wishes};
use backoff::Backoff;
use frame::{FrameResult, Origin, headers};
use frame_bus::{Bus, BusError, Message};
use results_db::{Database, Thumbnail};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unit::PixelRoom;

/// Reading a frame is tried so often, over about a minute: those behind it wait meanwhile.
const TRIES: u32 = 12;
/// The first and the longest pause between two tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Finds out which frames of what is stored deserve a picture.
pub(crate) struct Wishing {
    highlights: Highlights,
    wishes: Arc<Wishes>,
    metrics: Metrics,
}

impl Wishing {
    pub(crate) fn new(wishes: Arc<Wishes>, metrics: Metrics) -> Self {
        Self { highlights: Highlights::default(), wishes, metrics }
    }

    /// A result was stored, of a frame whose upload stands there.
    pub(crate) fn stored(&mut self, result: &FrameResult, origin: Option<Origin>) {
        let highlights = self.highlights.take(result);
        let Some(first) = highlights.first() else { return };
        let Some(origin) = origin else { return self.metrics.picture(PictureEnd::Gone) };
        let camera = first.camera.clone();
        let wish = Wish { frame_id: result.frame_id, camera, origin };
        for highlight in highlights {
            if !self.wishes.want(highlight, wish.clone()) {
                self.metrics.picture(PictureEnd::TooMany);
            }
        }
    }
}

/// Where the upload stands, if the result's sender said so.
pub(crate) fn origin(message: &Message) -> Option<Origin> {
    Some(Origin {
        partition: header(message, headers::ORIGIN_PARTITION)?,
        offset: header(message, headers::ORIGIN_OFFSET)?,
    })
}

/// A header's value; of a repeated one the last counts.
fn header<T: FromStr>(message: &Message, name: &str) -> Option<T> {
    let (_, value) = message.headers.iter().rev().find(|(header, _)| header == name)?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Makes the pictures that are wanted, one at a time.
pub(crate) struct Making {
    pub(crate) wishes: Arc<Wishes>,
    pub(crate) bus: Bus,
    pub(crate) frames: String,
    pub(crate) masks: Masks,
    pub(crate) database: Database,
    /// How many bytes all pictures may take.
    pub(crate) budget: u64,
    pub(crate) room: PixelRoom,
    /// As many bytes may the pixels of one take.
    pub(crate) most_memory: u64,
    pub(crate) metrics: Metrics,
}

impl Making {
    /// Until `stop`, and then what still waits, unless `give_up` comes before.
    pub(crate) async fn work(self, stop: CancellationToken, give_up: CancellationToken) {
        let all = async {
            while let Some(wish) = stop.run_until_cancelled(self.wishes.next()).await {
                self.make(wish).await;
            }
            while let Some(wish) = self.wishes.rest() {
                self.make(wish).await;
            }
        };
        give_up.run_until_cancelled(all).await;
    }

    async fn make(&self, wish: Wish) {
        self.masks.book.known().await;
        let end = match self.read(&wish).await {
            Err(end) => end,
            Ok(upload) => match self.small(&wish, upload).await {
                Err(end) => end,
                Ok(jpeg) => self.store(wish, jpeg).await,
            },
        };
        self.metrics.picture(end);
    }

    /// The frame's message, as long as the topic has it.
    async fn read(&self, wish: &Wish) -> Result<Message, PictureEnd> {
        let Origin { partition, offset } = wish.origin;
        let [first, longest] = PAUSES;
        let mut backoff = Backoff::new(first, longest);
        let mut tries = 0;
        let message = loop {
            tries += 1;
            match self.bus.read_one(&self.frames, partition, offset).await {
                Ok(message) => break message.ok_or(PictureEnd::Gone)?,
                Err(error) => {
                    if tries == 1 {
                        tracing::warn!(%error, "pictures of events wait for the frames topic");
                    }
                    if tries >= TRIES || matches!(error, BusError::Fatal(_)) {
                        return Err(PictureEnd::Failed);
                    }
                }
            }
            tokio::time::sleep(backoff.next_delay()).await;
        };
        // a topic that was deleted and made anew has other frames at the same offsets
        let is_it = message.envelope().is_ok_and(|envelope| envelope.frame_id == wish.frame_id);
        if is_it { Ok(message) } else { Err(PictureEnd::Gone) }
    }

    async fn small(&self, wish: &Wish, upload: Message) -> Result<Vec<u8>, PictureEnd> {
        let format = upload.envelope().map_err(|_| PictureEnd::Gone)?.format;
        let failed = |error: &dyn std::fmt::Display| {
            let frame_id = wish.frame_id;
            tracing::debug!(%frame_id, %error, "no picture of an event can be made");
            PictureEnd::Failed
        };
        let fits =
            sized(&upload.payload, format, self.most_memory).map_err(|error| failed(&error))?;
        let _room = self.room.take(fits.memory).await;
        // what holds once there is room, and not before
        let regions = self.masks.book.of(&wish.camera);
        let made =
            tokio::task::spawn_blocking(move || small(&upload.payload, &fits, regions.as_deref()));
        made.await.map_err(|panic| failed(&panic))?.map_err(|error| failed(&error))
    }

    async fn store(&self, Wish { frame_id, camera, .. }: Wish, jpeg: Vec<u8>) -> PictureEnd {
        let picture = Thumbnail { frame_id, camera, jpeg };
        let [first, longest] = PAUSES;
        let mut backoff = Backoff::new(first, longest);
        loop {
            match self.database.keep_thumbnails(vec![picture.clone()], self.budget).await {
                Ok(kept) => {
                    self.metrics.pictured(kept);
                    return PictureEnd::Kept;
                }
                // the loop that stores results says that it is away
                Err(error) if error.is_transient() => {}
                Err(error) => {
                    tracing::warn!(%frame_id, %error, "the database refuses a picture");
                    return PictureEnd::Failed;
                }
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }
}
