//! Parsing and formatting of lists of people.

use crate::DataError;

/// The largest number of a person. Bounds the memory of a range such as `1-4000000000`, which is a typing error.
pub(crate) const LARGEST: u32 = 100_000;

/// Parses a list of people such as `19-24,3`: numbers and ranges from 1, in any order.
///
/// The result is sorted and has no duplicates.
///
/// # Errors
///
/// [`DataError::PeopleList`] if the list is empty, a part is neither a number nor a range, a range is descending, or a
/// number is not within 1 to 100,000.
///
/// ```
/// assert_eq!(longhand_data::parse_people("19-22, 3")?, [3, 19, 20, 21, 22]);
/// # Ok::<(), longhand_data::DataError>(())
/// ```
pub fn parse_people(text: &str) -> Result<Vec<u32>, DataError> {
    let wrong = |problem: String| DataError::PeopleList { text: text.to_owned(), problem };
    let number = |part: &str| match part.trim().parse::<u32>() {
        Ok(person @ 1..=LARGEST) => Ok(person),
        _ => Err(wrong(format!("`{}` is not a number from 1 to {LARGEST}", part.trim()))),
    };
    // Merged before they are expanded, so that repeated ranges take no memory.
    let mut ranges = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => {
                let person = number(part)?;
                ranges.push((person, person));
            }
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if first > last {
                    return Err(wrong(format!("the range {first}-{last} is descending")));
                }
                ranges.push((first, last));
            }
        }
    }
    ranges.sort_unstable();
    let mut people = Vec::new();
    for (first, last) in ranges {
        let next = people.last().map_or(first, |&person| first.max(person + 1));
        people.extend(next..=last);
    }
    Ok(people)
}

/// Formats sorted people in the syntax of [`parse_people`]: `3,19-24`.
pub(crate) fn list_people(people: &[u32]) -> String {
    let mut parts = Vec::new();
    for run in people.chunk_by(|a, b| a + 1 == *b) {
        match run {
            [one] => parts.push(one.to_string()),
            [first, .., last] => parts.push(format!("{first}-{last}")),
            [] => {}
        }
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_list_parses_back() {
        for text in ["3,19-24", "1", "1-2,5,9-11"] {
            assert_eq!(list_people(&parse_people(text).unwrap()), text);
        }
        assert_eq!(parse_people("5,2-3,3").unwrap(), [2, 3, 5]);
        assert_eq!(parse_people("1-4,2-3,3-5,9").unwrap(), [1, 2, 3, 4, 5, 9]);
    }

    #[test]
    fn the_error_names_the_invalid_part() {
        for (text, cause) in [
            ("", "`` is not a number"),
            ("3,", "`` is not a number"),
            ("0", "`0` is not a number from 1"),
            ("7-3", "7-3 is descending"),
            ("all", "`all` is not a number"),
            ("1-4000000000", "`4000000000` is not a number"),
            ("-3", "`` is not a number"),
        ] {
            let message = parse_people(text).unwrap_err().to_string();
            assert!(message.contains(cause), "{text}: {message}");
        }
    }
}
