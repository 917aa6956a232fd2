//! Results as a table, for spreadsheets.

use crate::problem::RequestError;
use frame::FrameResult;
use std::fmt::Write as _;
use text::csv_field;

/// A line for each detection; a frame without any has one line with empty fields.
pub(super) fn lines(rows: impl Iterator<Item = String>) -> Result<String, RequestError> {
    let mut table = String::from(
        "frame_id,received_ms,camera,sequence,status,destination,reason,end_to_end_ms,class,\
         confidence,x,y,width,height\n",
    );
    for json in rows {
        let result: FrameResult = serde_json::from_str(&json)
            .map_err(|error| RequestError::Internal(error.to_string()))?;
        let (tier, reason) = result
            .decision
            .as_ref()
            .map_or(("", ""), |decision| (decision.destination.as_str(), decision.reason.as_str()));
        let took = result.timings_ms.end_to_end.map(|ms| ms.to_string()).unwrap_or_default();
        let start = format!(
            "{},{},{},{},{},{tier},{},{took}",
            result.frame_id,
            result.frame_id.made_at_ms().unwrap_or_default(),
            result.camera,
            result.sequence,
            result.status.as_str(),
            csv_field(reason),
        );
        for found in &result.detections {
            let b = &found.bounding_box;
            let _ = writeln!(
                table,
                "{start},{},{},{},{},{},{}",
                csv_field(&found.class),
                found.confidence,
                b.x,
                b.y,
                b.width,
                b.height
            );
        }
        if result.detections.is_empty() {
            let _ = writeln!(table, "{start},,,,,,");
        }
    }
    Ok(table)
}
