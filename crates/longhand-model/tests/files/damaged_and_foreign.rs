//! Files that are damaged, forged, newer, or of other software.

use crate::{bytes, generator};
use longhand::prelude::*;
use longhand_model::{FileError, LayerDescription, Model, ModelDescription, ModelFile, TensorNames};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

/// A name with a line break and a terminal's command to clear the screen.
#[test]
fn names_in_files_cannot_change_the_terminal() {
    let name = "weight\n\u{1b}[2J";
    let zero = 0_f32.to_le_bytes();
    let tensor = TensorView::new(safetensors::Dtype::F32, vec![1], &zero).unwrap();
    let bytes = safetensors::serialize([(name, tensor)], None).unwrap();
    let file = ModelFile::from_bytes(&bytes).unwrap();
    let tensors = file.load_tensors(&mut Linear::<f32>::zeros(1, 1), &TensorNames::new()).unwrap_err();
    let of =
        |layer| Model::<f32>::build(&ModelDescription::new(1).then(layer), &mut generator(1)).unwrap_err().to_string();
    let layer = of(LayerDescription::new(name));
    let setting = of(LayerDescription::new("LastStep").with(name, 1));
    for error in [tensors.to_string(), layer, setting] {
        assert!(!error.contains('\u{1b}') && error.contains("\\n\\u{1b}[2J"), "{error}");
    }
}

#[test]
fn pickles_newer_files_and_other_files_are_refused() {
    for pickle in [b"PK\x03\x04more".as_slice(), b"\x80\x02}q", b"\x80\x04\x95\n\0\0\0\0\0\0\0}"] {
        let error = ModelFile::from_bytes(pickle).unwrap_err().to_string();
        assert!(error.contains("weights_only=True"), "{error}");
    }
    let header = HashMap::from([("longhand".to_owned(), r#"{"format": 99, "shape": "new"}"#.to_owned())]);
    let newer = safetensors::serialize(HashMap::<String, TensorView<'_>>::new(), Some(header)).unwrap();
    assert!(matches!(ModelFile::from_bytes(&newer), Err(FileError::TooNew { found: 99, .. })));
    for damaged in [b"".as_slice(), b"12345678", &bytes(&Linear::<f32>::zeros(1, 1))[..100]] {
        assert!(matches!(ModelFile::from_bytes(damaged), Err(FileError::Format { .. })));
    }
    let of_pytorch = safetensors::serialize(HashMap::<String, TensorView<'_>>::new(), None).unwrap();
    let file = ModelFile::from_bytes(&of_pytorch).unwrap();
    assert!(matches!(file.build::<f32>(), Err(FileError::NoDescription { .. })));
}

/// The first bytes are the length of the header; `80 02`, the start of a pickle, is a length of 640.
#[test]
fn a_header_of_any_length_is_no_pickle() {
    let model = Linear::<f32>::zeros(2, 1);
    let mut lengths = Vec::new();
    for length in 1..800 {
        let bytes = ModelFile::of(&model).unwrap().with("note", "x".repeat(length)).unwrap().to_bytes().unwrap();
        lengths.push(bytes[..2].to_vec());
        ModelFile::from_bytes(&bytes).unwrap();
    }
    assert!(lengths.contains(&vec![0x80, 2]));
}

#[test]
fn a_change_of_any_byte_is_noticed() {
    let model = Linear::<f32>::new(2, 1, &mut generator(1));
    let bytes = ModelFile::of(&model).unwrap().with("note", r#"{\"checksum\":\"12345678"#).unwrap().to_bytes().unwrap();
    assert!(ModelFile::from_bytes(&bytes).is_ok());
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            // Without the name of the metadata, the file is one of other software.
            let is_of_longhand = ModelFile::from_bytes(&changed).is_ok_and(|file| file.description().is_some());
            assert!(!is_of_longhand, "byte {place}");
        }
    }
}

#[test]
fn a_file_that_other_software_has_changed_is_opened_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut bytes = bytes(&Linear::<f32>::zeros(1, 1));
    let last = bytes.len() - 1;
    bytes[last] = 0x3f;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(ModelFile::open(&path), Err(FileError::Checksum { .. })));
    ModelFile::open_changed(&path).unwrap().load(&mut Linear::<f32>::zeros(1, 1)).unwrap();
}

#[test]
fn a_small_file_cannot_ask_for_a_large_model() {
    let description = ModelDescription::new(1000)
        .then(LayerDescription::new("Lstm").with("units", 1000))
        .then(LayerDescription::new("Linear").with("outputs", 2));
    let header = serde_json::json!({ "format": 1, "model": description }).to_string();
    let metadata = HashMap::from([("longhand".to_owned(), header)]);
    // Only floating-point numbers count.
    let integers = HashMap::from([("a", TensorView::new(Dtype::U8, vec![100], &[0; 100]).unwrap())]);
    let bytes = safetensors::serialize(integers, Some(metadata)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forged.safetensors");
    std::fs::write(&path, bytes).unwrap();
    let error = ModelFile::open_changed(&path).unwrap().build::<f32>().unwrap_err().to_string();
    assert!(error.contains("layers[0] (`Lstm`)") && error.contains("more than 0 parameters"), "{error}");
}
