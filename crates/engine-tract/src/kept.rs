//! Outputs whose memory is used again from run to run.

use std::marker::PhantomData;
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

/// An operator with one output, whose shape is always the same.
pub(crate) trait Reusing: Op {
    /// Memory for the output.
    fn output(&self, inputs: &[TValue]) -> TractResult<Tensor>;

    /// Writes the output.
    fn run(&self, inputs: &[TValue], output: &mut Tensor) -> TractResult<()>;
}

/// Runs an operator once, into fresh memory.
pub(crate) fn eval_fresh(operator: &impl Reusing, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
    let mut output = operator.output(inputs)?;
    operator.run(inputs, &mut output)?;
    Ok(tvec![output.into_tvalue()])
}

/// The last output of an operator of this kind. Its memory is used again if nothing reads it any
/// more: fresh memory costs more than many a step.
#[derive(Debug)]
pub(crate) struct Kept<O>(Option<Arc<Tensor>>, PhantomData<fn() -> O>);

impl<O> Default for Kept<O> {
    fn default() -> Self {
        Self(None, PhantomData)
    }
}

impl<O> Clone for Kept<O> {
    /// Another run has an output of its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<O: Reusing> OpState for Kept<O> {
    fn eval(
        &mut self,
        _context: &EvalContext,
        operator: &dyn Op,
        inputs: TVec<TValue>,
    ) -> TractResult<TVec<TValue>> {
        let operator = operator.downcast_ref::<O>();
        let operator = operator.ok_or_else(|| format_err!("the state of another operator"))?;
        let mut output = match self.0.take().map(Arc::try_unwrap) {
            Some(Ok(unread)) => unread,
            Some(Err(_)) | None => operator.output(&inputs)?,
        };
        operator.run(&inputs, &mut output)?;
        let output = Arc::new(output);
        self.0 = Some(output.clone());
        Ok(tvec![output.into_tvalue()])
    }

    fn reset_lanes(&mut self, _lanes: &[LaneId]) -> TractResult<()> {
        Ok(())
    }
}
