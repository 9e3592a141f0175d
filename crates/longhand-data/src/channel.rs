//! The channels of a recording, and the choice among them.

use std::convert::Infallible;
use std::str::FromStr;

use crate::DataError;

/// One channel of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name, as the data set calls it: `"total.x"`.
    pub name: String,
    /// Its unit: `"g"`, `"rad/s"`, `"rad"`; empty where the data do not say.
    pub unit: String,
}

impl Channel {
    /// A channel of that name and unit.
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { name: name.into(), unit: unit.into() }
    }
}

/// Which channels of the recordings to read, and in what order.
///
/// A name is a channel's own, such as `total.x`, or that of a sensor, which stands for all of its channels: `total`
/// for `total.x`, `total.y`, `total.z`. What there is to choose from:
///
/// | data | channels | unless told otherwise |
/// |---|---|---|
/// | MotionSense | `gravity`, `userAcceleration` and their sum `total` (g), `rotationRate` (rad/s), each `.x`, `.y`, `.z`; `attitude.roll`, `.pitch`, `.yaw` (rad) | `total` |
/// | UCI HAPT | `acc` (g) and `gyro` (rad/s), each `.x`, `.y`, `.z` | `acc` |
/// | HDF5 | `x`, `y`, `z`, or `channel 1`, `channel 2`, ... if there are not three | all |
///
/// ```
/// use longhand_data::ChannelChoice;
///
/// let choice: ChannelChoice = "total.x, rotationRate, attitude.roll".parse().unwrap();
/// assert_eq!(choice, ChannelChoice::named(["total.x", "rotationRate", "attitude.roll"]));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ChannelChoice {
    /// What a study of accelerometers would take: see the table above.
    #[default]
    Default,
    /// These, in this order.
    Named(Vec<String>),
}

impl ChannelChoice {
    /// The channels or sensors of these names, in this order.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }

    /// Positions of the chosen channels among `known`; `default` stands for [`ChannelChoice::Default`].
    pub(crate) fn resolve(&self, known: &[Channel], default: &[usize]) -> Result<Vec<usize>, DataError> {
        let names = match self {
            Self::Default => return Ok(default.to_vec()),
            Self::Named(names) => names,
        };
        let wrong = |problem: String| DataError::ChannelChoice { choice: names.join(","), problem };
        let mut chosen = Vec::new();
        for name in names {
            let matches: Vec<usize> = (0..known.len())
                .filter(|&i| {
                    let rest = known[i].name.strip_prefix(name.as_str());
                    !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                })
                .collect();
            if matches.is_empty() {
                let known = known.iter().map(|channel| channel.name.clone()).collect();
                return Err(DataError::UnknownChannel { name: name.clone(), known });
            }
            for i in matches {
                if chosen.contains(&i) {
                    return Err(wrong(format!("names `{}` twice", known[i].name)));
                }
                chosen.push(i);
            }
        }
        if chosen.is_empty() {
            return Err(wrong("names no channel".to_owned()));
        }
        Ok(chosen)
    }
}

impl FromStr for ChannelChoice {
    type Err = Infallible;

    /// Reads names with commas between them. Whether the channels exist is known only once the data are read.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::named(text.split(',').map(str::trim)))
    }
}

/// The three axes of a sensor.
pub(crate) fn axes(sensor: &str, unit: &str) -> impl Iterator<Item = Channel> {
    ["x", "y", "z"].map(|axis| Channel::new(format!("{sensor}.{axis}"), unit)).into_iter()
}
