//! The layers of a Darknet `.cfg`, typed, with every shape known.

use super::activation::Activation;
use super::fork::{self, Mark};
use super::syntax::{self, Problem, Section};
use super::without_effect;
use crate::description::MAX_INPUT_SIDE;
use crate::yolo::YoloHead;
use frame::ImageSize;

/// The most values that one layer may put out per image, 1 GiB of them: a typing error must not ask
/// for more.
const MAX_VALUES: u64 = 1 << 28;
/// The most channels of a layer; the YOLOv3 family stays below 2048.
const MAX_CHANNELS: usize = 1 << 16;
/// The largest kernel, stride, dilation or padding; the family's pooling pyramids reach 13.
const MAX_KERNEL: usize = 255;
/// The most layers that a `from` or `layers` can reach back.
const MAX_LAYERS: i64 = 100_000;
/// The most layers; the largest networks of the family have some 400.
const MAX_SECTIONS: usize = 10_000;
/// The most multiplications for an image, minutes of work: YOLOv4-p7 takes 0.2 · 10¹² at its own
/// size.
const MAX_PRODUCTS: u64 = 10_000_000_000_000;

/// What a layer puts out for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// One section after `[net]`.
#[derive(Debug)]
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
    Dropout,
    /// Marks the layer before as an output.
    Yolo(YoloHead),
}

#[derive(Debug)]
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

#[derive(Debug)]
pub(crate) struct MaxPool {
    pub(crate) size: usize,
    /// Vertical, horizontal.
    pub(crate) strides: (usize, usize),
    /// Cells before the first and after the last, on both axes; they never win.
    pub(crate) padding: (usize, usize),
}

/// A whole `.cfg`.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) input: Shape,
    /// Each layer with what it puts out.
    pub(crate) layers: Vec<(Layer, Shape)>,
    /// `letter_box=1` in `[net]`.
    pub(crate) letter_box: bool,
    /// What only AlexeyAB's Darknet knows.
    pub(crate) mark: Option<Mark>,
    /// What was passed over.
    pub(crate) warnings: Vec<Problem>,
    /// Multiplications for an image.
    products: u64,
}

impl Network {
    /// Reads a `.cfg`; `input` overrides the size that it names.
    pub(crate) fn parse(text: &str, input: Option<ImageSize>) -> Result<Self, Problem> {
        let sections = syntax::parse(text)?;
        if let Some(section) = sections.get(MAX_SECTIONS) {
            return Err(Problem::new(
                section.line,
                format!("more than {MAX_SECTIONS} sections are too many"),
            ));
        }
        let mark = fork::mark(&sections);
        let mut sections = sections.into_iter();
        let net =
            sections.next().filter(|section| matches!(section.name.as_str(), "net" | "network"));
        let Some(mut net) = net else {
            return Err(Problem::new(1, "the first section must be [net]"));
        };
        let (input, letter_box) = (input_shape(&mut net, input)?, net.flag("letter_box")?);
        let warnings = net.finish(without_effect::NET);
        let mut network =
            Self { input, layers: Vec::new(), letter_box, mark, warnings, products: 0 };
        for section in sections {
            network.add(section)?;
        }
        if network.heads().next().is_none() {
            return Err(Problem::new(
                text.lines().count().max(1),
                "there is no [yolo] section, so nothing could be detected",
            ));
        }
        Ok(network)
    }

    /// The heads, in file order.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &YoloHead> {
        self.layers
            .iter()
            .filter_map(|(layer, _)| if let Layer::Yolo(head) = layer { Some(head) } else { None })
    }

    /// What layer `index` reads when it names no source: what the layer before puts out.
    pub(crate) fn shape_before(&self, index: usize) -> Shape {
        index.checked_sub(1).map_or(self.input, |before| self.layers[before].1)
    }

    fn add(&mut self, mut section: Section) -> Result<(), Problem> {
        let line = section.line;
        let before = self.shape_before(self.layers.len());
        without_effect::refuse(&mut section)?;
        let (layer, output) = match section.name.as_str() {
            "convolutional" | "conv" => convolution(&mut section, before)?,
            "maxpool" | "max" => max_pool(&mut section, before)?,
            "route" => self.route(&mut section)?,
            "shortcut" => self.shortcut(&mut section, before)?,
            "upsample" => upsample(&mut section, before)?,
            "dropout" | "empty" | "silence" => (Layer::Dropout, before),
            "yolo" => (Layer::Yolo(yolo(&mut section, before)?), before),
            other => {
                let allowed = "convolutional, maxpool, route, shortcut, upsample, dropout, yolo";
                return Err(Problem::new(
                    line,
                    format!("the section [{other}] is not known; allowed: {allowed}"),
                ));
            }
        };
        let without_effect = without_effect::of_layer(&section.name);
        self.warnings.extend(section.finish(&without_effect));
        let values = [output.channels, output.height, output.width]
            .iter()
            .try_fold(1u64, |all, side| all.checked_mul(*side as u64));
        let Some(values @ 1..=MAX_VALUES) = values else {
            return Err(Problem::new(
                line,
                format!("this layer's output would be {output:?}: none, or too large to hold"),
            ));
        };
        self.products =
            self.products.saturating_add(values.saturating_mul(layer.products_per_value(before)));
        if self.products > MAX_PRODUCTS {
            return Err(Problem::new(
                line,
                format!(
                    "up to here, the network takes more than {MAX_PRODUCTS} multiplications an image"
                ),
            ));
        }
        self.layers.push((layer, output));
        Ok(())
    }

    /// A layer by Darknet's numbering: negative ones count back from this one.
    fn source(&self, named: i64, line: usize) -> Result<usize, Problem> {
        let here = self.layers.len();
        let index = if named < 0 { here as i64 + named } else { named };
        let index = usize::try_from(index).ok().filter(|index| *index < here).ok_or_else(|| {
            Problem::new(
                line,
                format!("layer {named} does not come before this one, which has the number {here}"),
            )
        })?;
        if matches!(self.layers[index].0, Layer::Yolo(_)) {
            return Err(Problem::new(
                line,
                format!("layer {named} is a [yolo] section, which is an end and no source"),
            ));
        }
        Ok(index)
    }

    fn route(&self, section: &mut Section) -> Result<(Layer, Shape), Problem> {
        let line = section.line;
        let problem = |text: String| Problem::new(line, text);
        let named = section.numbers("layers", -MAX_LAYERS..=MAX_LAYERS)?;
        let parts = section.number("groups", 1, 1..=MAX_CHANNELS)?;
        let part = section.number("group_id", 0, 0..=parts - 1)?;
        let sources =
            named.iter().map(|named| self.source(*named, line)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<Shape> = sources.iter().map(|source| self.layers[*source].1).collect();
        let Some(first) = shapes.first() else { return Err(problem("layers is missing".into())) };
        if let Some(other) =
            shapes.iter().find(|shape| (shape.height, shape.width) != (first.height, first.width))
        {
            return Err(problem(format!(
                "the routed layers differ in size: {first:?} and {other:?}"
            )));
        }
        if let Some(other) = shapes.iter().find(|shape| shape.channels % parts != 0) {
            return Err(problem(format!(
                "{} channels cannot be split into {parts} groups",
                other.channels
            )));
        }
        let channels = shapes.iter().map(|shape| shape.channels / parts).sum();
        Ok((Layer::Route { sources, parts, part }, Shape { channels, ..*first }))
    }

    fn shortcut(&self, section: &mut Section, before: Shape) -> Result<(Layer, Shape), Problem> {
        let line = section.line;
        let named = section.optional_number("from", -MAX_LAYERS..=MAX_LAYERS)?;
        let Some(named) = named else { return Err(Problem::new(line, "from is missing")) };
        let from = self.source(named, line)?;
        let activation = section.word("activation", Activation::Linear, Activation::WORDS)?;
        let other = self.layers[from].1;
        if other != before {
            return Err(Problem::new(
                line,
                format!("the two layers differ in shape: {before:?} and {other:?}"),
            ));
        }
        Ok((Layer::Shortcut { from, activation }, before))
    }
}

impl Layer {
    /// For each value that it puts out; what does not multiply is counted as what it reads.
    fn products_per_value(&self, before: Shape) -> u64 {
        let (size, channels) = match self {
            Self::Convolution(layer) => (layer.size, before.channels / layer.groups),
            Self::MaxPool(layer) => (layer.size, 1),
            Self::Route { .. }
            | Self::Shortcut { .. }
            | Self::Upsample { .. }
            | Self::Dropout
            | Self::Yolo(_) => (1, 1),
        };
        // sizes are below 2⁸, channels at most 2²⁸
        (size * size) as u64 * channels as u64
    }
}

fn input_shape(net: &mut Section, input: Option<ImageSize>) -> Result<Shape, Problem> {
    let line = net.line;
    let width = net.optional_number("width", 1..=MAX_INPUT_SIDE)?;
    let height = net.optional_number("height", 1..=MAX_INPUT_SIDE)?;
    let channels = net.number("channels", 3, 3..=3)?;
    match input.or(width.zip(height).map(|(width, height)| ImageSize { width, height })) {
        Some(size) => {
            Ok(Shape { channels, height: size.height as usize, width: size.width as usize })
        }
        None => Err(Problem::new(line, "width and height are missing")),
    }
}

/// `stride`, which `stride_x` and `stride_y` override; vertical first.
fn strides(section: &mut Section) -> Result<(usize, usize), Problem> {
    let stride = section.number("stride", 1, 1..=MAX_KERNEL)?;
    let vertical = section.number("stride_y", stride, 1..=MAX_KERNEL)?;
    let horizontal = section.number("stride_x", stride, 1..=MAX_KERNEL)?;
    Ok((vertical, horizontal))
}

/// How many times a kernel that reaches over `reach` cells fits.
fn steps(padded: usize, reach: usize, stride: usize) -> usize {
    padded.checked_sub(reach).map_or(0, |room| room / stride + 1)
}

fn convolution(section: &mut Section, before: Shape) -> Result<(Layer, Shape), Problem> {
    let line = section.line;
    let problem = |text: String| Problem::new(line, text);
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
    let activation = section.word("activation", Activation::Logistic, Activation::WORDS)?;
    if !before.channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        return Err(problem(format!(
            "{} channels and {filters} filters cannot be split into {groups} groups",
            before.channels
        )));
    }
    // a kernel of one cell has no gaps to widen
    let dilation = if size == 1 { 1 } else { dilation };
    if dilation > 1 && 2 * padding + 1 != size {
        // Darknet computes the output's size without the dilation, and reads beyond it in any other
        // case
        return Err(problem(format!("dilation={dilation} needs an odd size and pad=1")));
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

fn max_pool(section: &mut Section, before: Shape) -> Result<(Layer, Shape), Problem> {
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
        return Err(Problem::new(line, format!("a window of {size} does not fit {before:?}")));
    }
    // Darknet starts at -padding/2, rounded towards 0
    let layer = MaxPool { size, strides, padding: (padding / 2, padding - padding / 2) };
    Ok((Layer::MaxPool(layer), output))
}

fn upsample(section: &mut Section, before: Shape) -> Result<(Layer, Shape), Problem> {
    let stride = section.number("stride", 2, 1..=MAX_KERNEL)?;
    let output = Shape {
        channels: before.channels,
        height: before.height * stride,
        width: before.width * stride,
    };
    Ok((Layer::Upsample { stride }, output))
}

fn yolo(section: &mut Section, before: Shape) -> Result<YoloHead, Problem> {
    let line = section.line;
    let problem = |text: String| Problem::new(line, text);
    let classes = section.number("classes", 20usize, 1..=MAX_CHANNELS)?;
    let all = section.number("num", 1usize, 1..=MAX_CHANNELS)?;
    let anchors = section.numbers_and_comma("anchors", 0.0f32..=1e6)?;
    let mask = section.numbers("mask", 0..=all - 1)?;
    let scale_x_y = section.number("scale_x_y", 1.0f32, 0.1..=10.0)?;
    // the greedy kind measures overlap as the default does, the others in another way; which boxes
    // compete is the description's matter
    section.word("nms_kind", (), &[("default", ()), ("greedynms", ())])?;
    if anchors.len() != 2 * all {
        return Err(problem(format!(
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
        return Err(problem(format!(
            "the layer before has {found} channels; {boxes} anchors × (5 + {classes} classes) need {wanted}"
        )));
    }
    Ok(head)
}
