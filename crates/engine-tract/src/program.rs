//! A network that is optimised for one batch size, and its runs.

use crate::guard::guarded;
use crate::{Kernels, Options, pixels, pool};
use engine::{EngineError, OperatorTime, Program, Runner, Shape};
use kernels::Team;
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

/// An optimised network for a fixed number of images.
pub(crate) struct TractProgram {
    runnable: Arc<TypedRunnableModel>,
    batch: usize,
    input: Shape,
    /// For one image.
    outputs: Vec<Vec<usize>>,
    team: Team,
}

/// Makes and optimises a model that takes `[batch, channels, height, width]`; a panic of tract's is
/// an error.
pub(crate) fn prepared(
    input: Shape,
    batch: usize,
    options: &Options,
    model: impl FnOnce() -> TractResult<TypedModel>,
) -> Result<Arc<TractProgram>, EngineError> {
    let made = guarded(|| TractProgram::new(model()?, batch, input, options));
    made.unwrap_or_else(|panicked| Err(panicked.into())).map(Arc::new).map_err(refused)
}

impl TractProgram {
    fn new(
        mut model: TypedModel,
        batch: usize,
        input: Shape,
        options: &Options,
    ) -> TractResult<Self> {
        check_sizes(&model, batch)?;
        if options.kernels != Kernels::Tract {
            model = pixels::lower(model, options)?;
        }
        pool::quicken(&mut model)?;
        let model = KnobScope::new(KNOBS)?.enter(|| model.into_optimized())?;
        let mut outputs = Vec::new();
        for outlet in model.output_outlets()? {
            let (index, fact) = (outputs.len(), model.outlet_fact(*outlet)?);
            let shape = fact.shape.as_concrete();
            let shape = shape.ok_or_else(|| format_err!("output {index} has no fixed shape"))?;
            if fact.datum_type != f32::datum_type() {
                let found = fact.datum_type;
                return Err(format_err!(
                    "output {index} is of type {found:?} where f32 is expected"
                ));
            }
            let image = shape.split_first().filter(|(images, _)| **images == batch);
            let (_, image) = image.ok_or_else(|| {
                format_err!("output {index} has the shape {shape:?}; expected is batch {batch}")
            })?;
            outputs.push(image.to_vec());
        }
        let team = options.team.clone();
        Ok(Self { runnable: model.into_runnable()?, batch, input, outputs, team })
    }

    fn state(&self) -> TractResult<TypedSimpleState> {
        SimpleState::new(&self.runnable)
    }
}

impl Program for TractProgram {
    fn batch(&self) -> usize {
        self.batch
    }

    fn outputs(&self) -> &[Vec<usize>] {
        &self.outputs
    }

    fn operators(&self) -> Vec<String> {
        self.runnable.model().nodes().iter().map(described).collect()
    }

    fn runner(self: Arc<Self>) -> Result<Box<dyn Runner>, EngineError> {
        let Shape { channels, height, width } = self.input;
        let input = Tensor::zero::<f32>(&[self.batch, channels, height, width]).map_err(failed)?;
        let state = self.state().map_err(failed)?;
        Ok(Box::new(TractRunner {
            program: self,
            state,
            input: Arc::new(input),
            outputs: Vec::new(),
        }))
    }
}

/// What one thread needs to run a program.
struct TractRunner {
    program: Arc<TractProgram>,
    state: TypedSimpleState,
    /// Kept between runs, so that its memory is not asked for anew each time.
    input: Arc<Tensor>,
    /// Of the last run.
    outputs: Vec<TValue>,
}

impl TractRunner {
    /// A run that stopped half way leaves values behind.
    fn start_over(&mut self) -> Result<(), EngineError> {
        self.state = self.program.state().map_err(failed)?;
        Ok(())
    }
}

impl Runner for TractRunner {
    fn fill(&mut self, write: &mut dyn FnMut(&mut [f32])) -> Result<(), EngineError> {
        let mut view = Arc::make_mut(&mut self.input).try_as_plain_ram_mut().map_err(failed)?;
        view.as_slice_mut().map(write).map_err(failed)
    }

    fn run(&mut self) -> Result<Vec<&[f32]>, EngineError> {
        self.outputs.clear();
        let input = tvec![self.input.clone().into_tvalue()];
        let (state, team) = (&mut self.state, &self.program.team);
        let outcome = team.enter(|| guarded(|| state.run(input)));
        match outcome.unwrap_or_else(|panicked| Err(panicked.into())) {
            Ok(outputs) => self.outputs = outputs.into_vec(),
            Err(error) => {
                self.start_over()?;
                return Err(failed(error));
            }
        }
        for (index, (output, wanted)) in self.outputs.iter().zip(&self.program.outputs).enumerate()
        {
            let fits = output.datum_type() == f32::datum_type()
                && output.shape().split_first() == Some((&self.program.batch, wanted));
            if !fits {
                return Err(EngineError::Output {
                    index,
                    found: format!("{output:?}"),
                    wanted: format!("{wanted:?} for each of {}", self.program.batch),
                });
            }
        }
        self.outputs.iter().map(|output| values(output).map_err(failed)).collect()
    }

    fn profile(&mut self) -> Result<Vec<OperatorTime>, EngineError> {
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
        let input = tvec![self.input.clone().into_tvalue()];
        let outcome = guarded(|| self.state.run_plan_with_eval(input, timed));
        if let Err(error) = outcome.unwrap_or_else(|panicked| Err(panicked.into())) {
            self.start_over()?;
            return Err(failed(error));
        }
        Ok(times)
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

fn values(output: &TValue) -> TractResult<&[f32]> {
    output.try_as_plain_ram()?.as_slice::<f32>()
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

/// What is wrong with a network, outermost cause first.
pub(crate) fn refused(error: TractError) -> EngineError {
    EngineError::Network(format!("{error:#}"))
}

/// What went wrong in a run, outermost cause first.
fn failed(error: TractError) -> EngineError {
    EngineError::Run(format!("{error:#}"))
}
