//! A Darknet `.weights` file: a header, then each convolution's numbers in the order of the `.cfg`.

use super::layers::{Convolution, Layer};
use super::network::Network;
use crate::{Fork, ModelError};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Numbers that are converted at a time: large enough to be quick, small enough to stay in the
/// first cache.
const CHUNK: usize = 4096;

/// The kernel `[filters, channels / groups, size, size]` and the bias `[filters]` of a convolution,
/// its batch normalisation folded in.
#[derive(Clone)]
pub(super) struct Folded {
    pub(super) kernel: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// Reads the numbers of every convolution, in file order.
///
/// The file's size must be exactly what the network asks for; nothing is allocated before that is
/// known.
pub(super) fn read(path: &Path, network: &Network, fork: Fork) -> Result<Vec<Folded>, ModelError> {
    let unreadable = |source| ModelError::Unreadable { path: path.into(), source };
    let file = File::open(path).map_err(unreadable)?;
    let actual = file.metadata().map_err(unreadable)?.len();
    let mut source = Numbers {
        reader: BufReader::with_capacity(1 << 16, file),
        bytes: vec![0; CHUNK * 4],
        fork,
    };
    let header = source.header(actual).map_err(unreadable)?;
    let numbers = convolutions(network)
        .map(|(layer, channels)| numbers_of(layer, channels))
        .fold(0, u64::saturating_add);
    let expected = numbers.saturating_mul(4).saturating_add(header);
    if actual != expected {
        return Err(ModelError::WrongSize {
            path: path.into(),
            expected,
            actual,
            reason: "so many the network's .cfg asks for",
        });
    }
    let folded = convolutions(network).map(|(layer, channels)| source.folded(layer, channels));
    folded.collect::<std::io::Result<_>>().map_err(unreadable)
}

/// Every convolution with the channels that one of its groups reads.
fn convolutions(network: &Network) -> impl Iterator<Item = (&Convolution, usize)> {
    network.layers.iter().enumerate().filter_map(|(index, (layer, _))| match layer {
        Layer::Convolution(layer) => {
            Some((layer, network.shape_before(index).channels / layer.groups))
        }
        Layer::MaxPool(_)
        | Layer::Route { .. }
        | Layer::Shortcut { .. }
        | Layer::Upsample { .. }
        | Layer::Nothing
        | Layer::Yolo(_) => None,
    })
}

/// Cannot overflow: the `.cfg` reader allows 2¹⁶ filters, 2²⁸ channels and 2¹⁶ kernel cells.
fn numbers_of(layer: &Convolution, channels: usize) -> u64 {
    let per_filter = if layer.batch_normalize { 4 } else { 1 };
    layer.filters as u64 * (per_filter + channels as u64 * (layer.size as u64).pow(2))
}

struct Numbers<R> {
    reader: R,
    bytes: Vec<u8>,
    fork: Fork,
}

impl<R: Read> Numbers<R> {
    /// Reads the header and returns its length: three 32-bit numbers (major, minor, revision), then
    /// the count of images seen in training, which has 64 bits from version 0.2 on. A file too
    /// short for either gives the length of the newer one.
    fn header(&mut self, file_bytes: u64) -> std::io::Result<u64> {
        const OLD: u64 = 16;
        const NEW: u64 = 20;
        if file_bytes < OLD {
            return Ok(NEW);
        }
        let mut head = [0; OLD as usize];
        self.reader.read_exact(&mut head)?;
        let word = |at: usize| {
            i64::from(i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]))
        };
        let (major, minor) = (word(0), word(4));
        // versions above 1000 mark a transposed file, which only fully connected layers read
        // differently
        if major * 10 + minor < 2 || major >= 1000 || minor >= 1000 {
            return Ok(OLD);
        }
        if file_bytes >= NEW {
            self.reader.read_exact(&mut [0; (NEW - OLD) as usize])?;
        }
        Ok(NEW)
    }

    fn fill(&mut self, numbers: &mut [f32]) -> std::io::Result<()> {
        for part in numbers.chunks_mut(CHUNK) {
            let bytes = &mut self.bytes[..part.len() * 4];
            self.reader.read_exact(bytes)?;
            let (words, _) = bytes.as_chunks::<4>();
            for (number, word) in part.iter_mut().zip(words) {
                *number = f32::from_le_bytes(*word);
            }
        }
        Ok(())
    }

    fn list(&mut self, count: usize) -> std::io::Result<Vec<f32>> {
        let mut numbers = vec![0.0; count];
        self.fill(&mut numbers)?;
        Ok(numbers)
    }

    /// Order in the file: biases, then with batch normalisation scales, means, variances, then the
    /// kernel.
    ///
    /// y = scale · (x - mean) / deviation + bias is a factor on the kernel and a shift of the bias.
    fn folded(&mut self, layer: &Convolution, channels: usize) -> std::io::Result<Folded> {
        let mut bias = self.list(layer.filters)?;
        let mut factors = None;
        if layer.batch_normalize {
            let (scales, means, variances) =
                (self.list(layer.filters)?, self.list(layer.filters)?, self.list(layer.filters)?);
            let found: Vec<f32> = scales
                .iter()
                .zip(&variances)
                .map(|(scale, variance)| scale / self.fork.deviation(*variance))
                .collect();
            for ((bias, mean), factor) in bias.iter_mut().zip(&means).zip(&found) {
                *bias -= mean * factor;
            }
            factors = Some(found);
        }
        let per_filter = channels * layer.size * layer.size;
        let mut kernel = self.list(layer.filters * per_filter)?;
        if let Some(factors) = factors {
            for (filter, factor) in kernel.chunks_exact_mut(per_filter).zip(factors) {
                filter.iter_mut().for_each(|cell| *cell *= factor);
            }
        }
        Ok(Folded { kernel, bias })
    }
}
