//! ONNX models through tract-onnx.

mod adapt;
mod data;

use crate::guard::guarded;
use crate::{DataFile, Description, ModelError};
use frame::ImageSize;
use std::path::{Path, PathBuf};
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::format_err;
use tract_onnx::tract_hir::infer::InferenceFact;

/// An ONNX file in memory, from which tract models of any batch size are built.
pub(crate) struct Onnx {
    proto: ModelProto,
    folder: PathBuf,
    data: Vec<DataFile>,
    remarks: Vec<String>,
}

impl Onnx {
    /// Reads the file, and has it take pictures as `[batch, 3, height, width]` from 0 to 1 whatever
    /// it took before; numbers that are kept in other files are not read yet.
    pub(crate) fn read(
        description: &Description,
        input_scale: Option<f32>,
    ) -> Result<Self, ModelError> {
        let path = &description.weights().path;
        let (mut proto, data) = proto_and_data(description)?;
        let remarks = adapt::adapt(&mut proto, input_scale)
            .map_err(|reason| ModelError::network(description, reason))?;
        Ok(Self {
            proto,
            folder: path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
            data,
            remarks,
        })
    }

    /// The files that the numbers are kept in.
    pub(crate) fn data(&self) -> &[DataFile] {
        &self.data
    }

    /// What was found out about the input, a sentence each.
    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The model for `batch` images at once; outputs stay in the file's order.
    pub(crate) fn model(&self, input: ImageSize, batch: usize) -> TractResult<TypedModel> {
        let folder =
            self.folder.to_str().ok_or_else(|| format_err!("its folder's name is no text"))?;
        let parsed = tract_onnx::onnx().parse(&self.proto, Some(folder))?;
        if let Some(missing) = parsed.unresolved_inputs.first() {
            return Err(format_err!("nothing in the network puts out '{missing}'"));
        }
        let model = parsed.model;
        if model.input_outlets()?.len() != 1 {
            return Err(format_err!(
                "the network has {} inputs where one is expected",
                model.input_outlets()?.len()
            ));
        }
        let shape = [batch, 3, input.height as usize, input.width as usize];
        model.with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?.into_typed()
    }
}

/// The files that a network's numbers are kept in, with what the description says of them.
pub(crate) fn data_files(description: &Description) -> Result<Vec<DataFile>, ModelError> {
    Ok(proto_and_data(description)?.1)
}

fn proto_and_data(description: &Description) -> Result<(ModelProto, Vec<DataFile>), ModelError> {
    let path = &description.weights().path;
    let failed = |reason: String| ModelError::network(description, reason);
    let read = || tract_onnx::onnx().proto_model_for_path(path);
    let proto = guarded(read).map_err(failed)?.map_err(|error| failed(format!("{error:#}")))?;
    let data = data::files(&proto, &description.weights().data).map_err(failed)?;
    Ok((proto, data))
}
