//! ONNX models through tract-onnx.

use frame::ImageSize;
use std::path::Path;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::format_err;
use tract_onnx::tract_hir::infer::InferenceFact;

/// Reads the file and fixes its one input to `[batch, 3, height, width]`; outputs stay in the file's order.
pub(crate) fn model(path: &Path, input: ImageSize, batch: usize) -> TractResult<TypedModel> {
    let model = tract_onnx::onnx().model_for_path(path)?;
    if model.input_outlets()?.len() != 1 {
        return Err(format_err!("the network has {} inputs where one is expected", model.input_outlets()?.len()));
    }
    let shape = [batch, 3, input.height as usize, input.width as usize];
    model.with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?.into_typed()
}
