//! Replays the corpus of the fuzz targets (`fuzz/README.md`): descriptions that broke an earlier version, and small ones
//! that reach much of the parser and of the builders.

mod file_targets;
#[path = "../../../longhand-data/tests/hostile/memory.rs"]
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

#[test]
fn model_file_corpus() {
    replay("tests/hostile/corpus/model_file", file_targets::model_file);
}

#[test]
fn checkpoint_corpus() {
    replay("tests/hostile/corpus/checkpoint", file_targets::checkpoint);
}

/// The texts that take the most memory per byte, for each part of the parser of TOML, in JSON as well.
#[test]
fn the_memory_of_parsing_a_description_is_bounded() {
    let dotted = format!("a{}=1", ".a".repeat(78)); // One part more exceeds the parser's limit of depth.
    let lines = |line: fn(usize, &str) -> String| (0..300).map(|i| line(i, &dotted)).collect::<String>();
    let list = |item: &str, count: usize| format!("layers=[{}]", format!("{item},").repeat(count));
    for text in [
        lines(|i, dotted| format!("{i}.{}\n", &dotted[2..])),
        lines(|i, _| format!("[{i}{}\n", ".".repeat(78))),
        lines(|i, dotted| format!("[a{i}.{}]\n{dotted}\n", &dotted[4..dotted.len() - 2])),
        list(&format!("{{{dotted}}}"), 300),
        list("{a=1}", 5_000),
        list("[1]", 10_000),
        list("[]", 10_000),
        list("1", 20_000),
        (0..5_000).map(|i| format!("{i:x}.a=1\n")).collect::<Vec<_>>().concat(),
        "[[a]]\na=1\n".repeat(5_000),
        format!("a={}", "{a=".repeat(10_000)),
        ["{", "[", ".", "a.", "=", "\"", "\"\\x", "'", ",", "#", "\u{1}", "\n"]
            .map(|part| part.repeat(20_000))
            .join("\n"),
        format!("{{{}}}", r#""a":{"a":1},"#.repeat(5_000)),
        format!(r#"{{"layers":[{}]}}"#, r#"{"type":"Tanh","a":1},"#.repeat(5_000)),
        format!(r#"{{"layers":[{}"#, r#"{"type":{"a":"#.repeat(5_000)),
    ] {
        targets::description(text.as_bytes());
    }
    for mark in ["{", "[", ".", "a.", "=", "\"", "\"\\x", "'", ",", "#", "\u{1}", "\n", "[]", "[a]", "a=", "\r"] {
        for start in ["", "layers=", "layers=[", "[", "[[", "{", r#"{"layers":["#] {
            targets::description(format!("{start}{}", mark.repeat(20_000)).as_bytes());
        }
    }
}

/// A safetensors file of this header, without tensors' bytes.
fn of_header(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

/// Inputs that are too large for the corpus.
#[test]
fn forged_headers_take_bounded_memory() {
    let tensors = (0..20_000).map(|i| format!(r#""{i:x}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#));
    let tensors = tensors.collect::<Vec<_>>().join(",");
    let dimensions = format!(r#""a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}"#, "1,".repeat(100_000));
    for (key, target) in
        [("longhand", file_targets::model_file as fn(&[u8])), ("longhand-checkpoint", file_targets::checkpoint)]
    {
        for payload in [
            "0,".repeat(100_000),
            "[],".repeat(50_000),
            r#"{\"a\":0},"#.repeat(20_000),
            r#"{\"\":0},"#.repeat(20_000),
            // Just more than a power of two, so that half of the list is unused.
            r#"{\"\":0},"#.repeat((1 << 14) + 1),
            "0,".repeat((1 << 17) + 1),
            format!("{}0{},", r#"{\"\":"#.repeat(120), "}".repeat(120)).repeat(200),
            format!("{}0{},", "[".repeat(120), "]".repeat(120)).repeat(200),
            "[".repeat(100_000),
            r#"{\"\":"#.repeat(20_000),
        ] {
            let json =
                format!(r#"{{\"checksum\":\"00000000\",\"format\":1,\"step\":1,\"metadata\":{{\"x\":[{payload}0]}}}}"#);
            target(&of_header(&format!(r#"{{"__metadata__":{{"{key}":"{json}"}}}}"#)));
        }
        let json = r#"{\"checksum\":\"00000000\",\"format\":1,\"step\":1}"#;
        for tensors in [&tensors, &dimensions] {
            target(&of_header(&format!(r#"{{"__metadata__":{{"{key}":"{json}"}},{tensors}}}"#)));
            target(&of_header(&format!("{{{tensors}}}")));
        }
        for shape in ["[18446744073709551615,2]", "[4294967296,4294967296]", "[1000000000000]", "[-1]", "[1e3]"] {
            let tensor = format!(r#""weight":{{"dtype":"F32","shape":{shape},"data_offsets":[0,4]}}"#);
            target(&of_header(&format!(r#"{{"__metadata__":{{"{key}":"{json}"}},{tensor}}}"#)));
        }
    }
    for length in [0, 7, 100, u64::MAX, 100_000_001] {
        file_targets::model_file(&length.to_le_bytes());
        file_targets::checkpoint(&length.to_le_bytes());
    }
}

/// The tensors of a file are in memory once.
#[test]
fn tensors_that_are_read_take_the_size_of_the_file() {
    let size = 32 << 20;
    let header = |metadata: &str| {
        of_header(&format!(
            r#"{{{metadata}"model/a":{{"dtype":"F32","shape":[{}],"data_offsets":[0,{size}]}}}}"#,
            size / 4
        ))
    };
    file_targets::read([header(""), vec![0; size]].concat().as_slice());
    let json = r#""__metadata__":{"longhand-checkpoint":"{\"checksum\":\"00000000\",\"format\":1,\"step\":1}"},"#;
    file_targets::read([header(json), vec![0; size]].concat().as_slice());
}

/// MessagePack states lengths in front of arrays and strings.
#[test]
fn forged_values_take_bounded_memory() {
    for bytes in [
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],       // An array of 2^32 - 1 elements.
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],       // A map.
        vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'a'], // A string.
        vec![0xc6, 0xff, 0xff, 0xff, 0xff, 0],    // Bytes.
        vec![0x91; 100_000],                      // Arrays inside of each other.
        [0xdc, 0xff, 0xff].iter().copied().chain(std::iter::repeat_n(0xc0, 65_535)).collect(),
    ] {
        let tensor = format!(r#""value/history":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}"#, bytes.len());
        let json = r#"{\"checksum\":\"00000000\",\"format\":1,\"step\":1}"#;
        let header = format!(r#"{{"__metadata__":{{"longhand-checkpoint":"{json}"}},{tensor}}}"#);
        file_targets::checkpoint(&[of_header(&header), bytes].concat());
    }
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
