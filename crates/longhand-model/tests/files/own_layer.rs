//! A layer of the user's own in a file.

use crate::{bits, bytes, generator};
use longhand::{nalgebra, prelude::*};
use longhand_model::{Describe, LayerDescription, Layers, Model, ModelFile, NotDescribed};

/// A layer of the user's own, which a file of a model can name.
#[derive(Debug, Clone, PartialEq)]
struct Gain<T: Scalar> {
    gain: nalgebra::DVector<T>,
}

longhand::tensors!(Gain { gain });

impl<T: Scalar> Layer<T> for Gain<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("Gain({})", self.gain.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        cache.reshape(input.features(), input.layout());
        for (y, x) in cache.values_mut().column_iter_mut().zip(input.values().column_iter()) {
            let mut y = y;
            y.copy_from(&x.component_mul(&self.gain));
        }
        cache
    }

    fn output(cache: &Sequences<T>) -> &Sequences<T> {
        cache
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        _: &mut Sequences<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let gradients = gradients.to_add_to::<T>();
        if let (Some(gradients), Some(d_output)) = (gradients, d_output) {
            gradients.gain += d_output.values().component_mul(input.values()).column_sum();
        }
        if let Some(d_input) = d_input {
            d_input.reshape(input.features(), input.layout());
            for column in 0..input.layout().columns() {
                let d_y =
                    d_output.map_or_else(|| self.gain.map(|_| T::zero()), |d| d.values().column(column).into_owned());
                d_input.values_mut().set_column(column, &d_y.component_mul(&self.gain));
            }
        }
    }
}

impl<T: Scalar> Describe<T> for Gain<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Gain")])
    }
}

#[test]
fn a_layer_of_ones_own_is_saved_and_opened() {
    let model =
        Linear::<f32>::new(2, 3, &mut generator(1)).then(Gain { gain: nalgebra::dvector![1.0, 2.0, 3.0] }).unwrap();
    let file = ModelFile::from_bytes(&bytes(&model)).unwrap();
    let layers = Layers::library().with("Gain", |layer| {
        let inputs = layer.inputs()?;
        layer.check_size(&[[inputs, 1]])?;
        Ok(BoxedLayer::without_streaming(Gain { gain: nalgebra::DVector::zeros(inputs) }))
    });
    let opened: Model<f32> = file.build_with(&layers).unwrap();
    assert_eq!(bits(&opened), bits(&model));
    assert_eq!(bytes(&opened), bytes(&model));
    assert!(
        file.build::<f32>().unwrap_err().to_string().contains("layers[1] (`Gain`): there is no layer of this name")
    );
    // In a box, its type is not known.
    let boxed = BoxedLayer::<f32>::without_streaming(model.second().clone());
    assert!(ModelFile::of(&boxed).unwrap_err().to_string().contains("`Gain(3)` is in a box"));
}
