//! InitProducerId: a name for an idempotent producer.

use super::Call;
use crate::connection::Hangup;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use tracing::error;

pub(super) async fn answer(
    call: &Call<'_>,
    request: InitProducerIdRequest,
) -> Result<InitProducerIdResponse, Hangup> {
    let refuse = |error: ResponseError| {
        let response = InitProducerIdResponse::default()
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        response.with_error_code(error.code())
    };
    if request.transactional_id.is_some() {
        return Ok(refuse(ResponseError::InvalidRequest));
    }
    // a producer that asks for a new epoch of its id gets a new id, which serves the same end
    // without keeping epochs
    Ok(match call.node.blocking(|node| node.identity.next_producer_id()).await? {
        Ok(id) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(error) => {
            error!(%error, "cannot reserve producer ids");
            refuse(ResponseError::CoordinatorNotAvailable)
        }
    })
}
