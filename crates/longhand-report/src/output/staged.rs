//! Files that belong together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::OutputFolder;
use super::temporary::Temporary;
use crate::figure::Figure;
use crate::{ReportError, Table};

/// Files of an [`OutputFolder`] that are written under temporary names first and then published together.
///
/// Until [`publish`](Self::publish) the folder's present files are unchanged, so a full disk or an interruption leaves
/// the complete results of an earlier run, and not some files of each run. Dropping the value removes what was staged.
/// It may be shared between threads.
///
/// ```no_run
/// use longhand_report::OutputFolder;
///
/// let folder = OutputFolder::create("har-results")?;
/// let staged = folder.stage();
/// staged.write("tables/scores.csv", b"model,top-1\nElman,0.97\n")?;
/// staged.write("summary.json", b"{}")?;
/// staged.publish("summary.json", ["tables/scores_of_an_earlier_run.csv"])?;
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
#[derive(Debug)]
pub struct Staged<'a> {
    folder: &'a OutputFolder,
    /// With their final paths.
    files: Mutex<Vec<(PathBuf, Temporary)>>,
}

impl<'a> Staged<'a> {
    pub(super) fn new(folder: &'a OutputFolder) -> Self {
        Self { folder, files: Mutex::default() }
    }

    /// Stages a file; sub folders are created as needed.
    ///
    /// # Errors
    ///
    /// As [`OutputFolder::write`]; nothing of this file is then staged.
    pub fn write(&self, relative_path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), ReportError> {
        let file = self.temporary(relative_path.as_ref(), bytes)?;
        self.push([file]);
        Ok(())
    }

    /// Stages a table as `stem.csv` and `stem.md`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); neither of the two files is then staged.
    pub fn write_table(&self, stem: &str, table: &Table) -> Result<(), ReportError> {
        let csv = self.temporary(format!("{stem}.csv").as_ref(), table.to_csv().as_bytes())?;
        let markdown = self.temporary(format!("{stem}.md").as_ref(), table.to_markdown().as_bytes())?;
        self.push([csv, markdown]);
        Ok(())
    }

    /// Stages a figure as `stem.svg` and `stem.png`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) and [`Figure::to_png`]; neither of the two files is then staged.
    pub fn write_figure(&self, stem: &str, figure: &Figure) -> Result<(), ReportError> {
        let svg = self.temporary(format!("{stem}.svg").as_ref(), figure.to_svg().as_bytes())?;
        let png = self.temporary(format!("{stem}.png").as_ref(), &figure.to_png()?)?;
        self.push([svg, png]);
        Ok(())
    }

    /// Publishes the staged files, in place of older ones of the same names, and removes the files named in `stale`
    /// unless they are staged.
    ///
    /// The file `seal` (such as a summary) is removed first and published last: if it is there, so is all that belongs
    /// to it, even after a power failure in between. [`OutputFolder::close`] waits for the end.
    ///
    /// # Errors
    ///
    /// If a path in `stale` or `seal` leads out of the folder, the operating system refuses, or the folder is closed.
    pub fn publish<P: AsRef<Path>>(
        self,
        seal: impl AsRef<Path>,
        stale: impl IntoIterator<Item = P>,
    ) -> Result<(), ReportError> {
        let Self { folder, files } = self;
        let mut files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
        let seal = folder.inside(seal.as_ref())?.0;
        let mut remove = vec![seal.clone()];
        for path in stale {
            let path = folder.inside(path.as_ref())?.0;
            if files.iter().all(|(staged, _)| *staged != path) {
                remove.push(path);
            }
        }
        files.sort_by_key(|(path, _)| *path == seal);

        folder.while_open(&seal, || {
            for path in &remove {
                remove_if_there(path).map_err(|source| ReportError::Write { path: path.clone(), source })?;
            }
            for (path, file) in files {
                file.rename_to(&path).map_err(|source| ReportError::Write { path, source })?;
            }
            Ok(())
        })
    }

    /// Writes one file under a temporary name beside its final place.
    fn temporary(&self, relative: &Path, bytes: &[u8]) -> Result<(PathBuf, Temporary), ReportError> {
        let (path, parent) = self.folder.inside(relative)?;
        let written = self.folder.while_open(&path, || {
            let written = fs::create_dir_all(&parent).and_then(|()| Temporary::write(&parent, bytes));
            written.map_err(|source| ReportError::Write { path: path.clone(), source })
        });
        written.map(|temporary| (path, temporary))
    }

    fn push<const N: usize>(&self, staged: [(PathBuf, Temporary); N]) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).extend(staged);
    }
}

/// Removes a file; it is no error if there is none.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
