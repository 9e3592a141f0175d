//! Files that are published together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::OutputFolder;
use super::temporary::Temporary;
use crate::figure::Figure;
use crate::{ReportError, Table};

/// Files of an [`OutputFolder`] that are written under temporary names and published together.
///
/// The folder's existing files are unchanged until [`publish`](Self::publish). So after a full disk or an interruption,
/// the folder still contains the complete results of an earlier run, not a mixture of two runs. Dropping the value
/// removes the staged files. A `Staged` can be shared between threads.
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
    /// The final path of each file, and its temporary file.
    files: Mutex<Vec<(PathBuf, Temporary)>>,
}

impl<'a> Staged<'a> {
    pub(super) fn new(folder: &'a OutputFolder) -> Self {
        Self { folder, files: Mutex::default() }
    }

    /// Stages a file. Creates subfolders as needed.
    ///
    /// # Errors
    ///
    /// The errors of [`OutputFolder::write`]. The file is then not staged.
    pub fn write(&self, relative_path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), ReportError> {
        let file = self.write_temporary(relative_path.as_ref(), bytes)?;
        self.push([file]);
        Ok(())
    }

    /// Stages a table as `stem.csv` and `stem.md`.
    ///
    /// # Errors
    ///
    /// The errors of [`write`](Self::write). Neither file is then staged.
    pub fn write_table(&self, stem: &str, table: &Table) -> Result<(), ReportError> {
        let csv = self.write_temporary(format!("{stem}.csv").as_ref(), table.to_csv().as_bytes())?;
        let markdown = self.write_temporary(format!("{stem}.md").as_ref(), table.to_markdown().as_bytes())?;
        self.push([csv, markdown]);
        Ok(())
    }

    /// Stages a figure as `stem.svg` and `stem.png`.
    ///
    /// # Errors
    ///
    /// The errors of [`write`](Self::write) and [`Figure::to_png`]. Neither file is then staged.
    pub fn write_figure(&self, stem: &str, figure: &Figure) -> Result<(), ReportError> {
        let svg = self.write_temporary(format!("{stem}.svg").as_ref(), figure.to_svg().as_bytes())?;
        let png = self.write_temporary(format!("{stem}.png").as_ref(), &figure.to_png()?)?;
        self.push([svg, png]);
        Ok(())
    }

    /// Publishes the staged files, replacing existing files of the same names. Removes the files in `stale` that are
    /// not staged.
    ///
    /// The file `seal` (such as a summary) is removed first and published last. So if `seal` exists, all other files
    /// are complete, even after a power failure during publication. [`OutputFolder::close`] waits until publication
    /// ends.
    ///
    /// # Errors
    ///
    /// If a path in `stale` or `seal` leads out of the folder, the operating system returns an error, or the folder is
    /// closed.
    pub fn publish<P: AsRef<Path>>(
        self,
        seal: impl AsRef<Path>,
        stale: impl IntoIterator<Item = P>,
    ) -> Result<(), ReportError> {
        let Self { folder, files } = self;
        let mut files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
        let seal = folder.resolve(seal.as_ref())?.0;
        let mut remove = vec![seal.clone()];
        for path in stale {
            let path = folder.resolve(path.as_ref())?.0;
            if files.iter().all(|(staged, _)| *staged != path) {
                remove.push(path);
            }
        }
        files.sort_by_key(|(path, _)| *path == seal);

        folder.while_open(&seal, || {
            for path in &remove {
                remove_if_exists(path).map_err(|source| ReportError::Write { path: path.clone(), source })?;
            }
            for (path, file) in files {
                file.rename_to(&path).map_err(|source| ReportError::Write { path, source })?;
            }
            Ok(())
        })
    }

    /// Writes one file under a temporary name in its final folder.
    fn write_temporary(&self, relative: &Path, bytes: &[u8]) -> Result<(PathBuf, Temporary), ReportError> {
        let (path, parent) = self.folder.resolve(relative)?;
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

/// Removes a file; succeeds if it does not exist.
pub(super) fn remove_if_exists(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
