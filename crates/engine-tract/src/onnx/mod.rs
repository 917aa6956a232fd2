//! ONNX models through tract-onnx.

mod adapt;
mod data;
mod write;

use crate::Options;
use crate::guard::guarded;
use crate::program::{self, TractProgram};
use engine::{EngineError, OnnxFile, OpenNetwork, Program, Shape};
use std::path::Path;
use std::sync::Arc;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::format_err;
use tract_onnx::tract_hir::infer::InferenceFact;
pub use write::to_onnx;

/// An ONNX file in memory, from which tract models of any batch size are built.
pub(crate) struct OpenOnnx {
    proto: ModelProto,
    file: OnnxFile,
    data_files: Vec<String>,
    /// What was done to its input; a network that cannot be fed still has its files.
    remarks: Result<Vec<String>, EngineError>,
    options: Options,
}

impl OpenOnnx {
    /// Reads the file, and has it take pictures as `[batch, 3, height, width]` from 0 to 1 whatever
    /// it took before; numbers that are kept in other files are not read yet.
    pub(crate) fn read(file: OnnxFile, options: Options) -> Result<Self, EngineError> {
        let read = guarded(|| -> TractResult<_> {
            let proto = tract_onnx::onnx().proto_model_for_path(&file.path)?;
            let data_files = data::files(&proto)?;
            Ok((proto, data_files))
        });
        let (mut proto, data_files) =
            read.unwrap_or_else(|panicked| Err(panicked.into())).map_err(program::refused)?;
        let remarks = adapt::adapt(&mut proto, file.input_scale).map_err(program::refused);
        Ok(Self { proto, file, data_files, remarks, options })
    }

    /// Outputs stay in the file's order.
    fn model(&self, batch: usize) -> TractResult<TypedModel> {
        let folder = self.file.path.parent().unwrap_or(Path::new(""));
        let folder = folder.to_str().ok_or_else(|| format_err!("its folder's name is no text"))?;
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
        let Shape { channels, height, width } = self.file.input;
        let shape = [batch, channels, height, width];
        model.with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?.into_typed()
    }
}

impl OpenNetwork for OpenOnnx {
    fn data_files(&self) -> &[String] {
        &self.data_files
    }

    fn remarks(&self) -> Result<&[String], EngineError> {
        self.remarks.as_deref().map_err(EngineError::clone)
    }

    fn program(&self, batch: usize) -> Result<Arc<dyn Program>, EngineError> {
        self.remarks()?;
        program::prepared(self.file.input, batch, &self.options, || self.model(batch))
            .map(|program: Arc<TractProgram>| program as Arc<dyn Program>)
    }
}
