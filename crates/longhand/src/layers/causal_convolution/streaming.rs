//! A convolution, one step at a time.

use super::CausalConvolution;
use crate::kernel::{Accumulate, PackedForColumn};
use crate::{CannotStream, Layer, Scalar, Streaming};
use alloc::{vec, vec::Vec};
use nalgebra::DMatrix;

/// The parameters of a [`CausalConvolution`].
#[derive(Debug)]
pub struct CausalConvolutionPrepared<T> {
    weight: PackedForColumn<T>,
    bias: Vec<T>,
    /// The inputs that the output sees, one below the other.
    unfolded: Vec<T>,
    kernel_size: usize,
    dilation: usize,
}

impl<T: Scalar> Streaming<T> for CausalConvolution<T> {
    type Step = [T];
    type Prepared = CausalConvolutionPrepared<T>;

    /// With a stride, most steps have no output.
    fn can_stream(&self) -> Result<(), CannotStream> {
        if self.stride() == 1 { Ok(()) } else { Err(CannotStream { layer: self.name() }) }
    }

    fn prepare(&self, _: usize) -> CausalConvolutionPrepared<T> {
        self.check_parameters();
        let mut weight = PackedForColumn::default();
        weight.pack((&self.weight).into());
        CausalConvolutionPrepared {
            weight,
            bias: self.bias.as_slice().to_vec(),
            unfolded: vec![T::zero(); self.weight.ncols()],
            kernel_size: self.kernel_size(),
            dilation: self.dilation(),
        }
    }

    fn step(prepared: &mut CausalConvolutionPrepared<T>, input: &[T], carry: &mut DMatrix<T>, output: &mut [T]) {
        let CausalConvolutionPrepared { weight, bias, unfolded, kernel_size, dilation } = prepared;
        let (inputs, memory) = (input.len(), (*kernel_size - 1) * *dilation);
        let expected = (memory * inputs, 1);
        assert!(
            carry.shape() == expected,
            "the carry of one sequence is {} x 1, but this one is {} x {}",
            expected.0,
            carry.nrows(),
            carry.ncols()
        );
        let seen = carry.as_mut_slice();
        let (earlier, newest) = unfolded.split_at_mut((*kernel_size - 1) * inputs);
        for p in 0..*kernel_size - 1 {
            earlier[p * inputs..][..inputs].copy_from_slice(&seen[p * *dilation * inputs..][..inputs]);
        }
        newest.copy_from_slice(input);
        weight.product(output, Accumulate::Bias(bias), unfolded);
        if memory > 0 {
            seen.copy_within(inputs.., 0);
            seen[(memory - 1) * inputs..].copy_from_slice(input);
        }
    }
}
