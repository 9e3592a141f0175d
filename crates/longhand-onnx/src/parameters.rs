//! The parameters of a model, read in the order of its layers.

use crate::OnnxError;
use longhand::nalgebra::try_convert;
use longhand::{Path, Scalar, Tensors};
use std::collections::VecDeque;

/// A parameter in single precision.
#[derive(Debug, Default)]
pub(crate) struct Parameter {
    /// The name, such as `0.weight_ih_l0`.
    pub(crate) name: String,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// The elements, column-major: the row-major elements of the transpose.
    pub(crate) values: Vec<f32>,
    is_out_of_range: bool,
}

impl Parameter {
    /// The elements of rows `rows`, row-major.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> impl Iterator<Item = f32> + '_ {
        rows.flat_map(move |row| (0..self.columns).map(move |column| self.values[column * self.rows + row]))
    }
}

/// The parameters of a model, in the order of its layers. A chain, a wrapper and a description have the layers in the same
/// order, so each layer takes the next parameters, whatever the names around it.
#[derive(Debug)]
pub(crate) struct Parameters(VecDeque<Parameter>);

impl Parameters {
    pub(crate) fn of<T: Scalar>(model: &impl Tensors<T>) -> Self {
        let mut parameters = VecDeque::new();
        model.visit(&Path::ROOT, &mut |path, shape, values| {
            let single = |&value: &T| try_convert::<T, f64>(value).unwrap_or(f64::NAN) as f32;
            let is_finite = |&value: &T| try_convert::<T, f64>(value).is_some_and(f64::is_finite);
            let converted: Vec<f32> = values.iter().map(single).collect();
            let is_out_of_range = converted.iter().zip(values).any(|(x, value)| x.is_infinite() && is_finite(value));
            let (name, rows, columns) = (path.to_string(), shape.rows, shape.columns);
            parameters.push_back(Parameter { name, rows, columns, values: converted, is_out_of_range });
        });
        Parameters(parameters)
    }

    /// The next parameter, which must be `field` of the layer at `place` and have these sizes, where they are known.
    pub(crate) fn take(
        &mut self,
        place: &str,
        field: &str,
        rows: Option<usize>,
        columns: Option<usize>,
    ) -> Result<Parameter, OnnxError> {
        let size = |size: Option<usize>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        let error = |got: String| OnnxError::Tensor {
            place: place.to_owned(),
            expected: format!("`{field}` ({} x {})", size(rows), size(columns)),
            got,
        };
        let Some(next) = self.0.pop_front() else { return Err(error("no further tensor".to_owned())) };
        let has = |expected: Option<usize>, given: usize| expected.is_none_or(|expected| expected == given);
        let is_field = next.name.rsplit('.').next() == Some(field);
        if !is_field || !has(rows, next.rows) || !has(columns, next.columns) {
            return Err(error(format!("`{}` ({} x {})", next.name, next.rows, next.columns)));
        }
        if next.is_out_of_range {
            return Err(OnnxError::OutOfRange { place: place.to_owned(), tensor: next.name });
        }
        Ok(next)
    }

    /// Every parameter has been taken.
    pub(crate) fn check_end(&self) -> Result<(), OnnxError> {
        match self.0.front() {
            None => Ok(()),
            Some(next) => Err(OnnxError::Tensor {
                place: "the model".to_owned(),
                expected: "no further tensor".to_owned(),
                got: format!("`{}` ({} x {})", next.name, next.rows, next.columns),
            }),
        }
    }
}
