//! Runs the short examples, and checks the results that their first lines state.

use std::path::Path;
use std::process::Command;

/// What the program `name` prints. Cargo builds it before it runs the tests.
fn printed(name: &str, arguments: &[&str]) -> String {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("<target>/<profile>/deps/<test>");
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} does not exist; build it with `cargo build --examples`", program.display());
    let output = Command::new(program).args(arguments).output().expect("the program can be run");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The numbers in a line, in order.
fn numbers(line: &str) -> Vec<f64> {
    line.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|word| word.parse().ok()).collect()
}

/// The numbers of the rows of a table that begin with a number.
fn rows(text: &str) -> Vec<Vec<f64>> {
    let is_row = |line: &&str| line.strip_prefix("| ").is_some_and(|row| row.starts_with(|c: char| c.is_ascii_digit()));
    text.lines().filter(is_row).map(numbers).collect()
}

#[test]
fn the_character_model_is_better_than_counting() {
    let text = printed("character_model", &[]);
    let line = text.lines().find(|line| line.starts_with("held out:")).expect("the result");
    let [bits, of_pairs, of_characters] = numbers(line)[..] else { panic!("{line}") };
    assert!(bits < 3.1 && of_pairs > 3.3 && of_characters > 4.3, "{line}");
    let written = text.lines().rev().take_while(|line| !line.starts_with("held out:")).collect::<Vec<_>>();
    assert!(written.len() >= 5, "the model writes verse: {written:?}");
}

#[test]
fn the_bands_of_the_forecast_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("forecast.svg");
    let text = printed("forecast", &["--out", picture.to_str().expect("UTF-8")]);
    let all = text.lines().find(|line| line.starts_with("| all")).expect("the last row");
    let [error, of_last, deviation, inside] = numbers(all)[..] else { panic!("{all}") };
    assert!(error < 0.3 * of_last, "{all}");
    assert!((deviation / error - 1.0).abs() < 0.3 && (85.0..97.0).contains(&inside), "{all}");
    let drawn = std::fs::read_to_string(&picture).expect("the picture");
    for text in ["90 % band", "forecast", "what came", "steps from the last value"] {
        assert!(drawn.contains(text), "the picture does not name `{text}`");
    }
}

#[test]
fn new_words_are_spelled() {
    let rates = rows(&printed("spelling", &[]));
    let (first, last) = (&rates[0], rates.last().expect("rows"));
    // The first row has no loss yet.
    assert!(first[1] > 0.7 && last[2] < 0.1, "{rates:?}");
}

#[test]
fn online_learning_adapts_without_allocating() {
    let rows = rows(&printed("online_learning", &[]));
    assert_eq!(rows.len(), 10);
    for row in &rows[1..] {
        let [_, error, of_last, allocations] = row[..] else { panic!("{row:?}") };
        assert!(error < 0.25 * of_last && allocations == 0.0, "{row:?}");
    }
    assert!(rows[5][1] > 1.2 * rows[4][1] && rows[9][1] < 0.9 * rows[5][1], "it adapts: {rows:?}");
}

#[test]
fn every_step_gets_its_activity() {
    let text = printed("label_every_step", &[]);
    let line = text.lines().find(|line| line.ends_with("steps are right")).expect("the result");
    assert!(numbers(line)[0] > 0.85, "{line}");
}

#[test]
fn an_own_cell_and_layer_are_proven_trained_and_streamed() {
    let text = printed("own_cell_and_layer", &[]);
    assert!(text.contains("the cell is proven") && text.contains("the layer is proven"), "{text}");
    assert!(text.contains("refused:\n    scale.weight"), "{text}");
    let line = text.lines().find(|line| line.starts_with("streamed")).expect("the result");
    let [right, all] = numbers(line)[..] else { panic!("{line}") };
    assert!(right >= all - 2.0, "{line}");
}
