//! Recordings of human activity: read, cut into windows, split and normalised; or made up where there are none.
//!
//! [`read`] recognises by itself what a path holds: `MotionSense`, UCI HAPT, or an HDF5 file in the study's own layout.
//! [`synthetic()`] needs no files. Both give a [`Dataset`], which [`Dataset::split`] turns into a training and a test
//! part of labelled [`Windows`]; [`hold_out`] takes a validation part off the former, and a [`Normaliser`] fitted on
//! what is left scales all of them.
//!
//! ```
//! use longhand_data::{Normaliser, SplitRule, WindowOptions, hold_out, synthetic};
//!
//! let data = synthetic(1);
//! assert!(data.synthetic); // to be said wherever a result from it is shown
//!
//! let split = data.split(&WindowOptions::default(), &SplitRule::default(), 1)?;
//! let (mut parts, mut test) = (hold_out(&split.train, 50, 1)?, split.test);
//! let normaliser = Normaliser::fit(&parts.train);
//! for windows in [&mut parts.train, &mut parts.validation, &mut test] {
//!     normaliser.apply(windows);
//! }
//!
//! assert_eq!(parts.train.count_by_class(), [450; 6]);
//! let first = parts.train.window(0); // 150 steps of 3 channels
//! assert_eq!(first.len(), 150 * 3);
//! println!("person {}, {}", parts.train.people[0], parts.train.classes[parts.train.labels[0]]);
//! # Ok::<(), longhand_data::DataError>(())
//! ```
//!
//! Every error is a [`DataError`], whose message is one sentence that names file, line and cause. Everything drawn at
//! random is drawn by `ChaCha8` from a seed, and neither the order in which files are listed nor the platform matters.
#![deny(missing_docs)]

mod activity;
mod channel;
mod dataset;
mod error;
mod hapt;
mod hdf5;
mod layout;
mod listing;
mod motionsense;
mod normalise;
mod people;
mod recording;
mod split;
pub mod synthetic;
mod text;
mod windows;

pub use activity::Activity;
pub use channel::{Channel, ChannelChoice};
pub use dataset::{Dataset, ReadOptions, Source};
pub use error::DataError;
pub use layout::read;
pub use normalise::Normaliser;
pub use people::parse_people;
pub use recording::Recording;
pub use split::{HoldOut, Split, SplitRule, WindowOptions, hold_out};
pub use synthetic::synthetic;
pub use windows::Windows;
