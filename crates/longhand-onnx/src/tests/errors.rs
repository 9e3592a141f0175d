//! Models that cannot be exported.

use super::{built, generator, new};
use crate::{OnnxError, OnnxExport};
use longhand::nalgebra::DVector;
use longhand::prelude::*;
use longhand_model::{Describe, LayerDescription, ModelDescription, NotDescribed};

/// A layer that the library does not have.
#[derive(Debug, Clone)]
struct Gain {
    gain: DVector<f32>,
}

impl Tensors<f32> for Gain {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[f32])) {
        self.gain.visit(&path.field("gain"), visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [f32])) {
        self.gain.visit_mut(&path.field("gain"), visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [f32], &[f32])) {
        self.gain.visit_pair(&path.field("gain"), &other.gain, visitor);
    }
}

impl Layer<f32> for Gain {
    type Input = Sequences<f32>;
    type Output = Sequences<f32>;
    type Carry = ();
    type Cache = Sequences<f32>;

    fn name(&self) -> String {
        "Gain".into()
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.gain.len(), output: self.gain.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        _: &Sequences<f32>,
        (): &mut (),
        cache: &'c mut Sequences<f32>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<f32> {
        cache
    }

    fn output(cache: &Sequences<f32>) -> &Sequences<f32> {
        cache
    }

    fn backward(
        &self,
        _: &Sequences<f32>,
        _: &mut Sequences<f32>,
        _: Option<&Sequences<f32>>,
        (): &mut (),
        _: ParameterGradients<'_, Self>,
        _: Option<&mut Sequences<f32>>,
    ) {
    }
}

impl Describe<f32> for Gain {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![new("Gain")])
    }
}

#[test]
fn an_unknown_layer_is_named_with_its_place() {
    let linear = Linear::new(2, 2, &mut generator());
    let inner = linear.clone().then(Gain { gain: DVector::zeros(2) }).expect("2 features");
    let model = linear.then(Residual::new(inner).expect("2 features")).expect("2 features");
    let error = OnnxExport::new().to_bytes(&model).expect_err("`Gain` cannot be exported");
    assert!(matches!(error, OnnxError::UnknownLayer { .. }));
    assert_eq!(
        error.to_string(),
        "layers[1] (`Residual`) > inner[1] (`Gain`): this layer cannot be exported, because it is not one of the library's layers"
    );

    let boxed = BoxedLayer::without_streaming(Gain { gain: DVector::zeros(2) });
    let error = OnnxExport::new().to_bytes(&boxed).expect_err("its description is not known");
    assert!(matches!(error, OnnxError::NotDescribed(NotDescribed { layer }) if layer == "Gain"));
}

#[test]
fn states_of_a_model_that_needs_whole_sequences_are_an_error() {
    let gru = new("Gru").with("units", 2);
    let both = new("Bidirectional").with("forward", gru.clone()).with("backward", gru);
    for (layer, name) in [(new("MeanOverTime"), "MeanOverTime"), (both, "Bidirectional")] {
        let model = built(&ModelDescription::new(2).then(new("Tanh")).then(new("Frozen").with("inner", layer)));
        assert!(OnnxExport::new().to_bytes(&model).is_ok());
        match OnnxExport::new().with_states().to_bytes(&model) {
            Err(OnnxError::CannotStream { place }) => {
                assert_eq!(place, format!("layers[1] (`Frozen`) > inner (`{name}`)"));
            }
            other => panic!("expected an error, got {other:?}"),
        }
    }
}

#[test]
fn a_residual_connection_around_one_step_is_an_error() {
    let around_last_step = new("Residual").with("inner", new("LastStep"));
    let model = built(&ModelDescription::new(2).then(around_last_step.clone()));
    let error = OnnxExport::new().to_bytes(&model).expect_err("the inner layer has one step");
    assert!(matches!(error, OnnxError::ChangesSteps { place } if place == "layers[0] (`Residual`)"));
    let of_one_step = built(&ModelDescription::new(2).then(new("LastStep")).then(around_last_step));
    assert!(OnnxExport::new().to_bytes(&of_one_step).is_ok());
}

#[test]
fn tensors_of_another_shape_are_an_error() {
    let mut model = Elman::<f32>::new(2, 3, &mut generator());
    model.bias_hh_l0 = DVector::zeros(4);
    let error = OnnxExport::new().to_bytes(&model).expect_err("the biases have different sizes");
    assert_eq!(error.to_string(), "layers[0] (`Elman`): expected `bias_hh_l0` (3 x 1), got `bias_hh_l0` (4 x 1)");
}
