//! The output folder: whole files or none.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use tempfile::NamedTempFile;

use crate::figure::Figure;
use crate::{ReportError, Table};

/// A folder for results that only ever holds whole files.
///
/// Each file is written beside its final place under a hidden name (`.name.tmp-PID-xxxxxx`, PID being the
/// number of this process) and renamed when it is complete. May be shared between threads.
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
    /// Makes the folder if need be and checks, before any long work, that files can be written to it.
    ///
    /// # Errors
    ///
    /// If `path` is not a folder, cannot be made, or cannot be written to.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let path = path.into();
        match probe(&path) {
            Ok(()) => Ok(Self { path, closed: Mutex::new(false) }),
            Err(source) => Err(ReportError::Folder { path, source }),
        }
    }

    /// Checks, before any long work, that nothing of another kind has the name of a sub folder or a file to be written.
    ///
    /// # Errors
    ///
    /// If a sub folder's name is taken by a file, or a file's by a folder.
    pub fn check_names(&self, folders: &[&str], files: &[&str]) -> Result<(), ReportError> {
        let taken = |name: &&str, is_folder: bool| {
            let path = self.path.join(name);
            (path.exists() && path.is_dir() != is_folder).then_some(path)
        };
        if let Some(path) = folders.iter().find_map(|name| taken(name, true)) {
            return Err(ReportError::Folder { path, source: io::ErrorKind::NotADirectory.into() });
        }
        if let Some(path) = files.iter().find_map(|name| taken(name, false)) {
            return Err(ReportError::Write { path, source: io::ErrorKind::IsADirectory.into() });
        }
        Ok(())
    }

    /// The folder's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder, replacing an older one of that name; sub folders are made as needed.
    ///
    /// # Errors
    ///
    /// If `relative_path` leads out of the folder, if the operating system refuses, or if the folder is
    /// [closed](Self::close). The old file, if any, is then still there, unchanged.
    pub fn write(&self, relative_path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), ReportError> {
        self.while_open(relative_path.as_ref(), |path, name| {
            let prefix = format!(".{}{}", name.to_string_lossy(), temporary_mark());
            replace(path, &prefix, bytes)
        })
    }

    /// Removes a file of the folder, if it is there.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn remove(&self, relative_path: impl AsRef<Path>) -> Result<(), ReportError> {
        self.while_open(relative_path.as_ref(), |path, _| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    /// Does something to a file inside the folder, by its path and name, while nobody closes the folder.
    fn while_open(
        &self,
        relative: &Path,
        change: impl FnOnce(&Path, &OsStr) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let (true, Some(name)) = (inside, relative.file_name()) else {
            return Err(ReportError::OutsideFolder { path: relative.to_path_buf() });
        };
        let path = self.path.join(relative);
        let closed = self.closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *closed {
            return Err(ReportError::Closed { path });
        }
        change(&path, name).map_err(|source| ReportError::Write { path, source })
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

    /// Waits for the file being written, if any, and refuses all later ones.
    ///
    /// For a Ctrl-C handler: close the folder, [remove the temporaries](Self::remove_temporaries), exit.
    pub fn close(&self) {
        *self.closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
    }

    /// Removes this process's unfinished files in the folder and its sub folders, and says how many there were.
    ///
    /// Finished files are left alone, as are the unfinished ones of other processes. There is nothing to remove
    /// unless a write was cut short.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read or an unfinished file cannot be removed.
    pub fn remove_temporaries(&self) -> Result<usize, ReportError> {
        let _writing = self.closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        remove_marked(&self.path, &temporary_mark())
            .map_err(|source| ReportError::Folder { path: self.path.clone(), source })
    }
}

/// Makes the folder and proves by a file of one byte that it can be written to.
fn probe(path: &Path) -> io::Result<()> {
    if path.exists() && !path.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    fs::create_dir_all(path)?;
    let mut file = temporary(path, &format!(".probe{}", temporary_mark()))?;
    file.write_all(b"\n")?;
    file.close()
}

/// Writes beside and renames; the temporary file removes itself when something goes wrong.
fn replace(path: &Path, prefix: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = temporary(folder, prefix)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A file that only its owner could read would be a surprise among results, so ask for the usual rights.
fn temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The error would name the temporary file, which means nothing to a reader.
    builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))
}

fn temporary_mark() -> String {
    format!(".tmp-{}-", std::process::id())
}

fn remove_marked(folder: &Path, mark: &str) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            removed += remove_marked(&entry.path(), mark)?;
        } else if name.starts_with('.') && name.contains(mark) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn writes_whole_files_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path().join("new/results")).unwrap();
        assert!(files(folder.path()).is_empty(), "the probe is gone");

        folder.write("summary.json", b"{}").unwrap();
        folder.write("tables/b.csv", b"old and longer").unwrap();
        folder.write("tables/b.csv", b"new").unwrap();
        assert_eq!(files(folder.path()), ["summary.json", "tables"]);
        assert_eq!(files(&folder.path().join("tables")), ["b.csv"]);
        assert_eq!(fs::read(folder.path().join("tables/b.csv")).unwrap(), b"new");
    }

    #[test]
    fn tables_and_figures_have_two_forms() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path()).unwrap();
        let table = Table::new("scores").columns(["model"]);
        folder.write_table("tables/scores", &table).unwrap();
        let rows = [crate::figure::ScoreRow::new("model", vec![0.5])];
        let axis = crate::figure::ScoreAxis::new("score");
        let figure = crate::figure::score_comparison(&crate::figure::Caption::new("scores"), &axis, &rows).unwrap();
        folder.write_figure("figures/scores", &figure).unwrap();
        assert_eq!(files(&scratch.path().join("tables")), ["scores.csv", "scores.md"]);
        assert_eq!(files(&scratch.path().join("figures")), ["scores.png", "scores.svg"]);
    }

    #[test]
    fn removes_what_is_there_and_only_inside() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path()).unwrap();
        folder.write("tables/old.csv", b"1").unwrap();
        folder.remove("tables/old.csv").unwrap();
        folder.remove("tables/old.csv").unwrap();
        assert!(files(&scratch.path().join("tables")).is_empty());
        assert!(matches!(folder.remove("../old.csv"), Err(ReportError::OutsideFolder { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn results_have_the_usual_rights() {
        use std::os::unix::fs::PermissionsExt;

        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path()).unwrap();
        folder.write("ours", b"").unwrap();
        fs::write(scratch.path().join("plain"), b"").unwrap();
        let mode = |name: &str| fs::metadata(scratch.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("ours"), mode("plain"));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("file"), b"").unwrap();
        for path in ["file", "file/below"] {
            let path = scratch.path().join(path);
            let message = OutputFolder::create(&path).unwrap_err().to_string();
            assert!(message.contains(&path.display().to_string()), "{message}");
        }
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path()).unwrap();
        fs::create_dir(scratch.path().join("taken")).unwrap();
        assert!(matches!(folder.write("taken", b"x"), Err(ReportError::Write { .. })));
        assert_eq!(files(scratch.path()), ["taken"]);
    }

    #[test]
    fn paths_stay_inside() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path()).unwrap();
        for path in ["../out", "/out", "", ".", "a/../../out"] {
            assert!(matches!(folder.write(path, b""), Err(ReportError::OutsideFolder { .. })), "{path}");
        }
    }

    #[test]
    fn closing_and_clearing_up() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(scratch.path()).unwrap();
        folder.write("tables/b.csv", b"whole").unwrap();
        let unfinished = format!(".c.csv{}abc", temporary_mark());
        fs::write(scratch.path().join("tables").join(unfinished), b"ha").unwrap();
        fs::write(scratch.path().join(".d.tmp-0-abc"), b"another process's").unwrap();

        folder.close();
        assert_eq!(folder.remove_temporaries().unwrap(), 1);
        assert_eq!(files(&scratch.path().join("tables")), ["b.csv"]);
        assert!(scratch.path().join(".d.tmp-0-abc").exists());
        assert!(matches!(folder.write("later", b""), Err(ReportError::Closed { .. })));
    }
}
