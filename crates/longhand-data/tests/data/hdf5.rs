//! Tests of the HDF5 loader: the real file, generated files, and corrupt copies of both.

use std::fs;
use std::path::Path;

use hdf5_writer::{DatasetBuilder, FILTER_DEFLATE, FILTER_SHUFFLE, FilterDescription, Hdf5Builder, WriteOptions};
use longhand_data::{ReadOptions, Source, SplitRule, WindowOptions, read};

use super::{assert_fails, assert_message, read_all, sample, write};

/// Contents of a small file: 12 training and 8 test windows of 5 steps, 4 channels and 3 classes.
#[derive(Clone)]
struct Contents {
    shapes: [Vec<u64>; 4],
    values: [Vec<f64>; 4],
}

const NAMES: [&str; 4] = ["trX", "trY", "tstX", "tstY"];

impl Contents {
    fn good() -> Self {
        let x = |n: usize| (0..n * 5 * 4).map(|i| i as f64 / 8.0).collect();
        let y = |n: usize| (0..n * 3).map(|i| if i % 3 == i / 3 % 3 { 1.0 } else { 0.0 }).collect();
        Self { shapes: [vec![12, 5, 4], vec![12, 3], vec![8, 5, 4], vec![8, 3]], values: [x(12), y(12), x(8), y(8)] }
    }

    /// Writes the datasets that `build` returns; omits a dataset for which it returns `None`.
    fn write(&self, path: &Path, build: impl Fn(&str, &[u64], &[f64]) -> Option<DatasetBuilder>) {
        let datasets = NAMES.iter().zip(&self.shapes).zip(&self.values).filter_map(|((n, s), v)| build(n, s, v));
        let plan = datasets.fold(Hdf5Builder::new(), Hdf5Builder::dataset).into_plan().unwrap();
        write(path, plan.encode(WriteOptions::default()).unwrap());
    }

    fn write_plain(&self, path: &Path) {
        self.write(path, double);
    }
}

#[expect(clippy::unnecessary_wraps)] // The signature that `write` expects.
fn double(name: &str, shape: &[u64], values: &[f64]) -> Option<DatasetBuilder> {
    Some(DatasetBuilder::typed_data(name, shape, values).unwrap())
}

fn float(name: &str, shape: &[u64], values: &[f64]) -> DatasetBuilder {
    let values: Vec<f32> = values.iter().map(|&x| x as f32).collect();
    DatasetBuilder::typed_data(name, shape, &values).unwrap()
}

fn filter(id: u16, client_data: &[u32]) -> FilterDescription {
    FilterDescription { id, name: None, client_data: client_data.to_vec() }
}

#[test]
fn the_real_sample_has_the_studys_shapes() {
    let Some(file) = sample("report/har_report_layout.h5") else { return };
    let data = read_all(&file).unwrap();
    let Source::GivenSplit { train, test } = &data.source else { panic!("HDF5 files have a given split") };
    assert_eq!((train.len(), test.len()), (3_000, 600));
    assert_eq!((train.steps, train.channel_count()), (150, 3));
    assert_eq!((train.count_by_class(), test.count_by_class()), (vec![500; 6], vec![100; 6]));
    assert_eq!(data.classes[..2], ["downstairs", "jogging"]);
    let split = data.split(&WindowOptions::default(), &SplitRule::Given, 1).unwrap();
    assert_eq!((&split.train, &split.test), (train, test));
    let message =
        data.split(&WindowOptions::default(), &SplitRule::People { test: vec![1] }, 1).unwrap_err().to_string();
    assert_message(&message, &["does not identify the person", "split it by random windows"]);
}

#[test]
fn truncated_copies_of_the_real_sample_are_rejected() {
    let Some(file) = sample("report/har_report_layout.h5") else { return };
    let bytes = fs::read(file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("cut.h5");
    for length in [9, 100, 2_048, 5_000, bytes.len() / 2, bytes.len() - 1] {
        write(&copy, &bytes[..length]);
        assert_fails(&copy, &ReadOptions::default(), &["cut.h5", "truncated or corrupt"]);
    }
    write(&copy, &bytes[..4]);
    assert_fails(&copy, &ReadOptions::default(), &["cut.h5", "not an HDF5 file"]);
}

#[test]
fn all_storage_types_read_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let good = Contents::good();
    good.write_plain(&path("double.h5"));
    good.write(&path("float.h5"), |name, shape, values| Some(float(name, shape, values)));
    good.write(&path("compressed.h5"), |name, shape, values| {
        let chunk: Vec<u64> = shape.iter().enumerate().map(|(i, &n)| if i == 0 { 5 } else { n }).collect();
        let builder = float(name, shape, values).chunked(chunk);
        Some(builder.filter(filter(FILTER_SHUFFLE, &[4])).filter(filter(FILTER_DEFLATE, &[6])))
    });
    good.write(&path("integers.h5"), |name, shape, values| {
        let whole: Vec<i64> = values.iter().map(|&x| x as i64).collect();
        let labels = || DatasetBuilder::typed_data(name, shape, &whole).unwrap();
        Some(if name.ends_with('Y') { labels() } else { float(name, shape, values) })
    });

    let data = read_all(&path("double.h5")).unwrap();
    assert_eq!(data.classes, ["class 1", "class 2", "class 3"]);
    assert_eq!(data.channels.len(), 4);
    let Source::GivenSplit { train, test } = &data.source else { panic!("HDF5 files have a given split") };
    assert_eq!((train.len(), train.steps, test.len()), (12, 5, 8));
    assert_eq!(train.labels[..4], [0, 1, 2, 0]);
    assert_eq!(test.window(1)[..2], [2.5, 2.625]);
    for other in ["float.h5", "compressed.h5", "integers.h5"] {
        assert_eq!(read_all(&path(other)).unwrap(), data, "{other}");
    }

    let two = ReadOptions { channels: "channel 4,channel 1".parse().unwrap() };
    let chosen = read(&path("double.h5"), &two).unwrap().windows(&WindowOptions::default()).unwrap();
    assert_eq!(chosen.window(0)[..4], [0.375, 0.0, 0.875, 0.5]);
    let message = data.windows(&WindowOptions { steps: 3, stride: 3 }).unwrap_err().to_string();
    assert_message(&message, &["already consist of windows of 5 steps", "expected windows of 5 steps", "got 3 steps"]);
}

#[test]
fn errors_name_dataset_and_index() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.h5");
    let broken = |change: &dyn Fn(&mut Contents), parts: &[&str]| {
        let mut contents = Contents::good();
        change(&mut contents);
        contents.write_plain(&file);
        assert_fails(&file, &ReadOptions::default(), &[&["wrong.h5"], parts].concat());
    };
    broken(&|c| c.values[0][20 + 4 + 2] = f64::NAN, &["trX", "NaN", "[1, 1, 2]"]);
    broken(&|c| c.values[2][159] = f64::INFINITY, &["tstX", "inf", "[7, 4, 3]"]);
    broken(&|c| c.values[2][159] = 1e300, &["tstX", "1e300"]);
    broken(&|c| c.values[1][3] = 1.0, &["trY", "row 1", "single 1"]);
    broken(&|c| c.values[3][0] = 0.0, &["tstY", "row 0", "single 1"]);
    broken(&|c| c.values[3][0] = 0.5, &["tstY", "row 0", "single 1"]);
    broken(
        &|c| {
            c.shapes[1] = vec![11, 3];
            c.values[1].truncate(33);
        },
        &["trY", "11 rows", "12 windows"],
    );
    broken(&|c| c.shapes[2] = vec![8, 4, 5], &["tstX", "[4, 5]", "trX has [5, 4]"]);
    broken(&|c| c.shapes[0] = vec![12, 20], &["trX", "windows x steps x channels", "[12, 20]"]);
    broken(&|c| c.shapes[1] = vec![36], &["trY", "windows x classes", "[36]"]);

    let good = Contents::good();
    for missing in NAMES {
        good.write(&file, |name, shape, values| (name != missing).then(|| float(name, shape, values)));
        assert_fails(&file, &ReadOptions::default(), &["wrong.h5", &format!("no dataset {missing}")]);
    }
}

/// Reading a corrupt file returns data or an error.
#[test]
fn corrupt_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.h5");
    Contents::good().write_plain(&plain);
    let mut files = vec![plain];
    files.extend(
        ["btree_v1", "btree_v2", "extensible_array", "fixed_array", "implicit", "unfiltered_edges", "soft_link"]
            .map(|name| super::hdf5_reference::reference(&format!("{name}.h5"))),
    );
    let file = folder.path().join("corrupt.h5");
    for original in files {
        let bytes = fs::read(&original).unwrap();
        let mut rejected = 0;
        // At regular intervals, so that superblock, headers and data are all corrupted.
        for at in (0..bytes.len()).step_by(29) {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            write_new_file(&file, &broken);
            rejected += usize::from(read_all(&file).is_err());
            write_new_file(&file, &bytes[..at]);
            assert!(read_all(&file).is_err(), "the first {at} bytes of {}", original.display());
        }
        assert!(rejected > 0, "{}", original.display());
    }
}

/// Replaces a file by a new one: some file systems wait for the disk when a file is overwritten.
fn write_new_file(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    write(path, bytes);
}
