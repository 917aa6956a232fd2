//! The files that peers run: the network as ONNX, and an input.

use anyhow::Context;
use detector::{Description, Session};
use frame::RgbImage;
use std::path::PathBuf;
use tempfile::TempDir;

/// A network and an input, in a folder of their own.
pub(super) struct NetworkFiles {
    pub(super) onnx: PathBuf,
    /// Float32 values of one image.
    pub(super) input: PathBuf,
    /// Of the input: batch, channels, height, width.
    pub(super) shape: [usize; 4],
    /// For what peers convert.
    pub(super) cache: PathBuf,
    _dir: TempDir,
}

impl NetworkFiles {
    /// Writes them. A Darknet model is written as ONNX for `batch` images; an ONNX model is used as
    /// it is, for one image.
    ///
    /// # Errors
    /// When the model cannot be read, or an ONNX model shall run several images.
    pub(super) fn write(
        description: &Description,
        session: &mut Session,
        photo: &RgbImage,
        batch: usize,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (input, cache) = (dir.path().join("input.f32"), dir.path().join("cache"));
        std::fs::create_dir(&cache)?;
        let values = session.input_tensor(photo)?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(&input, bytes)?;
        let (onnx, shape) = match description.graph()? {
            Some(graph) => {
                let path = dir.path().join("network.onnx");
                std::fs::write(&path, engine_tract::to_onnx(&graph, batch))?;
                let engine::Shape { channels, height, width } = graph.input;
                (path, [batch, channels, height, width])
            }
            None => {
                anyhow::ensure!(batch == 1, "an ONNX model runs one image at a time");
                let size = description.input().context("an ONNX model says its input's size")?;
                let path = description.weights().path.clone();
                (path, [1, 3, size.height as usize, size.width as usize])
            }
        };
        Ok(Self { onnx, input, shape, cache, _dir: dir })
    }
}
