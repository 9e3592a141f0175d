//! A type-erased layer, so that a test of all layers is compiled once instead of once per layer.

use super::SequenceLayer;
use longhand::{Features, Layer, ParameterGradients, Pass, Path, Scalar, Sequences, Shape, Tensors};
use std::any::Any;

/// The visitor of [`Tensors::visit_pair`].
type PairVisitor<'a> = dyn FnMut(&Path<'_>, &mut [f64], &[f64]) + 'a;

/// The methods of a type-erased value made of tensors. Implemented for every `Tensors`.
trait Object: Any + Send {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64]));
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64]));
    fn visit_pair(&mut self, path: &Path<'_>, other: &dyn Object, visitor: &mut PairVisitor<'_>);
    fn duplicate(&self) -> AnyTensors;
}

impl<P: Tensors<f64> + 'static> Object for P {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        Tensors::visit(self, path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        Tensors::visit_mut(self, path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &dyn Object, visitor: &mut PairVisitor<'_>) {
        let other: &dyn Any = other;
        Tensors::visit_pair(self, path, other.downcast_ref().expect("both values have the same type"), visitor);
    }

    fn duplicate(&self) -> AnyTensors {
        AnyTensors::new(self.clone())
    }
}

/// A type-erased value made of tensors: a carry, or the parameters of a layer.
pub struct AnyTensors(Box<dyn Object>);

impl AnyTensors {
    fn new<P: Tensors<f64> + 'static>(value: P) -> Self {
        AnyTensors(Box::new(value))
    }

    fn get<P: 'static>(&self) -> &P {
        let value: &dyn Any = &*self.0;
        value.downcast_ref().expect("the type is correct")
    }

    fn get_mut<P: 'static>(&mut self) -> &mut P {
        let value: &mut dyn Any = &mut *self.0;
        value.downcast_mut().expect("the type is correct")
    }
}

impl Clone for AnyTensors {
    fn clone(&self) -> Self {
        self.0.duplicate()
    }
}

impl Tensors<f64> for AnyTensors {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        self.0.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        self.0.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f64], &[f64])) {
        self.0.visit_pair(path, &*other.0, visitor);
    }
}

/// A type-erased layer.
#[derive(Clone)]
pub struct AnyLayer {
    layer: AnyTensors,
    calls: Calls,
}

/// The methods of the erased layer.
#[derive(Clone, Copy)]
struct Calls {
    name: fn(&AnyTensors) -> String,
    features: fn(&AnyTensors) -> Features,
    carry: fn(&AnyTensors, usize) -> AnyTensors,
    forward: fn(&AnyTensors, &Sequences<f64>, &mut AnyTensors, &mut AnyCache, &mut Pass<'_>),
    backward: fn(&AnyTensors, BackwardPass<'_>),
}

/// The arguments of `Layer::backward`.
struct BackwardPass<'a> {
    input: &'a Sequences<f64>,
    cache: &'a mut AnyCache,
    d_output: Option<&'a Sequences<f64>>,
    d_carry: &'a mut AnyTensors,
    gradients: ParameterGradients<'a, AnyTensors>,
    d_input: Option<&'a mut Sequences<f64>>,
}

/// The layer's own cache, and a copy of its output after the last pass.
#[derive(Default)]
pub struct AnyCache {
    own: Option<Box<dyn Any + Send>>,
    output: Sequences<f64>,
}

impl AnyCache {
    fn own<C: Default + Send + 'static>(&mut self) -> &mut C {
        let own = self.own.get_or_insert_with(|| Box::new(C::default()));
        own.downcast_mut().expect("a cache must be used with one layer only")
    }
}

impl AnyLayer {
    pub fn new<M: SequenceLayer>(layer: &M) -> Self {
        let calls = Calls {
            name: |layer| layer.get::<M>().name(),
            features: |layer| layer.get::<M>().features(),
            carry: |layer, batch| AnyTensors::new(layer.get::<M>().carry(batch)),
            forward: |layer, input, carry, cache, pass| {
                let output = layer.get::<M>().forward(input, carry.get_mut(), cache.own(), pass).clone();
                cache.output = output;
            },
            backward: |layer, BackwardPass { input, cache, d_output, d_carry, gradients, d_input }| {
                let (layer, own) = (layer.get::<M>(), cache.own::<M::Cache>());
                let gradients = gradients.part(AnyTensors::get_mut);
                layer.backward(input, own, d_output, d_carry.get_mut(), gradients, d_input);
                let output = M::output(own).clone();
                cache.output = output;
            },
        };
        AnyLayer { layer: AnyTensors::new(layer.clone()), calls }
    }
}

impl Tensors<f64> for AnyLayer {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f64])) {
        Tensors::visit(&self.layer, path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f64])) {
        Tensors::visit_mut(&mut self.layer, path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f64], &[f64])) {
        Tensors::visit_pair(&mut self.layer, path, &other.layer, visitor);
    }
}

impl Layer<f64> for AnyLayer {
    type Input = Sequences<f64>;
    type Output = Sequences<f64>;
    type Carry = AnyTensors;
    type Cache = AnyCache;

    fn name(&self) -> String {
        (self.calls.name)(&self.layer)
    }

    fn features(&self) -> Features {
        (self.calls.features)(&self.layer)
    }

    fn carry(&self, batch: usize) -> AnyTensors {
        (self.calls.carry)(&self.layer, batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<f64>,
        carry: &mut AnyTensors,
        cache: &'c mut AnyCache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<f64> {
        (self.calls.forward)(&self.layer, input, carry, cache, pass);
        &cache.output
    }

    fn output(cache: &AnyCache) -> &Sequences<f64> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<f64>,
        cache: &mut AnyCache,
        d_output: Option<&Sequences<f64>>,
        d_carry: &mut AnyTensors,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<f64>>,
    ) {
        let gradients = gradients.part(|any| &mut any.layer);
        (self.calls.backward)(&self.layer, BackwardPass { input, cache, d_output, d_carry, gradients, d_input });
    }
}
