//! Max pooling of 2 × 2 cells by steps of 2, quicker than tract's.
//!
//! tract walks each output value with four bounds checks; that is an eighth of YOLOv3-tiny's time.
//! `kernels` folds whole rows.

use kernels::{Isa, Size};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::cnn::MaxPool;
use tract_onnx::tract_core::ops::nn::DataFormat;

/// Every 2 × 2 cells of `[n, c, h, w]` become the largest of them; where a side is odd, the last
/// one has what is left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct HalvingPool;

/// Puts the quick operator wherever the model pools this way.
pub(crate) fn quicken(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes().len() {
        let node = model.node(id);
        let Some(pool) = node.op_as::<MaxPool>() else { continue };
        let input = model.outlet_fact(node.inputs[0])?;
        let Some(&[_, _, height, width]) = input.shape.as_concrete() else { continue };
        if input.datum_type == f32::datum_type() && halves(pool, (height, width)) {
            TypedModelPatch::replace_single_op(model, node, &node.inputs, HalvingPool)?
                .apply(model)?;
        }
    }
    Ok(())
}

/// Whether every 2 × 2 cells of planes of these sides become the largest of them, by Darknet's rule
/// where a side is odd.
pub(crate) fn halves(pool: &MaxPool, (height, width): (usize, usize)) -> bool {
    let spec = &pool.pool_spec;
    let this_kind = spec.data_format == DataFormat::NCHW
        && pool.with_index_outputs.is_none()
        && spec.kernel_shape[..] == [2, 2]
        && spec.strides()[..] == [2, 2]
        && spec.dilations()[..] == [1, 1];
    // both ways to treat the last row and column of an odd side exist; this operator has Darknet's
    this_kind
        && spec
            .computed_padding(&[height, width])
            .iter()
            .zip([height, width])
            .all(|(padded, side)| padded.pad_before == 0 && padded.convoluted == side.div_ceil(2))
}

impl Op for HalvingPool {
    fn name(&self) -> StaticName {
        "HalvingPool".into()
    }

    op_as_typed_op!();
}

impl EvalOp for HalvingPool {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let &[n, c, height, width] = input.shape() else {
            bail!("four sides are expected, found {:?}", input.shape())
        };
        let mut output = Tensor::zero::<f32>(&[n, c, height.div_ceil(2), width.div_ceil(2)])?;
        let from = input.try_as_plain_ram()?;
        let mut to = output.try_as_plain_ram_mut()?;
        kernels::halve(Isa::best(), from.as_slice()?, Size { width, height }, to.as_slice_mut()?);
        Ok(tvec![output.into_tvalue()])
    }
}

impl TypedOp for HalvingPool {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape = inputs[0].shape.to_tvec();
        for side in &mut shape[2..] {
            *side = side.clone().divceil(2);
        }
        Ok(tvec![f32::datum_type().fact(shape)])
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pools_that_halve_by_darknets_rule_are_replaced() {
        use tract_onnx::tract_core::ops::cnn::{PaddingSpec, PoolSpec};
        let pool = |kernel: usize, stride: usize, after: usize| MaxPool {
            pool_spec: PoolSpec {
                data_format: DataFormat::NCHW,
                kernel_shape: tvec![kernel, kernel],
                padding: PaddingSpec::Explicit(tvec![0, 0], tvec![after, after]),
                dilations: None,
                strides: Some(tvec![stride, stride]),
                input_channels: 1,
                output_channels: 1,
            },
            with_index_outputs: None,
        };
        let halved = |pool: &MaxPool, side: usize| halves(pool, (side, side));
        assert!(
            halved(&pool(2, 2, 1), 8) && halved(&pool(2, 2, 1), 9) && halved(&pool(2, 2, 0), 8)
        );
        assert!(
            !halved(&pool(2, 2, 0), 9) && !halved(&pool(2, 1, 1), 8) && !halved(&pool(3, 2, 1), 8)
        );
    }
}
