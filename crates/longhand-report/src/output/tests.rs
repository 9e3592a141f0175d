//! What the folder holds after success, failure and interruption.

use super::*;

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
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
fn staged_files_appear_together_and_stale_ones_go() {
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
    assert_eq!((read("summary.json"), read("tables/a.csv")), ("old".into(), "old".into()), "not yet");
    staged.publish("summary.json", ["tables/a.csv", "tables/b.csv", "tables/never.csv"]).unwrap();
    assert_eq!((read("summary.json"), read("tables/a.csv")), ("new".into(), "new".into()));
    assert_eq!(files(&scratch.path().join("tables")), ["a.csv", "mine.csv"]);
}

#[test]
fn staged_files_that_are_dropped_change_nothing() {
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
fn a_publication_that_fails_leaves_no_seal() {
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
fn names_that_are_taken_are_found_beforehand() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = OutputFolder::create(scratch.path()).unwrap();
    folder.check(["summary.json", "tables/a.csv"]).unwrap();
    assert!(files(scratch.path()).is_empty(), "a check creates nothing");
    let check = |name: &str| folder.check([name]).unwrap_err().to_string();
    fs::create_dir_all(scratch.path().join("tables/a.csv")).unwrap();
    assert!(check("tables/a.csv").contains("a.csv`"), "{}", check("tables/a.csv"));
    fs::write(scratch.path().join("figures"), b"").unwrap();
    assert!(check("figures/b.svg").contains("figures`"), "{}", check("figures/b.svg"));
    assert!(matches!(folder.check(["../a"]), Err(ReportError::OutsideFolder { .. })));
}

/// A folder in which no file can be created, even by the administrator, and a link that leads nowhere.
#[cfg(target_os = "linux")]
#[test]
fn sub_folders_that_cannot_be_written_are_found_beforehand() {
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
fn errors_name_the_file_asked_for() {
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
    let unfinished = format!("{}99", temporary::mark());
    fs::write(scratch.path().join("tables").join(unfinished), b"ha").unwrap();
    fs::write(scratch.path().join(".tmp-0-1"), b"another process's").unwrap();

    folder.close();
    assert_eq!(folder.remove_temporaries().unwrap(), 1);
    assert_eq!(files(&scratch.path().join("tables")), ["b.csv"]);
    assert!(scratch.path().join(".tmp-0-1").exists());
    assert!(matches!(folder.write("later", b""), Err(ReportError::Closed { .. })));
}
