//! Replays the corpus of the fuzz targets (`fuzz/README.md`): files that broke an earlier version, and small files that
//! reach much of the readers.

mod checksums;
mod memory;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

/// Files in a folder of this package, sorted.
fn files_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("the folder exists").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// Runs a target on the files of a folder, each also cut to half its length.
fn replay(folder: &str, target: fn(&[u8])) {
    for file in files_in(folder) {
        eprintln!("{}", file.display()); // Shown if the test fails.
        let input = fs::read(&file).expect("the file can be read");
        target(&input);
        target(&input[..input.len() / 2]);
    }
}

#[test]
fn motionsense_corpus() {
    replay("tests/hostile/corpus/motionsense", targets::motionsense);
}

#[test]
fn hapt_corpus() {
    replay("tests/hostile/corpus/hapt", targets::hapt);
}

#[test]
fn hdf5_corpus() {
    replay("tests/hostile/corpus/hdf5", targets::hdf5);
    replay("tests/hdf5", targets::hdf5);
}

#[test]
fn only_broken_checksums_are_repaired() {
    let mut superblocks = 0;
    for file in files_in("tests/hdf5") {
        let intact = fs::read(&file).expect("the file can be read");
        assert_eq!(checksums::repaired(&intact), None, "{}", file.display());
        if intact.starts_with(b"\x89HDF") && intact[8] >= 2 {
            let mut broken = intact.clone();
            broken[44] ^= 1;
            assert_eq!(checksums::repaired(&broken), Some(intact), "{}", file.display());
            superblocks += 1;
        }
    }
    assert!(superblocks > 0);
}

/// Inputs of some megabytes, which are too large for the corpus.
#[test]
fn long_lines_and_many_rows_take_bounded_memory() {
    let header = "gravity.x,gravity.y,gravity.z,userAcceleration.x,userAcceleration.y,userAcceleration.z";
    let names = (0..13_000).fold(String::new(), |text, i| text + "," + &i.to_string());
    targets::motionsense(format!("{header}{names}\n{}\n", "1,".repeat(13_006)).as_bytes());
    targets::motionsense(format!("{header}{}\n", ",".repeat(65_000)).as_bytes());
    targets::motionsense(format!("{header}\n{}\n", "1,".repeat(32_000)).as_bytes());
    targets::motionsense(format!("{header}\n{}\n", "1".repeat(1 << 21)).as_bytes());
    targets::motionsense(format!("{header}\n{}", "1,1,1,1,1,1\n".repeat(1 << 18)).as_bytes());
    targets::motionsense(["\"", &"\u{2028}".repeat(20_000), "\n"].concat().as_bytes());
    targets::motionsense("1".repeat(1 << 22).as_bytes());

    let rows = 100_000;
    let labels = (1..=rows).fold(String::new(), |text, i| {
        let i = i.to_string();
        text + "1 1 1 " + &i + " " + &i + "\n"
    });
    targets::hapt(format!("{labels}>>acc_exp01_user01.txt\n{}", "1 1 1\n".repeat(rows)).as_bytes());
    targets::hapt(format!("{labels}{labels}>>acc_exp01_user01.txt\n1 1 1\n").as_bytes());
    targets::hapt("1 ".repeat(1 << 21).as_bytes());
    targets::hapt("1 1 1 1 1\n".repeat(1 << 18).as_bytes());
}

/// Each of these files is wrong in one place, which the error must name.
#[test]
fn errors_of_hostile_hdf5_files_name_the_cause() {
    for (name, cause) in [
        ("cyclic_b_tree.h5", "revisits node"),
        ("deflate_bomb.h5", "truncated or corrupt"),
        ("lzf_bomb.h5", "LZF data"),
        ("huge_dimensions.h5", "may claim at most"),
        ("huge_chunk.h5", "may claim at most"),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/corpus/hdf5").join(name);
        let message = longhand_data::read(&file, &longhand_data::ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains(cause), "{message}");
    }
}

/// The chunk index of `trX` becomes a B-tree with 4,000 leaves that share their 2,000 entries: eight million chunks.
#[test]
fn nodes_that_overlap_take_bounded_memory() {
    let mut file = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hdf5/btree_v1.h5")).unwrap();
    let node = |level: u8, entries: u16| [b"TREE\x01", &[level][..], &entries.to_le_bytes(), &[0xff; 16]].concat();
    // An entry has a key of 40 bytes, for three dimensions, and the address of a child.
    let entry = |child: usize| [&[0; 40][..], &(child as u64).to_le_bytes()].concat();
    let root = file.windows(5).position(|bytes| bytes == b"TREE\x01").expect("the file has a chunk index");
    let (leaves, entries) = (4_000_u16, 2_000_u16);
    let first_leaf = file.len();
    for _ in 0..leaves {
        file.extend(node(0, entries));
    }
    file.resize(file.len() + usize::from(entries + 1) * 48, 0);
    let inner_node = file.len();
    file.extend(node(1, leaves));
    for leaf in 0..usize::from(leaves) {
        file.extend(entry(first_leaf + 24 * leaf));
    }
    file.extend([0; 40]);
    let new_root = [node(1, 1), entry(inner_node)].concat();
    file[root..root + new_root.len()].copy_from_slice(&new_root);
    targets::hdf5(&file);

    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(path.path(), &file).unwrap();
    let (result, peak) = memory::peak_of(|| longhand_data::read(path.path(), &longhand_data::ReadOptions::default()));
    let message = result.unwrap_err().to_string();
    assert!(message.contains("trX") && message.contains("parts of the file overlap"), "{message}");
    assert!(peak < 400 * file.len() + (4 << 20), "{peak} bytes of memory for a file of {} bytes", file.len());
}
