//! The settings of the library's layers.

use longhand::Nonlinearity;
use serde::{Deserialize, Serialize};

/// A layer without settings.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoSettings {}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatedSettings {
    pub(crate) units: usize,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectedLstmSettings {
    pub(crate) units: usize,
    pub(crate) outputs: usize,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ElmanSettings {
    pub(crate) units: usize,
    #[serde(default = "tanh")]
    pub(crate) nonlinearity: NonlinearitySetting,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndRnnSettings {
    pub(crate) units: usize,
    #[serde(default = "relu")]
    pub(crate) nonlinearity: NonlinearitySetting,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NonlinearitySetting {
    Tanh,
    Relu,
}

fn tanh() -> NonlinearitySetting {
    NonlinearitySetting::Tanh
}

fn relu() -> NonlinearitySetting {
    NonlinearitySetting::Relu
}

impl From<NonlinearitySetting> for Nonlinearity {
    fn from(setting: NonlinearitySetting) -> Self {
        match setting {
            NonlinearitySetting::Tanh => Nonlinearity::Tanh,
            NonlinearitySetting::Relu => Nonlinearity::Relu,
        }
    }
}

/// The name of a nonlinearity in a description.
pub(crate) fn nonlinearity_name(nonlinearity: Nonlinearity) -> &'static str {
    match nonlinearity {
        Nonlinearity::Tanh => "tanh",
        Nonlinearity::Relu => "relu",
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinearSettings {
    pub(crate) outputs: usize,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CausalConvolutionSettings {
    pub(crate) outputs: usize,
    pub(crate) kernel_size: usize,
    #[serde(default = "one")]
    pub(crate) dilation: usize,
    #[serde(default = "one")]
    pub(crate) stride: usize,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CausalSelfAttentionSettings {
    pub(crate) outputs: usize,
    pub(crate) key_size: usize,
    pub(crate) window: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DropoutSettings {
    pub(crate) probability: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingSettings {
    pub(crate) tokens: usize,
    pub(crate) features: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) padding: Option<usize>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeakyReluSettings {
    #[serde(default = "slope")]
    pub(crate) slope: f64,
}

/// PyTorch's default.
fn slope() -> f64 {
    0.01
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EluSettings {
    #[serde(default = "alpha")]
    pub(crate) alpha: f64,
}

/// PyTorch's default.
fn alpha() -> f64 {
    1.0
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerNormSettings {
    #[serde(default = "epsilon")]
    pub(crate) epsilon: f64,
}

/// PyTorch's default.
fn epsilon() -> f64 {
    1e-5
}

/// The default of the epsilon depends on the scalar type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RmsNormSettings {
    pub(crate) epsilon: Option<f64>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttentionPoolingSettings {
    pub(crate) units: usize,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StackSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropout: Option<f64>,
}
