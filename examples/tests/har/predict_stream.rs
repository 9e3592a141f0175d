//! `har-predict` on a live stream: glitches and signals.

use crate::predict::{lines, model, predict, program, samples};
use crate::predict_memory::save_file;
use longhand::prelude::*;
use longhand_model::ModelFile;

#[test]
fn a_glitch_costs_its_windows_only() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors");
    let mut linear = Linear::<f32>::zeros(3, 2);
    linear.weight.fill(10.0);
    save_file(&model, ModelFile::of(&linear.then(MeanOverTime).unwrap()).unwrap(), 150);
    let text = format!("{}-3e38,3e38,3.4e38\n{}", samples(200), samples(249));
    let run = predict(&[], &model, &text);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let ends: Vec<u64> = lines(&run).iter().map(|line| line["sample"].as_u64().unwrap()).collect();
    assert_eq!(ends, [150, 450]);
    let problem = "standard input, samples 151 to 300 (3.00 s to 6.00 s): an output of the model is NaN or infinite";
    assert!(run.stderr.contains(&format!("skipped: {problem}")), "{}", run.stderr);
    assert!(run.stderr.contains(", 1 window skipped"), "{}", run.stderr);
    let run = predict(&["--on-error", "stop"], &model, &text);
    assert_eq!((run.code, lines(&run).len()), (Some(1), 1));
    assert!(run.stderr.contains(&format!("error: {problem}")), "{}", run.stderr);
}

#[cfg(unix)]
#[test]
fn a_signal_prints_the_summary() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let command = program();
        // The tests may have inherited ignored signals.
        let mut env = Command::new(if cfg!(target_os = "linux") { "env".as_ref() } else { command.get_program() });
        if cfg!(target_os = "linux") {
            env.args(["--default-signal=INT", "--default-signal=TERM", "--default-signal=HUP"]);
            env.arg(command.get_program());
        }
        env.arg(model("better-1.safetensors")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = env.spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdin.write_all(format!("{}x\n", samples(150)).as_bytes()).unwrap();
        stdin.flush().unwrap();
        stdout.read_line(&mut String::new()).unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut skipped = String::new();
        stderr.read_line(&mut skipped).unwrap();
        assert!(skipped.starts_with("skipped: standard input, line 151"), "{skipped}");
        // Time to count the line that was reported.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let status = Command::new("kill").args([&format!("-{signal}"), &process.id().to_string()]).status().unwrap();
        assert!(status.success());
        // The input is still open.
        let end = process.wait().unwrap();
        let mut summary = String::new();
        stderr.read_line(&mut summary).unwrap();
        assert_eq!(end.code(), Some(code), "{summary}");
        assert!(summary.starts_with("interrupted: 1 window; latency "), "{summary}");
        assert!(summary.contains(", 1 malformed line skipped"), "{summary}");
        drop(stdin);
    }
}
