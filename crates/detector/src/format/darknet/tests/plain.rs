//! Darknet's layers, written down as plainly as possible.

/// The values of one image: channel by channel, row by row.
#[derive(Clone, Debug)]
pub(super) struct Map {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl Map {
    fn made(
        channels: usize,
        height: usize,
        width: usize,
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        let mut values = Vec::new();
        for channel in 0..channels {
            for y in 0..height {
                values.extend((0..width).map(|x| value(channel, y, x)));
            }
        }
        Self { channels, height, width, values }
    }

    /// `None` outside.
    fn at(&self, channel: usize, y: isize, x: isize) -> Option<f32> {
        let (y, x) = (usize::try_from(y).ok()?, usize::try_from(x).ok()?);
        (y < self.height && x < self.width)
            .then(|| self.values[(channel * self.height + y) * self.width + x])
    }

    pub(super) fn mapped(&self, function: impl Fn(f32) -> f32) -> Self {
        Self { values: self.values.iter().map(|value| function(*value)).collect(), ..self.clone() }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            values: self.values.iter().zip(&other.values).map(|(a, b)| a + b).collect(),
            ..self.clone()
        }
    }

    /// The channels of one after those of the other.
    pub(super) fn and(&self, other: &Self) -> Self {
        let values = [&self.values[..], &other.values[..]].concat();
        Self { channels: self.channels + other.channels, values, ..self.clone() }
    }

    pub(super) fn channels_from(&self, first: usize, count: usize) -> Self {
        Self::made(count, self.height, self.width, |channel, y, x| {
            self.at(first + channel, y as isize, x as isize).unwrap()
        })
    }

    pub(super) fn upsampled(&self, stride: usize) -> Self {
        Self::made(self.channels, self.height * stride, self.width * stride, |channel, y, x| {
            self.at(channel, (y / stride) as isize, (x / stride) as isize).unwrap()
        })
    }

    /// `forward_maxpool_layer`: `padding` in all, half of it before, rounded down.
    pub(super) fn pooled(
        &self,
        size: usize,
        (stride_y, stride_x): (usize, usize),
        padding: usize,
    ) -> Self {
        let sides = (
            (self.height + padding - size) / stride_y + 1,
            (self.width + padding - size) / stride_x + 1,
        );
        let start = (padding / 2) as isize;
        Self::made(self.channels, sides.0, sides.1, |channel, y, x| {
            let cells = (0..size * size).filter_map(|cell| {
                let (y, x) = (y * stride_y + cell / size, x * stride_x + cell % size);
                self.at(channel, y as isize - start, x as isize - start)
            });
            cells.fold(f32::NEG_INFINITY, f32::max)
        })
    }

    pub(super) fn convolved(&self, by: &Convolution) -> Self {
        let reach = (by.size - 1) * by.dilation + 1;
        let side = |from: usize, stride: usize| (from + 2 * by.padding - reach) / stride + 1;
        let (per_group_in, per_group_out) = (self.channels / by.groups, by.filters / by.groups);
        Self::made(
            by.filters,
            side(self.height, by.strides.0),
            side(self.width, by.strides.1),
            |filter, y, x| {
                let mut sum = 0.0;
                for channel in 0..per_group_in {
                    for cell in 0..by.size * by.size {
                        let from_y = (y * by.strides.0 + cell / by.size * by.dilation) as isize
                            - by.padding as isize;
                        let from_x = (x * by.strides.1 + cell % by.size * by.dilation) as isize
                            - by.padding as isize;
                        let value = self
                            .at(filter / per_group_out * per_group_in + channel, from_y, from_x)
                            .unwrap_or(0.0);
                        sum += value
                            * by.kernel
                                [(filter * per_group_in + channel) * by.size * by.size + cell];
                    }
                }
                let normal = by.normalization.as_ref().map_or(sum, |[scales, means, variances]| {
                    scales[filter] * (sum - means[filter]) / (variances[filter].sqrt() + 0.000_001)
                });
                normal + by.biases[filter]
            },
        )
    }
}

/// A convolution's parameters and its numbers as the file holds them.
pub(super) struct Convolution {
    pub(super) filters: usize,
    pub(super) size: usize,
    pub(super) strides: (usize, usize),
    pub(super) dilation: usize,
    pub(super) padding: usize,
    pub(super) groups: usize,
    pub(super) biases: Vec<f32>,
    /// Scales, means, variances.
    pub(super) normalization: Option<[Vec<f32>; 3]>,
    pub(super) kernel: Vec<f32>,
}

impl Convolution {
    pub(super) fn file_order(&self) -> Vec<f32> {
        let normalization = self.normalization.iter().flatten().flatten();
        self.biases.iter().chain(normalization).chain(&self.kernel).copied().collect()
    }
}
