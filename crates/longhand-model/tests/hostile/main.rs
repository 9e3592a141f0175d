//! Replays the corpus of the fuzz targets (`fuzz/README.md`): descriptions that broke an earlier version, and small ones
//! that reach much of the parser and of the builders.

mod memory;
mod targets;

use std::fs;
use std::path::Path;

/// Runs a target on the files of a folder, each also cut to half its length.
fn replay(folder: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("the folder exists").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    for file in files {
        eprintln!("{}", file.display()); // Shown if the test fails.
        let input = fs::read(&file).expect("the file can be read");
        target(&input);
        target(&input[..input.len() / 2]);
    }
}

#[test]
fn description_corpus() {
    replay("tests/hostile/corpus/description", targets::description);
}

/// A description whose layer is inside of `levels` others, with `payload` as a setting of the innermost one.
fn nested(levels: usize, payload: &str) -> String {
    let (open, close) = ("{\"layer\":\"Frozen\",\"inner\":".repeat(levels), "}".repeat(levels));
    format!("{{\"inputs\":2,\"layers\":[{open}{{\"layer\":\"Tanh\",\"x\":{payload}}}{close}]}}")
}

/// Inputs that are too large for the corpus.
#[test]
fn long_and_nested_descriptions_take_bounded_memory() {
    for payload in [
        format!("[{}0]", "{},".repeat(30_000)),
        format!("[{}0]", "[],".repeat(30_000)),
        format!("[{}0]", "{\"a\":0},".repeat(10_000)),
        format!("\"{}\"", "a".repeat(100_000)),
        format!("{{{}\"b\":0}}", (0..10_000).fold(String::new(), |text, i| text + "\"" + &i.to_string() + "\":0,")),
    ] {
        for levels in [0, 1, 10, 25, 40] {
            targets::description(nested(levels, &payload).as_bytes());
        }
    }
    for levels in [45, 60, 130, 100_000] {
        targets::description(nested(levels, "0").as_bytes());
        targets::description(format!("layers = {}", "[".repeat(levels)).as_bytes());
        targets::description(format!("a{} = 1", ".a".repeat(levels)).as_bytes());
        targets::description(format!("[{}a]\nb = 1", "a.".repeat(levels)).as_bytes());
        targets::description(format!("layers = {}", "{layer = \"Frozen\", inner = ".repeat(levels)).as_bytes());
    }
    let many = "{\"layer\":\"Tanh\"},".repeat(10_000);
    targets::description(format!("{{\"inputs\":2,\"layers\":[{many}{{\"layer\":\"Tanh\"}}]}}").as_bytes());
    let many = "[[layers]]\nlayer = \"Tanh\"\n".repeat(10_000);
    targets::description(format!("inputs = 2\n{many}").as_bytes());
}
