//! Initial weights and inputs that are the same for every peer, as defined in `benches/peers/README.md`.

/// The tensor that a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tensor {
    /// The inputs, `steps x batch x features`.
    Input,
    /// Input weights of the recurrent layer, `gates * units x features`.
    WeightIh,
    /// Recurrent weights, `gates * units x units`.
    WeightHh,
    /// Bias of the input product, `gates * units`.
    BiasIh,
    /// Bias of the recurrent product, `gates * units`.
    BiasHh,
    /// Weights of the classifier, `classes x units`.
    HeadWeight,
    /// Bias of the classifier, `classes`.
    HeadBias,
}

/// Element `index` (row-major) of a tensor: uniform in `[-1, 1)`, computed with the finaliser of splitmix64.
pub fn uniform(tensor: Tensor, index: usize) -> f32 {
    let key = ((tensor as u64) << 32) + index as u64 + 1;
    let mut z = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f32 / 8_388_608.0 - 1.0
}

/// Bound of the initial values: all weights and biases are uniform in `[-1/sqrt(units), 1/sqrt(units)]`.
pub fn bound(units: usize) -> f32 {
    (1.0 / (units as f64).sqrt()) as f32
}
