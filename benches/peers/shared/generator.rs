//! The numbers that every peer starts from; the README of this folder says how they are made.

/// Which tensor a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tensor {
    /// The inputs, `steps x batch x features`.
    Input,
    /// Input weights of the recurrent layer, `gates * units x features`.
    WeightIh,
    /// Recurrent weights, `gates * units x units`.
    WeightHh,
    /// Bias beside the input weights.
    BiasIh,
    /// Bias beside the recurrent weights.
    BiasHh,
    /// Weights of the classifier, `classes x units`.
    HeadWeight,
    /// Bias of the classifier.
    HeadBias,
}

/// Element `index` of a tensor, counted row by row: uniform in `[-1, 1)`, from the finaliser of splitmix64.
pub fn uniform(tensor: Tensor, index: usize) -> f32 {
    let key = ((tensor as u64) << 32) + index as u64 + 1;
    let mut z = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f32 / 8_388_608.0 - 1.0
}

/// The bound of every weight and bias: all are uniform in `[-1/sqrt(units), 1/sqrt(units)]`.
pub fn bound(units: usize) -> f32 {
    (1.0 / (units as f64).sqrt()) as f32
}
