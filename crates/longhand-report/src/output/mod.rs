//! The output folder, which writes files atomically.

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

/// An output folder with atomic writes: it never contains a partly written file.
///
/// Each file is written under a temporary name in its final folder and renamed when it is complete. Files that belong
/// together are [staged](Self::stage) and published together. An `OutputFolder` can be shared between threads.
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
    /// `true` once the folder is closed. Locked during every write.
    closed: Mutex<bool>,
}

impl OutputFolder {
    /// Creates the folder if it does not exist, and checks that files can be written to it. Call it before long work.
    ///
    /// # Errors
    ///
    /// If `path` is not a folder, cannot be created, or cannot be written to.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let path = path.into();
        match create_folder(&path).and_then(|()| check_writable(&path)) {
            Ok(()) => Ok(Self { path, closed: Mutex::new(false) }),
            Err(source) => Err(ReportError::Folder { path, source }),
        }
    }

    /// Checks that these files can be written: that none of them is an existing folder, and that each of their
    /// subfolders, if it exists, is a folder that can be written to. Call it before long work. Creates nothing.
    ///
    /// # Errors
    ///
    /// If a file cannot be written, or its path leads out of the folder.
    pub fn check<P: AsRef<Path>>(&self, files: impl IntoIterator<Item = P>) -> Result<(), ReportError> {
        let mut checked = vec![self.path.clone()];
        for file in files {
            let (path, parent) = self.resolve(file.as_ref())?;
            if !checked.contains(&parent) {
                // True for a broken symbolic link as well, which cannot be written to.
                if fs::symlink_metadata(&parent).is_ok()
                    && let Err(source) = check_writable(&parent)
                {
                    return Err(ReportError::Folder { path: parent, source });
                }
                checked.push(parent);
            }
            if path.is_dir() {
                return Err(ReportError::Write { path, source: io::ErrorKind::IsADirectory.into() });
            }
        }
        Ok(())
    }

    /// The folder's path, as given to [`create`](Self::create).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts a set of files that will be published together.
    pub fn stage(&self) -> Staged<'_> {
        Staged::new(self)
    }

    /// Writes a file in the folder. Replaces an existing file of that name; creates subfolders as needed.
    ///
    /// # Errors
    ///
    /// If `relative_path` leads out of the folder, the operating system returns an error, or the folder is
    /// [closed](Self::close). An existing file is then unchanged.
    pub fn write(&self, relative_path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), ReportError> {
        let (path, parent) = self.resolve(relative_path.as_ref())?;
        self.while_open(&path, || {
            fs::create_dir_all(&parent)
                .and_then(|()| Temporary::write(&parent, bytes))
                .and_then(|temporary| temporary.rename_to(&path))
                .map_err(|source| ReportError::Write { path: path.clone(), source })
        })
    }

    /// Removes a file from the folder, if it exists.
    ///
    /// # Errors
    ///
    /// The errors of [`write`](Self::write).
    pub fn remove(&self, relative_path: impl AsRef<Path>) -> Result<(), ReportError> {
        let path = self.resolve(relative_path.as_ref())?.0;
        self.while_open(&path, || {
            staged::remove_if_exists(&path).map_err(|source| ReportError::Write { path: path.clone(), source })
        })
    }

    /// Writes a table as `stem.csv` and `stem.md`, such as `tables/table-1.csv` for the stem `tables/table-1`.
    ///
    /// # Errors
    ///
    /// The errors of [`write`](Self::write).
    pub fn write_table(&self, stem: &str, table: &Table) -> Result<(), ReportError> {
        self.write(format!("{stem}.csv"), table.to_csv().as_bytes())?;
        self.write(format!("{stem}.md"), table.to_markdown().as_bytes())
    }

    /// Writes a figure as `stem.svg` and `stem.png`.
    ///
    /// # Errors
    ///
    /// The errors of [`write`](Self::write) and [`Figure::to_png`].
    pub fn write_figure(&self, stem: &str, figure: &Figure) -> Result<(), ReportError> {
        self.write(format!("{stem}.svg"), figure.to_svg().as_bytes())?;
        self.write(format!("{stem}.png"), &figure.to_png()?)
    }

    /// Closes the folder: waits for a running write or publication, and makes all later writes fail.
    ///
    /// A Ctrl-C handler should close the folder, [remove the temporary files](Self::remove_temporaries) and exit.
    pub fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Removes this process's temporary files from the folder and its subfolders; returns their number.
    ///
    /// Published files and temporary files of other processes are not removed.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read or a temporary file cannot be removed.
    pub fn remove_temporaries(&self) -> Result<usize, ReportError> {
        let _lock = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        temporary::remove_all(&self.path).map_err(|source| ReportError::Folder { path: self.path.clone(), source })
    }

    /// Returns the full path of a file inside the folder, and the path of its parent folder.
    fn resolve(&self, relative: &Path) -> Result<(PathBuf, PathBuf), ReportError> {
        let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let path = self.path.join(relative);
        match path.parent() {
            Some(parent) if is_inside && relative.file_name().is_some() => Ok((path.clone(), parent.to_path_buf())),
            _ => Err(ReportError::OutsideFolder { path: relative.to_path_buf() }),
        }
    }

    /// Calls `change`, which changes the file `path`, with the folder locked against closing. Fails if the folder is
    /// closed.
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

/// Checks that a folder can be written to, by writing and removing a file of one byte.
fn check_writable(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Temporary::write(folder, b"\n").map(drop)
}

#[cfg(test)]
mod tests;
