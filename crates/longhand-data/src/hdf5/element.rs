//! The supported element types, and decoding of their values.

use hdf5_reader::{ByteOrder, Datatype};

/// A supported element type: its values are real numbers without further interpretation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    kind: Kind,
    big_endian: bool,
    /// Size in bytes.
    pub(super) size: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Signed,
    /// IEEE 754, with 2, 4 or 8 bytes.
    Float,
    /// One byte with the value 0 or 1, stored by h5py as an enumeration and by PyTables as a bit field.
    Bool,
}

/// Per size in bytes, the properties of an IEEE 754 type as stored in the file: bit offset and precision, position and
/// size of the exponent, position and size of the mantissa, and the exponent's bias.
const IEEE_754: [(u8, [u8; 12]); 3] = [
    (2, [0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0]),
    (4, [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0]),
    (8, [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0]),
];

impl Element {
    /// Creates the element type; returns a description of an unsupported type as the error.
    ///
    /// `encoding` is the type's message in the file. It is needed because `datatype` lacks bit offset and precision.
    pub(super) fn new(datatype: &Datatype, encoding: &[u8]) -> Result<Self, String> {
        match datatype {
            Datatype::FixedPoint { size, signed, byte_order } => {
                // The message has 8 bytes of class, flags and size, then 4 bytes of offset and precision in bits.
                let fills_its_bytes = encoding.get(8..12) == Some(&[0, 0, size.saturating_mul(8), 0]);
                if !fills_its_bytes || !matches!(size, 1 | 2 | 4 | 8) {
                    return Err(format!("integers that do not fill their {size} bytes"));
                }
                Ok(Self::from_bytes(if *signed { Kind::Signed } else { Kind::Unsigned }, *byte_order, *size))
            }
            Datatype::FloatingPoint { size, byte_order } => {
                // Flags of IEEE 754: not the byte order of a VAX, a mantissa with an implied leading 1, the sign in the
                // highest bit.
                let [Some(first), Some(sign)] = [encoding.get(1), encoding.get(2)] else {
                    return Err("a truncated type".to_owned());
                };
                let standard = first & 0b0111_0000 == 0b0010_0000 && *sign == size.saturating_mul(8).wrapping_sub(1);
                let layout = IEEE_754.iter().any(|(n, layout)| n == size && encoding.get(8..20) == Some(layout));
                if !standard || !layout {
                    return Err(format!("floating-point numbers of {size} bytes that are not in an IEEE 754 format"));
                }
                Ok(Self::from_bytes(Kind::Float, *byte_order, *size))
            }
            Datatype::Enum { base, members } => {
                let is = |name: &str, value: u8| {
                    members.iter().any(|member| member.name.eq_ignore_ascii_case(name) && member.value == [value])
                };
                let byte = matches!(**base, Datatype::FixedPoint { size: 1, .. });
                if byte && members.len() == 2 && is("false", 0) && is("true", 1) {
                    Ok(Self::from_bytes(Kind::Bool, ByteOrder::LittleEndian, 1))
                } else {
                    Err("an enumeration".to_owned())
                }
            }
            Datatype::Bitfield { size: 1, byte_order } if encoding.get(8..12) == Some(&[0, 0, 8, 0]) => {
                Ok(Self::from_bytes(Kind::Bool, *byte_order, 1))
            }
            Datatype::String { .. } => Err("text".to_owned()),
            Datatype::Compound { .. } => Err("compound elements".to_owned()),
            Datatype::Array { .. } => Err("arrays as elements".to_owned()),
            _ => Err("elements of another type".to_owned()),
        }
    }

    fn from_bytes(kind: Kind, byte_order: ByteOrder, size: u8) -> Self {
        Self { kind, big_endian: byte_order == ByteOrder::BigEndian, size: usize::from(size) }
    }

    /// Whether the elements are booleans, which are valid as labels but not as samples.
    pub(super) fn is_bool(self) -> bool {
        self.kind == Kind::Bool
    }

    /// Decodes `bytes`, a whole number of elements. Integers beyond 2^53 are rounded.
    pub(super) fn decode(self, bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
        bytes.chunks_exact(self.size).map(move |bytes| {
            let mut bits = 0_u64;
            for i in 0..self.size {
                let byte = bytes[if self.big_endian { i } else { self.size - 1 - i }];
                bits = bits << 8 | u64::from(byte);
            }
            match (self.kind, self.size) {
                (Kind::Float, 2) => half(bits as u16),
                (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
                (Kind::Float, _) => f64::from_bits(bits),
                (Kind::Signed, size) => {
                    let unused = 64 - 8 * size;
                    ((bits << unused).cast_signed() >> unused) as f64
                }
                (Kind::Unsigned | Kind::Bool, _) => bits as f64,
            }
        })
    }
}

/// Converts an IEEE 754 half-precision number.
fn half(bits: u16) -> f64 {
    let magnitude = match (bits >> 10 & 31, f64::from(bits & 1023)) {
        (0, fraction) => fraction / f64::from(1 << 24),
        (31, 0.0) => f64::INFINITY,
        (31, _) => f64::NAN,
        (exponent, fraction) => (1.0 + fraction / 1024.0) * 2_f64.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp)] // Half-precision numbers are exact in f64.
    fn half_precision_numbers_are_converted_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x7bff, 65_504.0),
            (0x0400, 6.103_515_625e-5),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7c01).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }

    #[test]
    #[expect(clippy::float_cmp)] // Small integers are exact in f64.
    fn signed_integers_are_sign_extended() {
        let element = |kind, big_endian, size| Element { kind, big_endian, size };
        let first = |element: Element, bytes: &[u8]| element.decode(bytes).next().unwrap();
        assert_eq!(first(element(Kind::Signed, false, 2), &[0xfe, 0xff]), -2.0);
        assert_eq!(first(element(Kind::Signed, true, 2), &[0xff, 0xfe]), -2.0);
        assert_eq!(first(element(Kind::Unsigned, true, 2), &[0xff, 0xfe]), 65_534.0);
        assert_eq!(first(element(Kind::Signed, false, 8), &[0xff; 8]), -1.0);
        assert_eq!(first(element(Kind::Signed, false, 1), &[0x80]), -128.0);
    }
}
