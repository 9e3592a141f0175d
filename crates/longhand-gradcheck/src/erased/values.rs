//! Type-erased values made of tensors.

use longhand::{Path, Sequences, Shape, Tensors};
use std::any::Any;

/// The visitor of [`Tensors::visit_pair`].
type PairVisitor<'a> = dyn FnMut(&Path<'_>, &mut [f64], &[f64]) + 'a;

/// The object-safe methods of [`Tensors`]. Implemented for every value made of tensors.
pub(super) trait Object: Any + Send {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64]));
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64]));
    fn visit_pair(&mut self, path: &Path<'_>, other: &dyn Object, visitor: &mut PairVisitor<'_>);
    fn count(&self) -> usize;
    fn set_zero(&mut self);
    fn zeros(&self) -> Values;
    fn copy_from(&mut self, other: &dyn Object);
    fn duplicate(&self) -> Values;
}

impl<P: Tensors<f64> + 'static> Object for P {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        Tensors::visit(self, path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        Tensors::visit_mut(self, path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &dyn Object, visitor: &mut PairVisitor<'_>) {
        Tensors::visit_pair(self, path, same_type(other), visitor);
    }

    fn count(&self) -> usize {
        Tensors::count(self)
    }

    fn set_zero(&mut self) {
        Tensors::set_zero(self);
    }

    fn zeros(&self) -> Values {
        Values::new(Tensors::zeros(self))
    }

    fn copy_from(&mut self, other: &dyn Object) {
        Tensors::copy_from(self, same_type(other));
    }

    fn duplicate(&self) -> Values {
        Values::new(self.clone())
    }
}

fn same_type<P: 'static>(other: &dyn Object) -> &P {
    let other: &dyn Any = other;
    other.downcast_ref().expect("the value must have the type that the layer expects")
}

/// A type-erased value made of tensors. The default is empty, for a cotangent that is not drawn yet.
#[derive(Default)]
pub(crate) struct Values(Option<Box<dyn Object>>);

impl Values {
    pub(super) fn new<P: Tensors<f64> + 'static>(value: P) -> Values {
        Values(Some(Box::new(value)))
    }

    /// The concrete value. Panics if its type is not `P`.
    pub(super) fn get<P: 'static>(&self) -> &P {
        same_type(self.object())
    }

    pub(super) fn get_mut<P: 'static>(&mut self) -> &mut P {
        let object: &mut dyn Any = self.object_mut();
        object.downcast_mut().expect("the value must have the type that the layer expects")
    }

    fn object(&self) -> &dyn Object {
        self.0.as_deref().expect("the value must be set before it is used")
    }

    fn object_mut(&mut self) -> &mut dyn Object {
        self.0.as_deref_mut().expect("the value must be set before it is used")
    }
}

impl Clone for Values {
    fn clone(&self) -> Values {
        self.0.as_deref().map_or_else(Values::default, Object::duplicate)
    }
}

/// Forwards every call to the value.
impl Tensors<f64> for Values {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        self.object().visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        self.object_mut().visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f64], &[f64])) {
        self.object_mut().visit_pair(path, other.object(), visitor);
    }

    fn count(&self) -> usize {
        self.object().count()
    }

    fn set_zero(&mut self) {
        self.object_mut().set_zero();
    }

    fn zeros(&self) -> Self {
        self.object().zeros()
    }

    fn copy_from(&mut self, other: &Self) {
        self.object_mut().copy_from(other.object());
    }
}

/// The type of an input or an output of a type-erased layer. It is `Sequences` for sequences, because some laws need
/// sequences, and [`Values`] for all other types.
pub(crate) trait ErasedValue: Tensors<f64> + Default + 'static {}
impl ErasedValue for Sequences<f64> {}
impl ErasedValue for Values {}

/// A [`ErasedValue`] type that can contain a value of type `P`.
pub(crate) trait Holds<P>: ErasedValue {
    fn of(value: P) -> Self;
    fn value(&self) -> &P;
    fn value_mut(&mut self) -> &mut P;
}

impl Holds<Sequences<f64>> for Sequences<f64> {
    fn of(value: Sequences<f64>) -> Self {
        value
    }

    fn value(&self) -> &Sequences<f64> {
        self
    }

    fn value_mut(&mut self) -> &mut Sequences<f64> {
        self
    }
}

impl<P: Tensors<f64> + 'static> Holds<P> for Values {
    fn of(value: P) -> Self {
        Values::new(value)
    }

    fn value(&self) -> &P {
        self.get()
    }

    fn value_mut(&mut self) -> &mut P {
        self.get_mut()
    }
}
