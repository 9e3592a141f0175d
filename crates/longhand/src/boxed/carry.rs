//! Values made of tensors, and the carry of a boxed layer.

use crate::{Path, Scalar, Shape, Tensors};
use alloc::{boxed::Box, string::String};
use core::any::Any;
use core::fmt;

/// The object-safe part of [`Tensors`].
pub(super) trait AnyTensors<T: Scalar>: Any + Send {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T]));
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T]));
    #[expect(clippy::type_complexity, reason = "an alias would hide what a visitor is given")]
    fn visit_pair(&mut self, path: &Path<'_>, other: &dyn Any, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T]));
}

impl<T: Scalar, P: Tensors<T> + 'static> AnyTensors<T> for P {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        Tensors::visit(self, path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        Tensors::visit_mut(self, path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &dyn Any, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        let other = other
            .downcast_ref()
            .expect("two values of different types cannot be paired; both must come from the same model");
        Tensors::visit_pair(self, path, other, visitor);
    }
}

/// The carry of a [`BoxedLayer`](super::BoxedLayer).
pub struct BoxedCarry<T>(Box<dyn AnyCarry<T>>);

/// [`AnyTensors`] that can be copied.
trait AnyCarry<T: Scalar>: AnyTensors<T> {
    fn duplicate(&self) -> Box<dyn AnyCarry<T>>;
}

impl<T: Scalar, P: Tensors<T> + 'static> AnyCarry<T> for P {
    fn duplicate(&self) -> Box<dyn AnyCarry<T>> {
        Box::new(self.clone())
    }
}

impl<T: Scalar> BoxedCarry<T> {
    pub(super) fn new<P: Tensors<T> + 'static>(carry: P) -> Self {
        BoxedCarry(Box::new(carry))
    }

    /// The carry itself, for the layer of this name.
    pub(super) fn of<P: 'static>(&mut self, layer: impl Fn() -> String) -> &mut P {
        let carry: &mut dyn Any = &mut *self.0;
        carry.downcast_mut().unwrap_or_else(|| {
            panic!("the carry is that of another layer than `{}`: make it with `carry(batch)` of this one", layer())
        })
    }
}

impl<T: Scalar> Clone for BoxedCarry<T> {
    fn clone(&self) -> Self {
        BoxedCarry(self.0.duplicate())
    }
}

impl<T: Scalar> fmt::Debug for BoxedCarry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shapes = f.debug_map();
        self.0.visit(&Path::ROOT, &mut |path, shape, _| {
            shapes.entry(&format_args!("{path}"), &format_args!("{shape}"));
        });
        shapes.finish()
    }
}

impl<T: Scalar> Tensors<T> for BoxedCarry<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.0.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.0.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.0.visit_pair(path, &*other.0, visitor);
    }
}
