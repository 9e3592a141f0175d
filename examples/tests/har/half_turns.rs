//! Tests of the rule that finds out whether people wore the phone both ways round.

#[path = "../../har/wearing.rs"]
mod wearing;

use crate::common::sample;
use longhand_data::{Channel, ReadOptions, WindowOptions, Windows, read};
use wearing::both_ways_round;

/// Windows of one sample, of the axes x, y and z with y nearest to the vertical. Each person stands and sits.
fn windows(people: &[(u32, [f32; 3])]) -> Windows {
    let standing = [0.05, 1.0, 0.0];
    let values = people.iter().flat_map(|(_, sitting)| [standing, *sitting].concat()).collect();
    let numbers = people.iter().flat_map(|&(person, _)| [person, person]).collect();
    let classes = vec!["standing".to_owned(), "sitting".to_owned()];
    let channels = ["x", "y", "z"].map(|axis| Channel::new(axis, "g")).to_vec();
    Windows::new(classes, channels, 1, values, [0, 1].repeat(people.len()), numbers).unwrap()
}

#[test]
fn phones_that_all_point_one_way_are_worn_one_way_round() {
    assert!(!both_ways_round(&windows(&[(1, [0.1, 0.2, 0.9]), (2, [-0.3, 0.1, 0.8]), (3, [0.5, 0.4, 0.6])]), 1));
}

#[test]
fn one_reversed_phone_is_enough() {
    assert!(both_ways_round(&windows(&[(1, [0.1, 0.2, 0.9]), (2, [-0.3, 0.1, 0.8]), (3, [0.1, 0.4, -0.7])]), 1));
}

/// The axes x and z are reversed when standing, but hardly more than zero.
#[test]
fn only_the_posture_with_the_longest_horizontal_means_counts() {
    let mut windows = windows(&[(1, [0.1, 0.2, 0.9]), (2, [0.2, 0.3, 0.8])]);
    windows.values_mut()[0] = -0.05;
    assert!(!both_ways_round(&windows, 1));
}

#[test]
fn the_vertical_axis_does_not_count() {
    // Sitting, y has either sign and z the same. The values of y are larger than those of standing.
    let windows = windows(&[(1, [0.0, 1.6, 0.9]), (2, [0.0, -1.4, 0.9])]);
    assert!(!both_ways_round(&windows, 1));
    assert!(both_ways_round(&windows, 2));
}

#[test]
fn unknown_people_may_wear_the_phone_either_way() {
    assert!(both_ways_round(&windows(&[(0, [0.1, 0.2, 0.9])]), 1));
}

#[test]
fn phones_in_pockets_are_worn_both_ways_round_but_not_those_on_belts() {
    for (folder, vertical, expected) in [("motionsense", 1, true), ("hapt_training_people", 0, false)] {
        let Some(path) = sample(folder) else { continue };
        let data = read(&path, &ReadOptions::default()).unwrap();
        assert_eq!(both_ways_round(&data.windows(&WindowOptions::default()).unwrap(), vertical), expected, "{folder}");
    }
}
