//! The channels of a recording, and the choice of channels to read.

use std::convert::Infallible;
use std::str::FromStr;

use crate::DataError;

/// One channel of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Name in the data set: `"total.x"`.
    pub name: String,
    /// Unit: `"g"`, `"rad/s"`, `"rad"`; empty if the data do not state it.
    pub unit: String,
}

impl Channel {
    /// Creates a channel with a name and a unit.
    pub fn new(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { name: name.into(), unit: unit.into() }
    }
}

/// The channels of the recordings to read, and their order.
///
/// A name is that of a channel, such as `total.x`, or of a sensor, which selects all of the sensor's channels: `total`
/// selects `total.x`, `total.y` and `total.z`. The available channels:
///
/// | data | channels | default |
/// |---|---|---|
/// | MotionSense | `gravity`, `userAcceleration` and their sum `total` (g), `rotationRate` (rad/s), each `.x`, `.y`, `.z`; `attitude.roll`, `.pitch`, `.yaw` (rad) | `total` |
/// | UCI HAPT | `acc` (g) and `gyro` (rad/s), each `.x`, `.y`, `.z` | `acc` |
/// | HDF5 | `x`, `y`, `z`, or `channel 1`, `channel 2`, ... unless there are exactly three | all |
///
/// ```
/// use longhand_data::ChannelChoice;
///
/// let choice: ChannelChoice = "total.x, rotationRate, attitude.roll".parse().unwrap();
/// assert_eq!(choice, ChannelChoice::named(["total.x", "rotationRate", "attitude.roll"]));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ChannelChoice {
    /// The accelerometer's channels: see the last column of the table above.
    #[default]
    Default,
    /// The channels or sensors with these names, in this order.
    Named(Vec<String>),
}

impl ChannelChoice {
    /// Chooses the channels or sensors with these names, in this order.
    pub fn named<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Named(names.into_iter().map(Into::into).collect())
    }

    /// Indices of the chosen channels in `known`; returns `default` for [`ChannelChoice::Default`].
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
                    return Err(wrong(format!("contains `{}` twice: expected each channel once", known[i].name)));
                }
                chosen.push(i);
            }
        }
        if chosen.is_empty() {
            return Err(wrong("contains no channel: expected at least one".to_owned()));
        }
        Ok(chosen)
    }
}

impl FromStr for ChannelChoice {
    type Err = Infallible;

    /// Parses names separated by commas. Whether the channels exist is checked when the data are read.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::named(text.split(',').map(str::trim)))
    }
}

/// Returns the channels `x`, `y` and `z` of a sensor.
pub(crate) fn axes(sensor: &str, unit: &str) -> impl Iterator<Item = Channel> {
    ["x", "y", "z"].map(|axis| Channel::new(format!("{sensor}.{axis}"), unit)).into_iter()
}
