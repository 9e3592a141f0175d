//! Arrays that do not depend on an implementation.

use serde_json::Value;

/// The allowed difference, absolute plus relative.
pub const TOLERANCE: f32 = 1e-5;

/// A row-major array.
#[derive(Debug, Clone)]
pub enum Array {
    Floats(Vec<usize>, Vec<f32>),
    Integers(Vec<usize>, Vec<i64>),
}

impl Array {
    /// An array of numbers, or of token ids if it has two axes and `are_ids`.
    pub fn read(value: &Value, are_ids: bool) -> Option<Array> {
        let shape: Vec<usize> =
            value["shape"].as_array()?.iter().filter_map(|size| Some(size.as_u64()? as usize)).collect();
        let values = value["values"].as_array()?.iter();
        Some(if are_ids {
            Array::Integers(shape, values.filter_map(Value::as_i64).collect())
        } else {
            Array::Floats(shape, values.filter_map(|value| Some(value.as_f64()? as f32)).collect())
        })
    }

    pub fn shape(&self) -> &[usize] {
        match self {
            Array::Floats(shape, _) | Array::Integers(shape, _) => shape,
        }
    }

    /// Step `step` of an array `batch x time` or `batch x time x features`.
    pub fn step(&self, step: usize) -> Array {
        fn part<T: Copy>(shape: &[usize], values: &[T], step: usize) -> (Vec<usize>, Vec<T>) {
            let features = shape.get(2).copied().unwrap_or(1);
            let rows = (0..shape[0]).flat_map(|b| {
                let first = (b * shape[1] + step) * features;
                &values[first..first + features]
            });
            let mut shape = shape.to_vec();
            shape[1] = 1;
            (shape, rows.copied().collect())
        }
        match self {
            Array::Floats(shape, values) => {
                let (shape, values) = part(shape, values, step);
                Array::Floats(shape, values)
            }
            Array::Integers(shape, values) => {
                let (shape, values) = part(shape, values, step);
                Array::Integers(shape, values)
            }
        }
    }

    /// Fills steps from `lengths` on with NaN or with an id that is in no table.
    pub fn fill_padding(&mut self, lengths: &[i64]) {
        let (time, features) = (self.shape()[1], self.shape().get(2).copied().unwrap_or(1));
        for (b, &length) in lengths.iter().enumerate() {
            let padding = (b * time + length as usize) * features..(b + 1) * time * features;
            match self {
                Array::Floats(_, values) => values[padding].fill(f32::NAN),
                Array::Integers(_, values) => values[padding].fill(1_000_000),
            }
        }
    }

    /// The largest difference, divided by one plus the expected magnitude.
    pub fn difference(&self, expected: &Array) -> Result<f32, String> {
        let (Array::Floats(shape, given), Array::Floats(expected_shape, expected)) = (self, expected) else {
            return Err("these are not real numbers".into());
        };
        if shape != expected_shape {
            return Err(format!("the shape is {shape:?}, expected {expected_shape:?}"));
        }
        let mut worst = 0.0_f32;
        for (given, expected) in given.iter().zip(expected) {
            let difference = (given - expected).abs() / (1.0 + expected.abs());
            if difference.is_nan() || difference > TOLERANCE {
                return Err(format!("{given} differs from {expected}"));
            }
            worst = worst.max(difference);
        }
        Ok(worst)
    }
}
