//! What is applied to each value of a layer's output.

/// The activations of the YOLO family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x.
    Linear,
    /// x, or 0.1 · x below zero.
    Leaky,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x, or eˣ − 1 below zero.
    Elu,
    /// 1 / (1 + e⁻ˣ).
    Logistic,
    /// tanh(x).
    Tanh,
    /// x · logistic(x).
    Swish,
    /// x · tanh(ln(1 + eˣ)).
    Mish,
}

impl Activation {
    /// The slope that the leaky unit of Darknet has below zero.
    pub const LEAK: f32 = 0.1;
}
