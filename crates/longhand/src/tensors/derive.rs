//! The macro that implements [`Tensors`](super::Tensors) for a struct.

/// Implements [`Tensors`](crate::Tensors) and [`ChangeScalar`](crate::ChangeScalar) for a struct from the list of its fields
/// that hold tensors (matrices, vectors, or other layers), and, after `keep`, of the fields that do not and are cloned.
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
