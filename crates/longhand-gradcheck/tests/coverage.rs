//! Every public layer, loss and gradient function of `longhand` must be proven by a test.
//!
//! The test reads the sources of `longhand`, relative to `CARGO_MANIFEST_DIR`. Each item that it finds must be in the
//! list below, and each item in the list must be used in the file of tests named there. The items are
//!
//! - each type with an `impl .. Layer<..> for Type` or `impl .. Loss<..> for Type`, in any file;
//! - each alias of the recurrent layer, `pub type Name<T> = Recurrent<T, SomeCell>`, of which there must be one per
//!   cell;
//! - each variant of `Activation` and of `Nonlinearity`, because each is a different layer;
//! - each public function of `clipping.rs`.
//!
//! A new layer therefore fails this test until it is in the list, and then until a test builds the layer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The proven items, each with the file of tests that builds the item.
const PROVEN: &[(&str, &str)] = &[
    ("Activation", "mod.rs"),
    ("Activation::Elu", "pointwise.rs"),
    ("Activation::Gelu", "pointwise.rs"),
    ("Activation::HardSigmoid", "pointwise.rs"),
    ("Activation::HardSwish", "pointwise.rs"),
    ("Activation::HardTanh", "pointwise.rs"),
    ("Activation::LeakyRelu", "pointwise.rs"),
    ("Activation::Relu", "mod.rs"),
    ("Activation::Sigmoid", "mod.rs"),
    ("Activation::Silu", "pointwise.rs"),
    ("Activation::Softplus", "pointwise.rs"),
    ("Activation::Tanh", "mod.rs"),
    ("AttentionPooling", "pooling.rs"),
    ("Bidirectional", "mod.rs"),
    ("BoxedChain", "mod.rs"),
    ("BoxedLayer", "mod.rs"),
    ("CausalConvolution", "mod.rs"),
    ("CausalSelfAttention", "attention.rs"),
    ("Chain", "mod.rs"),
    ("ConnectionistTemporalClassification", "losses.rs"),
    ("Dropout", "mod.rs"),
    ("Elman", "mod.rs"),
    ("Embedding", "mod.rs"),
    ("FocalLoss", "losses.rs"),
    ("Frozen", "mod.rs"),
    ("GaussianNegativeLogLikelihood", "losses.rs"),
    ("Gru", "mod.rs"),
    ("Highway", "around_layers.rs"),
    ("HuberLoss", "losses.rs"),
    ("IndRnn", "mod.rs"),
    ("LastStep", "mod.rs"),
    ("LayerNorm", "pointwise.rs"),
    ("Linear", "mod.rs"),
    ("Lstm", "mod.rs"),
    ("MaxOverTime", "pooling.rs"),
    ("MeanAbsoluteError", "losses.rs"),
    ("MeanOverTime", "mod.rs"),
    ("MeanSquaredError", "mod.rs"),
    ("MinGru", "mod.rs"),
    ("MinimalGatedUnit", "mod.rs"),
    ("Nonlinearity::Relu", "mod.rs"),
    ("Nonlinearity::Tanh", "mod.rs"),
    ("ProjectedLstm", "mod.rs"),
    ("QuantileLoss", "losses.rs"),
    ("Residual", "mod.rs"),
    ("RmsNorm", "pointwise.rs"),
    ("SigmoidCrossEntropy", "mod.rs"),
    ("SoftmaxCrossEntropy", "mod.rs"),
    ("Stack", "around_layers.rs"),
    ("VariationalDropout", "pointwise.rs"),
    ("clip_by_global_norm", "optimizer_side.rs"),
    ("clip_by_value", "optimizer_side.rs"),
    ("global_norm", "optimizer_side.rs"),
];

/// The text in a test that shows that an item is proven. It is the name of the item, with exceptions.
fn evidence(name: &str) -> &str {
    match name {
        "Chain" => ".then(",
        // `Elman::zeros` uses tanh by default, without naming it.
        "Nonlinearity::Tanh" => "fn elman_with_tanh",
        "Activation::Elu" => "Activation::elu(",
        "Activation::LeakyRelu" => "Activation::leaky_relu(",
        name => name,
    }
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the sources of longhand must be next to this crate") {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The identifier at the start of a piece of source.
fn name(source: &str) -> String {
    source.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The types that implement a trait, found as `impl<..> Layer<T> for Type` on one line, as rustfmt formats it.
fn implementors<'a>(source: &'a str, of: &'a str) -> impl Iterator<Item = String> + 'a {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| line.trim_start().starts_with("impl")).filter_map(move |line| {
        // Only the implemented trait is followed by ` for `. A bound on a parameter is not.
        let found = format!(" {of}<");
        let traits = line.match_indices(&found).map(|(at, _)| &line[at + found.len()..]);
        let mut types = traits.filter_map(|arguments| after_brackets(arguments)?.strip_prefix(" for "));
        types.next().map(name)
    })
}

/// The source after the bracket that closes an already open bracket.
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

/// The recurrent layers as pairs of alias and cell, from `pub type Elman<T> = Recurrent<T, ElmanCell>;`.
fn recurrent_layers(source: &str) -> impl Iterator<Item = (String, String)> + '_ {
    source.lines().filter_map(|line| {
        let (alias, cell) = line.strip_prefix("pub type ")?.split_once("<T> = Recurrent<T, ")?;
        Some((name(alias), name(cell)))
    })
}

/// The variants of a public enum: the lines at the first level of indentation between its braces.
fn variants<'a>(source: &'a str, of: &str) -> Vec<&'a str> {
    let Some((_, body)) = source.split_once(&format!("pub enum {of} {{\n")) else { return Vec::new() };
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    let line = |line: &'a str| line.strip_prefix("    ").filter(|line| line.starts_with(char::is_uppercase));
    let name = |line: &'a str| line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    body.lines().filter_map(line).map(name).collect()
}

fn public_names() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../longhand/src"), &mut files);
    let mut names = BTreeSet::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a readable source");
        // Skip layers in the unit tests of the library.
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
    assert!(missing.is_empty(), "no test proves {missing:?} of longhand: add a test, and add the name to this list");
    let gone: Vec<_> = proven.difference(&public).collect();
    assert!(gone.is_empty(), "{gone:?} are in the list, but do not exist in longhand");
    for (name, file) in PROVEN {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker/every_layer").join(file);
        let tests = std::fs::read_to_string(tests).expect("a readable test");
        let uses = tests.lines().filter(|line| !line.starts_with("use ") && line.contains(evidence(name)));
        assert!(uses.count() > 0, "{name} is in the list, but no test in {file} uses it");
    }
}

/// A source reader that misses an implementation would make the test above pass without a proof.
#[test]
fn the_source_reader_finds_every_item() {
    let source = "impl<T: Scalar, A: Layer<T>, B: Layer<T, Input = A::Output>> Layer<T> for Chain<A, B> {\n\
                  impl<T: Scalar> Loss<T> for Squared {\n// impl Layer<T> for Comment\n\
                  impl<T: Scalar, L: Layer<T>> Default for Cache<T, L> {\n";
    assert_eq!(implementors(source, "Loss").collect::<Vec<_>>(), ["Squared"]);
    assert_eq!(implementors(source, "Layer").collect::<Vec<_>>(), ["Chain"]);
    let source = "pub type Elman<T> = Recurrent<T, ElmanCell>;\npub type Other<T> = Vec<T>;\n";
    assert_eq!(recurrent_layers(source).collect::<Vec<_>>(), [("Elman".to_owned(), "ElmanCell".to_owned())]);
    let source = "pub enum Activation {\n    /// The first.\n    Tanh,\n    Leaky {\n        Slope: f64,\n    },\n}\n";
    assert_eq!(variants(source, "Activation"), ["Tanh", "Leaky"]);
}
