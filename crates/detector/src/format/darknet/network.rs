//! A Darknet `.cfg` as a whole: its layers, with every shape known.

use super::activation;
use super::fork::{self, Mark};
use super::keys;
use super::layers::{self, Layer, MAX_CHANNELS};
use super::section::Kind;
use super::syntax::{self, Diagnostic, Section};
use crate::description::MAX_INPUT_SIDE;
use crate::yolo::YoloHead;
use engine::{Activation, Shape};
use frame::ImageSize;

/// The most values that one layer may put out per image, 1 GiB of them: a typing error must not ask
/// for more.
const MAX_VALUES: u64 = 1 << 28;
/// The most layers that a `from` or `layers` can reach back.
const MAX_LAYERS: i64 = 100_000;
/// The most layers; the largest networks of the family have some 400.
const MAX_SECTIONS: usize = 10_000;
/// The most multiplications for an image, minutes of work: YOLOv4-p7 takes 0.2 · 10¹² at its own
/// size.
const MAX_PRODUCTS: u64 = 10_000_000_000_000;

/// A whole `.cfg`.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) input: Shape,
    /// Each layer with what it puts out.
    pub(crate) layers: Vec<(Layer, Shape)>,
    /// `letter_box=1` in `[net]`.
    pub(crate) letter_box: bool,
    /// What only AlexeyAB's Darknet knows.
    pub(crate) mark: Option<Mark>,
    /// What was passed over.
    pub(crate) warnings: Vec<Diagnostic>,
    /// Multiplications for an image.
    products: u64,
}

impl Network {
    /// Reads a `.cfg`; `input` overrides the size that it names.
    pub(crate) fn parse(text: &str, input: Option<ImageSize>) -> Result<Self, Diagnostic> {
        let sections = syntax::parse(text)?;
        if let Some(section) = sections.get(MAX_SECTIONS) {
            return Err(Diagnostic::new(
                section.line,
                format!("more than {MAX_SECTIONS} sections are too many"),
            ));
        }
        let mark = fork::mark(&sections);
        let mut sections = sections.into_iter();
        let net = sections.next().filter(|section| Kind::of(&section.name) == Some(Kind::Net));
        let Some(mut net) = net else {
            return Err(Diagnostic::new(1, "the first section must be [net]"));
        };
        let (input, letter_box) = (input_shape(&mut net, input)?, net.flag("letter_box")?);
        let warnings = net.finish(keys::of(Kind::Net));
        let mut network =
            Self { input, layers: Vec::new(), letter_box, mark, warnings, products: 0 };
        for section in sections {
            network.add(section)?;
        }
        if network.heads().next().is_none() {
            return Err(Diagnostic::new(
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

    fn add(&mut self, mut section: Section) -> Result<(), Diagnostic> {
        let line = section.line;
        let before = self.shape_before(self.layers.len());
        let kind = Kind::of(&section.name).filter(|kind| *kind != Kind::Net).ok_or_else(|| {
            let allowed = "convolutional, maxpool, route, shortcut, upsample, dropout, yolo";
            let name = &section.name;
            Diagnostic::new(line, format!("the section [{name}] is not known; allowed: {allowed}"))
        })?;
        section.refuse(keys::of(kind))?;
        let (layer, output) = match kind {
            Kind::Convolutional => layers::convolution(&mut section, before)?,
            Kind::MaxPool => layers::max_pool(&mut section, before)?,
            Kind::Route => self.route(&mut section)?,
            Kind::Shortcut => self.shortcut(&mut section, before)?,
            Kind::Upsample => layers::upsample(&mut section, before)?,
            // a second [net] was refused above
            Kind::Dropout | Kind::Empty | Kind::Net => (Layer::Nothing, before),
            Kind::Yolo => (Layer::Yolo(layers::yolo(&mut section, before)?), before),
        };
        self.warnings.extend(section.finish(keys::of(kind)));
        let values = [output.channels, output.height, output.width]
            .iter()
            .try_fold(1u64, |all, side| all.checked_mul(*side as u64));
        let Some(values @ 1..=MAX_VALUES) = values else {
            return Err(Diagnostic::new(
                line,
                format!("this layer's output would be {output:?}: none, or too large to hold"),
            ));
        };
        self.products =
            self.products.saturating_add(values.saturating_mul(layer.products_per_value(before)));
        if self.products > MAX_PRODUCTS {
            return Err(Diagnostic::new(
                line,
                format!(
                    "up to here, the network takes more than {MAX_PRODUCTS} multiplications \
                     an image"
                ),
            ));
        }
        self.layers.push((layer, output));
        Ok(())
    }

    /// A layer by Darknet's numbering: negative ones count back from this one.
    fn source(&self, named: i64, line: usize) -> Result<usize, Diagnostic> {
        let here = self.layers.len();
        let index = if named < 0 { here as i64 + named } else { named };
        let index = usize::try_from(index).ok().filter(|index| *index < here).ok_or_else(|| {
            Diagnostic::new(
                line,
                format!("layer {named} does not come before this one, which has the number {here}"),
            )
        })?;
        if matches!(self.layers[index].0, Layer::Yolo(_)) {
            return Err(Diagnostic::new(
                line,
                format!("layer {named} is a [yolo] section, which is an end and no source"),
            ));
        }
        Ok(index)
    }

    fn route(&self, section: &mut Section) -> Result<(Layer, Shape), Diagnostic> {
        let line = section.line;
        let diagnostic = |text: String| Diagnostic::new(line, text);
        let named = section.numbers("layers", -MAX_LAYERS..=MAX_LAYERS)?;
        let parts = section.number("groups", 1, 1..=MAX_CHANNELS)?;
        let part = section.number("group_id", 0, 0..=parts - 1)?;
        let sources =
            named.iter().map(|named| self.source(*named, line)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<Shape> = sources.iter().map(|source| self.layers[*source].1).collect();
        let Some(first) = shapes.first() else {
            return Err(diagnostic("layers is missing".into()));
        };
        if let Some(other) =
            shapes.iter().find(|shape| (shape.height, shape.width) != (first.height, first.width))
        {
            return Err(diagnostic(format!(
                "the routed layers differ in size: {first:?} and {other:?}"
            )));
        }
        if let Some(other) = shapes.iter().find(|shape| shape.channels % parts != 0) {
            return Err(diagnostic(format!(
                "{} channels cannot be split into {parts} groups",
                other.channels
            )));
        }
        let channels = shapes.iter().map(|shape| shape.channels / parts).sum();
        Ok((Layer::Route { sources, parts, part }, Shape { channels, ..*first }))
    }

    fn shortcut(&self, section: &mut Section, before: Shape) -> Result<(Layer, Shape), Diagnostic> {
        let line = section.line;
        let named = section.optional_number("from", -MAX_LAYERS..=MAX_LAYERS)?;
        let Some(named) = named else { return Err(Diagnostic::new(line, "from is missing")) };
        let from = self.source(named, line)?;
        let activation = section.word("activation", Activation::Linear, activation::WORDS)?;
        let other = self.layers[from].1;
        if other != before {
            return Err(Diagnostic::new(
                line,
                format!("the two layers differ in shape: {before:?} and {other:?}"),
            ));
        }
        Ok((Layer::Shortcut { from, activation }, before))
    }
}

fn input_shape(net: &mut Section, input: Option<ImageSize>) -> Result<Shape, Diagnostic> {
    let line = net.line;
    let width = net.optional_number("width", 1..=MAX_INPUT_SIDE)?;
    let height = net.optional_number("height", 1..=MAX_INPUT_SIDE)?;
    let channels = net.number("channels", 3, 3..=3)?;
    match input.or(width.zip(height).map(|(width, height)| ImageSize { width, height })) {
        Some(size) => {
            Ok(Shape { channels, height: size.height as usize, width: size.width as usize })
        }
        None => Err(Diagnostic::new(line, "width and height are missing")),
    }
}
