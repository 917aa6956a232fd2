//! A step of a quantised network as an operator of tract's.

use super::step::Step;
use crate::kept::{Kept, Reusing, eval_fresh};
use kernels::Team;
use kernels::int8::{self, Int8Isa};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// Takes and gives `[batch, bytes]`, but for the first step, which takes planes of numbers, and the
/// heads, which give them. The threads share each image.
#[derive(Clone, Debug)]
pub(super) struct Int8Step(pub(super) Arc<Step>, pub(super) Team);

impl PartialEq for Int8Step {
    /// What weights two steps have is not compared: only one and the same are equal.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Int8Step {}

impl Hash for Int8Step {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Op for Int8Step {
    fn name(&self) -> StaticName {
        self.0.name().into()
    }

    op_as_typed_op!();
}

impl EvalOp for Int8Step {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        eval_fresh(self, &inputs)
    }

    fn state(&self, _context: &EvalContext) -> TractResult<Option<Box<dyn OpState>>> {
        Ok(Some(Box::new(Kept::<Self>::default())))
    }
}

impl Reusing for Int8Step {
    fn output(&self, inputs: &[TValue]) -> TractResult<Tensor> {
        let batch = inputs.first().map_or(0, |input| input.shape()[0]);
        match self.0.bytes() {
            Some(bytes) => Tensor::zero::<u8>(&[batch, bytes]),
            None => Tensor::zero::<f32>(&self.planes(batch)?),
        }
    }

    fn run(&self, inputs: &[TValue], output: &mut Tensor) -> TractResult<()> {
        let batch = output.shape()[0];
        match &*self.0 {
            Step::Quantize(layout) => {
                let from = inputs[0].try_as_plain_ram()?;
                let from = from.as_slice::<f32>()?;
                let mut to = output.try_as_plain_ram_mut()?;
                let images = to.as_slice_mut::<u8>()?.chunks_exact_mut(layout.bytes());
                for (image, to) in images.enumerate() {
                    let numbers = from.len() / batch;
                    let planes = &from[image * numbers..][..numbers];
                    int8::quantize(Int8Isa::best(), planes, *layout, to);
                }
            }
            Step::Head(head) => {
                let from = inputs[0].try_as_plain_ram()?;
                let from = from.as_slice::<u8>()?;
                let numbers = head.filters() * head.size().area();
                let mut to = output.try_as_plain_ram_mut()?;
                let images = to.as_slice_mut::<f32>()?.chunks_exact_mut(numbers);
                for (image, to) in images.enumerate() {
                    let bytes = from.len() / batch;
                    let image = &from[image * bytes..][..bytes];
                    head.run(&self.1, image, to);
                }
            }
            step => {
                let views = inputs
                    .iter()
                    .map(|input| input.try_as_plain_ram())
                    .collect::<TractResult<Vec<_>>>()?;
                let from = views
                    .iter()
                    .map(|view| view.as_slice::<u8>())
                    .collect::<TractResult<Vec<_>>>()?;
                let mut to = output.try_as_plain_ram_mut()?;
                let to = to.as_slice_mut::<u8>()?;
                let bytes = to.len() / batch;
                for (index, to) in to.chunks_exact_mut(bytes).enumerate() {
                    let image = |all: &[u8]| index * (all.len() / batch)..;
                    let parts: Vec<&[u8]> =
                        from.iter().map(|all| &all[image(all)][..all.len() / batch]).collect();
                    step.run(&self.1, &parts, to);
                }
            }
        }
        Ok(())
    }
}

impl TypedOp for Int8Step {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let batch = inputs[0].shape[0].to_usize()?;
        Ok(tvec![match self.0.bytes() {
            Some(bytes) => u8::datum_type().fact([batch, bytes]),
            None => f32::datum_type().fact(self.planes(batch)?),
        }])
    }

    as_op!();
}

impl Int8Step {
    fn planes(&self, batch: usize) -> TractResult<[usize; 4]> {
        match &*self.0 {
            Step::Head(head) => {
                let size = head.size();
                Ok([batch, head.filters(), size.height, size.width])
            }
            step => bail!("{} puts out bytes", step.name()),
        }
    }
}
