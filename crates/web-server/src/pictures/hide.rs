//! A picture that was stored before some of its camera's masks were set.

use crate::app::App;
use crate::problem::RequestError;
use regions::Regions;
use std::sync::Arc;
use vision::Limits;

/// Stored pictures are small: a larger one is none of ours.
const LIMITS: Limits = Limits { max_pixels: 1 << 20 };
const QUALITY: u8 = 85;

/// The JPEG with everything black that the masks cover.
pub(crate) async fn hidden(
    app: &App,
    jpeg: Vec<u8>,
    regions: Arc<Regions>,
) -> Result<Vec<u8>, RequestError> {
    let hide = move || {
        let mut picture = vision::decode(&jpeg, &LIMITS)?;
        vision::blacken(&mut picture, regions.polygons());
        vision::encode_jpeg(&picture, QUALITY)
    };
    Ok(app.pictures.threads.run(hide).await??)
}
