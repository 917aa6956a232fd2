//! The layers of a Darknet `.cfg`, typed.

use super::activation;
use super::syntax::{Diagnostic, Section};
use crate::yolo::YoloHead;
use engine::{Activation, MaxPool, Shape};

/// The most channels of a layer; the YOLOv3 family stays below 2048.
pub(super) const MAX_CHANNELS: usize = 1 << 16;
/// The largest kernel, stride, dilation or padding; the family's pooling pyramids reach 13.
const MAX_KERNEL: usize = 255;

/// One section after `[net]`.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    Convolution(Convolution),
    MaxPool(MaxPool),
    /// Channels `part` out of `parts` of each source, one after the other.
    Route {
        sources: Vec<usize>,
        parts: usize,
        part: usize,
    },
    /// The layer before plus another one.
    Shortcut {
        from: usize,
        activation: Activation,
    },
    /// Each value becomes a square of this side.
    Upsample {
        stride: usize,
    },
    /// Does nothing at inference.
    Nothing,
    /// Marks the layer before as an output.
    Yolo(YoloHead),
}

/// `[convolutional]`, without its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    pub(crate) filters: usize,
    pub(crate) size: usize,
    /// Vertical, horizontal.
    pub(crate) strides: (usize, usize),
    pub(crate) dilation: usize,
    /// Zeros on each of the four sides.
    pub(crate) padding: usize,
    pub(crate) groups: usize,
    pub(crate) batch_normalize: bool,
    pub(crate) activation: Activation,
}

impl Layer {
    /// For each value that it puts out; what does not multiply is counted as what it reads.
    pub(super) fn products_per_value(&self, before: Shape) -> u64 {
        let (size, channels) = match self {
            Self::Convolution(layer) => (layer.size, before.channels / layer.groups),
            Self::MaxPool(layer) => (layer.size, 1),
            Self::Route { .. }
            | Self::Shortcut { .. }
            | Self::Upsample { .. }
            | Self::Nothing
            | Self::Yolo(_) => (1, 1),
        };
        // sizes are below 2⁸, channels at most 2²⁸
        (size * size) as u64 * channels as u64
    }
}

/// `stride`, which `stride_x` and `stride_y` override; vertical first.
fn strides(section: &mut Section) -> Result<(usize, usize), Diagnostic> {
    let stride = section.number("stride", 1, 1..=MAX_KERNEL)?;
    let vertical = section.number("stride_y", stride, 1..=MAX_KERNEL)?;
    let horizontal = section.number("stride_x", stride, 1..=MAX_KERNEL)?;
    Ok((vertical, horizontal))
}

/// How many times a kernel that reaches over `reach` cells fits.
fn steps(padded: usize, reach: usize, stride: usize) -> usize {
    padded.checked_sub(reach).map_or(0, |room| room / stride + 1)
}

pub(super) fn convolution(
    section: &mut Section,
    before: Shape,
) -> Result<(Layer, Shape), Diagnostic> {
    let line = section.line;
    let diagnostic = |text: String| Diagnostic::new(line, text);
    let filters = section.number("filters", 1, 1..=MAX_CHANNELS)?;
    let size = section.number("size", 1, 1..=MAX_KERNEL)?;
    let strides = strides(section)?;
    let dilation = section.number("dilation", 1, 1..=MAX_KERNEL)?;
    // Darknet: `pad=1` means "as much as keeps the size", whatever `padding` says
    let own_padding = section.number("padding", 0, 0..=MAX_KERNEL)?;
    let padding = if section.flag("pad")? { size / 2 } else { own_padding };
    let groups = section.number("groups", 1, 1..=MAX_CHANNELS)?;
    // `cbn`: the mean of several batches while training
    let batch_normalize = section.flag("batch_normalize")? | section.flag("cbn")?;
    let activation = section.word("activation", Activation::Logistic, activation::WORDS)?;
    if !before.channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        return Err(diagnostic(format!(
            "{} channels and {filters} filters cannot be split into {groups} groups",
            before.channels
        )));
    }
    // a kernel of one cell has no gaps to widen
    let dilation = if size == 1 { 1 } else { dilation };
    if dilation > 1 && 2 * padding + 1 != size {
        // Darknet computes the output's size without the dilation, and reads beyond it in any other
        // case
        return Err(diagnostic(format!("dilation={dilation} needs an odd size and pad=1")));
    }
    let padding = padding * dilation;
    let reach = (size - 1) * dilation + 1;
    let output = Shape {
        channels: filters,
        height: steps(before.height + 2 * padding, reach, strides.0),
        width: steps(before.width + 2 * padding, reach, strides.1),
    };
    let layer = Convolution {
        filters,
        size,
        strides,
        dilation,
        padding,
        groups,
        batch_normalize,
        activation,
    };
    Ok((Layer::Convolution(layer), output))
}

pub(super) fn max_pool(section: &mut Section, before: Shape) -> Result<(Layer, Shape), Diagnostic> {
    let line = section.line;
    let strides = strides(section)?;
    let size = section.number("size", strides.1, 1..=MAX_KERNEL)?;
    // in all, not on each side; with more than this a window could lie outside altogether
    let padding = section.number("padding", size - 1, 0..=2 * (size - 1))?;
    let output = Shape {
        channels: before.channels,
        height: steps(before.height + padding, size, strides.0),
        width: steps(before.width + padding, size, strides.1),
    };
    if padding / 2 >= size || output.height == 0 || output.width == 0 {
        return Err(Diagnostic::new(line, format!("a window of {size} does not fit {before:?}")));
    }
    // Darknet starts at -padding/2, rounded towards 0
    let layer = MaxPool { size, strides, padding: (padding / 2, padding - padding / 2) };
    Ok((Layer::MaxPool(layer), output))
}

pub(super) fn upsample(section: &mut Section, before: Shape) -> Result<(Layer, Shape), Diagnostic> {
    let stride = section.number("stride", 2, 1..=MAX_KERNEL)?;
    let output = Shape {
        channels: before.channels,
        height: before.height * stride,
        width: before.width * stride,
    };
    Ok((Layer::Upsample { stride }, output))
}

pub(super) fn yolo(section: &mut Section, before: Shape) -> Result<YoloHead, Diagnostic> {
    let line = section.line;
    let diagnostic = |text: String| Diagnostic::new(line, text);
    let classes = section.number("classes", 20usize, 1..=MAX_CHANNELS)?;
    let all = section.number("num", 1usize, 1..=MAX_CHANNELS)?;
    let anchors = section.numbers_and_comma("anchors", 0.0f32..=1e6)?;
    let mask = section.numbers("mask", 0..=all - 1)?;
    let scale_x_y = section.number("scale_x_y", 1.0f32, 0.1..=10.0)?;
    // the greedy kind measures overlap as the default does, the others in another way; which boxes
    // compete is the description's matter
    section.word("nms_kind", (), &[("default", ()), ("greedynms", ())])?;
    if anchors.len() != 2 * all {
        return Err(diagnostic(format!(
            "anchors has {} numbers; num={all} needs {}",
            anchors.len(),
            2 * all
        )));
    }
    let pairs: Vec<[f32; 2]> = anchors.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
    let anchors =
        if mask.is_empty() { pairs } else { mask.iter().map(|index| pairs[*index]).collect() };
    let head = YoloHead { anchors, classes, scale_x_y };
    if before.channels != head.channels() {
        let (found, wanted, boxes) = (before.channels, head.channels(), head.anchors.len());
        return Err(diagnostic(format!(
            "the layer before has {found} channels; \
             {boxes} anchors × (5 + {classes} classes) need {wanted}"
        )));
    }
    Ok(head)
}
