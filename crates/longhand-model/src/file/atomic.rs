//! Files that are complete or not there.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The start and the end of the names of unfinished files.
const UNFINISHED: (&str, &str) = (".longhand-", ".unfinished");

/// Whether a file of this name is one that a process has left unfinished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

/// Writes a file under a temporary name beside it, synchronises it with the disk, and renames it. So after an error, a crash or a
/// power failure the file is the old one or the new one, complete. A file that is replaced keeps its permissions.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A symbolic link stays, and the file that it names is replaced.
    let path = target_of(path)?;
    let replaced = match std::fs::symlink_metadata(&path) {
        Ok(file) if file.is_file() => Some(file.permissions()),
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "there is something else than a file of this name",
            ));
        }
        Err(_) => None,
    };
    let folder = folder_of(&path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED.0).suffix(UNFINISHED.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What new files have without the temporary name: everything that the process's mask allows.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // Opened before anything is replaced, so that a folder that cannot be opened is an error without consequences.
    #[cfg(unix)]
    let opened_folder = File::open(&folder)?;
    let mut file = builder.tempfile_in(&folder)?;
    // Of the file itself: errors of `tempfile` would name the temporary file.
    file.as_file_mut().write_all(bytes)?;
    if let Some(permissions) = replaced {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    // The new name is in the folder, so the folder must reach the disk too. Other systems have no such call.
    #[cfg(unix)]
    opened_folder.sync_all()?;
    Ok(())
}

/// The file that a path names, behind any symbolic links, whether it exists or not.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    // As many as Linux follows.
    for _ in 0..40 {
        if !path.is_symlink() {
            return Ok(path);
        }
        path = folder_of(&path).join(std::fs::read_link(&path)?);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links"))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("occupied");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (link, path) = (folder.path().join("link"), folder.path().join("model"));
        write(&path, b"old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // Of a file that does not exist yet, relative to the folder of the link.
        fs::remove_file(&path).unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("model", &link).unwrap();
        write(&link, b"first").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let in_a_circle = folder.path().join("circle");
        std::os::unix::fs::symlink("circle", &in_a_circle).unwrap();
        assert!(write(&in_a_circle, b"new").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = write(&path, b"new").unwrap_err().to_string();
        assert!(error.contains("something else than a file"), "{error}");
        assert!(!fs::symlink_metadata(&path).unwrap().is_file());
    }
}
