//! Loads recordings of human activity, cuts them into windows, splits and normalises them, or generates synthetic ones.
//!
//! [`read`] detects the layout of a path: `MotionSense`, UCI HAPT, or an HDF5 file in the study's own layout.
//! [`synthetic()`] needs no files. Both return a [`Dataset`]. [`Dataset::split`] turns it into a training and a test
//! part of labelled [`Windows`]. [`hold_out`] splits a validation part off the training part. A [`Normaliser`] fitted
//! on the remaining training part scales all three parts.
//!
//! ```
//! use longhand_data::{Normaliser, SplitRule, WindowOptions, hold_out, synthetic};
//!
//! let data = synthetic(1);
//! assert!(data.synthetic); // label every result from this data as synthetic
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
//! Every error is a [`DataError`], whose message is a single line that names file, line and cause. All random numbers
//! come from `ChaCha8` with a seed. Results do not depend on the platform or on the order in which it lists files.
#![deny(missing_docs)]

mod activity;
mod channel;
mod dataset;
mod detect;
mod error;
mod hapt;
mod hdf5;
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
pub use detect::read;
pub use error::DataError;
pub use normalise::Normaliser;
pub use people::parse_people;
pub use recording::Recording;
pub use split::{HoldOut, Split, SplitRule, hold_out};
pub use synthetic::synthetic;
pub use windows::{WindowOptions, Windows};
