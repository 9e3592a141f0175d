//! The backward step of a cell.

use super::super::group::Group;
use super::super::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use super::super::precision::Precision;
use super::super::real::Real;
use super::super::vector::Vector;
use super::{Access, Buffers, UnitStep, each_scalar, each_vector};
use crate::Scalar;
use crate::layers::recurrent::{Cell, PreActivations};

/// A backward step.
pub(crate) struct BackwardStep<'a, C: Cell, T: Copy> {
    buffers: Buffers<'a, C, T>,
    /// The first kept values.
    gates: *const T,
    /// The other kept values.
    extra: *const T,
    d_output: *const T,
    /// The gradients of the input's part of the pre-activations.
    d_input_part: *mut T,
    /// The gradients of the state's part, if the cell keeps it separate.
    d_state_part: *mut T,
}

impl<'a, C: Cell, T: Scalar> BackwardStep<'a, C, T> {
    /// Creates a step of `columns` sequences. Add the states and their gradients before running the step.
    pub(crate) fn new(
        cell: C,
        shape: (usize, usize),
        valid: &'a [bool],
        [gates, extra, d_output]: [&'a [T]; 3],
        [d_input_part, d_state_part]: [&'a mut [T]; 2],
    ) -> Self {
        let buffers = Buffers::new(cell, shape, valid);
        buffers.check(gates.len(), Buffers::<C, T>::GATES);
        buffers.check(extra.len(), Buffers::<C, T>::EXTRA);
        buffers.check(d_output.len(), 1);
        buffers.check(d_input_part.len(), Buffers::<C, T>::GATES);
        if Buffers::<C, T>::APART {
            buffers.check(d_state_part.len(), Buffers::<C, T>::GATES);
        }
        BackwardStep {
            buffers,
            gates: gates.as_ptr(),
            extra: extra.as_ptr(),
            d_output: d_output.as_ptr(),
            d_input_part: d_input_part.as_mut_ptr(),
            d_state_part: d_state_part.as_mut_ptr(),
        }
    }

    /// Adds the next state: its values before the step, and the gradient of its values after the step, which the step
    /// replaces.
    pub(crate) fn state(&mut self, before: &'a [T], d_state: &'a mut [T]) {
        self.buffers.check(before.len(), 1);
        self.buffers.check(d_state.len(), 1);
        self.buffers.state(before.as_ptr(), d_state.as_mut_ptr());
    }

    /// Runs the step. Invalid columns are unchanged.
    pub(crate) fn run(&self) {
        assert_eq!(
            self.buffers.states,
            Buffers::<C, T>::STATES,
            "all states of the cell must be added before the step"
        );
        let set = InstructionSet::best();
        if !by_precision(set, self, run::<f32>, run::<f64>) {
            each_scalar(self);
        }
    }
}

impl<C: Cell, T: Scalar> UnitStep<T> for BackwardStep<'_, C, T> {
    #[inline(always)]
    fn shape(&self) -> (usize, usize) {
        self.buffers.shape()
    }

    #[inline(always)]
    fn is_valid(&self, column: usize) -> bool {
        self.buffers.is_valid(column)
    }

    #[inline(always)]
    unsafe fn equations<A: Access<T>>(&self, column: usize, row: usize, access: A) {
        let zero = access.zero();
        let Buffers { cell, units, .. } = self.buffers;
        // SAFETY: the buffers have these columns, and the caller's rows exist.
        unsafe {
            let in_gates = column * Buffers::<C, T>::GATES * units + row;
            let in_extra = column * Buffers::<C, T>::EXTRA * units + row;
            let in_state = column * units + row;
            let mut kept = C::Kept::<A::Value>::filled(zero);
            for i in 0..Buffers::<C, T>::KEPT {
                let from = if i < Buffers::<C, T>::GATES {
                    self.gates.add(in_gates + i * units)
                } else {
                    self.extra.add(in_extra + (i - Buffers::<C, T>::GATES) * units)
                };
                kept.set(i, access.load(from));
            }
            let (mut before, mut d_after) = (C::States::<A::Value>::filled(zero), C::States::<A::Value>::filled(zero));
            for i in 0..Buffers::<C, T>::STATES {
                before.set(i, access.load(self.buffers.before.value(i).add(in_state)));
                d_after.set(i, access.load(self.buffers.after.value(i).add(in_state).cast_const()));
            }
            d_after.set(0, access.load(self.d_output.add(in_state)) + d_after.value(0));
            let (d_z, d_before) = cell.backward(kept, before, d_after);
            let (d_input, d_state) = d_z.parts();
            for i in 0..Buffers::<C, T>::GATES {
                access.store(self.d_input_part.add(in_gates + i * units), d_input.value(i).flush_to_zero());
                if Buffers::<C, T>::APART {
                    access.store(self.d_state_part.add(in_gates + i * units), d_state.value(i).flush_to_zero());
                }
            }
            for i in 0..Buffers::<C, T>::STATES {
                access.store(self.buffers.after.value(i).add(in_state), d_before.value(i));
            }
        }
    }
}

// SAFETY: `Over` is the same type over another scalar type.
unsafe impl<'a, C: Cell, T: Scalar> OverScalar for BackwardStep<'a, C, T> {
    type Scalar = T;
    type Over<S: Scalar> = BackwardStep<'a, C, S>;
}

impl<C: Cell, T: Scalar + Precision> Kernel<T> for BackwardStep<'_, C, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        each_vector::<T, V>(self, token);
    }
}
