//! Tests with small HDF5 files that h5py wrote (`tests/hdf5/reference_files.py`): layouts that are easily misread, and
//! files that must be rejected with the correct cause.

use std::path::{Path, PathBuf};

use hdf5_writer::{DatasetBuilder, FILTER_DEFLATE, FilterDescription, Hdf5Builder, WriteOptions};
use longhand_data::{DataError, ReadOptions, Source, Windows};

use super::{assert_fails, read_all, write};

/// Path of a reference file.
pub(super) fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hdf5").join(name)
}

/// Asserts that windows have the values of the reference files.
fn assert_reference(windows: &Windows, count: usize, name: &str) {
    assert_eq!((windows.len(), windows.steps, windows.channel_count()), (count, 4, 3), "{name}");
    for window in 0..count {
        let expected: Vec<f32> = (0..12).map(|i| (100 * window + 10 * (i / 3) + i % 3) as f32).collect();
        assert_eq!(windows.window(window), expected, "{name}, window {window}");
        assert_eq!(windows.labels[window], window % 3, "{name}, window {window}");
    }
}

#[test]
fn layouts_and_types_that_h5py_writes_are_read() {
    for name in [
        "fixed_array.h5",
        "implicit.h5",
        "unfiltered_edges.h5",
        "extensible_array.h5",
        "btree_v2.h5",
        "btree_v1.h5",
        "soft_link.h5",
        "small_types.h5",
        "big_endian.h5",
        "half.h5",
    ] {
        let data = read_all(&reference(name)).unwrap_or_else(|e| panic!("{e}"));
        let Source::GivenSplit { train, test } = &data.source else { panic!("HDF5 files have a given split") };
        assert_reference(train, 7, name);
        assert_reference(test, 3, name);
    }
}

#[test]
fn unsupported_files_are_rejected_with_the_cause() {
    for (name, cause) in [
        ("virtual.h5", "virtual dataset"),
        ("external_storage.h5", "external storage"),
        ("external_link.h5", "external link to a dataset of the file elsewhere.h5"),
    ] {
        let error = read_all(&reference(name)).unwrap_err();
        assert!(matches!(error, DataError::Hdf5Unsupported { dataset: "trX", .. }), "{error}");
        let message = error.to_string();
        for part in [name, "trX", cause, "h5py.File"] {
            assert!(message.contains(part), "the message must contain `{part}`: {message}");
        }
        assert!(!message.contains("corrupt"), "{message}");
    }
    let options = ReadOptions::default();
    assert_fails(&reference("in_use.h5"), &options, &["in_use.h5", "open for writing", "h5clear -s"]);
    assert_fails(&reference("bfloat16.h5"), &options, &["trX", "2 bytes that are not in an IEEE 754 format"]);
}

#[test]
fn datasets_too_large_for_their_file_are_rejected() {
    let error = read_all(&reference("never_written.h5")).unwrap_err();
    assert!(matches!(error, DataError::Hdf5TooLarge { dataset: "trX", bytes: 144_000_000, .. }), "{error}");
}

/// Deflate compresses zeros by a factor of about 1,000.
#[test]
fn highly_compressed_files_are_read() {
    let zeros = vec![0.0_f32; 80_000 * 150 * 3];
    let one_hot: Vec<u8> = (0..80_000_usize).flat_map(|i| [i % 2, 1 - i % 2]).map(|x| x as u8).collect();
    let compressed = |name: &str, windows: usize| {
        let filter = FilterDescription { id: FILTER_DEFLATE, name: None, client_data: vec![6] };
        let values = &zeros[..windows * 450];
        let builder = DatasetBuilder::typed_data(name, [windows as u64, 150, 3], values).unwrap();
        builder.chunked(vec![1_000, 150, 3]).filter(filter)
    };
    let labels = |name: &str, windows: usize| {
        DatasetBuilder::typed_data(name, [windows as u64, 2], &one_hot[..2 * windows]).unwrap()
    };
    let builder = Hdf5Builder::new().dataset(compressed("trX", 80_000)).dataset(labels("trY", 80_000));
    let builder = builder.dataset(compressed("tstX", 1_000)).dataset(labels("tstY", 1_000));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zeros.h5");
    write(&file, builder.into_plan().unwrap().encode(WriteOptions::default()).unwrap());
    assert!(file.metadata().unwrap().len() < 500_000);
    let data = read_all(&file).unwrap();
    let Source::GivenSplit { train, .. } = data.source else { panic!("HDF5 files have a given split") };
    assert_eq!(train.values(), zeros);
}
