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

/// The name of a tensor inside of a value, from the outermost value inwards; displayed with dots in between: `2.weight`.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    within: Option<&'a Path<'a>>,
    part: Part<'a>,
    /// Here rather than found on the way to the root: optimizers ask for each tensor at each update.
    is_frozen: bool,
}

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Root,
    Field(&'a str),
    Place(usize),
    /// No name of its own.
    Same,
}

impl<'a> Path<'a> {
    /// The outermost value itself.
    pub const ROOT: Path<'static> = Path { within: None, part: Part::Root, is_frozen: false };

    /// A named field of the value at this path.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path { within: Some(self), part: Part::Field(name), is_frozen: self.is_frozen }
    }

    /// Position `index` of the chain at this path.
    #[must_use]
    pub fn place(&'a self, index: usize) -> Path<'a> {
        Path { within: Some(self), part: Part::Place(index), is_frozen: self.is_frozen }
    }

    /// The same place, whose parameters are frozen: optimizers leave them as they are. The name stays.
    #[must_use]
    pub fn frozen(&'a self) -> Path<'a> {
        Path { within: Some(self), part: Part::Same, is_frozen: true }
    }

    /// Whether a parameter here is frozen.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Whether the name here is empty.
    fn is_root(&self) -> bool {
        match self.part {
            Part::Root => true,
            Part::Same => self.within.is_none_or(Path::is_root),
            _ => false,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Part::Same, Some(within)) = (self.part, self.within) {
            return write!(f, "{within}");
        }
        if let Some(within) = self.within
            && !within.is_root()
        {
            write!(f, "{within}.")?;
        }
        match self.part {
            Part::Root | Part::Same => Ok(()),
            Part::Field(name) => f.write_str(name),
            Part::Place(index) => write!(f, "{index}"),
        }
    }
}

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
        self.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill(T::zero()));
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

/// Implements [`Tensors`] and [`ChangeScalar`] for a struct from the list of its fields that hold tensors (matrices, vectors, or other layers),
/// and, after `keep`, of the fields that do not and are cloned.
///
/// | form | for |
/// |---|---|
/// | `tensors!(Gain { gain } keep { negative })` | `struct Gain<T>`, whose parameters are over the scalar type `T` |
/// | `tensors!(Residual<L> { inner })` | a wrapper `struct Residual<L>` around a layer `L`, or several: `Pair<A, B>` |
/// | `tensors!(Highway<T, L> { gate, inner })` | a wrapper with parameters of its own; `T` comes first |
/// | `tensors!(Pool)` | a struct without parameters; its fields, if it has any, are cloned |
///
/// ```
/// use longhand::{Elman, Scalar, Tensors, nalgebra::DVector};
///
/// #[derive(Clone)]
/// struct Gain<T> { gain: DVector<T>, negative: bool }
/// longhand::tensors!(Gain { gain } keep { negative });
///
/// #[derive(Clone)]
/// struct Residual<L> { inner: L }
/// longhand::tensors!(Residual<L> { inner });
///
/// let layer = Gain { gain: DVector::from_element(3, 2.0), negative: true };
/// assert_eq!(layer.names(), ["gain"]);
/// assert_eq!(layer.count(), 3);
/// let wrapper = Residual { inner: Elman::<f32>::zeros(2, 2) };
/// assert_eq!(wrapper.names()[0], "inner.weight_ih_l0");
/// ```
#[macro_export]
macro_rules! tensors {
    ($layer:ident) => {
        impl<T: $crate::Scalar> $crate::Tensors<T> for $layer {
            fn visit(&self, _: &$crate::Path<'_>, _: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &[T])) {}

            fn visit_mut(
                &mut self,
                _: &$crate::Path<'_>,
                _: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &mut [T]),
            ) {
            }

            fn visit_pair(
                &mut self,
                _: &$crate::Path<'_>,
                _: &Self,
                _: &mut dyn FnMut(&$crate::Path<'_>, &mut [T], &[T]),
            ) {
            }
        }

        impl<T: $crate::Scalar> $crate::ChangeScalar<T> for $layer {
            type Over<U: $crate::Scalar> = $layer;

            fn map<U: $crate::Scalar>(&self, _: &mut dyn FnMut(T) -> U) -> $layer {
                self.clone()
            }
        }
    };
    ($layer:ident { $($field:ident),* $(,)? } $(keep { $($kept:ident),* $(,)? })?) => {
        $crate::tensors!(@ $layer [] [T] { $($field),* } { $($($kept),*)? });
    };
    ($layer:ident<T $(, $inner:ident)* $(,)?> { $($field:ident),* $(,)? } $(keep { $($kept:ident),* $(,)? })?) => {
        $crate::tensors!(@ $layer [$($inner),*] [T] { $($field),* } { $($($kept),*)? });
    };
    ($layer:ident<$($inner:ident),+ $(,)?> { $($field:ident),* $(,)? } $(keep { $($kept:ident),* $(,)? })?) => {
        $crate::tensors!(@ $layer [$($inner),+] [] { $($field),* } { $($($kept),*)? });
    };
    // The types of inner layers, and the scalar type if the struct has one.
    (@ $layer:ident [$($inner:ident),*] [$($scalar:ident)?] { $($field:ident),* } { $($kept:ident),* }) => {
        impl<T: $crate::Scalar, $($inner: $crate::Tensors<T>),*> $crate::Tensors<T>
            for $crate::tensors!(@ type $layer [$($scalar)?] [T] [$($inner),*])
        {
            fn visit(
                &self,
                path: &$crate::Path<'_>,
                visitor: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &[T]),
            ) {
                $($crate::Tensors::<T>::visit(&self.$field, &path.field(stringify!($field)), visitor);)*
            }

            fn visit_mut(
                &mut self,
                path: &$crate::Path<'_>,
                visitor: &mut dyn FnMut(&$crate::Path<'_>, $crate::Shape, &mut [T]),
            ) {
                $($crate::Tensors::<T>::visit_mut(&mut self.$field, &path.field(stringify!($field)), visitor);)*
            }

            fn visit_pair(
                &mut self,
                path: &$crate::Path<'_>,
                other: &Self,
                visitor: &mut dyn FnMut(&$crate::Path<'_>, &mut [T], &[T]),
            ) {
                $($crate::Tensors::<T>::visit_pair(
                    &mut self.$field, &path.field(stringify!($field)), &other.$field, visitor,
                );)*
            }
        }

        impl<T: $crate::Scalar, $($inner: $crate::ChangeScalar<T>),*> $crate::ChangeScalar<T>
            for $crate::tensors!(@ type $layer [$($scalar)?] [T] [$($inner),*])
        {
            type Over<U: $crate::Scalar> =
                $crate::tensors!(@ type $layer [$($scalar)?] [U] [$(<$inner as $crate::ChangeScalar<T>>::Over<U>),*]);

            fn map<U: $crate::Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U> {
                $layer {
                    $($field: $crate::ChangeScalar::<T>::map(&self.$field, f),)*
                    $($kept: self.$kept.clone(),)*
                }
            }
        }
    };
    (@ type $layer:ident [$scalar:ident] [$of:ident] [$($inner:ty),*]) => { $layer<$of, $($inner),*> };
    (@ type $layer:ident [] [$of:ident] [$($inner:ty),*]) => { $layer<$($inner),*> };
}

impl<T: Scalar> Tensors<T> for DMatrix<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        visitor(path, Shape { rows: self.nrows(), columns: self.ncols() }, self.as_slice());
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        visitor(path, Shape { rows: self.nrows(), columns: self.ncols() }, self.as_mut_slice());
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
        visitor(path, Shape { rows: self.len(), columns: 1 }, self.as_slice());
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        visitor(path, Shape { rows: self.len(), columns: 1 }, self.as_mut_slice());
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
