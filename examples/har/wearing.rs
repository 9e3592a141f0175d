//! Finds out from the training windows whether people wore the phone both ways round.
//!
//! Phones in a trouser pocket have either side towards the leg; phones on a belt do not. The difference shows in the
//! posture in which gravity is most nearly across the phone: sitting with a phone in the pocket, lying with a phone on
//! the belt. In this posture, let `h[p]` be the mean of the two horizontal axes of the first sensor for person `p`:
//!
//! ```text
//! both ways round      if h[p] . sum over q of h[q] < 0 for some person p
//! ```
//!
//! Axes are called vertical and horizontal by their mean over all activities.

use longhand_data::Windows;
use std::collections::BTreeMap;

/// The axes of a sensor.
const AXES: usize = 3;

/// Whether some person wore the phone the other way round than most people.
///
/// `vertical` is the axis nearest to the vertical. Returns `true` if the people are unknown, because one group of
/// windows may then be of people who wore the phone either way.
pub fn both_ways_round(windows: &Windows, vertical: usize) -> bool {
    let Some(directions) = directions(windows, vertical) else { return true };
    let [x, z] = directions.iter().fold([0.0; 2], |sum, direction| add(sum, *direction));
    directions.iter().any(|direction| direction[0] * x + direction[1] * z < 0.0)
}

/// Mean of the horizontal axes for each person, in the activity in which these means are longest; `None` if the people
/// are unknown.
fn directions(windows: &Windows, vertical: usize) -> Option<Vec<[f64; 2]>> {
    let mut means = vec![BTreeMap::<u32, ([f64; 2], f64)>::new(); windows.classes.len()];
    for (i, (&label, &person)) in windows.labels.iter().zip(&windows.people).enumerate() {
        if person == 0 {
            return None;
        }
        let (sum, samples) = means[label].entry(person).or_default();
        for sample in windows.window(i).chunks_exact(windows.channel_count()) {
            *sum = add(*sum, [1, 2].map(|axis| f64::from(sample[(vertical + axis) % AXES])));
            *samples += 1.0;
        }
    }
    let of_class = |people: BTreeMap<u32, ([f64; 2], f64)>| -> Vec<[f64; 2]> {
        people.into_values().map(|(sum, samples)| sum.map(|value| value / samples)).collect()
    };
    let mean_length = |directions: &Vec<[f64; 2]>| {
        directions.iter().map(|[x, z]| x.hypot(*z)).sum::<f64>() / directions.len().max(1) as f64
    };
    means.into_iter().map(of_class).max_by(|a, b| mean_length(a).total_cmp(&mean_length(b)))
}

fn add(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}
