//! The forward step of a cell.

use super::super::group::Group;
use super::super::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use super::super::precision::Precision;
use super::super::real::Real;
use super::super::vector::Vector;
use super::{Access, Buffers, Gates, UnitStep, each_scalar, each_vector};
use crate::Scalar;
use crate::layers::recurrent::{Cell, PreActivations};

/// A forward step.
pub(crate) struct ForwardStep<'a, C: Cell, T: Copy> {
    buffers: Buffers<'a, C, T>,
    /// The pre-activations, which the step replaces by the first kept values.
    gates: *mut T,
    /// The state's part of the pre-activations, if the cell keeps it separate.
    state_part: *const T,
    /// The other kept values.
    extra: *mut T,
    /// The output, or null if it is the kept value.
    output: *mut T,
}

impl<'a, C: Cell, T: Scalar> ForwardStep<'a, C, T> {
    /// Creates a step of `columns` sequences. `valid` has one mark per sequence, or none if all are valid. `output`
    /// must be `None` if the cell keeps its output. Add the states before running the step.
    pub(crate) fn new(
        cell: C,
        shape: (usize, usize),
        valid: &'a [bool],
        gates: &'a mut [T],
        state_part: &'a [T],
        extra: &'a mut [T],
        output: Option<&'a mut [T]>,
    ) -> Self {
        let buffers = Buffers::new(cell, shape, valid);
        buffers.check(gates.len(), Buffers::<C, T>::GATES);
        buffers.check(extra.len(), Buffers::<C, T>::EXTRA);
        if Buffers::<C, T>::APART {
            buffers.check(state_part.len(), Buffers::<C, T>::GATES);
        }
        assert!(output.is_some() != C::KEEPS_OUTPUT, "there must be an output buffer unless the cell keeps its output");
        let output = output.map_or(core::ptr::null_mut(), |output| {
            buffers.check(output.len(), 1);
            output.as_mut_ptr()
        });
        ForwardStep {
            buffers,
            gates: gates.as_mut_ptr(),
            state_part: state_part.as_ptr(),
            extra: extra.as_mut_ptr(),
            output,
        }
    }

    /// Adds the next state: its values before the step, and the buffer for its values after the step.
    pub(crate) fn state(&mut self, before: &'a [T], after: &'a mut [T]) {
        self.buffers.check(before.len(), 1);
        self.buffers.check(after.len(), 1);
        self.buffers.state(before.as_ptr(), after.as_mut_ptr());
    }

    /// Adds the next state, which the step replaces.
    pub(crate) fn state_in_place(&mut self, state: &'a mut [T]) {
        self.buffers.check(state.len(), 1);
        let state = state.as_mut_ptr();
        self.buffers.state(state.cast_const(), state);
    }

    /// Runs the step. Invalid columns are unchanged.
    pub(crate) fn run(&self) {
        self.run_on(InstructionSet::best());
    }

    /// Runs the step on an instruction set, which this processor must support.
    pub(super) fn run_on(&self, instruction_set: InstructionSet) {
        assert_eq!(
            self.buffers.states,
            Buffers::<C, T>::STATES,
            "all states of the cell must be added before the step"
        );
        if !by_precision(instruction_set, self, run::<f32>, run::<f64>) {
            each_scalar(self);
        }
    }
}

impl<C: Cell, T: Scalar> UnitStep<T> for ForwardStep<'_, C, T> {
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
            let gates = self.gates.add(column * Buffers::<C, T>::GATES * units + row);
            let (mut input, mut state) = (Gates::<C, A::Value>::filled(zero), Gates::<C, A::Value>::filled(zero));
            for i in 0..Buffers::<C, T>::GATES {
                input.set(i, access.load(gates.add(i * units)));
            }
            if Buffers::<C, T>::APART {
                let state_part = self.state_part.add(column * Buffers::<C, T>::GATES * units + row);
                for i in 0..Buffers::<C, T>::GATES {
                    state.set(i, access.load(state_part.add(i * units)));
                }
            }
            let mut before = C::States::<A::Value>::filled(zero);
            for i in 0..Buffers::<C, T>::STATES {
                before.set(i, access.load(self.buffers.before.value(i).add(column * units + row)));
            }
            let (kept, after) = cell.forward(C::PreActivations::<A::Value>::new(input, state), before);
            for i in 0..Buffers::<C, T>::KEPT {
                let to = if i < Buffers::<C, T>::GATES {
                    gates.add(i * units)
                } else {
                    let extra = self.extra.add(column * Buffers::<C, T>::EXTRA * units + row);
                    extra.add((i - Buffers::<C, T>::GATES) * units)
                };
                let kept = kept.value(i);
                access.store(to, if C::KEEPS_OUTPUT { kept.flush_to_zero() } else { kept });
            }
            for i in 0..Buffers::<C, T>::STATES {
                let state = after.value(i).flush_to_zero();
                access.store(self.buffers.after.value(i).add(column * units + row), state);
                if i == 0 && !C::KEEPS_OUTPUT {
                    access.store(self.output.add(column * units + row), state);
                }
            }
        }
    }
}

// SAFETY: `Over` is the same type over another scalar type.
unsafe impl<'a, C: Cell, T: Scalar> OverScalar for ForwardStep<'a, C, T> {
    type Scalar = T;
    type Over<S: Scalar> = ForwardStep<'a, C, S>;
}

impl<C: Cell, T: Scalar + Precision> Kernel<T> for ForwardStep<'_, C, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        each_vector::<T, V>(self, token);
    }
}
