//! A value made of named tensors in one fixed order.
//!
//! A layer, its gradient, its carry, its input and the gradient of its input are all such values. The order serves
//! optimizers, clipping, checkpoints, counting and gradient checks alike, and the names are PyTorch's
//! (`weight_ih_l0`, `bias_hh_l0`, ...), with the place in a chain or the field in front (`0.weight_ih_l0`).

use crate::Scalar;
use alloc::{string::String, string::ToString, vec::Vec};
use core::fmt;
use nalgebra::{DMatrix, DVector};

/// Rows and columns of a tensor; a vector has one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.rows, self.columns)
    }
}

/// Where a tensor stands, from the outermost value inwards; printed with dots between: `2.weight`.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    within: Option<&'a Path<'a>>,
    part: Part<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Root,
    Field(&'a str),
    Place(usize),
}

impl<'a> Path<'a> {
    /// The outermost value itself.
    pub const ROOT: Path<'static> = Path { within: None, part: Part::Root };

    /// A named field of the value that stands here.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path { within: Some(self), part: Part::Field(name) }
    }

    /// The `index`-th place of the chain that stands here.
    #[must_use]
    pub fn place(&'a self, index: usize) -> Path<'a> {
        Path { within: Some(self), part: Part::Place(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(within) = self.within
            && !matches!(within.part, Part::Root)
        {
            write!(f, "{within}.")?;
        }
        match self.part {
            Part::Root => Ok(()),
            Part::Field(name) => f.write_str(name),
            Part::Place(index) => write!(f, "{index}"),
        }
    }
}

/// A value made of named tensors in one fixed order; implemented for a layer by [`tensors!`](crate::tensors).
///
/// Each tensor is handed out as a slice, column by column.
pub trait Tensors<T: Scalar>: Clone {
    /// The same kind of value over another scalar.
    type Over<U: Scalar>: Tensors<U>;

    /// How many numbered places it takes in a chain: 1, but for a chain itself.
    const PLACES: usize = 1;

    /// Calls `visitor` with the path, the shape and the elements of each tensor.
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T]));

    /// The same with elements that can be written.
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T]));

    /// Calls `visitor` with each tensor of `self` and the same tensor of `other`.
    ///
    /// # Panics
    /// If the two differ in shape.
    fn visit_pair(&mut self, other: &Self, visitor: &mut dyn FnMut(&mut [T], &[T]));

    /// The value whose every element is `f` of this one's.
    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U>;

    /// How many scalars it holds.
    fn count(&self) -> usize {
        let mut count = 0;
        self.visit(&Path::ROOT, &mut |_, _, values| count += values.len());
        count
    }

    /// The names of its tensors, in order.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.visit(&Path::ROOT, &mut |path, _, _| names.push(path.to_string()));
        names
    }

    /// Sets every element to zero.
    fn set_zero(&mut self) {
        self.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill(T::zero()));
    }

    /// A value of this one's shape, all zero: what gradients accumulate into.
    #[must_use]
    fn zeros(&self) -> Self {
        let mut zeros = self.clone();
        zeros.set_zero();
        zeros
    }

    /// Takes over the elements of `other`.
    ///
    /// # Panics
    /// If the two differ in shape.
    fn copy_from(&mut self, other: &Self) {
        self.visit_pair(other, &mut |to, from| to.copy_from_slice(from));
    }
}

/// Implements [`Tensors`] for a layer `$layer<T>` from the list of its fields that hold tensors (matrices, vectors,
/// or other layers), and, after `keep`, of those that do not and are carried along; `tensors!(Tanh)` is for a layer
/// without parameters.
///
/// ```
/// use longhand::{Tensors, nalgebra::DVector, Scalar};
///
/// #[derive(Clone)]
/// struct Gain<T> { gain: DVector<T>, negative: bool }
/// longhand::tensors!(Gain { gain } keep { negative });
///
/// let layer = Gain { gain: DVector::from_element(3, 2.0), negative: true };
/// assert_eq!(layer.names(), ["gain"]);
/// assert_eq!(layer.count(), 3);
/// ```
#[macro_export]
macro_rules! tensors {
    ($layer:ident) => {
        impl<T: $crate::Scalar> $crate::Tensors<T> for $layer {
            type Over<U: $crate::Scalar> = $layer;

            fn visit(&self, _: &$crate::Path<'_>, _: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &[T])) {}

            fn visit_mut(
                &mut self,
                _: &$crate::Path<'_>,
                _: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &mut [T]),
            ) {
            }

            fn visit_pair(&mut self, _: &Self, _: &mut dyn FnMut(&mut [T], &[T])) {}

            fn map<U: $crate::Scalar>(&self, _: &mut dyn FnMut(T) -> U) -> $layer {
                self.clone()
            }
        }
    };
    ($layer:ident { $($field:ident),* $(,)? }) => { $crate::tensors!($layer { $($field),* } keep {}); };
    ($layer:ident { $($field:ident),* $(,)? } keep { $($kept:ident),* $(,)? }) => {
        impl<T: $crate::Scalar> $crate::Tensors<T> for $layer<T> {
            type Over<U: $crate::Scalar> = $layer<U>;

            fn visit(
                &self,
                path: &$crate::Path<'_>,
                visitor: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &[T]),
            ) {
                $($crate::Tensors::visit(&self.$field, &path.field(stringify!($field)), visitor);)*
            }

            fn visit_mut(
                &mut self,
                path: &$crate::Path<'_>,
                visitor: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &mut [T]),
            ) {
                $($crate::Tensors::visit_mut(&mut self.$field, &path.field(stringify!($field)), visitor);)*
            }

            fn visit_pair(&mut self, other: &Self, visitor: &mut dyn FnMut(&mut [T], &[T])) {
                $($crate::Tensors::visit_pair(&mut self.$field, &other.$field, visitor);)*
            }

            fn map<U: $crate::Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> $layer<U> {
                $layer {
                    $($field: $crate::Tensors::map(&self.$field, f),)*
                    $($kept: self.$kept.clone(),)*
                }
            }
        }
    };
}

impl<T: Scalar> Tensors<T> for DMatrix<T> {
    type Over<U: Scalar> = DMatrix<U>;

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        visitor(path, Shape { rows: self.nrows(), columns: self.ncols() }, self.as_slice());
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        visitor(path, Shape { rows: self.nrows(), columns: self.ncols() }, self.as_mut_slice());
    }

    fn visit_pair(&mut self, other: &Self, visitor: &mut dyn FnMut(&mut [T], &[T])) {
        assert_eq!(self.shape(), other.shape(), "two values of different shapes cannot be paired");
        visitor(self.as_mut_slice(), other.as_slice());
    }

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> DMatrix<U> {
        DMatrix::from_vec(self.nrows(), self.ncols(), self.as_slice().iter().map(|&x| f(x)).collect())
    }
}

impl<T: Scalar> Tensors<T> for DVector<T> {
    type Over<U: Scalar> = DVector<U>;

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        visitor(path, Shape { rows: self.len(), columns: 1 }, self.as_slice());
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        visitor(path, Shape { rows: self.len(), columns: 1 }, self.as_mut_slice());
    }

    fn visit_pair(&mut self, other: &Self, visitor: &mut dyn FnMut(&mut [T], &[T])) {
        assert_eq!(self.len(), other.len(), "two values of different shapes cannot be paired");
        visitor(self.as_mut_slice(), other.as_slice());
    }

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> DVector<U> {
        DVector::from_vec(self.as_slice().iter().map(|&x| f(x)).collect())
    }
}

/// No tensors: the carry of a stateless layer.
impl<T: Scalar> Tensors<T> for () {
    type Over<U: Scalar> = ();

    fn visit(&self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {}

    fn visit_mut(&mut self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {}

    fn visit_pair(&mut self, (): &Self, _: &mut dyn FnMut(&mut [T], &[T])) {}

    fn map<U: Scalar>(&self, _: &mut dyn FnMut(T) -> U) {}
}

/// Two values one after the other: the carry of two layers.
impl<T: Scalar, A: Tensors<T>, B: Tensors<T>> Tensors<T> for (A, B) {
    type Over<U: Scalar> = (A::Over<U>, B::Over<U>);

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.0.visit(&path.place(0), visitor);
        self.1.visit(&path.place(1), visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.0.visit_mut(&path.place(0), visitor);
        self.1.visit_mut(&path.place(1), visitor);
    }

    fn visit_pair(&mut self, other: &Self, visitor: &mut dyn FnMut(&mut [T], &[T])) {
        self.0.visit_pair(&other.0, visitor);
        self.1.visit_pair(&other.1, visitor);
    }

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U> {
        (self.0.map(f), self.1.map(f))
    }
}
