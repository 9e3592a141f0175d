//! The program `har`, run as its users run it: what it prints, what it writes, and what it refuses.
//!
//! Everything here is one test program, so that tests share one small run and cargo links once.

mod bad_data;
mod bad_options;
mod common;
mod failures;
mod full_run;
mod interruption;
mod model;
mod parts;
mod real_data;
mod repeatability;
mod study_program;
mod summary;
mod written;
