//! A network as plain data: a graph of layers, with weights as slices.
//!
//! Nothing here is an engine's: whoever reads a file format makes a [`Graph`], and an engine makes
//! of it what it runs. Batch normalisation is folded into the weights already, and every shape is
//! known.

use crate::Activation;

/// What a layer puts out for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Planes.
    pub channels: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Values of a row.
    pub width: usize,
}

/// A network.
#[derive(Clone, Debug)]
pub struct Graph {
    /// What it takes in.
    pub input: Shape,
    /// The layers; each reads the input or layers before it.
    pub nodes: Vec<Node>,
    /// What it puts out, in order.
    pub outputs: Vec<Value>,
}

/// Something that a layer can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The network's input.
    Input,
    /// What the layer of this index puts out.
    Node(usize),
}

/// A layer.
#[derive(Clone, Debug)]
pub struct Node {
    /// A name of its own, for profiles and errors.
    pub name: String,
    /// What it does.
    pub operation: Operation,
    /// What it reads, as many as the operation takes.
    pub inputs: Vec<Value>,
    /// What it puts out.
    pub shape: Shape,
}

/// What a layer does.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Of one input.
    Convolution(Convolution),
    /// Of one input.
    MaxPool(MaxPool),
    /// The channels of all inputs, one input after the other.
    Concat,
    /// Some channels of one input, as many as the layer's shape says.
    Channels {
        /// The first of them.
        first: usize,
    },
    /// The sum of two inputs.
    Add(Activation),
    /// Each value of one input becomes a square of this side.
    Upsample {
        /// The square's side.
        stride: usize,
    },
}

/// A convolution over an input that zeros surround.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// `[filters, input channels / groups, size, size]`, row by row.
    pub kernel: Vec<f32>,
    /// One number a filter, added to the sum.
    pub bias: Vec<f32>,
    /// The kernel's side.
    pub size: usize,
    /// Vertical, horizontal.
    pub strides: (usize, usize),
    /// How far apart the kernel's cells are; 1 is without gaps.
    pub dilation: usize,
    /// Zeros on each of the four sides.
    pub padding: usize,
    /// Into how many groups channels and filters are split; each filter reads its own group.
    pub groups: usize,
    /// Applied to the sum.
    pub activation: Activation,
}

impl Convolution {
    /// How many channels it puts out.
    #[must_use]
    pub fn filters(&self) -> usize {
        self.bias.len()
    }
}

/// The largest value of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// The window's side.
    pub size: usize,
    /// Vertical, horizontal.
    pub strides: (usize, usize),
    /// Cells before the first and after the last, on both axes; they never win.
    pub padding: (usize, usize),
}

impl Graph {
    /// The shape of what a layer can read.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn shape(&self, value: Value) -> Shape {
        match value {
            Value::Input => self.input,
            Value::Node(index) => self.nodes[index].shape,
        }
    }
}
