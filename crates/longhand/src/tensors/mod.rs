//! A value made of named tensors in one fixed order.
//!
//! A layer, its gradient, its carry, its input and the gradient of its input are all such values. The order serves
//! optimizers, clipping, checkpoints, counting and gradient checks alike, and the names are PyTorch's
//! (`weight_ih_l0`, `bias_hh_l0`, ...), with the place in a chain or the field in front (`0.weight_ih_l0`).

mod derive;
mod path;

pub use path::{Path, Shape, Stored};

use crate::{Scalar, kernel};
use alloc::{string::String, string::ToString, vec::Vec};
use nalgebra::{DMatrix, DVector};

/// A value made of named tensors in one fixed order; implemented for a layer by [`tensors!`](crate::tensors!).
///
/// Each tensor is passed as a slice in column-major order (PyTorch is row-major).
pub trait Tensors<T: Scalar>: Clone + Send {
    /// Number of layers that it counts as in a chain's tensor names: 1, except for a chain itself.
    fn places(&self) -> usize {
        1
    }

    /// Calls `visitor` with the path, the shape and the elements of each tensor.
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T]));

    /// Like [`visit`](Self::visit), with mutable elements.
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T]));

    /// Calls `visitor` with the path of each tensor, the tensor of `self` and the same tensor of `other`.
    ///
    /// # Panics
    /// If the two differ in shape.
    #[expect(clippy::type_complexity, reason = "an alias would hide what a visitor is given")]
    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T]));

    /// Number of scalars.
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
        self.visit_mut(&Path::ROOT, &mut |_, _, values| kernel::set_zero(values));
    }

    /// A value of the same shape, all zero.
    #[must_use]
    fn zeros(&self) -> Self {
        let mut zeros = self.clone();
        zeros.set_zero();
        zeros
    }

    /// Copies all elements from `other`.
    ///
    /// # Panics
    /// If the two differ in shape.
    fn copy_from(&mut self, other: &Self) {
        self.visit_pair(&Path::ROOT, other, &mut |_, to, from| to.copy_from_slice(from));
    }
}

/// A value that exists over every scalar type: implemented for a layer by [`tensors!`](crate::tensors!).
///
/// A layer whose type is known only at run time ([`BoxedLayer`](crate::BoxedLayer)) is made for one scalar type, so this trait is
/// apart from [`Tensors`].
pub trait ChangeScalar<T: Scalar>: Tensors<T> {
    /// The same type over another scalar type.
    type Over<U: Scalar>: ChangeScalar<U>;

    /// The same value over another scalar type: applies `f` to every element, in the order of [`Tensors::visit`].
    ///
    /// ```
    /// use longhand::{ChangeScalar, Linear};
    /// let double = Linear::<f64>::zeros(3, 2);
    /// let single: Linear<f32> = double.map(&mut |x| x as f32);
    /// ```
    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U>;
}

impl<T: Scalar> Tensors<T> for DMatrix<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        visitor(path, Shape::matrix(self.nrows(), self.ncols()), self.as_slice());
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        visitor(path, Shape::matrix(self.nrows(), self.ncols()), self.as_mut_slice());
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        assert_eq!(self.shape(), other.shape(), "two values of different shapes cannot be paired");
        visitor(path, self.as_mut_slice(), other.as_slice());
    }
}

impl<T: Scalar> ChangeScalar<T> for DMatrix<T> {
    type Over<U: Scalar> = DMatrix<U>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> DMatrix<U> {
        DMatrix::from_vec(self.nrows(), self.ncols(), self.as_slice().iter().map(|&x| f(x)).collect())
    }
}

impl<T: Scalar> Tensors<T> for DVector<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        visitor(path, Shape::vector(self.len()), self.as_slice());
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        visitor(path, Shape::vector(self.len()), self.as_mut_slice());
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        assert_eq!(self.len(), other.len(), "two values of different shapes cannot be paired");
        visitor(path, self.as_mut_slice(), other.as_slice());
    }
}

impl<T: Scalar> ChangeScalar<T> for DVector<T> {
    type Over<U: Scalar> = DVector<U>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> DVector<U> {
        DVector::from_vec(self.as_slice().iter().map(|&x| f(x)).collect())
    }
}

/// No tensors: the carry of a stateless layer.
impl<T: Scalar> Tensors<T> for () {
    fn visit(&self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {}

    fn visit_mut(&mut self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {}

    fn visit_pair(&mut self, _: &Path<'_>, (): &Self, _: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {}
}

impl<T: Scalar> ChangeScalar<T> for () {
    type Over<U: Scalar> = ();

    fn map<U: Scalar>(&self, _: &mut dyn FnMut(T) -> U) {}
}

/// A pair of values: the carry of two layers.
impl<T: Scalar, A: Tensors<T>, B: Tensors<T>> Tensors<T> for (A, B) {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.0.visit(&path.place(0), visitor);
        self.1.visit(&path.place(1), visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.0.visit_mut(&path.place(0), visitor);
        self.1.visit_mut(&path.place(1), visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.0.visit_pair(&path.place(0), &other.0, visitor);
        self.1.visit_pair(&path.place(1), &other.1, visitor);
    }
}

impl<T: Scalar, A: ChangeScalar<T>, B: ChangeScalar<T>> ChangeScalar<T> for (A, B) {
    type Over<U: Scalar> = (A::Over<U>, B::Over<U>);

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U> {
        (self.0.map(f), self.1.map(f))
    }
}

/// A list of values: the layers of a stack, or their carries.
impl<T: Scalar, V: Tensors<T>> Tensors<T> for Vec<V> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        for (index, value) in self.iter().enumerate() {
            value.visit(&path.place(index), visitor);
        }
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        for (index, value) in self.iter_mut().enumerate() {
            value.visit_mut(&path.place(index), visitor);
        }
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        assert_eq!(self.len(), other.len(), "two lists of different lengths cannot be paired");
        for (index, (value, other)) in self.iter_mut().zip(other).enumerate() {
            value.visit_pair(&path.place(index), other, visitor);
        }
    }
}

impl<T: Scalar, V: ChangeScalar<T>> ChangeScalar<T> for Vec<V> {
    type Over<U: Scalar> = Vec<V::Over<U>>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U> {
        self.iter().map(|value| value.map(f)).collect()
    }
}
