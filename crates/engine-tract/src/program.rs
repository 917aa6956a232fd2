//! A network that is optimised for one batch size, and its runs.

use crate::DetectError;
use crate::guard::guarded;
use crate::outputs::Outputs;
use crate::pool;
use frame::ImageSize;
use std::sync::Arc;
use std::time::Instant;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{EvalContext, OpState, format_err};
use tract_onnx::tract_core::ops::matmul::optimized::OptMatMul;
use tract_onnx::tract_core::plan::SimpleState;
use tract_onnx::tract_core::tract_data::knobs::KnobScope;

/// How tract shall lower convolutions: gather the input's patches once, ahead of the product,
/// unless they take more than 4 MiB (tract's own limit); by default it gathers every 3 × 3 patch
/// again for each few output channels, which costs more where channels are many.
const KNOBS: [(&str, &str); 1] = [("TRACT_LAZY_IM2COL_MIN_KERNEL", "1000")];

/// The most values that one layer may put out per image, 1 GiB of them.
const MAX_VALUES: usize = 1 << 28;

/// How long one operator of a network took.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorTime {
    /// The operator's place: the layer's name in the network, and a suffix.
    pub node: String,
    /// What tract runs there, e.g. a matrix product and its kernel.
    pub operator: String,
    /// Wall-clock milliseconds.
    pub milliseconds: f64,
}

/// What a run puts out.
pub(crate) type Output = TValue;

/// An optimised network for a fixed number of images.
pub(crate) struct Plan {
    runnable: Arc<TypedRunnableModel>,
    batch: usize,
    input: ImageSize,
    /// Per output, the batch first.
    shapes: Vec<Vec<usize>>,
}

impl Plan {
    /// Optimises a model that takes `[batch, 3, input.height, input.width]`, and checks that its
    /// outputs can be read.
    pub(crate) fn new(
        mut model: TypedModel,
        batch: usize,
        input: ImageSize,
        outputs: &Outputs,
    ) -> TractResult<Self> {
        check_sizes(&model, batch)?;
        pool::quicken(&mut model)?;
        let model = KnobScope::new(KNOBS)?.enter(|| model.into_optimized())?;
        let mut shapes = Vec::new();
        for outlet in model.output_outlets()? {
            let fact = model.outlet_fact(*outlet)?;
            let shape = fact
                .shape
                .as_concrete()
                .ok_or_else(|| format_err!("output {} has no fixed shape", shapes.len()))?;
            if fact.datum_type != f32::datum_type() {
                return Err(format_err!(
                    "output {} is of type {:?} where f32 is expected",
                    shapes.len(),
                    fact.datum_type
                ));
            }
            shapes.push(shape.to_vec());
        }
        outputs.check(&shapes, batch).map_err(|problem| format_err!("{problem}"))?;
        Ok(Self { runnable: model.into_runnable()?, batch, input, shapes })
    }

    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    /// The shape of an output for one image.
    pub(crate) fn shape(&self, output: usize) -> &[usize] {
        &self.shapes[output][1..]
    }
}

/// What one thread needs to run a plan.
pub(crate) struct Run {
    plan: Arc<Plan>,
    state: TypedSimpleState,
    /// Kept between runs, so that its memory is not asked for anew each time.
    input: Arc<Tensor>,
}

impl Run {
    pub(crate) fn new(plan: &Arc<Plan>) -> Result<Self, DetectError> {
        let ImageSize { width, height } = plan.input;
        let input = Tensor::zero::<f32>(&[plan.batch, 3, height as usize, width as usize])
            .map_err(failed)?;
        let state = SimpleState::new(&plan.runnable).map_err(failed)?;
        Ok(Self { plan: plan.clone(), state, input: Arc::new(input) })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Lets `write` fill the input's values, one image after the other.
    pub(crate) fn fill<T>(
        &mut self,
        write: impl FnOnce(&mut [f32]) -> T,
    ) -> Result<T, DetectError> {
        let mut view = Arc::make_mut(&mut self.input).try_as_plain_ram_mut().map_err(failed)?;
        view.as_slice_mut().map(write).map_err(failed)
    }

    /// Runs the network on the input and tells how long each operator took; slower than `run` by
    /// two clock readings an operator.
    pub(crate) fn profile(&mut self) -> Result<Vec<OperatorTime>, DetectError> {
        let mut times = Vec::new();
        let timed = |context: &EvalContext<'_>,
                     state: Option<&mut (dyn OpState + 'static)>,
                     node: &TypedNode,
                     inputs| {
            let started = Instant::now();
            let outputs = tract_onnx::tract_core::plan::eval(context, state, node, inputs);
            let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
            times.push(OperatorTime {
                node: node.name.clone(),
                operator: described(node),
                milliseconds,
            });
            outputs
        };
        self.state
            .run_plan_with_eval(tvec![self.input.clone().into_tvalue()], timed)
            .map_err(failed)?;
        Ok(times)
    }

    /// Runs the network on the input.
    pub(crate) fn run(&mut self) -> Result<Vec<Output>, DetectError> {
        let outcome = guarded(|| self.state.run(tvec![self.input.clone().into_tvalue()]));
        let outcome = outcome.unwrap_or_else(|reason| Err(format_err!("{reason}")));
        if outcome.is_err() {
            // a run that stopped half way leaves values behind
            self.state = SimpleState::new(&self.plan.runnable).map_err(failed)?;
        }
        let outputs = outcome.map_err(failed)?;
        for (index, (output, wanted)) in outputs.iter().zip(&self.plan.shapes).enumerate() {
            if output.shape() != wanted.as_slice() || output.datum_type() != f32::datum_type() {
                return Err(DetectError::Output {
                    index,
                    problem: format!("it is {output:?} where {wanted:?} is expected"),
                });
            }
        }
        Ok(outputs.into_vec())
    }
}

/// A layer that would put out more than can be held is refused before anything asks for the memory.
fn check_sizes(model: &TypedModel, batch: usize) -> TractResult<()> {
    for node in model.nodes() {
        for fact in node.outputs.iter().filter_map(|output| output.fact.shape.as_concrete()) {
            let values = fact.iter().try_fold(1usize, |all, side| all.checked_mul(*side));
            if values.is_none_or(|values| values / batch > MAX_VALUES) {
                return Err(format_err!(
                    "the layer {} would put out {fact:?}, too much to hold",
                    node.name
                ));
            }
        }
    }
    Ok(())
}

/// The values of an output, one image after the other.
pub(crate) fn values(output: &Output) -> Result<&[f32], DetectError> {
    output.try_as_plain_ram().and_then(|view| view.as_slice::<f32>()).map_err(failed)
}

/// The operator's name, with the kernel where there is one to choose.
fn described(node: &TypedNode) -> String {
    let kernel = node
        .op_as::<OptMatMul>()
        .and_then(|product| product.mmm.first().map(|kernel| kernel.name().to_owned()));
    kernel.map_or_else(
        || node.op.name().into_owned(),
        |kernel| format!("{} {kernel}", node.op.name()),
    )
}

fn failed(error: TractError) -> DetectError {
    DetectError::Network(format!("{error:#}"))
}
