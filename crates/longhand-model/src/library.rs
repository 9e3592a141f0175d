//! The builders of the library's layers.

use crate::settings::{
    CausalConvolutionSettings, DropoutSettings, ElmanSettings, EmbeddingSettings, GatedSettings, IndRnnSettings,
    LinearSettings, NoSettings,
};
use crate::{LayerError, LayerRequest, Layers};
use longhand::{
    Activation, Bidirectional, BoxedLayer, CausalConvolution, Dropout, Elman, Embedding, Frozen, Gru, IndRnn, LastStep,
    Linear, Lstm, MeanOverTime, MinimalGatedUnit, Residual, Scalar,
};

/// The inputs and units of a recurrent layer, whose number of parameters is checked.
fn sizes<T: Scalar>(layer: &mut LayerRequest<'_, T>, gates: usize, units: usize) -> Result<[usize; 2], LayerError> {
    let (inputs, rows) = (layer.inputs()?, gates.saturating_mul(units));
    layer.check_size(&[[rows, inputs], [rows, units], [rows, 2]])?;
    Ok([inputs, units])
}

pub(crate) fn register<T: Scalar>(layers: &mut Layers<T>) {
    layers.register("Elman".into(), |layer| {
        let ElmanSettings { units, nonlinearity } = layer.settings_in_full()?;
        let [inputs, units] = sizes(layer, 1, units)?;
        let mut elman = Elman::new(inputs, units, layer.generator());
        elman.cell.nonlinearity = nonlinearity.into();
        Ok(BoxedLayer::new(elman))
    });
    layers.register("IndRnn".into(), |layer| {
        let IndRnnSettings { units, nonlinearity } = layer.settings_in_full()?;
        let inputs = layer.inputs()?;
        layer.check_size(&[[units, inputs], [units, 3]])?;
        let mut ind_rnn = IndRnn::new(inputs, units, layer.generator());
        ind_rnn.cell.nonlinearity = nonlinearity.into();
        Ok(BoxedLayer::new(ind_rnn))
    });
    layers.register("Lstm".into(), |layer| {
        let GatedSettings { units } = layer.settings_in_full()?;
        let [inputs, units] = sizes(layer, 4, units)?;
        Ok(BoxedLayer::new(Lstm::new(inputs, units, layer.generator())))
    });
    layers.register("Gru".into(), |layer| {
        let GatedSettings { units } = layer.settings_in_full()?;
        let [inputs, units] = sizes(layer, 3, units)?;
        Ok(BoxedLayer::new(Gru::new(inputs, units, layer.generator())))
    });
    layers.register("MinimalGatedUnit".into(), |layer| {
        let GatedSettings { units } = layer.settings_in_full()?;
        let [inputs, units] = sizes(layer, 2, units)?;
        Ok(BoxedLayer::new(MinimalGatedUnit::new(inputs, units, layer.generator())))
    });
    layers.register("Linear".into(), |layer| {
        let LinearSettings { outputs } = layer.settings_in_full()?;
        let inputs = layer.inputs()?;
        layer.check_size(&[[outputs, inputs], [outputs, 1]])?;
        Ok(BoxedLayer::new(Linear::new(inputs, outputs, layer.generator())))
    });
    layers.register("CausalConvolution".into(), |layer| {
        let CausalConvolutionSettings { outputs, kernel_size, dilation, stride } = layer.settings_in_full()?;
        let inputs = layer.inputs()?;
        layer.check_size(&[[outputs, kernel_size.saturating_mul(inputs)], [outputs, 1]])?;
        layer.check_carry(kernel_size.saturating_sub(1).saturating_mul(dilation).saturating_mul(inputs))?;
        let convolution = CausalConvolution::new(inputs, outputs, kernel_size, layer.generator())?;
        Ok(BoxedLayer::new(convolution.with_dilation(dilation)?.with_stride(stride)?))
    });
    for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
        layers.register(format!("{activation:?}"), move |layer| {
            layer.settings::<NoSettings>().map(|_| BoxedLayer::new(activation))
        });
    }
    layers.register("Dropout".into(), |layer| {
        let DropoutSettings { probability } = layer.settings_in_full()?;
        Ok(BoxedLayer::new(Dropout::new(probability)?))
    });
    layers.register("LastStep".into(), |layer| layer.settings::<NoSettings>().map(|_| BoxedLayer::new(LastStep)));
    layers.register("MeanOverTime".into(), |layer| {
        layer.settings::<NoSettings>().map(|_| BoxedLayer::without_streaming(MeanOverTime))
    });
    layers.register("Bidirectional".into(), |layer| {
        let (forward, backward) = (layer.inner("forward")?, layer.inner("backward")?);
        Ok(BoxedLayer::without_streaming(Bidirectional::new(forward, backward)?))
    });
    // A chain that stands second in another one keeps a place of its own, as a `Sequential` inside of another does in PyTorch.
    layers.register("Chain".into(), |layer| layer.inner("layers"));
    layers.register_on_tokens("Chain".into(), |layer| layer.inner_on("layers"));
    layers.register("Residual".into(), |layer| Ok(BoxedLayer::new(Residual::new(layer.inner("inner")?)?)));
    layers.register("Frozen".into(), |layer| Ok(BoxedLayer::new(Frozen::new(layer.inner("inner")?))));
    layers.register_on_tokens("Embedding".into(), |layer| {
        let EmbeddingSettings { tokens, features } = layer.settings_in_full()?;
        layer.check_size(&[[features, tokens]])?;
        Ok(BoxedLayer::new(Embedding::new(tokens, features, layer.generator())))
    });
    layers.register_on_tokens("Frozen".into(), |layer| Ok(BoxedLayer::new(Frozen::new(layer.inner_on("inner")?))));
}
