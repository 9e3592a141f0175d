//! Metadata, and files on a disk.

use crate::{bits, bytes, elman};
use longhand::prelude::*;
use longhand_model::{FileError, Model, ModelFile, load, save};

#[test]
fn metadata_and_files_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = elman(Nonlinearity::Tanh, 1);
    ModelFile::of(&model).unwrap().with("mean", [0.1_f64, 1e-300]).unwrap().save(&path).unwrap();
    let file = ModelFile::open(&path).unwrap();
    assert_eq!(file.get::<Vec<f64>>("mean").unwrap(), [0.1, 1e-300]);
    let error = file.get::<Vec<f64>>("deviation").unwrap_err().to_string();
    assert!(error.ends_with("metadata `deviation`: the file has no such value"), "{error}");
    let error = file.get::<String>("mean").unwrap_err().to_string();
    assert!(error.contains("invalid type: sequence, expected a string"), "{error}");
    assert_eq!(bits(&Model::<f32>::open(&path).unwrap()), bits(&model));
    let mut loaded = elman(Nonlinearity::Tanh, 2);
    load(&mut loaded, &path).unwrap();
    save(&loaded, &path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes(&model));
}

#[test]
fn metadata_that_json_cannot_hold_is_refused() {
    let file = || ModelFile::of(&Linear::<f32>::zeros(1, 1)).unwrap();
    for number in [f64::NAN, f64::INFINITY] {
        let error = file().with("deviation", vec![Some(1.0), Some(number)]).unwrap_err().to_string();
        assert!(error.contains("metadata `deviation`: a number is NaN or infinite"), "{error}");
    }
    assert_eq!(file().with("deviation", None::<f32>).unwrap().get::<Option<f32>>("deviation").unwrap(), None);
}

#[test]
fn paths_that_are_no_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("missing"), "".into(), "/dev/null/model".into()] {
        let error = ModelFile::open(&path).unwrap_err();
        assert!(matches!(error, FileError::Read { .. }), "{error}");
        assert!(matches!(ModelFile::open_changed(&path), Err(FileError::Read { .. })));
    }
    let model = Linear::<f32>::zeros(1, 1);
    for path in [folder.path().to_path_buf(), folder.path().join("missing/model"), "".into(), "/dev/null/model".into()]
    {
        let error = save(&model, &path).unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_can_be_written_can_be_read() {
    let file = || ModelFile::of(&Linear::<f32>::zeros(1, 1)).unwrap();
    let nested = |levels: usize| (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
    for levels in [1, 100, 120, 125, 126, 127, 128, 200] {
        match file().with("nested", nested(levels)).unwrap().to_bytes() {
            Ok(bytes) => assert_eq!(ModelFile::from_bytes(&bytes).unwrap().metadata()["nested"], nested(levels)),
            Err(error) => {
                assert!(error.to_string().contains("recursion limit exceeded"), "{error}");
                assert!(levels > 120, "{levels} levels");
            }
        }
    }
    // A model that is deeper than a description can be.
    let mut deep = BoxedLayer::<f32>::new(Activation::Tanh);
    for _ in 0..200 {
        deep = BoxedLayer::new(Residual::new(deep).unwrap());
    }
    assert!(matches!(ModelFile::of(&deep).unwrap().to_bytes(), Err(FileError::NotReadable { .. })));
}
