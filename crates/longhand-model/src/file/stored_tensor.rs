//! One tensor as a file has it.

use half::{bf16, f16};
use longhand::{Scalar, Shape, Stored};
use safetensors::Dtype;
use safetensors::tensor::{SafeTensorError, TensorInfo, TensorView};
use std::any::TypeId;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

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
    /// The precision of a scalar type: `Single` for `f32`, `Double` for any other, whose values are stored as `f64`.
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
            Precision::Half => bytes.extend(f16::from_f32(rounded_to_odd(number)).to_le_bytes()),
            Precision::BFloat16 => bytes.extend(bf16::from_f32(rounded_to_odd(number)).to_le_bytes()),
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

/// Rounds to single precision in such a way that a second rounding, to fewer bits, is correct: a number that `f32` cannot represent
/// becomes the neighbour whose last bit is 1, so that it is never halfway between two numbers of fewer bits.
///
/// The conversions of `half` from `f64` ignore the last 32 bits, or round twice, depending on the processor.
fn rounded_to_odd(number: f64) -> f32 {
    let nearest = number as f32;
    match f64::from(nearest).abs().partial_cmp(&number.abs()) {
        Some(order) if order.is_ne() => f32::from_bits((nearest.to_bits() - u32::from(order.is_gt())) | 1),
        // Exact, or NaN.
        _ => nearest,
    }
}

/// A tensor as a file has it: row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredTensor {
    /// The size of each dimension.
    pub(crate) dimensions: Vec<usize>,
    /// The numbers, as bytes in little-endian order; of another type than floating point, they are kept but cannot be loaded.
    bytes: Bytes,
    dtype: Dtype,
}

/// Bytes of a tensor. All tensors of a file that was read share the bytes of the file, which are in memory once.
#[derive(Clone)]
struct Bytes {
    file: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes { range: 0..bytes.len(), file: Arc::new(bytes) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.file[self.range.clone()]
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The dimensions that a file has for a shape.
pub(crate) fn dimensions(shape: Shape) -> Vec<usize> {
    match shape.stored {
        Stored::Vector => vec![shape.rows],
        Stored::Matrix => vec![shape.rows, shape.columns],
        Stored::Transposed => vec![shape.columns, shape.rows],
        Stored::Kernel(size) => vec![shape.rows, shape.columns / size, size],
    }
}

/// The place in a column-major tensor of each element of a file, in the file's order.
fn places(shape: Shape) -> impl Iterator<Item = usize> {
    let Shape { rows, columns, stored } = shape;
    // Three dimensions, and how far apart neighbours are in each. The transpose has columns of the matrix as rows, so the orders of
    // the two are equal.
    let (sizes, steps) = match stored {
        Stored::Vector | Stored::Transposed => ([1, columns, rows], [0, rows, 1]),
        Stored::Matrix => ([1, rows, columns], [0, 1, rows]),
        Stored::Kernel(size) => ([rows, columns / size, size], [1, rows, columns / size * rows]),
    };
    let [first, second, third] = sizes.map(|size| 0..size);
    first.flat_map(move |i| {
        let third = third.clone();
        let at = move |j| third.clone().map(move |k| i * steps[0] + j * steps[1] + k * steps[2]);
        second.clone().flat_map(at)
    })
}

impl StoredTensor {
    /// A tensor of a model.
    pub(crate) fn new<T: Scalar>(shape: Shape, values: &[T], precision: Precision) -> Self {
        let mut bytes = Vec::with_capacity(values.len() * precision.size());
        for place in places(shape) {
            precision.write(as_f64(values[place]), &mut bytes);
        }
        StoredTensor { dimensions: dimensions(shape), bytes: bytes.into(), dtype: precision.dtype() }
    }

    /// Plain bytes.
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        StoredTensor { dimensions: vec![bytes.len()], bytes: bytes.into(), dtype: Dtype::U8 }
    }

    /// A tensor of a file whose tensors start at the byte `start`.
    pub(crate) fn of_file(file: &Arc<Vec<u8>>, start: usize, info: &TensorInfo) -> Self {
        let range = start + info.data_offsets.0..start + info.data_offsets.1;
        StoredTensor {
            dimensions: info.shape.clone(),
            bytes: Bytes { file: Arc::clone(file), range },
            dtype: info.dtype,
        }
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
        StoredTensor { dimensions: self.dimensions.clone(), bytes: bytes.into(), dtype: precision.dtype() }
    }

    /// Copies the elements to a tensor of a model.
    pub(crate) fn copy_to<T: Scalar>(&self, shape: Shape, values: &mut [T]) {
        for (place, number) in places(shape).zip(self.numbers()) {
            values[place] = longhand::nalgebra::convert(number);
        }
    }
}

/// Exact for `f32` and `f64`; the value without its derivatives for a dual number.
fn as_f64<T: Scalar>(x: T) -> f64 {
    longhand::nalgebra::convert_unchecked(x)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "what is compared exactly is meant to be exact")]
mod tests {
    use super::*;

    fn converted(number: f64, precision: Precision) -> f64 {
        let mut bytes = Vec::new();
        precision.write(number, &mut bytes);
        precision.read(&bytes)
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_once() {
        for (precision, digits) in [(Precision::Half, 10), (Precision::BFloat16, 7)] {
            let step = 2.0_f64.powi(-digits);
            // Halfway between two numbers: to the even one. The smallest difference from there decides.
            let halfway = 1.0 + step / 2.0;
            assert_eq!(converted(halfway, precision), 1.0, "{precision}");
            assert_eq!(converted(halfway.next_up(), precision), 1.0 + step, "{precision}");
            assert_eq!(converted(-halfway.next_up(), precision), -1.0 - step, "{precision}");
            let halfway = 1.0 + 1.5 * step;
            assert_eq!(converted(halfway, precision), 1.0 + 2.0 * step, "{precision}");
            assert_eq!(converted(halfway.next_down(), precision), 1.0 + step, "{precision}");
            // The last bit of a single precision number counts as well.
            assert_eq!(converted(f64::from((1.0 + step as f32 / 2.0).next_up()), precision), 1.0 + step, "{precision}");
        }
    }

    #[test]
    fn the_ends_of_a_range_are_kept() {
        for number in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY] {
            for precision in [Precision::Half, Precision::BFloat16, Precision::Single] {
                assert_eq!(converted(number, precision).to_bits(), number.to_bits(), "{precision}");
            }
        }
        for precision in [Precision::Half, Precision::BFloat16, Precision::Single, Precision::Double] {
            assert!(converted(f64::NAN, precision).is_nan(), "{precision}");
        }
        for precision in [Precision::Half, Precision::BFloat16, Precision::Single] {
            assert_eq!(converted(f64::MAX, precision), f64::INFINITY, "{precision}");
            assert_eq!(converted(-f64::MIN_POSITIVE, precision).to_bits(), (-0.0_f64).to_bits(), "{precision}");
        }
        // Halfway to the smallest number, and one bit beyond it.
        let half_of_smallest = 2.0_f64.powi(-25);
        assert_eq!(converted(half_of_smallest, Precision::Half), 0.0);
        assert_eq!(converted(half_of_smallest.next_up(), Precision::Half), 2.0_f64.powi(-24));
        // Halfway from the largest number to what would be the next one.
        assert_eq!(converted(65_520.0_f64.next_down(), Precision::Half), 65_504.0);
        assert_eq!(converted(65_520.0, Precision::Half), f64::INFINITY);
    }
}
