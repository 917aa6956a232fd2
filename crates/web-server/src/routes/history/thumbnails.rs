//! `GET /history/thumbnails` and `GET /history/thumbnails/{id}`: small pictures of the past.

use crate::app::App;
use crate::history::{Asking, Pictured};
use crate::moment::Hint;
use crate::pictures::{self, Picture};
use crate::problem::RequestError;
use crate::query::{Query, shortened};
use crate::routes::pictures::{KEPT, is_known, not_modified, picture};
use crate::routes::{history, parameter};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use frame::FrameId;
use regions::Regions;
use results_db::Thumbnail;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Thumbnails {
    /// The newest first.
    thumbnails: Vec<FrameId>,
}

pub(in crate::routes) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Response, RequestError> {
    let Pictured { filter, page } = Pictured::of(&Query::of(&uri)?)?;
    let Asking { database, .. } = &app.history.ask().await?;
    history::json(&Thumbnails { thumbnails: database.thumbnails(filter, page).await? })
}

/// The picture as it was stored; if its camera has masks now, without what these cover, too.
pub(in crate::routes) async fn show(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let id = id(path)?;
    Query::of(&uri)?;
    let found = {
        let Asking { database, .. } = &app.history.ask_in_turn().await?;
        database.thumbnail(id).await?
    };
    let Thumbnail { camera, jpeg, .. } = found.ok_or(RequestError::NoThumbnail(id))?;
    app.masks_are_known().await?;
    let regions = app.regions.of(&camera).filter(|regions| !regions.masks.is_empty());
    let masks = regions.as_deref().and_then(Regions::mask_tag);
    let masks = masks.map_or_else(String::new, |masks| format!("-{masks:x}"));
    let tag = format!("\"{id}-kept{masks}\"");
    if is_known(&headers, &tag) {
        return Ok(not_modified(&tag, KEPT));
    }
    let jpeg = match regions {
        Some(regions) => pictures::hidden(&app, jpeg, regions).await?,
        None => jpeg,
    };
    Ok(picture(&Picture { id, jpeg: jpeg.into(), tag }, KEPT))
}

fn id(path: Result<Path<String>, PathRejection>) -> Result<FrameId, RequestError> {
    let text = parameter("id", path)?;
    text.parse().map_err(|_| RequestError::Parameter {
        name: "id",
        value: shortened(&text),
        allowed: "a frame's id, a UUID".into(),
        hint: Hint::default(),
    })
}
