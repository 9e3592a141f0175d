//! The builders of the library's layers.

use crate::settings::{
    AttentionPoolingSettings, CausalConvolutionSettings, CausalSelfAttentionSettings, DropoutSettings, ElmanSettings,
    EluSettings, EmbeddingSettings, GatedSettings, IndRnnSettings, LayerNormSettings, LeakyReluSettings,
    LinearSettings, NoSettings, ProjectedLstmSettings, RmsNormSettings, StackSettings,
};
use crate::{LayerError, LayerRequest, Layers};
use longhand::{
    Activation, AttentionPooling, Bidirectional, BoxedLayer, CausalConvolution, CausalSelfAttention, Dropout, Elman,
    Embedding, Frozen, Gru, Highway, IndRnn, LastStep, LayerNorm, Linear, Lstm, MaxOverTime, MeanOverTime, MinGru,
    MinimalGatedUnit, ProjectedLstm, Residual, RmsNorm, Scalar, Stack, VariationalDropout,
};

/// The inputs and units of a recurrent layer, whose number of parameters is checked.
fn sizes<T: Scalar>(layer: &mut LayerRequest<'_, T>, gates: usize, units: usize) -> Result<[usize; 2], LayerError> {
    let (inputs, rows) = (layer.inputs()?, gates.saturating_mul(units));
    layer.check_size(&[[rows, inputs], [rows, units], [rows, 2]])?;
    Ok([inputs, units])
}

pub(crate) fn register<T: Scalar>(layers: &mut Layers<T>) {
    register_recurrent(layers);
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
    layers.register("CausalSelfAttention".into(), |layer| {
        let CausalSelfAttentionSettings { outputs, key_size, window } = layer.settings_in_full()?;
        let inputs = layer.inputs()?;
        let key_and_value = key_size.saturating_add(outputs);
        let rows = key_and_value.saturating_add(key_size);
        layer.check_size(&[[rows, inputs], [rows, 1]])?;
        layer.check_carry(window.saturating_sub(1).saturating_mul(key_and_value.saturating_add(1)))?;
        let attention = CausalSelfAttention::new(inputs, outputs, key_size, window, layer.generator())?;
        Ok(BoxedLayer::new(attention))
    });
    register_activations(layers);
    layers.register("LayerNorm".into(), |layer| {
        let LayerNormSettings { epsilon } = layer.settings_in_full()?;
        let features = layer.inputs()?;
        layer.check_size(&[[features, 2]])?;
        Ok(BoxedLayer::new(LayerNorm::new(features).with_epsilon(epsilon)?))
    });
    layers.register("RmsNorm".into(), |layer| {
        let RmsNormSettings { epsilon } = layer.settings()?;
        let features = layer.inputs()?;
        layer.check_size(&[[features, 1]])?;
        let mut norm = RmsNorm::new(features);
        if let Some(epsilon) = epsilon {
            norm = norm.with_epsilon(epsilon)?;
        }
        layer.set_in_full("epsilon", norm.epsilon());
        Ok(BoxedLayer::new(norm))
    });
    layers.register("Dropout".into(), |layer| {
        let DropoutSettings { probability } = layer.settings_in_full()?;
        Ok(BoxedLayer::new(Dropout::new(probability)?))
    });
    layers.register("VariationalDropout".into(), |layer| {
        let DropoutSettings { probability } = layer.settings_in_full()?;
        Ok(BoxedLayer::new(VariationalDropout::new(probability)?))
    });
    register_reductions(layers);
    register_wrappers(layers);
    layers.register_on_tokens("Embedding".into(), |layer| {
        let EmbeddingSettings { tokens, features, padding } = layer.settings_in_full()?;
        layer.check_size(&[[features, tokens]])?;
        let embedding = Embedding::new(tokens, features, layer.generator());
        Ok(BoxedLayer::new(match padding {
            Some(id) => embedding.with_padding(id)?,
            None => embedding,
        }))
    });
    layers.register_on_tokens("Frozen".into(), |layer| Ok(BoxedLayer::new(Frozen::new(layer.inner_on("inner")?))));
}

fn register_recurrent<T: Scalar>(layers: &mut Layers<T>) {
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
    layers.register("ProjectedLstm".into(), |layer| {
        let ProjectedLstmSettings { units, outputs } = layer.settings_in_full()?;
        let (inputs, rows) = (layer.inputs()?, units.saturating_mul(4));
        layer.check_size(&[[rows, inputs], [rows, outputs], [rows, 2], [outputs, units]])?;
        Ok(BoxedLayer::new(ProjectedLstm::new(inputs, units, outputs, layer.generator())))
    });
    layers.register("Gru".into(), |layer| {
        let GatedSettings { units } = layer.settings_in_full()?;
        let [inputs, units] = sizes(layer, 3, units)?;
        Ok(BoxedLayer::new(Gru::new(inputs, units, layer.generator())))
    });
    layers.register("MinGru".into(), |layer| {
        let GatedSettings { units } = layer.settings_in_full()?;
        let (inputs, rows) = (layer.inputs()?, units.saturating_mul(2));
        layer.check_size(&[[rows, inputs], [rows, 1]])?;
        Ok(BoxedLayer::new(MinGru::new(inputs, units, layer.generator())))
    });
    layers.register("MinimalGatedUnit".into(), |layer| {
        let GatedSettings { units } = layer.settings_in_full()?;
        let [inputs, units] = sizes(layer, 2, units)?;
        Ok(BoxedLayer::new(MinimalGatedUnit::new(inputs, units, layer.generator())))
    });
}

fn register_activations<T: Scalar>(layers: &mut Layers<T>) {
    for activation in [
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Relu,
        Activation::Gelu,
        Activation::Silu,
        Activation::Softplus,
        Activation::HardSigmoid,
        Activation::HardTanh,
        Activation::HardSwish,
    ] {
        layers.register(format!("{activation:?}"), move |layer| {
            layer.settings::<NoSettings>().map(|_| BoxedLayer::new(activation))
        });
    }
    layers.register("LeakyRelu".into(), |layer| {
        let LeakyReluSettings { slope } = layer.settings_in_full()?;
        Ok(BoxedLayer::new(Activation::leaky_relu(slope)?))
    });
    layers.register("Elu".into(), |layer| {
        let EluSettings { alpha } = layer.settings_in_full()?;
        Ok(BoxedLayer::new(Activation::elu(alpha)?))
    });
}

/// The layers that leave one step.
fn register_reductions<T: Scalar>(layers: &mut Layers<T>) {
    layers.register("LastStep".into(), |layer| layer.settings::<NoSettings>().map(|_| BoxedLayer::new(LastStep)));
    layers.register("MeanOverTime".into(), |layer| {
        layer.settings::<NoSettings>().map(|_| BoxedLayer::without_streaming(MeanOverTime))
    });
    layers.register("MaxOverTime".into(), |layer| {
        layer.settings::<NoSettings>().map(|_| BoxedLayer::without_streaming(MaxOverTime))
    });
    layers.register("AttentionPooling".into(), |layer| {
        let AttentionPoolingSettings { units } = layer.settings_in_full()?;
        let features = layer.inputs()?;
        layer.check_size(&[[units, features], [units, 2]])?;
        Ok(BoxedLayer::without_streaming(AttentionPooling::new(features, units, layer.generator())))
    });
}

/// The layers around others.
fn register_wrappers<T: Scalar>(layers: &mut Layers<T>) {
    layers.register("Bidirectional".into(), |layer| {
        let (forward, backward) = (layer.inner("forward")?, layer.inner("backward")?);
        Ok(BoxedLayer::without_streaming(Bidirectional::new(forward, backward)?))
    });
    // A chain that stands second in another one keeps a place of its own, as a `Sequential` inside of another does in PyTorch.
    layers.register("Chain".into(), |layer| layer.inner("layers"));
    layers.register_on_tokens("Chain".into(), |layer| layer.inner_on("layers"));
    layers.register("Residual".into(), |layer| Ok(BoxedLayer::new(Residual::new(layer.inner("inner")?)?)));
    layers.register("Highway".into(), |layer| {
        let (features, inner) = (layer.inputs()?, layer.inner("inner")?);
        layer.check_size(&[[features, features], [features, 1]])?;
        Ok(BoxedLayer::new(Highway::new(features, inner, layer.generator())?))
    });
    layers.register("Frozen".into(), |layer| Ok(BoxedLayer::new(Frozen::new(layer.inner("inner")?))));
    layers.register("Stack".into(), |layer| {
        let StackSettings { dropout } = layer.settings_in_full()?;
        let stack = Stack::of(layer.inner_list("layers")?)?;
        Ok(BoxedLayer::new(match dropout {
            Some(probability) => stack.with_dropout(probability)?,
            None => stack,
        }))
    });
}
