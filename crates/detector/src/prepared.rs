//! A program of an engine's, with how its outputs are read, and its runs.

use crate::DetectError;
use crate::outputs::{Outputs, OutputsError, Reader};
use engine::{EngineError, OpenNetwork, Program, Runner};
use std::sync::Arc;

/// A network for a fixed number of images; clones share it.
#[derive(Clone)]
pub(crate) struct Prepared {
    program: Arc<dyn Program>,
    /// One an output.
    readers: Arc<[Reader]>,
}

/// Why a network cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Outputs(#[from] OutputsError),
}

impl Prepared {
    pub(crate) fn new(
        network: &dyn OpenNetwork,
        batch: usize,
        outputs: &Outputs,
    ) -> Result<Self, PrepareError> {
        let program = network.program(batch)?;
        let readers = outputs.readers(program.outputs(), batch)?.into();
        Ok(Self { program, readers })
    }

    /// How many images run at once.
    pub(crate) fn batch(&self) -> usize {
        self.program.batch()
    }

    /// What runs each step.
    pub(crate) fn operators(&self) -> Vec<String> {
        self.program.operators()
    }
}

/// One thread's runs of a network.
pub(crate) struct Run {
    prepared: Prepared,
    runner: Box<dyn Runner>,
}

/// An output of a run.
pub(crate) struct RunOutput<'a> {
    pub(crate) reader: &'a Reader,
    /// For one image.
    pub(crate) shape: &'a [usize],
    /// One image after the other.
    values: &'a [f32],
}

impl Run {
    pub(crate) fn new(prepared: &Prepared) -> Result<Self, DetectError> {
        let runner = Arc::clone(&prepared.program).runner()?;
        Ok(Self { prepared: prepared.clone(), runner })
    }

    /// How many images run at once.
    pub(crate) fn batch(&self) -> usize {
        self.prepared.batch()
    }

    pub(crate) fn runner(&mut self) -> &mut dyn Runner {
        &mut *self.runner
    }

    /// Runs the network on the input; every output has the values that the program said.
    pub(crate) fn run(&mut self) -> Result<Vec<RunOutput<'_>>, DetectError> {
        let shapes = self.prepared.program.outputs();
        let (batch, readers) = (self.prepared.program.batch(), &self.prepared.readers);
        let values = self.runner.run()?;
        if values.len() != shapes.len() {
            let problem = format!("{} outputs where {} are expected", values.len(), shapes.len());
            return Err(DetectError::Output { index: values.len().min(shapes.len()), problem });
        }
        let checked = |(index, values): (usize, &'_ [f32])| {
            let wanted = batch * shapes[index].iter().product::<usize>();
            if values.len() == wanted {
                return Ok(());
            }
            let problem = format!("it has {} values where {wanted} are expected", values.len());
            Err(DetectError::Output { index, problem })
        };
        values.iter().copied().enumerate().try_for_each(checked)?;
        let outputs = values.into_iter().zip(shapes).zip(readers.iter());
        Ok(outputs.map(|((values, shape), reader)| RunOutput { reader, shape, values }).collect())
    }
}

impl RunOutput<'_> {
    /// The values of one image, from 0 below the batch.
    pub(crate) fn image(&self, index: usize) -> &[f32] {
        let length: usize = self.shape.iter().product();
        &self.values[index * length..][..length]
    }
}
