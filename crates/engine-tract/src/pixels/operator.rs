//! Operators of our own, which work on pixels whose channels lie together.

use crate::kept::{Kept, Reusing, eval_fresh};
use kernels::conv::{Convolution, InvertedResidual};
use kernels::pixels::{self, Windows};
use kernels::{Size, Team};
use std::ops::Range;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// What an operator does. Inputs and the output are `[batch, height, width, padded channels]`, but
/// for planes, which are `[batch, channels, height, width]`.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// Of planes, if the method takes these.
    Convolve(Arc<Convolution>, Team),
    Block(Arc<InvertedResidual>, Team),
    FromPlanes {
        channels: usize,
        size: Size,
    },
    ToPlanes {
        channels: usize,
        size: Size,
    },
    /// With the channels of each input.
    Concat(Vec<usize>),
    /// Some channels of those that there are.
    Select {
        of: usize,
        channels: Range<usize>,
    },
    Upsample {
        channels: usize,
        width: usize,
        stride: usize,
    },
    MaxPool {
        channels: usize,
        size: Size,
        windows: Windows,
    },
}

/// A task and the shape of what it puts out.
#[derive(Clone, Debug)]
pub(super) struct PixelOperator {
    pub(super) task: Arc<Task>,
    pub(super) output: TVec<usize>,
}

impl PartialEq for PixelOperator {
    /// An operator is the same as its copies alone.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.task, &other.task)
    }
}

impl Eq for PixelOperator {}

impl Task {
    fn run(&self, batch: usize, inputs: &[&[f32]], to: &mut [f32]) -> TractResult<()> {
        match (self, inputs) {
            (Self::Convolve(layer, team), [from]) => layer.run(team, batch, from, to),
            (Self::Block(layers, team), [from]) => layers.run(team, batch, from, to),
            (Self::FromPlanes { channels, size }, [from]) => {
                pixels::from_planes(from, *channels, *size, to);
            }
            (Self::ToPlanes { channels, size }, [from]) => {
                pixels::to_planes(from, *channels, *size, to);
            }
            (Self::Concat(channels), _) => {
                let inputs = inputs.iter().copied().zip(channels.iter().copied());
                pixels::concat(&inputs.collect::<Vec<_>>(), to);
            }
            (Self::Select { of, channels }, [from]) => {
                pixels::select(from, *of, channels.clone(), to);
            }
            (Self::Upsample { channels, width, stride }, [from]) => {
                pixels::upsample(from, *channels, *width, *stride, to);
            }
            (Self::MaxPool { channels, size, windows }, [from]) => {
                pixels::max_pool(from, *channels, *size, windows, to);
            }
            _ => bail!("{} inputs are not what the operator takes", inputs.len()),
        }
        Ok(())
    }

    fn name(&self) -> String {
        match self {
            Self::Convolve(layer, _) => {
                let pooled = if layer.pooled() { " + max pool 2×2" } else { "" };
                format!("{} {}{pooled}", layer.method().name(), layer.instructions())
            }
            Self::Block(layers, _) => format!("inverted residual {}", layers.last().instructions()),
            Self::FromPlanes { .. } => "planes to pixels".into(),
            Self::ToPlanes { .. } => "pixels to planes".into(),
            Self::Concat(_) => "concat".into(),
            Self::Select { .. } => "select channels".into(),
            Self::Upsample { .. } => "upsample".into(),
            Self::MaxPool { .. } => "max pool".into(),
        }
    }
}

impl Op for PixelOperator {
    fn name(&self) -> StaticName {
        self.task.name().into()
    }

    op_as_typed_op!();
}

impl Reusing for PixelOperator {
    fn output(&self, _inputs: &[TValue]) -> TractResult<Tensor> {
        Tensor::zero::<f32>(&self.output)
    }

    fn run(&self, inputs: &[TValue], output: &mut Tensor) -> TractResult<()> {
        let mut views = TVec::with_capacity(inputs.len());
        for input in inputs {
            views.push(input.try_as_plain_ram()?);
        }
        let mut slices = TVec::with_capacity(inputs.len());
        for view in &views {
            slices.push(view.as_slice::<f32>()?);
        }
        let batch = self.output.first().copied().unwrap_or(0);
        let mut to = output.try_as_plain_ram_mut()?;
        self.task.run(batch, &slices, to.as_slice_mut()?)
    }
}

impl EvalOp for PixelOperator {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        eval_fresh(self, &inputs)
    }

    fn state(&self, _context: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        Ok(Some(Box::new(Kept::<Self>::default())))
    }
}

impl TypedOp for PixelOperator {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec![f32::fact(&self.output)])
    }

    as_op!();
}
