//! The lines that `har-predict` reads: separators, headers, and malformed lines.

use crate::common::Run;
use crate::predict::{lines, model, predict, samples};
use std::fmt::Write as _;

/// The numbers of the last samples of the windows.
fn ends(run: &Run) -> Vec<u64> {
    lines(run).iter().map(|line| line["sample"].as_u64().unwrap()).collect()
}

#[test]
fn malformed_lines_are_skipped_or_stop_the_program() {
    let model = model("part-c-1.safetensors");
    let long = "9".repeat(200_000);
    let malformed = format!("1,2\nx,1,2\nnan,1,2\n1e999,1,2\n\n{long}\n\u{fffd}\u{fffd},,\n");
    let good = samples(150);
    let text = format!("0,1,0\n{malformed}{good}");
    let run = predict(&[], &model, &text);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("skipped: standard input, line 2: expected 3 numbers, got 2: `1,2`"), "{}", run.stderr);
    assert!(run.stderr.contains("line 3: expected a finite number, got `x`"), "{}", run.stderr);
    assert!(run.stderr.contains("line 7: the line has more than 65536 bytes"), "{}", run.stderr);
    assert!(run.stderr.contains("6 malformed lines skipped"), "{}", run.stderr);
    let run = predict(&["--on-error", "stop"], &model, &text);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert_eq!(run.stderr, "error: standard input, line 2: expected 3 numbers, got 2: `1,2`\n");
}

#[test]
fn a_malformed_line_is_a_lost_sample_and_ends_the_window() {
    let model = model("better-1.safetensors");
    let good = samples(150);
    let (first, others) = good.split_at(good.match_indices('\n').nth(99).unwrap().0 + 1);
    // 100 samples, 50 lost ones, and a whole window after them.
    let run = predict(&[], &model, &format!("{first}{}{good}{others}", "x,y,z\n".repeat(50)));
    assert_eq!(ends(&run), [300], "{}", run.stderr);
    assert_eq!(lines(&run)[0]["time"], 6.0);
    let whole = predict(&[], &model, &good);
    assert_eq!(lines(&run)[0]["probabilities"], lines(&whole)[0]["probabilities"]);
    // In the gap between two windows, and in windows that overlap.
    let after = |stride: &str, before: usize| {
        let text = format!("{}lost\n{}", samples(before), samples(300));
        ends(&predict(&["--stride", stride], &model, &text))
    };
    assert_eq!(after("400", 200), [150, 351]);
    assert_eq!(after("75", 200), [150, 351, 426, 501]);
}

#[test]
fn lines_before_the_first_well_formed_one_are_skipped() {
    let good = samples(150);
    let header = "acc.x,acc.y,acc.z\n";
    for first in [
        "0.5",
        "0.1,0.2x,0.3",
        "# phone log",
        "# phone log, acc.x",
        "sep=;",
        "phone log started",
        ",,",
        "x",
        "\u{1b}[2J",
    ] {
        for header in ["", header] {
            let text = format!("{first}\n{header}{good}");
            let run = predict(&[], &model("better-1.safetensors"), &text);
            assert_eq!(run.code, Some(0), "{first}: {}", run.stderr);
            assert!(run.stderr.starts_with("skipped: standard input, line 1: expected "), "{}", run.stderr);
            assert!(run.stderr.contains("1 malformed line skipped"), "{}", run.stderr);
            assert_eq!(run.stdout, predict(&[], &model("better-1.safetensors"), &good).stdout, "{first}");
            let run = predict(&["--on-error", "stop"], &model("better-1.safetensors"), &text);
            assert!(run.code == Some(1) && run.stderr.contains("line 1: expected"), "{}", run.stderr);
        }
    }
    let run = predict(&[], &model("better-1.safetensors"), "x\n1,2\n");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.ends_with("error: standard input: all lines are malformed\n"), "{}", run.stderr);
}

#[test]
fn a_header_with_other_channels_is_an_error() {
    for (text, message) in [
        (
            "a,b,c\n1,2,3\n",
            "line 1: there is no column `acc.x`; the columns are a, b, c, and the model needs acc.x, acc.y, acc.z",
        ),
        ("a b c\n1 2 3\n", "line 1: there is no column `acc.x`"),
        ("time;a;b;c;\n\n0;1;2;3;\n", "line 1: there is no column `acc.x`; the columns are time, a, b, c,"),
        ("time,a,b,c,label\n0,1,2,3,walking\n", "line 1: there is no column `acc.x`"),
        ("acc.x,acc.y,z\n", "line 1: there is no column `acc.z`"),
        ("0.5\nacc.z,acc.\n1,2,3\n", "line 2: there is no column `acc.x`"),
        ("acc.x,acc.y,acc.z,acc.x\n1,2,3,4\n", "line 1: two columns have the name `acc.x`"),
    ] {
        let run = predict(&[], &model("better-1.safetensors"), text);
        assert!(
            run.code == Some(1) && run.stderr.contains(&format!("error: standard input, {message}")),
            "{text}: {}",
            run.stderr
        );
    }
}

#[test]
fn quotes_and_separators_at_the_end_are_those_of_csv() {
    let model = model("better-1.safetensors");
    let expected = predict(&[], &model, &samples(150)).stdout;
    let each =
        |line: fn(&str) -> String| samples(150).lines().fold(String::new(), |text, cells| text + &line(cells) + "\n");
    for text in [
        "\"note, long\",acc.x,acc.y,acc.z\n".to_owned() + &each(|cells| format!("\"a, \"\"b\"\"\",{cells}")),
        "\"acc.x\" \"acc.y\"  \"acc.z\" \"a note\"\n".to_owned() + &each(|cells| cells.replace(',', "  ") + " \"a b\""),
        each(|cells| format!("{cells},")),
        "acc.x,acc.y,acc.z,\n".to_owned() + &each(|cells| format!("{cells},")),
        "acc.x,acc.y,acc.z,\n".to_owned() + &each(str::to_owned),
        "# acc.x,acc.y,acc.z\n".to_owned() + &each(str::to_owned),
        "acc.z;note;acc.y;acc.x\n".to_owned()
            + &each(|cells| cells.split(',').rev().collect::<Vec<_>>().join(";").replacen(';', ";;", 1)),
    ] {
        let run = predict(&["--on-error", "stop"], &model, &text);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert_eq!(run.stdout, expected, "{}", &text[..100]);
    }
}

#[test]
fn decimal_commas_are_named_in_the_message() {
    let model = model("better-1.safetensors");
    for text in [
        "0,5;1,2;0,25",
        "0,5;1,2;3",
        "0,5\t1,2\t3",
        "0,5 1,2 0,25",
        "acc.x;acc.y;acc.z\n0,5;1,2;0,25",
        "1,2,3\n0,5;1;2;",
    ] {
        let run = predict(&["--on-error", "stop"], &model, text);
        assert!(run.code == Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(": expected decimal points, got decimal commas: `0,5"), "{text}: {}", run.stderr);
    }
    let run = predict(&["--on-error", "stop"], &model, "acc.x;acc.y;acc.z;label\n0,5;1,2;3;walking\n");
    assert!(run.stderr.contains("got `0,5` with a decimal comma; use a point"), "{}", run.stderr);
}

#[test]
fn messages_are_short_and_have_no_control_characters() {
    let model = model("better-1.safetensors");
    let header = (0..5_000).fold("acc.x".to_owned(), |text, i| text + &format!(",\u{1b}[2J{i}"));
    for first in [&header, "\u{1b}]0;title\u{7},\r\u{8},\u{202e}x", "1,2,\u{1b}[31m3", "\u{9b}2J;\u{0};\u{7f}"] {
        let run = predict(&[], &model, &format!("{first}\n{}", samples(3)));
        let is_shown = |character: char| {
            character == '\n' || (character == ' ' || !character.is_control()) && character != '\u{202e}'
        };
        assert!(run.stderr.chars().all(is_shown) && run.stderr.len() < 1_000, "{:?}", run.stderr);
        assert!(run.stderr.contains("line 1"), "{}", run.stderr);
    }
    let mut text = String::new();
    write!(text, "1,2,3\n1,2,{}\n", "x".repeat(60_000)).unwrap();
    assert!(predict(&[], &model, &text).stderr.len() < 300);
}
