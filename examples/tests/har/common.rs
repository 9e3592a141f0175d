//! Runs the program and reads the files it wrote.

use longhand_model::ModelFile;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The path of the program, which cargo builds before it runs the tests.
pub fn executable() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("<target>/<profile>/deps/<test>");
    let program = profile.join("examples").join(format!("har{}", std::env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} does not exist; build it with `cargo build --examples`", program.display());
    program
}

/// Options by name, without the dashes. Setting an option again replaces its value.
#[derive(Clone)]
pub struct Options(BTreeMap<String, Option<String>>);

impl Options {
    /// One model per part; takes a fraction of a second.
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

    /// The study's number of models, all of them tiny.
    pub fn full_grid() -> Self {
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

    /// The command, with no stream connected to a terminal.
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

/// The exit code and the output of a finished run.
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
    /// Asserts that the exit code is 0 and that standard error is empty.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self
    }

    /// The lines before the training starts.
    pub fn opening(&self) -> &str {
        self.stdout.split("\n\n").next().unwrap_or_default()
    }
}

/// A finished run with its output folder.
pub struct Results {
    pub run: Run,
    folder: TempDir,
}

impl Results {
    /// Runs with a new output folder, which the program must create.
    pub fn of(options: &Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = options.clone().set("out", folder.path().join("results")).run().succeeded();
        Results { run, folder }
    }

    /// All parts on synthetic recordings. Run once, for all tests that only read the results.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Results> = OnceLock::new();
        SHARED.get_or_init(|| Results::of(&Options::full_grid()))
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

    /// The records of a table's CSV file: the headings, then the rows.
    pub fn csv(&self, name: &str) -> Vec<Vec<String>> {
        let text = self.read(&format!("tables/{name}.csv"));
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|row| row.expect(name).iter().map(str::to_owned).collect()).collect()
    }
}

/// Names of all files below a folder, with `/` as separator. Empty if the folder does not exist.
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

/// The same without the folder of the models.
pub fn tables_and_figures(folder: &Path) -> BTreeSet<String> {
    files(folder).into_iter().filter(|name| !name.starts_with("models/")).collect()
}

/// Asserts that all files of an output folder have known types and are complete.
pub fn assert_complete_files_only(folder: &Path) {
    for name in files(folder) {
        let path = folder.join(&name);
        let text = || fs::read_to_string(&path).expect(&name);
        assert!(!name.contains(".tmp"), "{name} is a temporary file");
        match path.extension().and_then(OsStr::to_str) {
            Some("png") => assert!(png_size(&path).0 > 0, "{name}"),
            Some("svg") => drop(roxmltree::Document::parse(&text()).expect(&name)),
            Some("json") => drop(serde_json::from_str::<Value>(&text()).expect(&name)),
            Some("safetensors") => drop(ModelFile::open(&path).expect(&name)),
            Some("csv" | "md") => assert!(text().ends_with('\n'), "{name} is truncated"),
            _ => panic!("{name} has an unexpected extension"),
        }
    }
}

/// Decodes a PNG file, asserts that not all pixels are equal, and returns its width and height.
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

/// Converts a JSON array to numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().unwrap_or_else(|| panic!("not an array: {value}"));
    array.iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// The path of a real data set, which is not part of the repository: in `HAR_DATA_DIR`, or in `shared/data` beside the
/// workspace. Prints a note and returns `None` if it does not exist.
pub fn sample(name: &str) -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("HAR_DATA_DIR").map_or(default, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    // The test harness captures `println!`, so write to standard error directly.
    let note = format!("SKIPPED: data set {name} not found; set HAR_DATA_DIR to the folder that contains it\n");
    std::io::stderr().write_all(note.as_bytes()).expect("stderr");
    None
}
