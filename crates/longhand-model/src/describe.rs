//! Descriptions of models that were built from types.

use crate::settings::nonlinearity_name;
use crate::{LayerDescription, Model, ModelDescription, ModelInput};
use longhand::layers::elman::ElmanCell;
use longhand::layers::gru::GruCell;
use longhand::layers::ind_rnn::IndRnnCell;
use longhand::layers::lstm::LstmCell;
use longhand::layers::min_gru::MinGruCell;
use longhand::layers::minimal_gated_unit::MinimalGatedCell;
use longhand::{
    Activation, AttentionPooling, Bidirectional, BoxedChain, BoxedLayer, CausalConvolution, CausalSelfAttention, Cell,
    Chain, Dropout, Elman, Embedding, Features, Frozen, Gru, Highway, IndRnn, LastStep, Layer, LayerNorm, Linear, Lstm,
    MaxOverTime, MeanOverTime, MinGru, MinimalGatedUnit, ProjectedLstm, Recurrent, Residual, RmsNorm, Scalar, Stack,
    VariationalDropout,
};
use serde_json::Value;
use thiserror::Error;

/// A layer that can say what it is, so that a file of the model can be opened without the code that built it.
///
/// The library's layers implement it. For a layer of your own, give the name under which [`Layers::with`](crate::Layers::with)
/// knows it, and every setting:
///
/// ```
/// use longhand::{Scalar, nalgebra::DVector};
/// use longhand_model::{Describe, LayerDescription, NotDescribed};
///
/// struct Gain<T> { gain: DVector<T>, negative: bool }
///
/// impl<T: Scalar> Describe<T> for Gain<T> {
///     fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
///         Ok(vec![LayerDescription::new("Gain").with("negative", self.negative)])
///     }
/// }
/// ```
pub trait Describe<T: Scalar> {
    /// The layers in order, with every setting: one, or those of a chain.
    ///
    /// # Errors
    /// If the layer, or one inside of it, has no description.
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed>;
}

/// The cell of a [`Recurrent`] layer that can say what it is.
pub trait DescribeCell: Cell {
    /// The name of the layer and the settings of the cell. The number of units is added.
    fn describe(&self) -> LayerDescription;
}

/// A layer that has no description.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the layer `{layer}` is in a box, where its description is not known: put the library's layers into boxes one by one and chain \
     them with `then_boxed`, or build the model from a description"
)]
pub struct NotDescribed {
    /// The name of the layer.
    pub layer: String,
}

impl ModelDescription {
    /// The description of a model that was built from types.
    ///
    /// ```
    /// use longhand::prelude::*;
    /// use longhand_model::ModelDescription;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut generator = ChaCha8Rng::seed_from_u64(1);
    /// let model = Elman::<f32>::new(3, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 6, &mut generator))?;
    /// let text = toml::to_string(&ModelDescription::of(&model)?)?;
    /// assert!(text.contains("nonlinearity = \"tanh\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a layer has no description.
    pub fn of<T: Scalar, M: Describe<T> + Layer<T>>(model: &M) -> Result<Self, NotDescribed> {
        let inputs = match model.features() {
            Features::Fixed { input, .. } => Some(input),
            Features::Any => None,
        };
        Ok(ModelDescription { inputs, layers: model.describe()? })
    }
}

/// The layers inside of another one, as its setting.
fn inner<T: Scalar>(layer: &impl Describe<T>) -> Result<Value, NotDescribed> {
    layer.describe().map(LayerDescription::list_value)
}

impl DescribeCell for ElmanCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("Elman").with("nonlinearity", nonlinearity_name(self.nonlinearity))
    }
}

impl DescribeCell for IndRnnCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("IndRnn").with("nonlinearity", nonlinearity_name(self.nonlinearity))
    }
}

impl DescribeCell for LstmCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("Lstm")
    }
}

impl DescribeCell for GruCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("Gru")
    }
}

impl DescribeCell for MinGruCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("MinGru")
    }
}

impl DescribeCell for MinimalGatedCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("MinimalGatedUnit")
    }
}

impl<T: Scalar, C: DescribeCell> Describe<T> for Recurrent<T, C> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![self.cell.describe().with("units", self.units())])
    }
}

impl<T: Scalar> Describe<T> for ProjectedLstm<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let layer = LayerDescription::new("ProjectedLstm").with("units", self.units());
        Ok(vec![layer.with("outputs", self.outputs())])
    }
}

impl<T: Scalar> Describe<T> for Linear<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Linear").with("outputs", self.weight.nrows())])
    }
}

impl<T: Scalar> Describe<T> for CausalConvolution<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let layer = LayerDescription::new("CausalConvolution").with("outputs", self.outputs());
        let layer = layer.with("kernel_size", self.kernel_size()).with("dilation", self.dilation());
        Ok(vec![layer.with("stride", self.stride())])
    }
}

impl<T: Scalar> Describe<T> for CausalSelfAttention<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let layer = LayerDescription::new("CausalSelfAttention").with("outputs", self.outputs());
        Ok(vec![layer.with("key_size", self.key_size()).with("window", self.window())])
    }
}

impl<T: Scalar> Describe<T> for Embedding<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let (features, tokens) = self.weight.shape();
        let layer = LayerDescription::new("Embedding").with("tokens", tokens).with("features", features);
        Ok(vec![match self.padding() {
            Some(id) => layer.with("padding", id),
            None => layer,
        }])
    }
}

impl<T: Scalar> Describe<T> for Activation {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![match *self {
            Activation::LeakyRelu { slope, .. } => LayerDescription::new("LeakyRelu").with("slope", slope),
            Activation::Elu { alpha, .. } => LayerDescription::new("Elu").with("alpha", alpha),
            activation => LayerDescription::new(format!("{activation:?}")),
        }])
    }
}

impl<T: Scalar> Describe<T> for Dropout {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Dropout").with("probability", self.probability())])
    }
}

impl<T: Scalar> Describe<T> for LastStep {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("LastStep")])
    }
}

impl<T: Scalar> Describe<T> for MeanOverTime {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("MeanOverTime")])
    }
}

impl<T: Scalar> Describe<T> for MaxOverTime {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("MaxOverTime")])
    }
}

impl<T: Scalar> Describe<T> for AttentionPooling<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("AttentionPooling").with("units", self.units())])
    }
}

impl<T: Scalar> Describe<T> for LayerNorm<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("LayerNorm").with("epsilon", self.epsilon())])
    }
}

impl<T: Scalar> Describe<T> for RmsNorm<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("RmsNorm").with("epsilon", self.epsilon())])
    }
}

impl<T: Scalar> Describe<T> for VariationalDropout {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("VariationalDropout").with("probability", self.probability())])
    }
}

impl<T: Scalar, L: Describe<T>> Describe<T> for Highway<T, L> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Highway").with("inner", inner(self.inner())?)])
    }
}

impl<T: Scalar, L: Describe<T> + Layer<T>> Describe<T> for Stack<L> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let mut layers = Vec::new();
        for layer in self.layers() {
            let [description] = <[_; 1]>::try_from(layer.describe()?)
                .map_err(|_| NotDescribed { layer: format!("{}, a chain inside of a stack", layer.name()) })?;
            layers.push(Value::from(description));
        }
        let stack = LayerDescription::new("Stack").with("layers", layers);
        Ok(vec![match self.dropout() {
            Some(dropout) => stack.with("dropout", dropout.probability()),
            None => stack,
        }])
    }
}

impl<T: Scalar, L: Describe<T>> Describe<T> for Bidirectional<L> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let (forward, backward) = self.directions();
        let layer = LayerDescription::new("Bidirectional");
        Ok(vec![layer.with("forward", inner(forward)?).with("backward", inner(backward)?)])
    }
}

impl<T: Scalar, L: Describe<T>> Describe<T> for Residual<L> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Residual").with("inner", inner(self.inner())?)])
    }
}

impl<T: Scalar, L: Describe<T>> Describe<T> for Frozen<L> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Frozen").with("inner", inner(&self.inner)?)])
    }
}

impl<T: Scalar, A: Describe<T>, B: Describe<T>> Describe<T> for Chain<A, B> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let mut layers = self.first().describe()?;
        layers.push(in_one_place(self.second().describe()?));
        Ok(layers)
    }
}

impl<T: Scalar, X: ModelInput<T>> Describe<T> for BoxedChain<T, X> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        let mut layers = self.first().describe()?;
        for layer in self.others() {
            layers.push(in_one_place(layer.describe()?));
        }
        Ok(layers)
    }
}

/// The names of the tensors have one place for a chain that does not stand first, so the description has one too.
fn in_one_place(mut layers: Vec<LayerDescription>) -> LayerDescription {
    match layers.len() {
        1 => layers.remove(0),
        _ => LayerDescription::new("Chain").with("layers", LayerDescription::list_value(layers)),
    }
}

impl<T: Scalar, X: ModelInput<T>> Describe<T> for Model<T, X> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(self.description().layers.clone())
    }
}

/// Tries the types that a box can hold, one after the other.
macro_rules! describe_any {
    ($boxed:ident: $($layer:ty),+ $(,)?) => {
        $(if let Some(layer) = $boxed.downcast_ref::<$layer>() {
            return Describe::<T>::describe(layer);
        })+
    };
}

/// The library's layers, and chains and wrappers of boxed ones.
impl<T: Scalar, X: ModelInput<T>> Describe<T> for BoxedLayer<T, X> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        describe_any!(
            self: BoxedChain<T, X>, Chain<BoxedLayer<T, X>, BoxedLayer<T>>, Model<T, X>, Bidirectional<BoxedLayer<T>>, Residual<BoxedLayer<T>>,
            Frozen<BoxedLayer<T, X>>, Elman<T>, IndRnn<T>, Lstm<T>, ProjectedLstm<T>, Gru<T>,
            MinGru<T>, MinimalGatedUnit<T>, CausalConvolution<T>, CausalSelfAttention<T>, Linear<T>, Embedding<T>, Activation, Dropout, LastStep, MeanOverTime, MaxOverTime,
            AttentionPooling<T>, LayerNorm<T>, RmsNorm<T>, VariationalDropout, Highway<T, BoxedLayer<T>>,
            Stack<BoxedLayer<T>>,
        );
        Err(NotDescribed { layer: self.name() })
    }
}
