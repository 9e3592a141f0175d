//! The contract of a cell: the equations of one unit for one step.
//!
//! A recurrent layer has two parts. The cell contains the equations, forward and backward, in the symbols of their derivation.
//! [`Recurrent`](super::Recurrent) contains the weights, the loop over the steps, masks, resets, the sums of the gradients and
//! streaming, and is the same for all cells.

use super::Passes;
use crate::kernel::{Group, Real};
use crate::{Scalar, Tensors, sizes};
use core::fmt::Debug;
use nalgebra::DMatrix;

/// The equations of one unit for one step.
///
/// At each step [`Recurrent`](super::Recurrent) computes the *pre-activations* of every gate,
///
/// ```text
/// a = W_ih x + b_ih          the input's part
/// u = W_hh h + b_hh          the state's part, with h the first state before the step
/// ```
///
/// and the cell computes the rest, unit by unit. [`forward`](Self::forward) computes the states after the step from the
/// pre-activations and the states before the step. [`backward`](Self::backward) computes the gradients of the pre-activations and of
/// the states before the step from the gradients of the states after it. The first state is the output.
///
/// | type | what it is | LSTM | GRU |
/// |---|---|---|---|
/// | `PreActivations` | `a + u` of each gate, or the two [`Apart`] | `[V; 4]` | `Apart<[V; 3]>` |
/// | `States` | the states that are passed from step to step; the first one is `h` | `[V; 2]`: `h`, `c` | `[V; 1]` |
/// | `Kept` | the values that `backward` needs from `forward`, besides the states before the step | `[V; 4]`: `i`, `f`, `g`, `o` | `[V; 4]` |
///
/// The equations are written once, for a type `V` of real numbers, and run on SIMD vectors. [`Recurrent`](super::Recurrent) sets
/// states and gradients of pre-activations to zero where they are too small to matter (see [`vanishing`](crate::vanishing)). The
/// gradients of the states are the cell's: it calls [`flush_to_zero`](Real::flush_to_zero) on those that decay from step to step.
/// Both methods must be `#[inline(always)]`, so that they are compiled for the
/// instructions of the processor.
pub trait Cell: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// The layer's name in messages, such as `Lstm`.
    const NAME: &'static str;
    /// The units of the state before the step that `u` depends on.
    const CONNECTIONS: Connections = Connections::Full;
    /// Whether `backward` needs only the output, which is then not stored twice. `Kept` must be `[V; 1]`.
    const KEEPS_OUTPUT: bool = false;

    /// The pre-activations of the gates, in the order of the rows of the weights.
    type PreActivations<V: Copy>: PreActivations<V>;
    /// The states.
    type States<V: Copy>: Group<V>;
    /// The values that `backward` needs from `forward`.
    type Kept<V: Copy>: Group<V>;
    /// The states of a batch.
    type Carry<T: Scalar>: Carry<T>;

    /// A setting that messages show after the sizes, such as `, relu`.
    fn setting(self) -> &'static str {
        ""
    }

    /// Computes the states after the step, and the values that `backward` needs, from the pre-activations and the states before the
    /// step.
    fn forward<V: Real>(self, z: Self::PreActivations<V>, before: Self::States<V>) -> (Self::Kept<V>, Self::States<V>);

    /// Computes the gradients of the pre-activations and of the states before the step from the gradients of the states after it.
    /// [`Recurrent`](super::Recurrent) adds the path from `h` through `u = W_hh h + b_hh`, which is `W_hh' d_u`, to the gradient of
    /// `h`.
    fn backward<V: Real>(
        self,
        kept: Self::Kept<V>,
        before: Self::States<V>,
        d_after: Self::States<V>,
    ) -> (Self::PreActivations<V>, Self::States<V>);

    /// The passes for `f32`, which a cell of this crate has compiled in this crate.
    #[doc(hidden)]
    const SINGLE: Passes<f32, Self> = Passes::GENERIC;
    /// The passes for `f64`.
    #[doc(hidden)]
    const DOUBLE: Passes<f64, Self> = Passes::GENERIC;
}

/// The connections from the units of the state before a step to the pre-activations of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// From every unit: `u = W_hh h + b_hh`.
    Full,
    /// From the unit itself: `u = w_hh * h + b_hh`, element-wise, with a `weight_hh_l0` of one column.
    Diagonal,
    /// None: `u = 0`, with neither `weight_hh_l0` nor `bias_hh_l0`. The pre-activations of all steps are then a product that depends
    /// on no other step, and the loop over the steps is element-wise.
    None,
}

impl Connections {
    /// Rows and columns of `weight_hh_l0`, with `rows` rows in all gates.
    pub(crate) fn weight_hh_shape(self, rows: usize, units: usize) -> (usize, usize) {
        match self {
            Connections::Full => (rows, units),
            Connections::Diagonal => (rows, 1),
            Connections::None => (0, 0),
        }
    }

    /// Length of `bias_hh_l0`, with `rows` rows in all gates.
    pub(crate) fn bias_hh_length(self, rows: usize) -> usize {
        if self == Connections::None { 0 } else { rows }
    }
}

/// The pre-activations of the gates of a cell: an array for `a + u`, or [`Apart`] for the two. Implemented by the library
/// only.
pub trait PreActivations<V: Copy>: Copy {
    /// One value per gate.
    type Gates: Group<V>;
    /// Whether the two parts are apart.
    const APART: bool;
    /// The number of gates.
    const GATES: usize = <Self::Gates as Group<V>>::COUNT;

    /// Made from the two parts, or from the sum in place of the first part.
    fn new(input: Self::Gates, state: Self::Gates) -> Self;
    /// The two parts; the same twice for a sum, whose gradient is that of each part.
    fn parts(self) -> (Self::Gates, Self::Gates);
}

impl<V: Copy, const GATES: usize> PreActivations<V> for [V; GATES] {
    type Gates = [V; GATES];
    const APART: bool = false;

    #[inline(always)]
    fn new(sum: [V; GATES], _: [V; GATES]) -> Self {
        sum
    }

    #[inline(always)]
    fn parts(self) -> ([V; GATES], [V; GATES]) {
        (self, self)
    }
}

/// The parts of the input and of the state in the pre-activations, for a cell whose equations have them apart: in a GRU the
/// reset gate multiplies the state's part alone.
#[derive(Debug, Clone, Copy)]
pub struct Apart<G> {
    /// `a = W_ih x + b_ih`, or its gradient.
    pub input: G,
    /// `u = W_hh h + b_hh`, or its gradient.
    pub state: G,
}

impl<V: Copy, const GATES: usize> PreActivations<V> for Apart<[V; GATES]> {
    type Gates = [V; GATES];
    const APART: bool = true;

    #[inline(always)]
    fn new(input: [V; GATES], state: [V; GATES]) -> Self {
        Apart { input, state }
    }

    #[inline(always)]
    fn parts(self) -> ([V; GATES], [V; GATES]) {
        (self.input, self.state)
    }
}

/// The states of a batch, `units x batch` each: a matrix for a cell with one state, or a struct of matrices, in the order of
/// [`Cell::States`].
pub trait Carry<T: Scalar>: Tensors<T> + 'static {
    /// All states zero.
    fn zeros(units: usize, batch: usize) -> Self;

    /// Calls `f` with each state, in order.
    fn each_state<'a>(&'a mut self, f: impl FnMut(&'a mut DMatrix<T>));
}

impl<T: Scalar> Carry<T> for DMatrix<T> {
    fn zeros(units: usize, batch: usize) -> Self {
        sizes::zero_matrix(units, batch)
    }

    #[inline(always)]
    fn each_state<'a>(&'a mut self, mut f: impl FnMut(&'a mut DMatrix<T>)) {
        f(self);
    }
}
