//! Compares exported models in tract and in rten with the library, to 1e-5, absolute plus relative.
//!
//! The argument is the folder that the example `onnx_cases` of `longhand-onnx` writes. Padding is filled with NaN, or with ids that
//! are not in any table.
//!
//! Every model must run in tract, except for those that meet a known defect: tract 0.23.9 stops with the error `xw not contiguous` at
//! a `GRU` of one input feature over several steps. rten has neither `Scan` nor `RNN`, so models with these are skipped there.

mod array;
mod case;
mod rten_reader;
mod tract_reader;

use case::Case;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// An implementation that runs a model file.
trait Reader {
    fn name(&self) -> &'static str;
    /// Whether it has the operators of a model.
    fn can_read(&self, file: &[u8]) -> bool;
    /// The message of an error that is a known defect of this implementation.
    fn known_defect(&self) -> Option<&'static str>;
    /// Runs the model: inputs by name, to the outputs of these names.
    fn run(
        &self,
        path: &Path,
        inputs: &BTreeMap<String, array::Array>,
        outputs: &[String],
    ) -> Result<Vec<array::Array>, Box<dyn Error>>;
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("give the folder of the cases");
        return ExitCode::FAILURE;
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    paths.sort();
    let readers: [&dyn Reader; 2] = [&tract_reader::Tract, &rten_reader::Rten];
    let mut failures = 0;
    for reader in readers {
        let (mut compared, mut skipped, mut defects, mut worst) = (0, 0, 0, 0.0_f32);
        let is_known = |error: &str| reader.known_defect().is_some_and(|defect| error.contains(defect));
        for path in &paths {
            match check(reader, path) {
                Ok(Some(difference)) => {
                    compared += 1;
                    worst = worst.max(difference);
                }
                Ok(None) => skipped += 1,
                Err(error) if is_known(&error.to_string()) => defects += 1,
                Err(error) => {
                    failures += 1;
                    println!("{}: {}: {error}", reader.name(), path.display());
                }
            }
        }
        println!(
            "{}: {compared} models compared, {skipped} skipped, {defects} stopped by a known defect; the largest difference is {worst:.1e}, allowed is {:.0e}",
            reader.name(),
            array::TOLERANCE
        );
    }
    if failures > 0 || paths.is_empty() {
        eprintln!("{failures} of {} models failed", paths.len());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The largest difference, or `None` if the reader does not have the operators.
fn check(reader: &dyn Reader, path: &Path) -> Result<Option<f32>, Box<dyn Error>> {
    if !reader.can_read(&std::fs::read(path)?) {
        return Ok(None);
    }
    let case = Case::read(&path.with_extension("json"))?;
    let mut worst = 0.0_f32;
    for (inputs, expected) in [case.whole()?].into_iter().chain(case.steps()?) {
        let names: Vec<String> = expected.keys().cloned().collect();
        let outputs = reader.run(path, &inputs, &names)?;
        for ((name, expected), output) in expected.iter().zip(&outputs) {
            let difference = output.difference(expected).map_err(|error| format!("{}: {name}: {error}", case.model))?;
            worst = worst.max(difference);
        }
    }
    Ok(Some(worst))
}
