//! A complete file under a temporary name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A complete file under a hidden name (`.tmp-PID-N`, where PID is the number of this process) in the folder that it
/// will be published in. Removes itself unless it is [renamed](Self::rename_to).
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// Writes `bytes` to a new file in `folder`, down to the device. The errors are those of the operating system and
    /// do not name the temporary file, which means nothing to a reader.
    pub fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let (mut file, temporary) = Self::open(folder)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn open(folder: &Path) -> io::Result<(File, Self)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let path = folder.join(format!("{}{}", mark(), NEXT.fetch_add(1, Ordering::Relaxed)));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, Self { path, renamed: false })),
                // Left behind by an earlier process of the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its final name, in place of an older file of that name.
    pub fn rename_to(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // Best effort: the error that led here is the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The beginning of the names of this process's temporary files.
pub(super) fn mark() -> String {
    format!(".tmp-{}-", std::process::id())
}

/// Removes this process's temporary files in a folder and its sub folders; returns how many there were.
pub(super) fn remove_all(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += remove_all(&entry.path())?;
        } else if entry.file_name().to_string_lossy().starts_with(&mark()) {
            match fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                // Another thread has removed its file meanwhile; the others must still go.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}
