//! A camera's pictures as they are made, as browsers, VLC and recorders show them:
//! `multipart/x-mixed-replace`.

use super::views::Latest;
use super::{Picture, Viewer};
use axum::body::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What the answer is.
pub(crate) const CONTENT_TYPE: &str = "multipart/x-mixed-replace; boundary=mlvi";

/// Each part ends with the boundary of the next one: browsers show a part when they have seen its
/// end.
const BOUNDARY: &str = "\r\n--mlvi\r\n";
const END: &str = "\r\n--mlvi--\r\n";

/// A camera that sends nothing new has its picture sent again after this time, so that it shows
/// which clients are gone, and proxies do not drop the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

struct Live {
    viewer: Viewer,
    shutdown: CancellationToken,
    /// The result whose picture was sent last.
    sent: Option<u64>,
    pieces: VecDeque<Bytes>,
    is_over: bool,
}

/// The body; ends at shutdown. Whoever reads slowly gets the newest picture each time, and holds
/// one at most.
pub(crate) fn stream(
    viewer: Viewer,
    shutdown: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let pieces = VecDeque::from([Bytes::from_static(BOUNDARY.as_bytes())]);
    let live = Live { viewer, shutdown, sent: None, pieces, is_over: false };
    unfold(live, |mut live| async move { live.next().await.map(|piece| (Ok(piece), live)) })
}

impl Live {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            if self.is_over {
                return None;
            }
            let Latest { position, picture, .. } = self.viewer.latest.borrow_and_update().clone();
            if let Some(picture) = picture.filter(|_| position != self.sent) {
                self.sent = position;
                self.pieces = part(&picture);
                continue;
            }
            tokio::select! {
                changed = self.viewer.latest.changed() => self.is_over = changed.is_err(),
                () = sleep(KEEP_ALIVE) => self.sent = None,
                () = self.shutdown.cancelled() => {
                    self.is_over = true;
                    self.pieces.push_back(Bytes::from_static(END.as_bytes()));
                }
            }
        }
    }
}

/// A picture as a part of the answer, behind the boundary that the part before has ended with.
fn part(picture: &Arc<Picture>) -> VecDeque<Bytes> {
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\nmlvi-frame-id: {}\r\n\r\n",
        picture.jpeg.len(),
        picture.id
    );
    [head.into(), picture.jpeg.clone(), Bytes::from_static(BOUNDARY.as_bytes())].into()
}
