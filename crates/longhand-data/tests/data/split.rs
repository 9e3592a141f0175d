//! Tests of windows and splits.

use std::collections::HashSet;

use longhand_data::{Channel, Dataset, Recording, Source, SplitRule, WindowOptions, Windows, hold_out};

use super::{assert_message, numbered};

/// A data set with one channel and the recordings `(person, class, steps)`.
///
/// Sample `t` of recording `r` is `1000 r + t`.
fn recorded(recordings: &[(u32, usize, usize)]) -> Dataset {
    let recordings = recordings.iter().enumerate().map(|(r, &(person, class, steps))| Recording {
        source: "here".into(),
        person,
        class,
        samples: (0..steps).map(|t| (1_000 * r + t) as f32).collect(),
    });
    Dataset {
        sampling_rate: Some(50.0),
        name: "recorded".to_owned(),
        citation: None,
        synthetic: false,
        classes: vec!["still".to_owned(), "moving".to_owned()],
        channels: vec![Channel::new("x", "g")],
        source: Source::Recordings(recordings.collect()),
    }
}

/// The first value of each window.
fn starts(windows: &Windows) -> Vec<usize> {
    (0..windows.len()).map(|i| windows.window(i)[0] as usize).collect()
}

fn adjacent(steps: usize) -> WindowOptions {
    WindowOptions { steps, stride: steps }
}

#[test]
fn windows_never_span_two_recordings() {
    let data = recorded(&[(1, 0, 10), (2, 1, 3), (2, 0, 4)]);
    let windows = data.windows(&adjacent(4)).unwrap();
    assert_eq!(starts(&windows), [0, 4, 2_000]);
    assert_eq!((windows.labels.as_slice(), windows.people.as_slice()), (&[0, 0, 0][..], &[1, 1, 2][..]));
    assert_eq!(windows.window(1), [4.0, 5.0, 6.0, 7.0]);
    let overlapping = data.windows(&WindowOptions { steps: 4, stride: 3 }).unwrap();
    assert_eq!(starts(&overlapping), [0, 3, 6, 2_000]);
}

#[test]
fn invalid_window_options_are_rejected() {
    let data = recorded(&[(1, 0, 10), (1, 1, 8)]);
    for (options, part) in [
        (WindowOptions { steps: 0, stride: 1 }, "at least one step"),
        (WindowOptions { steps: 1, stride: 0 }, "at least one step"),
        (adjacent(11), "the longest has 10 steps; expected at most 10 steps per window"),
        (adjacent(usize::MAX), "the longest has 10"),
    ] {
        assert_message(&data.windows(&options).unwrap_err().to_string(), &[part]);
    }
    // With a stride beyond the end, each recording has one window.
    assert_eq!(data.windows(&WindowOptions { steps: 2, stride: usize::MAX }).unwrap().len(), 2);
}

#[test]
fn a_random_split_is_seeded_and_disjoint() {
    let data = recorded(&[(1, 0, 100), (2, 1, 120)]);
    let rule = SplitRule::RandomWindows { train_per_class: 30, test_per_class: 10 };
    let split = |seed| data.split(&adjacent(2), &rule, seed).unwrap();
    let first = split(1);
    assert_eq!(first.train.count_by_class(), [30; 2]);
    assert_eq!(first.test.count_by_class(), [10; 2]);
    let all: HashSet<usize> = starts(&first.train).into_iter().chain(starts(&first.test)).collect();
    assert_eq!(all.len(), 80);
    assert_eq!(split(1), first);
    assert_ne!(split(2), first);
    // The draw must be the same in every version and on every machine.
    assert_eq!(starts(&first.test)[..10], [22, 26, 28, 30, 40, 44, 46, 52, 94, 96]);
}

#[test]
fn impossible_splits_are_rejected() {
    let data = recorded(&[(1, 0, 100), (2, 1, 20)]);
    let split = |train_per_class, test_per_class| {
        let rule = SplitRule::RandomWindows { train_per_class, test_per_class };
        data.split(&adjacent(2), &rule, 1).unwrap_err().to_string()
    };
    assert_message(&split(8, 3), &["`moving`", "has 10 windows", "expected at least 11", "8 to train and 3 to test"]);
    assert_message(&split(usize::MAX, 3), &["`still`", "has 50 windows"]);
    assert_message(&split(0, 3), &["no windows for training"]);
    assert_message(&split(3, 0), &["no windows for testing"]);
    let message = data.split(&adjacent(2), &SplitRule::Given, 1).unwrap_err().to_string();
    assert_message(&message, &["recorded", "comes without a split"]);
    let message = data.split(&adjacent(50), &SplitRule::default(), 1).unwrap_err().to_string();
    assert_message(&message, &["`moving`", "no windows in the data"]);
}

#[test]
fn a_split_by_people_separates_the_people() {
    let data = recorded(&[(1, 0, 20), (1, 1, 20), (2, 0, 20), (2, 1, 20), (5, 0, 20), (6, 1, 4)]);
    let split = |test: &[u32]| data.split(&adjacent(5), &SplitRule::People { test: test.to_vec() }, 1);
    let parts = split(&[2, 6]).unwrap();
    assert!(parts.train.people.iter().all(|person| [1, 5].contains(person)));
    assert!(parts.test.people.iter().all(|&person| person == 2));
    for (test, cause) in [
        (&[3][..], &["person 3", "people 1-2,5-6"][..]),
        (&[], &["no test people", "1-2,5-6"]),
        (&[1, 2, 5, 6], &["no person is left for training", "at least one person to train on"]),
        (&[6], &["no windows for testing"]),
        (&[1, 2], &["`moving`", "no windows in the training part"]),
    ] {
        assert_message(&split(test).unwrap_err().to_string(), cause);
    }
}

#[test]
fn holding_out_is_seeded_and_disjoint() {
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let windows = numbered(&labels, &[0; 60], 3);
    let parts = hold_out(&windows, 5, 1).unwrap();
    assert_eq!(parts.validation.count_by_class(), [5; 3]);
    assert_eq!(parts.train.count_by_class(), [15; 3]);
    let all: HashSet<usize> = starts(&parts.train).into_iter().chain(starts(&parts.validation)).collect();
    assert_eq!(all.len(), 60);
    assert_eq!(hold_out(&windows, 5, 1).unwrap(), parts);
    assert_ne!(hold_out(&windows, 5, 2).unwrap(), parts);
    let message = hold_out(&windows, 20, 1).unwrap_err().to_string();
    assert_message(&message, &["`class 0`", "has 20 windows", "expected at least 21"]);
    assert_message(&hold_out(&windows, 0, 1).unwrap_err().to_string(), &["no windows for validation"]);
}

#[test]
fn inconsistent_windows_are_rejected() {
    let new = |channels, steps, values: usize, labels: &[usize], people: usize| {
        let classes = vec!["still".to_owned()];
        let channels = vec![Channel::new("x", "g"); channels];
        let windows = Windows::new(classes, channels, steps, vec![0.0; values], labels.to_vec(), vec![0; people]);
        windows.map_err(|e| e.to_string())
    };
    assert!(new(2, 3, 12, &[0, 0], 2).is_ok());
    for (wrong, cause) in [
        (new(2, 3, 11, &[0, 0], 2), "expected 12 values for 2 windows x 3 steps x 2 channels, got 11"),
        (new(2, 3, 12, &[0, 0], 1), "2 labels but 1 people"),
        (new(2, 3, 12, &[0, 1], 2), "window 1 has the label 1: expected a label below 1"),
        (new(0, 3, 0, &[0, 0], 2), "no channels"),
        (new(2, 0, 0, &[0, 0], 2), "at least one step"),
        (new(2, usize::MAX, 0, &[0, 0], 2), "inconsistent data"),
    ] {
        assert_message(&wrong.unwrap_err(), &[cause]);
    }
}

#[test]
fn inconsistent_data_sets_are_rejected() {
    let options = adjacent(1);
    let broken = |change: &dyn Fn(&mut Dataset), part: &str| {
        let mut data = recorded(&[(1, 0, 10), (2, 1, 3)]);
        change(&mut data);
        assert_message(&data.windows(&options).unwrap_err().to_string(), &["inconsistent data", part]);
    };
    broken(&|data| data.channels.clear(), "no channels");
    broken(&|data| data.channels.push(Channel::new("y", "g")), "expected a multiple of its 2 channels");
    broken(&|data| data.classes.truncate(1), "here has class 1: expected a class below 1");
    broken(
        &|data| {
            let (train, mut test) = (numbered(&[0], &[1], 2), numbered(&[0], &[1], 2));
            test.steps = 2;
            data.source = Source::GivenSplit { train, test };
        },
        "the training part has",
    );
}
