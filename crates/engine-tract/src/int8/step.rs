//! One step of a quantised network.

use super::head::Head;
use kernels::int8::{self, Convolution, Depthwise, Int8Isa, Layout, Sum, Window};
use kernels::{Isa, Team};

/// Where the activations of an image lie, and which byte means zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) layout: Layout,
    pub(super) zero: u8,
}

/// What is done to one image.
#[derive(Debug)]
pub(super) enum Step {
    /// Planes of numbers from 0 to 1 become bytes.
    Quantize(Layout),
    /// To bytes.
    Convolution(Convolution),
    /// To planes of numbers.
    Head(Head),
    /// Each channel by itself, to bytes.
    Depthwise(Depthwise),
    /// Of two layers.
    Sum(Sum),
    MaxPool {
        window: Window,
        input: Layout,
        output: Place,
    },
    Upsample {
        side: usize,
        input: Layout,
        output: Place,
    },
    Concat {
        /// Of each input, with its channels.
        inputs: Vec<(Layout, usize)>,
        output: Place,
    },
    Channels {
        first: usize,
        count: usize,
        input: Layout,
        output: Place,
    },
}

impl Step {
    /// For profiles.
    pub(super) fn name(&self) -> String {
        let convolution = |kind: &str| format!("{kind} int8 {}", Int8Isa::best().name());
        match self {
            Self::Quantize(_) => "Quantize".into(),
            Self::Convolution(_) => convolution("Convolution"),
            Self::Head(_) => convolution("Convolution to f32"),
            Self::Depthwise(_) => format!("Depthwise int8 {}", Isa::best().name()),
            Self::Sum(_) => format!("Sum int8 {}", Isa::best().name()),
            Self::MaxPool { .. } => "MaxPool int8".into(),
            Self::Upsample { .. } => "Upsample int8".into(),
            Self::Concat { .. } => "Concat int8".into(),
            Self::Channels { .. } => "Channels int8".into(),
        }
    }

    /// Bytes of an image; `None` for a head, which puts out numbers.
    pub(super) fn bytes(&self) -> Option<usize> {
        match self {
            Self::Quantize(layout) => Some(layout.bytes()),
            Self::Convolution(convolution) => convolution.layout().map(Layout::bytes),
            Self::Head(_) => None,
            Self::Depthwise(layer) => Some(layer.layout().bytes()),
            Self::Sum(sum) => Some(sum.layout().bytes()),
            Self::MaxPool { output, .. }
            | Self::Upsample { output, .. }
            | Self::Concat { output, .. }
            | Self::Channels { output, .. } => Some(output.layout.bytes()),
        }
    }

    /// From bytes to bytes. What begins and ends a network does nothing here.
    pub(super) fn run(&self, team: &Team, inputs: &[&[u8]], to: &mut [u8]) {
        let isa = Int8Isa::best();
        match self {
            Self::Quantize(_) | Self::Head(_) => {}
            Self::Convolution(convolution) => convolution.to_bytes(isa, team, inputs[0], to),
            Self::Depthwise(layer) => layer.run(Isa::best(), team, inputs[0], to),
            Self::Sum(sum) => sum.run(Isa::best(), team, [inputs[0], inputs[1]], to),
            Self::MaxPool { window, input, output } => {
                int8::max_pool(*window, (inputs[0], *input), (to, output.layout), output.zero);
            }
            Self::Upsample { side, input, output } => {
                int8::upsample(*side, (inputs[0], *input), (to, output.layout), output.zero);
            }
            Self::Concat { inputs: layouts, output } => {
                let parts: Vec<(&[u8], Layout, usize)> = inputs
                    .iter()
                    .zip(layouts)
                    .map(|(bytes, (layout, channels))| (*bytes, *layout, *channels))
                    .collect();
                int8::concat(&parts, (to, output.layout), output.zero);
            }
            Self::Channels { first, count, input, output } => {
                let to = (to, output.layout);
                int8::channels((*first, *count), (inputs[0], *input), to, output.zero);
            }
        }
    }
}
