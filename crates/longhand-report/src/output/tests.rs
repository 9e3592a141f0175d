//! Tests of the folder's contents after success, failure and interruption.

use super::*;

/// Sorted names of the entries of a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_write_leaves_only_the_complete_file() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path().join("new/results")).unwrap();
    assert!(files(folder.path()).is_empty(), "creating the folder must leave no file");

    folder.write("summary.json", b"{}").unwrap();
    folder.write("tables/b.csv", b"old and longer").unwrap();
    folder.write("tables/b.csv", b"new").unwrap();
    assert_eq!(files(folder.path()), ["summary.json", "tables"]);
    assert_eq!(files(&folder.path().join("tables")), ["b.csv"]);
    assert_eq!(fs::read(folder.path().join("tables/b.csv")).unwrap(), b"new");
}

#[test]
fn tables_and_figures_are_written_in_two_formats() {
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
fn remove_is_idempotent_and_confined_to_the_folder() {
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
fn files_have_the_default_permissions() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    folder.write("ours", b"").unwrap();
    fs::write(scratch.path().join("plain"), b"").unwrap();
    let mode = |name: &str| fs::metadata(scratch.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("ours"), mode("plain"));
}

#[test]
fn a_file_in_place_of_the_folder_is_named_in_the_error() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("file"), b"").unwrap();
    for path in ["file", "file/below"] {
        let path = scratch.path().join(path);
        let message = OutputFolder::create(&path).unwrap_err().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}

#[test]
fn a_failed_write_leaves_no_temporary_file() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    fs::create_dir(scratch.path().join("taken")).unwrap();
    assert!(matches!(folder.write("taken", b"x"), Err(ReportError::Write { .. })));
    assert_eq!(files(scratch.path()), ["taken"]);
}

#[test]
fn publishing_replaces_files_and_removes_stale_ones() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    for name in ["summary.json", "tables/a.csv", "tables/b.csv", "tables/mine.csv"] {
        folder.write(name, b"old").unwrap();
    }
    let read = |name: &str| fs::read_to_string(scratch.path().join(name)).unwrap();
    let staged = folder.stage();
    staged.write("summary.json", b"new").unwrap();
    staged.write("tables/a.csv", b"new").unwrap();
    assert!(matches!(staged.write("../a.csv", b""), Err(ReportError::OutsideFolder { .. })));
    assert_eq!(
        (read("summary.json"), read("tables/a.csv")),
        ("old".into(), "old".into()),
        "staging must not change existing files"
    );
    staged.publish("summary.json", ["tables/a.csv", "tables/b.csv", "tables/never.csv"]).unwrap();
    assert_eq!((read("summary.json"), read("tables/a.csv")), ("new".into(), "new".into()));
    assert_eq!(files(&scratch.path().join("tables")), ["a.csv", "mine.csv"]);
}

#[test]
fn dropping_staged_files_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    folder.write("tables/a.csv", b"old").unwrap();
    let staged = folder.stage();
    staged.write("tables/a.csv", b"new").unwrap();
    drop(staged);
    assert_eq!(files(&scratch.path().join("tables")), ["a.csv"]);
    assert_eq!(fs::read(scratch.path().join("tables/a.csv")).unwrap(), b"old");
}

#[test]
fn a_failed_publication_leaves_no_seal() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    folder.write("summary.json", b"old").unwrap();
    let staged = folder.stage();
    staged.write("summary.json", b"new").unwrap();
    staged.write("a.csv", b"new").unwrap();
    fs::create_dir_all(scratch.path().join("a.csv/in the way")).unwrap();
    let message = staged.publish("summary.json", [""; 0]).unwrap_err().to_string();
    assert!(message.contains("a.csv`") && !message.contains(".tmp-"), "{message}");
    assert_eq!(files(scratch.path()), ["a.csv"]);
}

#[test]
fn check_finds_names_that_are_taken() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    folder.check(["summary.json", "tables/a.csv"]).unwrap();
    assert!(files(scratch.path()).is_empty(), "check must create nothing");
    let check = |name: &str| folder.check([name]).unwrap_err().to_string();
    fs::create_dir_all(scratch.path().join("tables/a.csv")).unwrap();
    assert!(check("tables/a.csv").contains("a.csv`"), "{}", check("tables/a.csv"));
    fs::write(scratch.path().join("figures"), b"").unwrap();
    assert!(check("figures/b.svg").contains("figures`"), "{}", check("figures/b.svg"));
    assert!(matches!(folder.check(["../a"]), Err(ReportError::OutsideFolder { .. })));
}

/// With `/proc/self`, where not even root can create a file, and with a broken symbolic link.
#[cfg(target_os = "linux")]
#[test]
fn check_finds_subfolders_that_are_not_writable() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    for target in ["/proc/self", "nowhere"] {
        let link = scratch.path().join("tables");
        std::os::unix::fs::symlink(target, &link).unwrap();
        let message = folder.check(["tables/a.csv"]).unwrap_err().to_string();
        assert!(message.contains("tables`") && !message.contains(".tmp-"), "{message}");
        fs::remove_file(link).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn errors_name_the_final_file() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    let long = "n".repeat(300);
    for message in [
        folder.write(&long, b"x").unwrap_err().to_string(),
        folder.stage().write(format!("{long}/table.csv"), b"x").unwrap_err().to_string(),
    ] {
        assert!(message.contains(&long) && !message.contains(".tmp-"), "{message}");
    }
}

#[test]
fn paths_outside_the_folder_are_rejected() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    for path in ["../out", "/out", "", ".", "a/../../out"] {
        assert!(matches!(folder.write(path, b""), Err(ReportError::OutsideFolder { .. })), "{path}");
    }
}

#[test]
fn a_closed_folder_rejects_writes_and_removes_its_own_temporary_files() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    folder.write("tables/b.csv", b"whole").unwrap();
    let unfinished = format!("{}99", temporary::name_prefix());
    fs::write(scratch.path().join("tables").join(unfinished), b"ha").unwrap();
    fs::write(scratch.path().join(".tmp-0-1"), b"another process's").unwrap();

    folder.close();
    assert_eq!(folder.remove_temporaries().unwrap(), 1);
    assert_eq!(files(&scratch.path().join("tables")), ["b.csv"]);
    assert!(scratch.path().join(".tmp-0-1").exists());
    assert!(matches!(folder.write("later", b""), Err(ReportError::Closed { .. })));
}
