//! Saves the state of each model in training (`--checkpoint DIR`), and continues from it (`--resume`).
//!
//! Each model has its own folder of checkpoints. One is written several times per second, so that a process that is killed
//! loses little, and when the run is interrupted. Where the disk is slow, checkpoints are rarer: they take a hundredth of the
//! time. The last one of a model stays, so the models that are finished are only scored again when the run is resumed. A
//! resumed run has the results of an uninterrupted one, bit for bit.

use crate::{Failure, console, interruption};
use longhand_data::Windows;
use longhand_model::{Checkpoint, CheckpointError, Checkpoints};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Shortest time between two checkpoints of a model.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);
/// The interval is at least this multiple of the time that the last checkpoint took.
const MULTIPLE: u32 = 100;
/// Time to the next attempt after a checkpoint could not be written.
const AFTER_ERROR: Duration = Duration::from_secs(10);
/// Number of checkpoints that are kept, so that one can be damaged.
const KEPT: usize = 2;

/// What a model's results depend on, by name. A run can only be resumed with the same values.
pub type Settings = BTreeMap<String, String>;

/// The folder of all checkpoints of a run; none without `--checkpoint`.
pub struct RunCheckpoints {
    folder: Option<PathBuf>,
}

impl RunCheckpoints {
    /// Checks the folder: without `--resume` it must not have checkpoints.
    pub fn new(folder: Option<&Path>, resume: bool) -> Result<Self, Failure> {
        if let Some(folder) = folder
            && !resume
            && has_checkpoints(folder)
        {
            let folder = folder.display();
            return Err(format!(
                "`{folder}` has checkpoints of an earlier run; add --resume to continue it, or choose another folder"
            )
            .into());
        }
        Ok(RunCheckpoints { folder: folder.map(Path::to_path_buf) })
    }

    /// Whether checkpoints are written.
    pub fn are_on(&self) -> bool {
        self.folder.is_some()
    }

    /// The checkpoints of one model, in a folder of this name.
    pub fn of_model(&self, name: &str, settings: Settings) -> Result<ModelCheckpoints, Failure> {
        let Some(folder) = &self.folder else {
            return Ok(ModelCheckpoints::new(None, None, settings));
        };
        let checkpoints = Checkpoints::open(folder.join(name), KEPT)?;
        let latest = checkpoints.latest()?;
        for error in &latest.refused {
            console::print_error(&format!("{error}; the checkpoint before it is used\n"));
        }
        if let Some(checkpoint) = &latest.checkpoint {
            check_settings(&settings, &checkpoint.get("settings")?, checkpoints.folder())?;
        }
        Ok(ModelCheckpoints::new(Some(checkpoints), latest.checkpoint, settings))
    }
}

/// Whether a folder has a folder of checkpoints.
fn has_checkpoints(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.path().join(".lock").exists())
}

fn check_settings(now: &Settings, then: &Settings, folder: &Path) -> Result<(), Failure> {
    let differs = |name: &&String| now.get(*name) != then.get(*name);
    let Some(name) = now.keys().chain(then.keys()).find(differs) else { return Ok(()) };
    let value = |settings: &Settings| settings.get(name).map_or("not set".to_owned(), Clone::clone);
    Err(OtherOptions(format!(
        "the checkpoints in `{}` were made with other options: {name} was {}, but is {} now; resume with the same options",
        folder.display(),
        value(then),
        value(now)
    ))
    .into())
}

/// The run is resumed with other options than it was started with.
#[derive(Debug)]
pub struct OtherOptions(String);

impl fmt::Display for OtherOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OtherOptions {}

/// The checkpoints of one model.
pub struct ModelCheckpoints {
    checkpoints: Option<Checkpoints>,
    latest: Option<Checkpoint>,
    settings: Settings,
    /// When the next checkpoint is due.
    due: Cell<Instant>,
}

impl ModelCheckpoints {
    fn new(checkpoints: Option<Checkpoints>, latest: Option<Checkpoint>, settings: Settings) -> Self {
        ModelCheckpoints { checkpoints, latest, settings, due: Cell::new(Instant::now() + SHORTEST_INTERVAL) }
    }

    /// The checkpoint from which training continues.
    pub fn latest(&self) -> Option<&Checkpoint> {
        self.latest.as_ref()
    }

    /// Saves the state if a checkpoint is due. If the run is interrupted, saves it and returns an error.
    pub fn save_if_due(&self, state: impl FnOnce() -> Result<Checkpoint, CheckpointError>) -> Result<(), Failure> {
        if self.checkpoints.is_none() {
            return Ok(());
        }
        let is_stopping = interruption::is_stopping();
        if !is_stopping && Instant::now() < self.due.get() {
            return Ok(());
        }
        match self.save(state) {
            // Training goes on: the disk may have room again later.
            Err(error) if !is_stopping => {
                console::print_error(&format!("{error}; training continues\n"));
                self.due.set(Instant::now() + AFTER_ERROR);
            }
            saved => saved?,
        }
        if is_stopping { Err(interruption::Interrupted.into()) } else { Ok(()) }
    }

    /// Saves the state.
    pub fn save(&self, state: impl FnOnce() -> Result<Checkpoint, CheckpointError>) -> Result<(), Failure> {
        let Some(checkpoints) = &self.checkpoints else { return Ok(()) };
        let start = Instant::now();
        checkpoints.save(&state()?.with("settings", &self.settings)?)?;
        self.due.set(Instant::now() + SHORTEST_INTERVAL.max(MULTIPLE * start.elapsed()));
        Ok(())
    }
}

/// Tells data sets apart: a checksum of the values and the labels of windows.
pub fn checksum(windows: &Windows) -> String {
    let mut hasher = crc32fast::Hasher::new();
    windows.values().iter().for_each(|value| hasher.update(&value.to_le_bytes()));
    windows.labels.iter().for_each(|label| hasher.update(&label.to_le_bytes()));
    format!("{:08x}", hasher.finalize())
}
