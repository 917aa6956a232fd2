//! Darknet's words for activations.

use engine::Activation;

pub(super) const WORDS: &[(&str, Activation)] = &[
    ("linear", Activation::Linear),
    ("leaky", Activation::Leaky),
    ("relu", Activation::Relu),
    ("relu6", Activation::Relu6),
    ("elu", Activation::Elu),
    ("logistic", Activation::Logistic),
    ("tanh", Activation::Tanh),
    ("swish", Activation::Swish),
    ("mish", Activation::Mish),
];
