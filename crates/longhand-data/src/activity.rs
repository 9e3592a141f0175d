//! The recorded activities.

use std::fmt;

/// The activity of a person during a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// Walking down a flight of stairs.
    Downstairs,
    /// Jogging.
    Jogging,
    /// Sitting.
    Sitting,
    /// Standing.
    Standing,
    /// Walking up a flight of stairs.
    Upstairs,
    /// Walking on level ground.
    Walking,
    /// Lying down.
    Laying,
}

impl Activity {
    /// The six classes of the study, in its order. `MotionSense` has the same six.
    pub const STUDY: [Activity; 6] = [
        Activity::Downstairs,
        Activity::Jogging,
        Activity::Sitting,
        Activity::Standing,
        Activity::Upstairs,
        Activity::Walking,
    ];

    /// The six basic activities of UCI HAPT, in the order of its ids 1 to 6.
    pub const HAPT: [Activity; 6] = [
        Activity::Walking,
        Activity::Upstairs,
        Activity::Downstairs,
        Activity::Sitting,
        Activity::Standing,
        Activity::Laying,
    ];

    /// Name in lower case: `"downstairs"`.
    pub const fn name(self) -> &'static str {
        match self {
            Activity::Downstairs => "downstairs",
            Activity::Jogging => "jogging",
            Activity::Sitting => "sitting",
            Activity::Standing => "standing",
            Activity::Upstairs => "upstairs",
            Activity::Walking => "walking",
            Activity::Laying => "laying",
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Class names in the given order.
pub(crate) fn class_names(activities: &[Activity]) -> Vec<String> {
    activities.iter().map(ToString::to_string).collect()
}
