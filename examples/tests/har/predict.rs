//! `har-predict` with models that `har` has saved.

use crate::common::{Options, Results, Run, executable, files};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub fn program() -> Command {
    let mut command = Command::new(executable().with_file_name(format!("har-predict{}", std::env::consts::EXE_SUFFIX)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn model(name: &str) -> PathBuf {
    Results::shared().path().join("models").join(name)
}

/// Runs the program with this standard input.
pub fn predict(arguments: &[&str], model: &Path, input: &str) -> Run {
    let mut process = program().arg(model).args(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.to_owned();
    // From a thread of its own: the program may stop before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let run = Run::from(process.wait_with_output().unwrap());
    writer.join().unwrap();
    run
}

pub fn lines(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Samples of three channels, at rest and then moving.
pub fn samples(count: usize) -> String {
    let mut text = String::new();
    for i in 0..count {
        let swing = if i < count / 2 { 0.0 } else { (i as f32 * 0.7).sin() };
        writeln!(text, "{},{},{}", 0.1 * swing, 1.0 + swing, 0.05).unwrap();
    }
    text
}

#[test]
fn every_trained_model_is_saved_and_classifies() {
    let results = Results::shared();
    let models: Vec<String> = files(&results.path()).into_iter().filter(|name| name.starts_with("models/")).collect();
    assert_eq!(models.len(), 8 + 8 + 2);
    let classes = results.summary()["data"]["classes"].clone();
    for name in models {
        let run = predict(&[], &results.path().join(&name), &samples(450));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let lines = lines(&run);
        assert_eq!(
            lines.iter().map(|line| line["time"].as_f64().unwrap()).collect::<Vec<_>>(),
            [3.0, 6.0, 9.0],
            "{name}"
        );
        for line in lines {
            assert!(classes.as_array().unwrap().contains(&line["activity"]));
            let probabilities = line["probabilities"].as_object().unwrap();
            assert_eq!(probabilities.len(), 6);
            let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
            assert!(name.contains("part") || (sum - 1.0).abs() < 1e-6, "{name}");
            let largest =
                probabilities.iter().max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap())).unwrap();
            assert_eq!(largest.0, line["activity"].as_str().unwrap());
        }
        assert!(run.stderr.starts_with("3 windows; latency ") && run.stderr.contains(" us per step"), "{}", run.stderr);
    }
}

#[test]
fn models_of_an_earlier_run_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::small().set("out", folder.path());
    options.clone().set("seeds", "2").set("parts", "better").run().succeeded();
    fs::write(folder.path().join("models/mine.safetensors"), b"").unwrap();
    options.set("parts", "b").run().succeeded();
    let models: Vec<String> = files(folder.path()).into_iter().filter(|name| name.starts_with("models/")).collect();
    assert_eq!(models, ["models/mine.safetensors", "models/part-b-1.safetensors"]);
}

#[test]
fn predictions_come_as_soon_as_a_window_is_complete() {
    let mut process = program().arg(model("better-1.safetensors")).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    stdin.write_all(samples(150).as_bytes()).unwrap();
    stdin.flush().unwrap();
    // The input is still open.
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with(r#"{"sample":150,"time":3.0,"activity":"#), "{line}");
    drop(stdin);
    assert!(process.wait().unwrap().success());
}

#[test]
fn columns_are_found_by_name_and_the_stride_overlaps_windows() {
    let channels = Results::shared().summary()["data"]["channels"].clone();
    let names: Vec<&str> =
        channels.as_array().unwrap().iter().map(|c| c.as_str().unwrap().split(' ').next().unwrap()).collect();
    // The channels in reverse, with a byte-order mark, quotes, another column and Windows line ends.
    let mut text = format!("\u{feff}time,\"{}\",{},{}\r\n", names[2], names[1], names[0]);
    for (i, line) in samples(300).lines().enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        write!(text, "{i}, {}, {}, {}\r\n", cells[2], cells[1], cells[0]).unwrap();
    }
    let model = model("better-1.safetensors");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.csv");
    fs::write(&path, text).unwrap();
    let named = predict(&["--csv", path.to_str().unwrap(), "--stride", "75"], &model, "");
    let plain = predict(&["--stride", "75"], &model, &samples(300));
    assert_eq!(named.stdout, plain.stdout);
    let times: Vec<f64> = lines(&named).iter().map(|line| line["time"].as_f64().unwrap()).collect();
    assert_eq!(times, [3.0, 4.5, 6.0]);
    // Other separators.
    for separator in [";", "\t", "  "] {
        let separated = samples(150).replace(',', separator);
        assert_eq!(predict(&[], &model, &separated).stdout, predict(&[], &model, &samples(150)).stdout);
    }
    // Windows with gaps in between.
    let apart = predict(&["--stride", "200"], &model, &samples(400));
    assert_eq!(lines(&apart).iter().map(|line| line["time"].as_f64().unwrap()).collect::<Vec<_>>(), [3.0, 7.0]);
}

#[test]
fn files_that_are_no_models_of_activities_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let run = predict(&[], &path, "");
    assert!(run.code == Some(1) && run.stderr.contains("the file cannot be read"), "{}", run.stderr);
    let bytes = fs::read(model("better-1.safetensors")).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let run = predict(&[], &path, "");
    assert!(run.code == Some(1) && run.stderr.contains("not a complete safetensors file"), "{}", run.stderr);
    let other = longhand_model::ModelFile::of(&longhand::Linear::<f32>::zeros(3, 6)).unwrap();
    other.save(&path).unwrap();
    let run = predict(&[], &path, "");
    assert!(run.stderr.contains("metadata `activity recognition`: the file has no such value"), "{}", run.stderr);
    // The other parts of the file do not fit its layers.
    let text = fs::read(model("better-1.safetensors")).unwrap();
    let file = longhand_model::ModelFile::from_bytes(&text).unwrap();
    for (from, to, message) in [
        ("samples", Value::from(2), "windows of 2 samples with 3 per step"),
        ("samples", Value::from(u64::from(u32::MAX)), "expected 1 to 1,000,000 samples"),
        (
            "channels",
            Value::from(vec![["x", "g"]; 100_000]),
            "the samples times the channels: expected at most 10,000,000",
        ),
        ("classes", Value::from(vec!["one"]), "the network has 9 inputs and 6 outputs"),
        ("sampling_rate", Value::from(-1), "the sampling rate must be positive"),
        // The times of samples would be infinite, or all zero.
        ("sampling_rate", Value::from(1e-320), "0.000001 to 1,000,000,000 Hz, got 1e-320 Hz"),
        ("sampling_rate", Value::from(1e300), "0.000001 to 1,000,000,000 Hz, got 1e300 Hz"),
        (
            "classes",
            Value::from(["a", "b", "c", "b\u{1b}[2J", "e", "b\u{1b}[2J"].to_vec()),
            r"two classes have the name `b\u{1b}[2J`",
        ),
        ("channels", Value::from(vec![["x", "g"], ["y", "g"], ["x", "g"]]), "two channels have the name `x`"),
        (
            "preparation",
            serde_json::json!({ "samples_per_step": 3, "normalisation": [[0.0], [0.0]] }),
            "a standard deviation is 0",
        ),
    ] {
        let mut wrong = file.metadata()["activity recognition"].clone();
        wrong[from] = to;
        file.clone().with("activity recognition", wrong).unwrap().save(&path).unwrap();
        let run = predict(&[], &path, "");
        assert!(run.code == Some(1) && run.stderr.contains(message), "{}", run.stderr);
    }
}
