//! The recurrent layer of any cell: what all recurrent layers share.
//!
//! | what | where |
//! |---|---|
//! | the contract of a cell | [`Cell`] |
//! | weights, constructors, the contract of a layer | this file |
//! | the loop over the steps, forward and back | `passes.rs` |
//! | one step at a time | `streaming.rs` |
//! | blocks of steps, states, sums of gradients | `recurrence.rs` |

mod cell;
pub(crate) mod passes;
pub(crate) mod recurrence;
pub(crate) mod recurrent_weight;
pub(crate) mod streaming;

pub use cell::{Apart, Carry, Cell, Connections, PreActivations};
#[doc(hidden)]
pub use passes::Passes;
pub use streaming::RecurrentPrepared;

use super::shapes;
use crate::kernel::Group;
use crate::{
    ChangeScalar, Features, Layer, ParameterGradients, Pass, Path, Scalar, Sequences, Shape, Tensors, initialise, sizes,
};
use alloc::{format, string::String, vec::Vec};
use nalgebra::{DMatrix, DVector};

pub(crate) use passes::compiled_passes;
use passes::passes;
use rand::Rng;
use recurrence::{Recurrence, States};

/// A recurrent layer: a [`Cell`] with its weights.
///
/// Input `inputs x (steps * batch)`, output and hidden state `units x (steps * batch)`. The rows of the weights are those of
/// the gates, one gate below the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrent<T: Scalar, C> {
    /// `W_ih`, `gates * units x inputs`.
    pub weight_ih_l0: DMatrix<T>,
    /// `W_hh`, `gates * units x units`; `gates * units x 1` for diagonal [`Connections`]; empty, and not among the tensors, without
    /// connections.
    pub weight_hh_l0: DMatrix<T>,
    /// `b_ih`, `gates * units`.
    pub bias_ih_l0: DVector<T>,
    /// `b_hh`, `gates * units`; empty, and not among the tensors, without [`Connections`].
    pub bias_hh_l0: DVector<T>,
    /// The equations, with their settings.
    pub cell: C,
}

impl<T: Scalar, C: Cell> Recurrent<T, C> {
    /// The number of gates.
    const GATES: usize = <C::PreActivations<T> as PreActivations<T>>::GATES;
    /// Number of kept values that are not stored in place of the pre-activations.
    const EXTRA: usize = <C::Kept<T> as Group<T>>::COUNT.saturating_sub(Self::GATES);
    /// The number of states.
    const STATES: usize = <C::States<T> as Group<T>>::COUNT;
    /// Whether the pre-activations depend on the state before the step.
    const HAS_STATE_PART: bool = !matches!(C::CONNECTIONS, Connections::None);
    /// Whether the parts of the input and of the state are apart.
    const APART: bool = <C::PreActivations<T> as PreActivations<T>>::APART;

    /// A layer with this cell and every parameter uniform in `[-1/sqrt(units), 1/sqrt(units)]`, PyTorch's default.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn with_cell<R: Rng + ?Sized>(cell: C, inputs: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = Recurrent::zeros_with_cell(cell, inputs, units);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// A layer with this cell and all parameters zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros_with_cell(cell: C, inputs: usize, units: usize) -> Self {
        let rows = sizes::gate_rows(Self::GATES, units);
        let (state_rows, state_columns) = C::CONNECTIONS.weight_hh_shape(rows, units);
        Recurrent {
            weight_ih_l0: sizes::zero_matrix(rows, inputs),
            weight_hh_l0: sizes::zero_matrix(state_rows, state_columns),
            bias_ih_l0: sizes::zero_vector(rows),
            bias_hh_l0: sizes::zero_vector(C::CONNECTIONS.bias_hh_length(rows)),
            cell,
        }
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        shapes::check_recurrent(C::NAME, (Self::GATES, C::CONNECTIONS), self.shapes());
    }

    fn shapes(&self) -> [(usize, usize); 4] {
        let [weights, biases] = [
            [self.weight_ih_l0.shape(), self.weight_hh_l0.shape()],
            [self.bias_ih_l0.shape(), self.bias_hh_l0.shape()],
        ];
        [weights[0], weights[1], biases[0], biases[1]]
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.weight_ih_l0.ncols()
    }

    /// Number of hidden units.
    pub fn units(&self) -> usize {
        match C::CONNECTIONS {
            Connections::Full => self.weight_hh_l0.ncols(),
            Connections::Diagonal => self.weight_hh_l0.nrows() / Self::GATES,
            Connections::None => self.weight_ih_l0.nrows() / Self::GATES,
        }
    }
}

impl<T: Scalar, C: Cell + Default> Recurrent<T, C> {
    /// A layer with every parameter uniform in `[-1/sqrt(units), 1/sqrt(units)]`, PyTorch's default.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, generator: &mut R) -> Self {
        Recurrent::with_cell(C::default(), inputs, units, generator)
    }

    /// A layer whose parameters are all zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, units: usize) -> Self {
        Recurrent::zeros_with_cell(C::default(), inputs, units)
    }
}

/// The values that the backward pass of a [`Recurrent`] layer needs, and the buffers of both passes.
#[derive(Debug)]
pub struct RecurrentCache<T: Scalar> {
    /// The values that do not depend on the cell's equations.
    recurrence: Recurrence<T>,
    /// Each state before every step.
    states: Vec<States<T>>,
    /// The bias of the input's part: `b_ih + b_hh`, or `b_ih` if the parts are apart.
    bias: Vec<T>,
    /// The pre-activations, and in their place the first kept values; unspecified at invalid steps. Empty if the output is
    /// all that is kept, which is then computed in its place.
    pub(crate) gates: DMatrix<T>,
    /// The state's part of the pre-activations in one step, if it is apart.
    state_part: DMatrix<T>,
    /// The other kept values; unspecified at invalid steps.
    extra: DMatrix<T>,
    /// The gradients of the pre-activations in one block of steps, zero at invalid ones.
    pub(crate) d_input_part: DMatrix<T>,
    /// The same of the state's part, if it is apart.
    pub(crate) d_state_part: DMatrix<T>,
    /// Zeros in place of the output's gradient in one step, if there is none.
    no_d_output: Vec<T>,
}

impl<T: Scalar> Default for RecurrentCache<T> {
    fn default() -> Self {
        let empty = recurrence::empty;
        RecurrentCache {
            recurrence: Recurrence::default(),
            states: Vec::new(),
            bias: Vec::new(),
            gates: empty(),
            state_part: empty(),
            extra: empty(),
            d_input_part: empty(),
            d_state_part: empty(),
            no_d_output: Vec::new(),
        }
    }
}

impl<T: Scalar, C: Cell> Layer<T> for Recurrent<T, C> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = C::Carry<T>;
    type Cache = RecurrentCache<T>;

    fn name(&self) -> String {
        format!("{}({} -> {}{})", C::NAME, self.inputs(), self.units(), self.cell.setting())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.units() }
    }

    fn carry(&self, batch: usize) -> C::Carry<T> {
        Carry::zeros(self.units(), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut C::Carry<T>,
        cache: &'c mut RecurrentCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        (passes::<T, C>().forward)(self, input, carry, cache);
        &cache.recurrence.hidden
    }

    fn output(cache: &RecurrentCache<T>) -> &Sequences<T> {
        &cache.recurrence.hidden
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut RecurrentCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut C::Carry<T>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        (passes::<T, C>().backward)(self, input, cache, d_output, d_carry, gradients, d_input);
    }
}

impl<T: Scalar, C: Cell> Tensors<T> for Recurrent<T, C> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.weight_ih_l0.visit(&path.field("weight_ih_l0"), visitor);
        if Self::HAS_STATE_PART {
            self.weight_hh_l0.visit(&path.field("weight_hh_l0"), visitor);
        }
        self.bias_ih_l0.visit(&path.field("bias_ih_l0"), visitor);
        if Self::HAS_STATE_PART {
            self.bias_hh_l0.visit(&path.field("bias_hh_l0"), visitor);
        }
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.weight_ih_l0.visit_mut(&path.field("weight_ih_l0"), visitor);
        if Self::HAS_STATE_PART {
            self.weight_hh_l0.visit_mut(&path.field("weight_hh_l0"), visitor);
        }
        self.bias_ih_l0.visit_mut(&path.field("bias_ih_l0"), visitor);
        if Self::HAS_STATE_PART {
            self.bias_hh_l0.visit_mut(&path.field("bias_hh_l0"), visitor);
        }
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.weight_ih_l0.visit_pair(&path.field("weight_ih_l0"), &other.weight_ih_l0, visitor);
        if Self::HAS_STATE_PART {
            self.weight_hh_l0.visit_pair(&path.field("weight_hh_l0"), &other.weight_hh_l0, visitor);
        }
        self.bias_ih_l0.visit_pair(&path.field("bias_ih_l0"), &other.bias_ih_l0, visitor);
        if Self::HAS_STATE_PART {
            self.bias_hh_l0.visit_pair(&path.field("bias_hh_l0"), &other.bias_hh_l0, visitor);
        }
    }
}

impl<T: Scalar, C: Cell> ChangeScalar<T> for Recurrent<T, C> {
    type Over<U: Scalar> = Recurrent<U, C>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Recurrent<U, C> {
        Recurrent {
            weight_ih_l0: ChangeScalar::map(&self.weight_ih_l0, f),
            weight_hh_l0: ChangeScalar::map(&self.weight_hh_l0, f),
            bias_ih_l0: ChangeScalar::map(&self.bias_ih_l0, f),
            bias_hh_l0: ChangeScalar::map(&self.bias_hh_l0, f),
            cell: self.cell,
        }
    }
}
