//! What a convolution copies: which input, or which part of the carry, each output sees.

use crate::Layout;
use alloc::vec::Vec;

/// What a part of the unfolded inputs, or of the carry that goes out, is a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Nothing: there is no such input since the last reset.
    Zero,
    /// A column of the input.
    Input(usize),
    /// A place in the carry that came in, counted from the earliest input.
    Carry(usize),
}

/// The sources of all copies. They depend on the marks of the input, not on its values.
#[derive(Debug, Default)]
pub(super) struct Sources {
    of_unfolded: Vec<Source>,
    of_carry: Vec<Source>,
    /// The inputs of one sequence that have been seen so far, the latest last.
    seen: Vec<Source>,
}

impl Sources {
    /// Finds the source of every copy.
    pub(super) fn find(&mut self, layout: &Layout, kernel_size: usize, dilation: usize, stride: usize) {
        let (batch, memory) = (layout.batch(), (kernel_size - 1) * dilation);
        let Sources { of_unfolded, of_carry, seen } = self;
        of_unfolded.clear();
        of_unfolded.resize(layout.steps().div_ceil(stride) * batch * kernel_size, Source::Zero);
        of_carry.clear();
        for sequence in 0..batch {
            seen.clear();
            seen.extend((0..memory).map(Source::Carry));
            for step in 0..layout.steps() {
                if layout.resets(step, sequence) {
                    seen.clear();
                    seen.resize(memory, Source::Zero);
                }
                if !layout.is_valid(step, sequence) {
                    continue;
                }
                seen.push(Source::Input(layout.column(step, sequence)));
                if step.is_multiple_of(stride) {
                    let first = (step / stride * batch + sequence) * kernel_size;
                    for (p, source) in of_unfolded[first..][..kernel_size].iter_mut().enumerate() {
                        *source = seen[seen.len() - 1 - (kernel_size - 1 - p) * dilation];
                    }
                }
            }
            of_carry.extend_from_slice(&seen[seen.len() - memory..]);
        }
    }

    /// Of each part of the unfolded inputs: output by output, the earliest input first.
    pub(super) fn of_unfolded(&self) -> &[Source] {
        &self.of_unfolded
    }

    /// Of each place of the carry that goes out: sequence by sequence, the earliest input first.
    pub(super) fn of_carry(&self) -> &[Source] {
        &self.of_carry
    }
}
