//! No public layer, loss or function of the gradient without a proof.
//!
//! The sources of `longhand` are read, through `CARGO_MANIFEST_DIR`. What is found there must stand in the list
//! below, and what stands in the list must be used in the file that is to prove it:
//!
//! - each type with an `impl .. Layer<..> for Type` or `impl .. Loss<..> for Type`, in any file;
//! - for the recurrent layer, each alias `pub type Name<T> = Recurrent<T, SomeCell>`, and there must be one for each cell;
//! - each variant of `Activation` and of `Nonlinearity`, which are layers in one file;
//! - each public function of `clipping.rs`.
//!
//! So a new layer fails here until it stands in the list, and standing there fails until a test builds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is proven, and the file of these tests that builds it.
const PROVEN: &[(&str, &str)] = &[
    ("Activation", "mod.rs"),
    ("Activation::Relu", "mod.rs"),
    ("Activation::Sigmoid", "mod.rs"),
    ("Activation::Tanh", "mod.rs"),
    ("Bidirectional", "mod.rs"),
    ("Chain", "mod.rs"),
    ("Dropout", "mod.rs"),
    ("Elman", "mod.rs"),
    ("Embedding", "mod.rs"),
    ("Frozen", "mod.rs"),
    ("Gru", "mod.rs"),
    ("IndRnn", "mod.rs"),
    ("LastStep", "mod.rs"),
    ("Linear", "mod.rs"),
    ("Lstm", "mod.rs"),
    ("MeanOverTime", "mod.rs"),
    ("MeanSquaredError", "mod.rs"),
    ("MinimalGatedUnit", "mod.rs"),
    ("Nonlinearity::Relu", "mod.rs"),
    ("Nonlinearity::Tanh", "mod.rs"),
    ("Residual", "mod.rs"),
    ("SigmoidCrossEntropy", "mod.rs"),
    ("SoftmaxCrossEntropy", "mod.rs"),
    ("clip_by_global_norm", "optimizer_side.rs"),
    ("clip_by_value", "optimizer_side.rs"),
    ("global_norm", "optimizer_side.rs"),
];

/// What proves it, where that is not its name.
fn evidence(name: &str) -> &str {
    match name {
        "Chain" => ".then(",
        // The default of `Elman::zeros`.
        "Nonlinearity::Tanh" => "fn elman_with_tanh",
        name => name,
    }
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the sources of longhand are next to this crate") {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The name at the start of a piece of source.
fn name(source: &str) -> String {
    source.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The types that implement a trait: `impl<..> Layer<T> for Type`, on one line, as rustfmt writes it.
fn implementors<'a>(source: &'a str, of: &'a str) -> impl Iterator<Item = String> + 'a {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| line.trim_start().starts_with("impl")).filter_map(move |line| {
        // The trait that is implemented is followed by ` for `; a bound on a parameter is not.
        let found = format!(" {of}<");
        let traits = line.match_indices(&found).map(|(at, _)| &line[at + found.len()..]);
        let mut types = traits.filter_map(|arguments| after_brackets(arguments)?.strip_prefix(" for "));
        types.next().map(name)
    })
}

/// The source behind the bracket that closes one that is open already.
fn after_brackets(source: &str) -> Option<&str> {
    let mut open = 1;
    let close = source.char_indices().find(|&(_, c)| {
        open += match c {
            '<' => 1,
            '>' => -1,
            _ => 0,
        };
        open == 0
    });
    close.map(|(at, _)| &source[at + 1..])
}

/// The recurrent layers, each by its alias and its cell: `pub type Elman<T> = Recurrent<T, ElmanCell>;`.
fn recurrent_layers(source: &str) -> impl Iterator<Item = (String, String)> + '_ {
    source.lines().filter_map(|line| {
        let (alias, cell) = line.strip_prefix("pub type ")?.split_once("<T> = Recurrent<T, ")?;
        Some((name(alias), name(cell)))
    })
}

/// The variants of a public enum: what stands at the first level of indentation between its braces.
fn variants<'a>(source: &'a str, of: &str) -> Vec<&'a str> {
    let Some((_, body)) = source.split_once(&format!("pub enum {of} {{\n")) else { return Vec::new() };
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    let line = |line: &'a str| line.strip_prefix("    ").filter(|line| line.starts_with(char::is_uppercase));
    body.lines().filter_map(line).map(|line| line.trim_end_matches(',')).collect()
}

fn public_names() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../longhand/src"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a readable source");
        // A layer of the library's own unit tests is no layer of the library.
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        names.extend(implementors(source, "Layer").filter(|name| name != "Recurrent"));
        let cells: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("impl Cell for ")).map(name).collect();
        let layers: Vec<_> = recurrent_layers(source).collect();
        for cell in cells {
            assert!(layers.iter().any(|(_, of)| *of == cell), "{cell} has no layer in its file");
        }
        names.extend(layers.into_iter().map(|(layer, _)| layer));
        names.extend(implementors(source, "Loss"));
        for of in ["Activation", "Nonlinearity"] {
            names.extend(variants(source, of).iter().map(|variant| format!("{of}::{variant}")));
        }
        if file.file_name().is_some_and(|name| name == "clipping.rs") {
            names.extend(source.lines().filter_map(|line| line.strip_prefix("pub fn ")).map(name));
        }
    }
    names
}

#[test]
fn every_public_layer_and_loss_is_proven() {
    let proven: BTreeSet<String> = PROVEN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let public = public_names();
    let missing: Vec<_> = public.difference(&proven).collect();
    assert!(missing.is_empty(), "{missing:?} of longhand are proven nowhere: add a test, and the name to this list");
    let gone: Vec<_> = proven.difference(&public).collect();
    assert!(gone.is_empty(), "{gone:?} are in the list, but not in longhand");
    for (name, file) in PROVEN {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker/every_layer").join(file);
        let tests = std::fs::read_to_string(tests).expect("a readable test");
        let uses = tests.lines().filter(|line| !line.starts_with("use ") && line.contains(evidence(name)));
        assert!(uses.count() > 0, "{name} is in the list, but no test in {file} uses it");
    }
}

/// The reader of sources, which must not be the one that misses something.
#[test]
fn sources_are_read_as_they_are_written() {
    let source = "impl<T: Scalar, A: Layer<T>, B: Layer<T, Input = A::Output>> Layer<T> for Chain<A, B> {\n\
                  impl<T: Scalar> Loss<T> for Squared {\n// impl Layer<T> for Comment\n\
                  impl<T: Scalar, L: Layer<T>> Default for Cache<T, L> {\n";
    assert_eq!(implementors(source, "Loss").collect::<Vec<_>>(), ["Squared"]);
    assert_eq!(implementors(source, "Layer").collect::<Vec<_>>(), ["Chain"]);
    let source = "pub type Elman<T> = Recurrent<T, ElmanCell>;\npub type Other<T> = Vec<T>;\n";
    assert_eq!(recurrent_layers(source).collect::<Vec<_>>(), [("Elman".to_owned(), "ElmanCell".to_owned())]);
    let source = "pub enum Activation {\n    /// The first.\n    Tanh,\n    Leaky {\n        Slope: f64,\n    },\n}\n";
    assert_eq!(variants(source, "Activation"), ["Tanh", "Leaky {"]);
}
