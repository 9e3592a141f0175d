//! The output folder: complete files only.

mod staged;
mod temporary;

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::ReportError;
use crate::Table;
use crate::figure::Figure;
use temporary::Temporary;

pub use staged::Staged;

/// A folder for results that only ever holds complete files.
///
/// Each file is written under a temporary name in the same folder and renamed when it is complete. Files that belong
/// together are [staged](Self::stage) and published together. May be shared between threads.
///
/// ```no_run
/// use longhand_report::OutputFolder;
///
/// let folder = OutputFolder::create("har-results")?;
/// folder.write("tables/scores.csv", b"model,top-1\nElman,0.97\n")?;
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    /// Held during a write; `true` once the folder is closed.
    closed: Mutex<bool>,
}

impl OutputFolder {
    /// Creates the folder if need be and checks, before any long work, that files can be written to it.
    ///
    /// # Errors
    ///
    /// If `path` is not a folder, cannot be created, or cannot be written to.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let path = path.into();
        match create_folder(&path).and_then(|()| probe(&path)) {
            Ok(()) => Ok(Self { path, closed: Mutex::new(false) }),
            Err(source) => Err(ReportError::Folder { path, source }),
        }
    }

    /// Checks, before any long work, that these files can be written: that no folder has the name of one of them, and
    /// that each sub folder, if it is there, is a folder and can be written to.
    ///
    /// # Errors
    ///
    /// If one of them cannot be written, or its path leads out of the folder.
    pub fn check<P: AsRef<Path>>(&self, files: impl IntoIterator<Item = P>) -> Result<(), ReportError> {
        let mut probed = vec![self.path.clone()];
        for file in files {
            let (path, parent) = self.inside(file.as_ref())?;
            if !probed.contains(&parent) {
                // A link that leads nowhere is there too.
                if fs::symlink_metadata(&parent).is_ok()
                    && let Err(source) = probe(&parent)
                {
                    return Err(ReportError::Folder { path: parent, source });
                }
                probed.push(parent);
            }
            if path.is_dir() {
                return Err(ReportError::Write { path, source: io::ErrorKind::IsADirectory.into() });
            }
        }
        Ok(())
    }

    /// The folder's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to write files that are to be published together.
    pub fn stage(&self) -> Staged<'_> {
        Staged::new(self)
    }

    /// Writes a file of the folder, replacing an older one of that name; sub folders are created as needed.
    ///
    /// # Errors
    ///
    /// If `relative_path` leads out of the folder, if the operating system refuses, or if the folder is
    /// [closed](Self::close). The old file, if any, is then still there, unchanged.
    pub fn write(&self, relative_path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), ReportError> {
        let (path, parent) = self.inside(relative_path.as_ref())?;
        self.while_open(&path, || {
            fs::create_dir_all(&parent)
                .and_then(|()| Temporary::write(&parent, bytes))
                .and_then(|temporary| temporary.rename_to(&path))
                .map_err(|source| ReportError::Write { path: path.clone(), source })
        })
    }

    /// Removes a file of the folder, if it is there.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn remove(&self, relative_path: impl AsRef<Path>) -> Result<(), ReportError> {
        let path = self.inside(relative_path.as_ref())?.0;
        self.while_open(&path, || {
            staged::remove_if_there(&path).map_err(|source| ReportError::Write { path: path.clone(), source })
        })
    }

    /// Writes a table as `stem.csv` and `stem.md`, such as `tables/table-1.csv` for the stem `tables/table-1`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_table(&self, stem: &str, table: &Table) -> Result<(), ReportError> {
        self.write(format!("{stem}.csv"), table.to_csv().as_bytes())?;
        self.write(format!("{stem}.md"), table.to_markdown().as_bytes())
    }

    /// Writes a figure as `stem.svg` and `stem.png`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) and [`Figure::to_png`].
    pub fn write_figure(&self, stem: &str, figure: &Figure) -> Result<(), ReportError> {
        self.write(format!("{stem}.svg"), figure.to_svg().as_bytes())?;
        self.write(format!("{stem}.png"), &figure.to_png()?)
    }

    /// Waits for the file that is being written or the files that are being published, if any, and refuses all later
    /// ones.
    ///
    /// For a Ctrl-C handler: close the folder, [remove the temporaries](Self::remove_temporaries), exit.
    pub fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Removes this process's temporary files in the folder and its sub folders, and returns how many there were.
    ///
    /// Published files are left alone, as are the temporary ones of other processes.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read or a temporary file cannot be removed.
    pub fn remove_temporaries(&self) -> Result<usize, ReportError> {
        let _writing = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        temporary::remove_all(&self.path).map_err(|source| ReportError::Folder { path: self.path.clone(), source })
    }

    /// The full path of a file inside the folder, and the folder that holds it.
    fn inside(&self, relative: &Path) -> Result<(PathBuf, PathBuf), ReportError> {
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let path = self.path.join(relative);
        match path.parent() {
            Some(parent) if inside && relative.file_name().is_some() => Ok((path.clone(), parent.to_path_buf())),
            _ => Err(ReportError::OutsideFolder { path: relative.to_path_buf() }),
        }
    }

    /// Does something to the file `path` while nobody closes the folder.
    fn while_open<R>(&self, path: &Path, change: impl FnOnce() -> Result<R, ReportError>) -> Result<R, ReportError> {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(ReportError::Closed { path: path.to_path_buf() });
        }
        change()
    }
}

fn create_folder(path: &Path) -> io::Result<()> {
    if path.exists() && !path.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    fs::create_dir_all(path)
}

/// Proves by a file of one byte that a folder can be written to.
fn probe(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Temporary::write(folder, b"\n").map(drop)
}

#[cfg(test)]
mod tests;
