//! Initial weights and data as row-major matrices.

use crate::generator::{Tensor, bound, uniform};
use crate::protocol::{CLASSES, FEATURES, STEPS, Workload};

/// A row-major matrix.
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub values: Vec<f32>,
}

/// Number of gates of the workload's cell.
pub fn gates(workload: &Workload) -> usize {
    match workload.cell.as_str() {
        "lstm" => 4,
        "gru" => 3,
        _ => 1,
    }
}

/// Initial input weights, recurrent weights, input bias, recurrent bias, classifier weights and classifier bias; biases
/// are rows.
pub fn initial(workload: &Workload) -> [Matrix; 6] {
    let (units, rows) = (workload.units, gates(workload) * workload.units);
    let matrix = |tensor, rows: usize, columns: usize| Matrix {
        rows,
        columns,
        values: (0..rows * columns).map(|index| bound(units) * uniform(tensor, index)).collect(),
    };
    [
        matrix(Tensor::WeightIh, rows, FEATURES),
        matrix(Tensor::WeightHh, rows, units),
        matrix(Tensor::BiasIh, 1, rows),
        matrix(Tensor::BiasHh, 1, rows),
        matrix(Tensor::HeadWeight, CLASSES, units),
        matrix(Tensor::HeadBias, 1, CLASSES),
    ]
}

/// The inputs of each step, `sequences x (features + 1)`. The last column is 1, for the bias.
pub fn inputs(workload: &Workload) -> Vec<Matrix> {
    let at = |step: usize, sequence: usize, feature: usize| {
        let index = (step * workload.batch + sequence) * FEATURES + feature;
        if feature < FEATURES { uniform(Tensor::Input, index) } else { 1.0 }
    };
    let step = |step| Matrix {
        rows: workload.batch,
        columns: FEATURES + 1,
        values: (0..workload.batch * (FEATURES + 1))
            .map(|index| at(step, index / (FEATURES + 1), index % (FEATURES + 1)))
            .collect(),
    };
    (0..STEPS).map(step).collect()
}

/// One-hot targets, `sequences x classes`.
pub fn targets(workload: &Workload) -> Matrix {
    let one_hot = |index: usize| f32::from(u8::from(index / CLASSES % CLASSES == index % CLASSES));
    let values = (0..workload.batch * CLASSES).map(one_hot).collect();
    Matrix { rows: workload.batch, columns: CLASSES, values }
}
