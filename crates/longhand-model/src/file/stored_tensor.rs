//! One tensor as a file has it.

use half::{bf16, f16};
use longhand::{Scalar, Shape, Stored};
use safetensors::Dtype;
use safetensors::tensor::{SafeTensorError, TensorView};
use std::any::TypeId;
use std::fmt;

/// The format of the numbers in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// IEEE 754 half precision, 16 bits.
    Half,
    /// The upper 16 bits of single precision.
    BFloat16,
    /// Single precision, `f32`.
    Single,
    /// Double precision, `f64`.
    Double,
}

impl Precision {
    /// The precision of a scalar type: `Single` for `f32`, `Double` for any other.
    pub(crate) fn of<T: Scalar>() -> Self {
        if TypeId::of::<T>() == TypeId::of::<f32>() { Precision::Single } else { Precision::Double }
    }

    fn dtype(self) -> Dtype {
        match self {
            Precision::Half => Dtype::F16,
            Precision::BFloat16 => Dtype::BF16,
            Precision::Single => Dtype::F32,
            Precision::Double => Dtype::F64,
        }
    }

    /// Bytes per number.
    fn size(self) -> usize {
        match self {
            Precision::Half | Precision::BFloat16 => 2,
            Precision::Single => 4,
            Precision::Double => 8,
        }
    }

    fn read(self, bytes: &[u8]) -> f64 {
        match self {
            Precision::Half => f16::from_le_bytes(array(bytes)).to_f64(),
            Precision::BFloat16 => bf16::from_le_bytes(array(bytes)).to_f64(),
            Precision::Single => f64::from(f32::from_le_bytes(array(bytes))),
            Precision::Double => f64::from_le_bytes(array(bytes)),
        }
    }

    fn write(self, number: f64, bytes: &mut Vec<u8>) {
        match self {
            Precision::Half => bytes.extend(f16::from_f64(number).to_le_bytes()),
            Precision::BFloat16 => bytes.extend(bf16::from_f64(number).to_le_bytes()),
            Precision::Single => bytes.extend((number as f32).to_le_bytes()),
            Precision::Double => bytes.extend(number.to_le_bytes()),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::Half => "f16",
            Precision::BFloat16 => "bf16",
            Precision::Single => "f32",
            Precision::Double => "f64",
        })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

/// A tensor as a file has it: row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredTensor {
    /// The size of each dimension.
    pub(crate) dimensions: Vec<usize>,
    /// The numbers, as bytes in little-endian order; of another type than floating point, they are kept but cannot be loaded.
    bytes: Vec<u8>,
    dtype: Dtype,
}

/// The dimensions that a file has for a shape.
pub(crate) fn dimensions(shape: Shape) -> Vec<usize> {
    match shape.stored {
        Stored::Vector => vec![shape.rows],
        Stored::Matrix => vec![shape.rows, shape.columns],
        Stored::Transposed => vec![shape.columns, shape.rows],
    }
}

/// The place in a column-major tensor of each element of a file, in the file's order.
fn places(shape: Shape) -> impl Iterator<Item = usize> {
    let Shape { rows, columns, stored } = shape;
    // The transpose has columns of the matrix as rows, so the orders of the two are equal.
    let (outer, inner, steps) =
        if stored == Stored::Matrix { (rows, columns, (1, rows)) } else { (columns, rows, (rows, 1)) };
    (0..outer).flat_map(move |i| (0..inner).map(move |j| i * steps.0 + j * steps.1))
}

impl StoredTensor {
    /// A tensor of a model.
    pub(crate) fn new<T: Scalar>(shape: Shape, values: &[T], precision: Precision) -> Self {
        let mut bytes = Vec::with_capacity(values.len() * precision.size());
        for place in places(shape) {
            precision.write(as_f64(values[place]), &mut bytes);
        }
        StoredTensor { dimensions: dimensions(shape), bytes, dtype: precision.dtype() }
    }

    /// Plain bytes.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        StoredTensor { dimensions: vec![bytes.len()], bytes, dtype: Dtype::U8 }
    }

    pub(crate) fn from_view(view: &TensorView<'_>) -> Self {
        StoredTensor { dimensions: view.shape().to_vec(), bytes: view.data().to_vec(), dtype: view.dtype() }
    }

    pub(crate) fn view(&self) -> Result<TensorView<'_>, SafeTensorError> {
        TensorView::new(self.dtype, self.dimensions.clone(), &self.bytes)
    }

    /// The precision, or the name of another type of number.
    pub(crate) fn precision(&self) -> Result<Precision, String> {
        match self.dtype {
            Dtype::F16 => Ok(Precision::Half),
            Dtype::BF16 => Ok(Precision::BFloat16),
            Dtype::F32 => Ok(Precision::Single),
            Dtype::F64 => Ok(Precision::Double),
            other => Err(format!("{other:?}")),
        }
    }

    /// The plain bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.dimensions.iter().product()
    }

    /// The numbers in the order of the file; none if it holds another type.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = f64> {
        let precision = self.precision().ok();
        let numbers = |precision: Precision| self.bytes.chunks_exact(precision.size()).map(move |b| precision.read(b));
        precision.into_iter().flat_map(numbers)
    }

    /// The same tensor in another precision.
    pub(crate) fn converted(&self, precision: Precision) -> Self {
        let mut bytes = Vec::with_capacity(self.len() * precision.size());
        self.numbers().for_each(|number| precision.write(number, &mut bytes));
        StoredTensor { dimensions: self.dimensions.clone(), bytes, dtype: precision.dtype() }
    }

    /// Copies the elements to a tensor of a model.
    pub(crate) fn copy_to<T: Scalar>(&self, shape: Shape, values: &mut [T]) {
        for (place, number) in places(shape).zip(self.numbers()) {
            values[place] = longhand::nalgebra::convert(number);
        }
    }
}

fn as_f64<T: Scalar>(x: T) -> f64 {
    longhand::nalgebra::try_convert(x).unwrap_or(f64::NAN)
}
