//! A convolution of 1 × 1 to more channels, a depthwise one, and one of 1 × 1 to fewer channels,
//! with the input added where that is wanted: a block of MobileNetV2 and what followed it.
//!
//! Source: Sandler and others, MobileNetV2: Inverted Residuals and Linear Bottlenecks (2018), arXiv
//! 1801.04381. Its many channels are made some rows at a time and used at once, so that they never
//! leave the second-level cache.

use super::{Convolution, Method, Weights, depthwise, direct, padded, scratch};
use crate::Team;

/// Numbers of the rows that are worked on at once: they stay in the second-level cache.
const KEPT: usize = 1 << 16;

/// The three convolutions, whose weights are packed.
#[derive(Clone, Debug)]
pub struct InvertedResidual {
    expand: Convolution,
    depthwise: Convolution,
    project: Convolution,
    residual: bool,
}

impl InvertedResidual {
    /// Whether these convolutions, one after the other, are such a block.
    #[must_use]
    pub fn takes(expand: &Convolution, depthwise: &Convolution, project: &Convolution) -> bool {
        let point = |layer: &Convolution| {
            layer.method == Method::Direct && layer.sides.reads_each_pixel_once()
        };
        let follows = |first: &Convolution, second: &Convolution| {
            let next = &second.sides;
            first.isa == second.isa
                && first.output() == (next.height, next.width)
                && first.sides.filters == next.channels
        };
        point(expand)
            && depthwise.method == Method::Depthwise
            && point(project)
            && follows(expand, depthwise)
            && follows(depthwise, project)
    }

    /// Whether the block puts out what its input can be added to.
    #[must_use]
    pub fn keeps_shape(expand: &Convolution, project: &Convolution) -> bool {
        (expand.sides.height, expand.sides.width) == project.output()
            && expand.sides.channels == project.sides.filters
    }

    /// Of three convolutions; `residual` adds the input to what they put out.
    ///
    /// # Panics
    /// When they do not follow each other, or the input does not have the shape of the output.
    #[must_use]
    pub fn new([expand, depthwise, project]: [Convolution; 3], residual: bool) -> Self {
        assert!(Self::takes(&expand, &depthwise, &project), "three layers of a block");
        assert!(!residual || Self::keeps_shape(&expand, &project), "an output like the input");
        Self { expand, depthwise, project, residual }
    }

    /// The convolution that the block ends with.
    #[must_use]
    pub fn last(&self) -> &Convolution {
        &self.project
    }

    /// Convolves `batch` images, `[batch, height, width, padded channels]` to
    /// `[batch, height, width, padded filters]`.
    ///
    /// # Panics
    /// When a slice has another length.
    pub fn run(&self, team: &Team, batch: usize, from: &[f32], to: &mut [f32]) {
        let image = self.expand.sides.height * self.input_line();
        assert_eq!(from.len(), batch * image, "input of the sides");
        let rows = batch * self.project.output().0;
        assert_eq!(to.len(), rows * self.output_line(), "room for the output");
        if to.is_empty() {
            return;
        }
        let whole = batch * self.expand.sides.height * self.wide_line();
        if team.threads() > 1 && whole <= 2 * KEPT {
            self.in_turn(team, batch, from, to);
            return;
        }
        // neighbours make the rows between them twice
        let most = rows.div_ceil(2 * team.threads());
        let most = if team.threads() > 1 { most } else { rows };
        let chunks = to.chunks_mut(most * self.output_line()).enumerate().collect();
        team.each(chunks, |(index, to): (usize, &mut [f32])| {
            self.rows(from, index * most, to);
        });
    }

    /// Numbers of a row of the input.
    fn input_line(&self) -> usize {
        self.expand.sides.width * padded(self.expand.sides.channels)
    }

    /// Numbers of a row between the first two convolutions.
    fn wide_line(&self) -> usize {
        self.depthwise.sides.width * padded(self.depthwise.sides.channels)
    }

    /// Numbers of a row between the last two convolutions.
    fn narrow_line(&self) -> usize {
        self.project.sides.width * padded(self.project.sides.channels)
    }

    /// Numbers of a row of the output.
    fn output_line(&self) -> usize {
        self.project.output().1 * padded(self.project.sides.filters)
    }

    /// One convolution after the other, each by all threads.
    fn in_turn(&self, team: &Team, batch: usize, from: &[f32], to: &mut [f32]) {
        let wide = batch * self.depthwise.sides.height * self.wide_line();
        let narrow = batch * self.project.sides.height * self.narrow_line();
        scratch::with(wide + narrow, |scratch| {
            let (wide, narrow) = scratch.split_at_mut(wide);
            self.expand.run(team, batch, from, wide);
            self.depthwise.run(team, batch, wide, narrow);
            by_pixel(&self.project, team, narrow, self.residual.then_some(from), to);
        });
    }

    /// Some rows of the output, from the given one on, counted through all images.
    fn rows(&self, from: &[f32], mut first: usize, mut to: &mut [f32]) {
        let (height, line) = (self.project.output().0, self.output_line());
        let image = self.expand.sides.height * self.input_line();
        while !to.is_empty() {
            let y = first % height;
            let rows = (height - y).min(to.len() / line);
            let (part, rest) = to.split_at_mut(rows * line);
            self.rows_of_image(&from[first / height * image..][..image], y, part);
            (first, to) = (first + rows, rest);
        }
    }

    /// Some rows of an image's output, from the given one on.
    fn rows_of_image(&self, from: &[f32], first: usize, to: &mut [f32]) {
        let sides = &self.depthwise.sides;
        let (Weights::Depthwise(weights), line) = (&self.depthwise.weights, self.input_line())
        else {
            return;
        };
        let (stride, reach) = (sides.strides.0, (sides.kernel.0 - 1) * sides.dilations.0 + 1);
        let (wide_line, narrow_line) = (self.wide_line(), self.narrow_line());
        let each = stride * wide_line + narrow_line;
        let band = (KEPT.saturating_sub(reach * wide_line) / each).max(1);
        // rows that are kept, in a ring
        let kept = ((band - 1) * stride + reach).min(sides.height);
        scratch::with(kept * wide_line + band * narrow_line, |scratch| {
            let (wide, narrow) = scratch.split_at_mut(kept * wide_line);
            let mut next = 0;
            for (index, to) in to.chunks_mut(band * self.output_line()).enumerate() {
                let (y, rows) = (first + index * band, to.len() / self.output_line());
                let end = ((y + rows - 1) * stride + reach).saturating_sub(sides.before.0);
                let end = end.min(sides.height);
                next = (y * stride).saturating_sub(sides.before.0).max(next);
                while next < end {
                    // up to where the ring begins anew
                    let count = (end - next).min(kept - next % kept);
                    let from = &from[next * line..][..count * line];
                    let wide = &mut wide[next % kept * wide_line..][..count * wide_line];
                    by_pixel(&self.expand, &Team::alone(), from, None, wide);
                    next += count;
                }
                let narrow = &mut narrow[..rows * narrow_line];
                depthwise::some_rows(&self.depthwise, weights, (wide, kept), y, narrow);
                let input = self.residual.then(|| &from[y * line..][..rows * line]);
                by_pixel(&self.project, &Team::alone(), narrow, input, to);
            }
        });
    }
}

/// A convolution of 1 × 1 on some pixels, to which something may be added.
fn by_pixel(
    layer: &Convolution,
    team: &Team,
    from: &[f32],
    addend: Option<&[f32]>,
    to: &mut [f32],
) {
    if let Weights::Direct(panels) = &layer.weights {
        direct::run(layer, panels, team, from, addend, to);
    }
}
