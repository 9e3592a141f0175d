//! The kernels of this library, for layers of your own: matrix products and element-wise equations that run on the vector
//! instructions of the processor and allocate nothing after the first call.
//!
//! | to compute | use |
//! |---|---|
//! | `out = A B`, `out += A B`, `out = A B + bias`, with transposes | [`product`] |
//! | equations of each element, on vectors | [`each`], with an [`ElementWise`] |
//! | a copy of an input whose padding is zero, for the gradient of a weight | [`without_padding`] |
//! | an output with another number of steps | [`Sequences::reshape_marked`](crate::Sequences::reshape_marked) |
//! | a recurrent layer | a [`Cell`](crate::Cell), which needs none of these |
//!
//! The page "Write your own layer" in `docs/` has a layer that uses them.
//!
//! ```
//! use longhand::Real;
//! use longhand::nalgebra::DMatrix;
//! use longhand::toolbox::{Accumulate, ElementWise, Operand, ProductBuffers, each, product};
//!
//! // z = W x + b, and then y = z^2.
//! let (weight, x, bias) = (DMatrix::from_element(2, 3, 0.5), DMatrix::from_element(3, 4, 1.0), [1.0, -1.0]);
//! let (mut z, mut buffers) = (DMatrix::<f32>::zeros(2, 4), ProductBuffers::default());
//! product(z.as_mut_slice(), Accumulate::Bias(&bias), Operand::from(&weight), Operand::from(&x), &mut buffers);
//!
//! #[derive(Clone, Copy)]
//! struct Square;
//! impl ElementWise<1, 1> for Square {
//!     #[inline(always)]
//!     fn apply<V: Real>(self, [z]: [V; 1], _: [V; 1]) -> [V; 1] {
//!         [z * z]
//!     }
//! }
//! let mut y = DMatrix::zeros(2, 4);
//! each(Square, [z.as_slice()], [y.as_mut_slice()]);
//! assert_eq!(y.as_slice()[..2], [6.25, 0.25]);
//! ```

pub use crate::kernel::{Accumulate, Operand, Workspace as ProductBuffers, product};
pub use crate::sequences::without_padding;

use crate::Scalar;
use crate::kernel::{self, CompiledHere, Equations, InstructionSet, Pass, Real};

/// Equations of one element: they compute the results from `READ` values that are only read and `CHANGED` values, which the results
/// replace.
///
/// They are written once, for a type `V` that is a SIMD vector or a scalar of any type. `apply` must be `#[inline(always)]`, and must
/// not call closures or functions that are not inlined: only then is it compiled for the instructions of the processor.
pub trait ElementWise<const READ: usize, const CHANGED: usize>: Copy {
    /// The results, in the order of `changed`.
    fn apply<V: Real>(self, read: [V; READ], changed: [V; CHANGED]) -> [V; CHANGED];
}

/// Applies equations to each element of slices of the same length.
///
/// # Panics
/// If the slices differ in length.
#[track_caller]
pub fn each<T: Scalar, const READ: usize, const CHANGED: usize>(
    equations: impl ElementWise<READ, CHANGED>,
    read: [&[T]; READ],
    changed: [&mut [T]; CHANGED],
) {
    kernel::each(OfUser(equations), read, changed);
}

/// Equations that are compiled in the crate that defines them.
#[derive(Clone, Copy)]
struct OfUser<E>(E);

impl<T: Scalar, E, const READ: usize, const CHANGED: usize> CompiledHere<T, READ, CHANGED> for OfUser<E>
where
    E: ElementWise<READ, CHANGED>,
{
    type Over<S: Scalar> = Self;
    const SINGLE: fn(InstructionSet, &Pass<'_, Self, f32, READ, CHANGED>) = |set, pass| kernel::run::<f32>(set, pass);
    const DOUBLE: fn(InstructionSet, &Pass<'_, Self, f64, READ, CHANGED>) = |set, pass| kernel::run::<f64>(set, pass);
}

impl<T: Scalar, E, const READ: usize, const CHANGED: usize> Equations<T, READ, CHANGED> for OfUser<E>
where
    E: ElementWise<READ, CHANGED>,
{
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, read: [V; READ], changed: [V; CHANGED]) -> [V; CHANGED] {
        self.0.apply(read, changed)
    }
}
