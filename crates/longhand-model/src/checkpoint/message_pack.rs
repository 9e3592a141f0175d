//! Values that are no tensors, as MessagePack.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Arrays and maps that may be inside of each other. Each level takes space on the stack when it is read.
const LEVELS: usize = 120;

/// Writes a value that can be read again.
pub(super) fn write<V: Serialize + ?Sized>(value: &V) -> Result<Vec<u8>, String> {
    let bytes = rmp_serde::to_vec_named(value).map_err(|error| error.to_string())?;
    check(&bytes)?;
    Ok(bytes)
}

/// Reads a value. The structure is checked first, because types may allocate the number of elements that an array states.
pub(super) fn read<V: DeserializeOwned>(bytes: &[u8]) -> Result<V, String> {
    check(bytes)?;
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

/// What follows the first byte of a value.
enum Rest {
    /// Bytes of the value.
    Bytes(usize),
    /// The number of bytes, itself in so many bytes. It does not count the type of an extension.
    Length { bytes: usize, extension: bool },
    /// Values: elements, or keys and values.
    Values(u64),
    /// The number of elements, in so many bytes, and the number of values per element.
    Count { bytes: usize, values: u64 },
}

/// What the first byte of a value says, by the specification of MessagePack.
fn rest(first: u8) -> Option<Rest> {
    let low = |bits: u8| first & ((1 << bits) - 1);
    Some(match first {
        // Small numbers, `nil` and booleans.
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Rest::Bytes(0),
        0x80..=0x8f => Rest::Values(2 * u64::from(low(4))),
        0x90..=0x9f => Rest::Values(u64::from(low(4))),
        0xa0..=0xbf => Rest::Bytes(usize::from(low(5))),
        0xc1 => return None,
        // Bytes and strings.
        0xc4..=0xc6 => Rest::Length { bytes: 1 << (first - 0xc4), extension: false },
        0xd9..=0xdb => Rest::Length { bytes: 1 << (first - 0xd9), extension: false },
        0xc7..=0xc9 => Rest::Length { bytes: 1 << (first - 0xc7), extension: true },
        // Floating-point numbers, then integers without and with a sign.
        0xca | 0xcb => Rest::Bytes(4 << (first - 0xca)),
        0xcc..=0xcf => Rest::Bytes(1 << (first - 0xcc)),
        0xd0..=0xd3 => Rest::Bytes(1 << (first - 0xd0)),
        // Extensions of 1 to 16 bytes, and their types.
        0xd4..=0xd8 => Rest::Bytes(1 + (1 << (first - 0xd4))),
        0xdc | 0xdd => Rest::Count { bytes: 2 << (first - 0xdc), values: 1 },
        0xde | 0xdf => Rest::Count { bytes: 2 << (first - 0xde), values: 2 },
    })
}

/// Whether a value, or any value inside it, is a number that is NaN or infinite.
pub(crate) fn has_numbers_not_finite<V: Serialize + ?Sized>(value: &V) -> Result<bool, String> {
    let bytes = rmp_serde::to_vec_named(value).map_err(|error| error.to_string())?;
    let mut finite = true;
    visit(&bytes, usize::MAX - 1, &mut |first, rest| match first {
        0xca => finite &= f32::from_be_bytes(rest.try_into().expect("four bytes")).is_finite(),
        0xcb => finite &= f64::from_be_bytes(rest.try_into().expect("eight bytes")).is_finite(),
        _ => {}
    })?;
    Ok(!finite)
}

/// Checks that the bytes are one value, complete, and of at most [`LEVELS`] levels. All arrays together then state at most as many
/// elements as there are bytes.
fn check(bytes: &[u8]) -> Result<(), String> {
    visit(bytes, LEVELS, &mut |_, _| {})
}

/// Checks the bytes, and calls `number` with the first byte and the others of each value of a fixed length: numbers among them.
fn visit(mut bytes: &[u8], levels: usize, number: &mut dyn FnMut(u8, &[u8])) -> Result<(), String> {
    // Values that are still to come, of each array or map around the current value.
    let mut missing: Vec<u64> = vec![1];
    while let Some(values) = missing.last_mut() {
        if *values == 0 {
            missing.pop();
            continue;
        }
        *values -= 1;
        let first = take(&mut bytes, 1)?[0];
        let rest = rest(first).ok_or_else(|| format!("no value of MessagePack starts with {first:#04x}"))?;
        let values = match rest {
            Rest::Bytes(length) => {
                number(first, take(&mut bytes, length)?);
                continue;
            }
            Rest::Length { bytes: size, extension } => {
                let length = big_endian(take(&mut bytes, size)?).saturating_add(u64::from(extension));
                take(&mut bytes, usize::try_from(length).unwrap_or(usize::MAX))?;
                continue;
            }
            Rest::Values(values) => values,
            Rest::Count { bytes: size, values } => big_endian(take(&mut bytes, size)?) * values,
        };
        missing.push(values);
        // The first entry is the value itself.
        if missing.len() > levels + 1 {
            return Err(format!("the value has more than {levels} levels"));
        }
    }
    if bytes.is_empty() { Ok(()) } else { Err(format!("{} bytes follow the value", bytes.len())) }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    bytes.split_off(..length).ok_or_else(|| "the value is not complete".to_owned())
}

/// A number of at most four bytes.
fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    /// A type that contains itself, and allocates the number of elements that an array states.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree(Vec<Tree>);

    fn tree(levels: usize) -> Tree {
        Tree((1..levels).map(|_| ()).fold(Vec::new(), |inner, ()| vec![Tree(inner)]))
    }

    #[test]
    fn values_of_every_kind_are_complete() {
        let lengths = [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536];
        for length in lengths {
            for array in [vec![-1_i8; length], vec![i8::MIN; length]] {
                assert_eq!(read::<Vec<i8>>(&write(&array).unwrap()).unwrap(), array);
            }
            let text = "a".repeat(length);
            assert_eq!(read::<String>(&write(&text).unwrap()).unwrap(), text);
            let map: BTreeMap<usize, bool> = (0..length).map(|key| (key, true)).collect();
            assert_eq!(read::<BTreeMap<usize, bool>>(&write(&map).unwrap()).unwrap(), map);
            // Bytes, with one, two and four bytes of length.
            let header = match length {
                0..=0xff => vec![0xc4, length as u8],
                0x100..=0xffff => vec![0xc5, (length >> 8) as u8, length as u8],
                _ => vec![0xc6, 0, (length >> 16) as u8, (length >> 8) as u8, length as u8],
            };
            let bytes = [header, vec![7; length]].concat();
            assert_eq!(read::<Vec<u8>>(&bytes).unwrap(), vec![7; length]);
        }
        for number in [0, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(read::<u64>(&write(&number).unwrap()).unwrap(), number);
        }
        for number in [-1, -32, -33, -128, -129, -32_768, -32_769, i64::from(i32::MIN), i64::MIN] {
            assert_eq!(read::<i64>(&write(&number).unwrap()).unwrap(), number);
        }
        let others = (Some(0.5_f32), None::<f64>, f64::MIN, false, u128::MAX, 'x');
        assert_eq!(
            read::<(Option<f32>, Option<f64>, f64, bool, u128, char)>(&write(&others).unwrap()).unwrap(),
            others
        );
        for extension in
            [vec![0xd4, 5], vec![0xd5, 5, 0], vec![0xc7, 3, 5, 0, 0], vec![0xc8, 0, 1, 5], vec![0xc9, 0, 0, 0, 0]]
        {
            check(&[extension.as_slice(), &[9]].concat()).unwrap();
            check(&extension).unwrap_err();
        }
        for size in [4_usize, 8, 16] {
            let extension = [vec![0xd4 + size.ilog2() as u8], vec![0; size + 1]].concat();
            check(&extension).unwrap();
        }
    }

    #[test]
    fn incomplete_values_and_values_with_more_are_refused() {
        let bytes = write(&(vec![1_u8, 2], "text", Some(0.5))).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(check(&bytes[..length]).unwrap_err(), "the value is not complete");
        }
        assert_eq!(check(&[&bytes, [0, 0].as_slice()].concat()).unwrap_err(), "2 bytes follow the value");
        assert_eq!(check(&[0x91, 0xc1]).unwrap_err(), "no value of MessagePack starts with 0xc1");
    }

    #[test]
    fn numbers_that_are_not_finite_are_found() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(has_numbers_not_finite(&number), Ok(true));
            assert_eq!(has_numbers_not_finite(&BTreeMap::from([("a", vec![Some(0.5), Some(number)])])), Ok(true));
            #[expect(clippy::cast_possible_truncation, reason = "the same value as f32")]
            let single = number as f32;
            assert_eq!(has_numbers_not_finite(&(1, "text", single)), Ok(true));
        }
        assert_eq!(
            has_numbers_not_finite(&(f64::MAX, f32::MIN, "NaN", u64::MAX, None::<f64>, [0xcb_u8; 9])),
            Ok(false)
        );
    }

    #[test]
    fn levels_are_limited_when_written_and_when_read() {
        let deepest = tree(LEVELS);
        assert_eq!(read::<Tree>(&write(&deepest).unwrap()).unwrap(), deepest);
        assert_eq!(write(&tree(LEVELS + 1)).unwrap_err(), "the value has more than 120 levels");
        assert_eq!(read::<Tree>(&[0x91].repeat(100_000)).unwrap_err(), "the value has more than 120 levels");
        // Each level states the largest number of elements.
        assert_eq!(read::<Tree>(&[0xdd, 0xff, 0xff, 0xff, 0xff].repeat(100)).unwrap_err(), "the value is not complete");
    }
}
