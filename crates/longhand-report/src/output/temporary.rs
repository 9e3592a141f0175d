//! Complete files under temporary names.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A complete file under a hidden name (`.tmp-PID-N`, with the process id PID) in its final folder. Dropping the value
/// removes the file unless it was [renamed](Self::rename_to).
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    /// Writes `bytes` to a new file in `folder` and syncs it to the device. Errors do not contain the temporary name,
    /// which means nothing to the user.
    pub fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let (mut file, temporary) = Self::open(folder)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn open(folder: &Path) -> io::Result<(File, Self)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let path = folder.join(format!("{}{}", name_prefix(), NEXT.fetch_add(1, Ordering::Relaxed)));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, Self { path, renamed: false })),
                // Left behind by an earlier process with the same id: try the next name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Renames the file to its final path, replacing an existing file.
    pub fn rename_to(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // Ignored: the error that caused the drop is the one to report.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Prefix of the names of this process's temporary files.
pub(super) fn name_prefix() -> String {
    format!(".tmp-{}-", std::process::id())
}

/// Removes this process's temporary files from a folder and its subfolders; returns their number.
pub(super) fn remove_all(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += remove_all(&entry.path())?;
        } else if entry.file_name().to_string_lossy().starts_with(&name_prefix()) {
            match fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                // Another thread has removed its own file in the meantime.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}
