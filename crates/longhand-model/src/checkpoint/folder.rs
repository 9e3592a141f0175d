//! A folder of checkpoints.

use super::{Checkpoint, CheckpointError};
use crate::file::atomic;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file that a process locks while it uses the folder.
const LOCK: &str = ".lock";
const START: &str = "checkpoint-";
const END: &str = ".safetensors";

/// A folder of the checkpoints of one training run. The last ones are kept.
///
/// A checkpoint is complete or not there: it is written under another name, synchronised with the disk and renamed, and only then are
/// older ones removed. So after a crash, a power failure or a full disk, the last complete checkpoint is there. One process at a time
/// uses the folder; [`Checkpoint`] has an example.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
    /// The operating system releases the lock when the process ends, in whatever way.
    _lock: File,
}

/// What a folder has of a training run.
#[derive(Debug)]
pub struct Latest {
    /// The newest checkpoint that is complete; `None` if there is none.
    pub checkpoint: Option<Checkpoint>,
    /// Why newer ones cannot be used. Print these errors.
    pub refused: Vec<CheckpointError>,
}

impl Checkpoints {
    /// Opens the folder, which is created if it does not exist, and removes files that a killed process has left unfinished. The last
    /// `keep` checkpoints are kept, at least one; with two or more, one can be damaged without loss of the run.
    ///
    /// # Errors
    /// If the folder has no name, cannot be created, read or written, or another process uses it.
    pub fn open(folder: impl Into<PathBuf>, keep: usize) -> Result<Self, CheckpointError> {
        let folder = folder.into();
        let failed = |source: io::Error| CheckpointError::Write { path: folder.clone(), source };
        if folder.as_os_str().is_empty() {
            // As a path, this would be the current folder.
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "the name of the folder is empty")));
        }
        fs::create_dir_all(&folder).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CheckpointError::InUse { path: folder }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let checkpoints = Checkpoints { folder, keep: keep.max(1), _lock: lock };
        for name in checkpoints.names()? {
            if atomic::is_unfinished(&name) {
                checkpoints.remove(&name)?;
            }
        }
        Ok(checkpoints)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a checkpoint, then removes older ones than the last `keep`, and those of later steps, which a run that has continued from
    /// an earlier step has replaced. Those of a newer version of longhand, which cannot be read here, are left alone.
    ///
    /// # Errors
    /// If the file cannot be written, because the disk is full for instance. The earlier checkpoints are then unchanged, and training
    /// can go on.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
        let path = self.folder.join(file_name(checkpoint.step));
        let bytes = checkpoint.to_bytes()?;
        atomic::write(&path, &bytes).map_err(|source| CheckpointError::Write { path: path.clone(), source })?;
        let (later, earlier): (Vec<_>, Vec<_>) =
            self.steps()?.into_iter().partition(|&(step, _)| step > checkpoint.step);
        let is_newer = |step, name: &str| matches!(self.read(step, name), Err(CheckpointError::TooNew { .. }));
        let replaced = later.into_iter().filter(|(step, name)| !is_newer(*step, name));
        let old = earlier.into_iter().skip(self.keep);
        for (_, name) in replaced.chain(old) {
            self.remove(&name)?;
        }
        Ok(path)
    }

    /// Reads the newest checkpoint that is complete.
    ///
    /// # Errors
    /// If the folder cannot be read. A checkpoint that cannot be read is refused, and the one before it is used.
    pub fn latest(&self) -> Result<Latest, CheckpointError> {
        let mut refused = Vec::new();
        for (step, name) in self.steps()? {
            match self.read(step, &name) {
                Ok(checkpoint) => return Ok(Latest { checkpoint: Some(checkpoint), refused }),
                Err(error) => refused.push(error),
            }
        }
        Ok(Latest { checkpoint: None, refused })
    }

    fn read(&self, step: u64, name: &str) -> Result<Checkpoint, CheckpointError> {
        let path = self.folder.join(name);
        let bytes = fs::read(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
        let checkpoint = Checkpoint::read(path.display().to_string(), bytes)?;
        if checkpoint.step != step {
            let reason = format!("it is the checkpoint of step {}", checkpoint.step);
            return Err(CheckpointError::Damaged { file: checkpoint.name, reason });
        }
        Ok(checkpoint)
    }

    /// The steps of the checkpoints and the names of their files, the newest first. Files whose names `save` would not choose belong
    /// to the user.
    fn steps(&self) -> Result<Vec<(u64, String)>, CheckpointError> {
        let step = |name: String| {
            let step = name.strip_prefix(START)?.strip_suffix(END)?.parse().ok()?;
            (name == file_name(step)).then_some((step, name))
        };
        let mut steps: Vec<_> = self.names()?.into_iter().filter_map(step).collect();
        steps.sort_by(|a, b| b.cmp(a));
        Ok(steps)
    }

    /// The names of the files, without those of folders.
    fn names(&self) -> Result<Vec<String>, CheckpointError> {
        let entries = fs::read_dir(&self.folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|source| CheckpointError::Read { path: self.folder.clone(), source })?;
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let files = entries.into_iter().filter(|entry| !is_folder(entry));
        Ok(files.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn remove(&self, name: &str) -> Result<(), CheckpointError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CheckpointError::Write { path, source }),
            _ => Ok(()),
        }
    }
}

/// The name of the file of a step. Names are in the order of the steps up to a trillion of them.
fn file_name(step: u64) -> String {
    format!("{START}{step:012}{END}")
}
