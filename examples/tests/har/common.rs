//! Running the program, and reading what it wrote.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The program, which cargo builds before it runs the tests.
pub fn executable() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("<target>/<profile>/deps/<test>");
    let program = profile.join("examples").join(format!("har{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: `cargo build --examples` makes it", program.display());
    program
}

/// Options by name, without the dashes; a later value takes an earlier one's place.
#[derive(Clone)]
pub struct Options(BTreeMap<String, Option<String>>);

impl Options {
    /// A run of one model a part, over in a fraction of a second.
    pub fn small() -> Self {
        Options(BTreeMap::new())
            .flag("quick")
            .set("epochs", "1")
            .set("better-updates", "2")
            .set("seeds", "1")
            .set("train-per-class", "6")
            .set("test-per-class", "3")
            .set("validation-per-class", "2")
            .set("learning-rates", "0.1")
            .set("hidden", "4")
            .set("windows", "50")
    }

    /// As many models as the study has, all of them tiny.
    pub fn whole() -> Self {
        Options::small()
            .set("epochs", "3")
            .set("better-updates", "4")
            .set("seeds", "2")
            .set("train-per-class", "16")
            .set("test-per-class", "7")
            .set("validation-per-class", "5")
            .set("learning-rates", "0.1,0.05")
            .set("hidden", "4,6")
            .set("windows", "10,40")
    }

    pub fn set(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_str().expect("UTF-8").to_owned();
        self.0.insert(name.to_owned(), Some(value));
        self
    }

    pub fn flag(mut self, name: &str) -> Self {
        self.0.insert(name.to_owned(), None);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The command, with nothing connected to a terminal.
    pub fn command(&self) -> Command {
        let mut command = Command::new(executable());
        for (name, value) in &self.0 {
            command.arg(format!("--{name}")).args(value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self) -> Run {
        Run::from(self.command().output().expect("the program starts"))
    }
}

/// What came of a run that is over.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Run {
    /// Asserts that all went well, and quietly.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self
    }

    /// The lines before the first table.
    pub fn opening(&self) -> &str {
        self.stdout.split("\n\n").next().unwrap_or_default()
    }
}

/// A run with the folder it wrote.
pub struct Results {
    pub run: Run,
    folder: TempDir,
}

impl Results {
    /// Runs into a folder of its own, which the program is left to make.
    pub fn of(options: &Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = options.clone().set("out", folder.path().join("results")).run().succeeded();
        Results { run, folder }
    }

    /// The synthetic default with all parts: run once, for all tests that only look.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Results> = OnceLock::new();
        SHARED.get_or_init(|| Results::of(&Options::whole()))
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn summary(&self) -> Value {
        serde_json::from_str(&self.read("summary.json")).expect("summary.json")
    }

    /// A table's CSV: the headings, then the rows.
    pub fn csv(&self, name: &str) -> Vec<Vec<String>> {
        let text = self.read(&format!("tables/{name}.csv"));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|row| row.expect(name).iter().map(str::to_owned).collect()).collect()
    }
}

/// Names of all files below a folder, with `/` between the parts; none if there is no folder.
pub fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_str().expect("UTF-8");
                found.insert(name.replace('\\', "/"));
            }
        }
    }
    found
}

/// Asserts that every file of an output folder is one of ours, and whole.
pub fn assert_complete_files_only(folder: &Path) {
    for name in files(folder) {
        let path = folder.join(&name);
        let text = || fs::read_to_string(&path).expect(&name);
        assert!(!name.contains(".tmp"), "{name} was left behind");
        match path.extension().and_then(OsStr::to_str) {
            Some("png") => assert!(png_size(&path).0 > 0, "{name}"),
            Some("svg") => drop(roxmltree::Document::parse(&text()).expect(&name)),
            Some("json") => drop(serde_json::from_str::<Value>(&text()).expect(&name)),
            Some("csv" | "md") => assert!(text().ends_with('\n'), "{name} was cut off"),
            _ => panic!("{name} is no file of ours"),
        }
    }
}

/// Decodes a whole PNG, asserts that it shows something, and gives its width and height.
pub fn png_size(path: &Path) -> (u32, u32) {
    let file = std::io::BufReader::new(fs::File::open(path).expect("a PNG"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let frame = reader.next_frame(&mut pixels).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.finish().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let first = pixels[..4].to_vec();
    assert!(pixels.chunks(4).any(|pixel| pixel != first), "{} is blank", path.display());
    (frame.width, frame.height)
}

/// Numbers of a JSON array.
pub fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().unwrap_or_else(|| panic!("not an array: {value}"));
    array.iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// A real sample, no part of the project: below `HAR_DATA_DIR`, or else beside the workspace. Says so where missing.
pub fn sample(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("HAR_DATA_DIR").map_or(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    // Not through `println!`, which the test harness would swallow when the test passes.
    let note = format!("SKIPPED: no sample {name}; set HAR_DATA_DIR to the folder that holds it\n");
    std::io::stderr().write_all(note.as_bytes()).expect("stderr");
    None
}
