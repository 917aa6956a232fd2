//! Activations as tract operators.

use engine::Activation;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::change_axes::wire_with_rank_broadcast;
use tract_onnx::tract_core::ops::math::{add, div, exp, max, min, mul, tanh};
use tract_onnx::tract_core::ops::nn::{leaky_relu, sigmoid};

/// Adds the operators to a model.
pub(crate) fn wire(
    activation: Activation,
    model: &mut TypedModel,
    name: &str,
    x: OutletId,
) -> TractResult<OutletId> {
    let mut graph = Formula { model, name, steps: 0 };
    match activation {
        Activation::Linear => Ok(x),
        Activation::Leaky => graph.apply(leaky_relu(Activation::LEAK), &[x]),
        Activation::Relu => graph.with_number(max(), x, 0.0),
        Activation::Relu6 => {
            let positive = graph.with_number(max(), x, 0.0)?;
            graph.with_number(min(), positive, 6.0)
        }
        Activation::Elu => {
            // max(x, 0) + exp(min(x, 0)) - 1: the exponential never sees a large number
            let above = graph.with_number(max(), x, 0.0)?;
            let below = graph.with_number(min(), x, 0.0)?;
            let curve = graph.apply(exp(), &[below])?;
            let curve = graph.with_number(add(), curve, -1.0)?;
            graph.apply(add(), &[above, curve])
        }
        Activation::Logistic => graph.apply(sigmoid(), &[x]),
        Activation::Tanh => graph.apply(tanh(), &[x]),
        Activation::Swish => {
            let gate = graph.apply(sigmoid(), &[x])?;
            graph.apply(mul(), &[x, gate])
        }
        Activation::Mish => graph.mish(x),
    }
}

/// A few operators in a row, each with a name of its own.
struct Formula<'a> {
    model: &'a mut TypedModel,
    name: &'a str,
    steps: usize,
}

impl Formula<'_> {
    fn step(&mut self) -> String {
        self.steps += 1;
        format!("{}.activation.{}", self.name, self.steps)
    }

    fn apply(
        &mut self,
        operator: impl Into<Box<dyn TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        let name = self.step();
        Ok(self.model.wire_node(name, operator, inputs)?[0])
    }

    fn with_number(
        &mut self,
        operator: impl Into<Box<dyn TypedOp>>,
        x: OutletId,
        number: f32,
    ) -> TractResult<OutletId> {
        let name = self.step();
        let number = self.model.add_const(format!("{name}.number"), tensor0(number))?;
        Ok(wire_with_rank_broadcast(name, self.model, operator, &[x, number])?[0])
    }

    /// x · tanh(ln(1 + eˣ)) = x · n / (n + 2) with n = eˣ · (eˣ + 2).
    ///
    /// Above 20 the fraction is 1 in single precision, and the exponential is held there so that
    /// its square stays finite.
    fn mish(&mut self, x: OutletId) -> TractResult<OutletId> {
        let held = self.with_number(min(), x, 20.0)?;
        let e = self.apply(exp(), &[held])?;
        let e_plus_2 = self.with_number(add(), e, 2.0)?;
        let n = self.apply(mul(), &[e, e_plus_2])?;
        let n_plus_2 = self.with_number(add(), n, 2.0)?;
        let fraction = self.apply(div(), &[n, n_plus_2])?;
        self.apply(mul(), &[x, fraction])
    }
}
