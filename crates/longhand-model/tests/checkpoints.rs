//! Checkpoints: everything comes back, and what is damaged is refused.

use longhand::Shape;
use longhand::prelude::*;
use longhand_model::{Checkpoint, CheckpointError, Checkpoints, LayerDescription, Model, ModelDescription};
use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

fn model(units: usize) -> Gru<f32> {
    Gru::new(2, units, &mut ChaCha8Rng::seed_from_u64(1))
}

/// Adam after one step.
fn adam(model: &mut Gru<f32>) -> Adam<f32> {
    let mut gradients = Gradients::zeros(model);
    gradients.values_mut().weight_hh_l0.fill(0.5);
    let mut optimizer = Adam::new();
    optimizer.step(model, &gradients, 0.01);
    optimizer
}

fn checkpoint(step: u64) -> Checkpoint {
    Checkpoint::new(step).with_tensors("model", &model(3))
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    order: Vec<usize>,
    best: Option<(u64, f64)>,
    note: String,
}

#[test]
fn everything_comes_back() {
    let mut original = model(3);
    let optimizer = adam(&mut original);
    original.weight_ih_l0[(0, 0)] = f32::NAN;
    original.weight_ih_l0[(1, 0)] = -0.0;
    let mut generator = ChaCha8Rng::seed_from_u64(5);
    generator.set_stream(7);
    generator.next_u32();
    let state = State { order: vec![2, 0, 1], best: Some((3, f64::MIN_POSITIVE)), note: "\u{e9}".to_owned() };
    let carry = original.carry(4);
    let saved = Checkpoint::new(u64::MAX)
        .with_tensors("model", &original)
        .with_tensors("carry", &carry)
        .with_tensors::<f32, ()>("no carry", &())
        .with_optimizer("optimizer", &optimizer)
        .with_optimizer("new", &Sgd::<f64>::new())
        .with("state", &state)
        .unwrap()
        .with("history", &[f64::NAN, f64::NEG_INFINITY, 0.1])
        .unwrap()
        .with("generator", &generator)
        .unwrap();
    let read = Checkpoint::from_bytes(&saved.to_bytes().unwrap()).unwrap();
    assert_eq!(read.step(), u64::MAX);
    let (mut model, mut restored) = (model(3), Adam::new());
    read.copy_tensors("model", &mut model).unwrap();
    let bits = |model: &Gru<f32>| model.weight_ih_l0.map(f32::to_bits);
    assert_eq!(bits(&model), bits(&original));
    assert_eq!(model.weight_hh_l0, original.weight_hh_l0);
    read.copy_tensors("carry", &mut model.carry(4)).unwrap();
    read.copy_tensors::<f32, ()>("no carry", &mut ()).unwrap();
    read.restore_optimizer("optimizer", &mut restored, &model).unwrap();
    assert_eq!(restored, optimizer);
    read.restore_optimizer("new", &mut Sgd::<f64>::new(), &Linear::<f64>::zeros(1, 1)).unwrap();
    assert_eq!(read.get::<State>("state").unwrap(), state);
    let history: Vec<f64> = read.get("history").unwrap();
    assert_eq!(
        history.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        [f64::NAN, f64::NEG_INFINITY, 0.1].map(f64::to_bits)
    );
    assert_eq!(read.get::<ChaCha8Rng>("generator").unwrap().next_u64(), generator.next_u64());
}

/// Slow weights in the middle of a period, and averages with the number of their updates.
#[test]
fn lookahead_and_averages_of_weights_come_back() {
    let optimizer = || Lookahead::new(RmsProp::new().centred()).with_period(4).unwrap();
    let average = || ExponentialMovingAverage::new(&model(3), 0.9).unwrap().with_bias_correction();
    let train = |model: &mut Gru<f32>, optimizer: &mut Lookahead<_, _>, average: &mut ExponentialMovingAverage<_>| {
        let mut gradients = Gradients::zeros(model);
        gradients.values_mut().copy_from(model);
        optimizer.step(model, &gradients, 0.01);
        average.update(model);
    };
    let mut original = (model(3), optimizer(), average());
    (0..6).for_each(|_| train(&mut original.0, &mut original.1, &mut original.2));
    let saved = Checkpoint::new(6)
        .with_tensors("model", &original.0)
        .with_optimizer("optimizer", &original.1)
        .with_tensors("average", original.2.model())
        .with("updates", &original.2.updates())
        .unwrap();
    let read = Checkpoint::from_bytes(&saved.to_bytes().unwrap()).unwrap();
    let (mut resumed, mut saved_average) = ((model(3), optimizer(), average()), model(3));
    read.copy_tensors("model", &mut resumed.0).unwrap();
    read.restore_optimizer("optimizer", &mut resumed.1, &resumed.0).unwrap();
    read.copy_tensors("average", &mut saved_average).unwrap();
    resumed.2.restore(&saved_average, read.get("updates").unwrap());
    for _ in 0..6 {
        train(&mut original.0, &mut original.1, &mut original.2);
        train(&mut resumed.0, &mut resumed.1, &mut resumed.2);
    }
    assert_eq!(resumed, original);
    let error = read.restore_optimizer("optimizer", &mut RmsProp::new().centred(), &resumed.0).unwrap_err().to_string();
    assert!(error.contains("slow_weights"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let mut trained = model(3);
    let optimizer = adam(&mut trained);
    let saved = Checkpoint::new(1)
        .with_tensors("model", &trained)
        .with_optimizer("optimizer", &optimizer)
        .with("epoch", &1)
        .unwrap();
    let message = |result: Result<(), CheckpointError>| result.unwrap_err().to_string();
    assert_eq!(
        message(saved.copy_tensors("best", &mut model(3))),
        "the checkpoint: the checkpoint has no part `best`; it has model, optimizer"
    );
    let other = message(saved.copy_tensors("model", &mut model(4)));
    assert!(other.contains("part `model`: tensors of other dimensions: `weight_ih_l0` (expected [12, 2], got [9, 2])"));
    assert_eq!(
        message(saved.restore_optimizer("optimizer", &mut Sgd::<f32>::new(), &trained)),
        "the checkpoint, optimizer `optimizer`: it is the state of `Adam`, but the optimizer is `Sgd`"
    );
    // The same moments, with other meanings.
    let other = message(saved.restore_optimizer("optimizer", &mut AdamW::<f32>::new(), &trained));
    assert!(other.ends_with("it is the state of `Adam`, but the optimizer is `AdamW`"), "{other}");
    let mut around = Lookahead::<f32, _>::new(Adam::new());
    let other = message(saved.restore_optimizer("optimizer", &mut around, &trained));
    assert!(
        other.ends_with(
            "the moments are first_moment, second_moment, expected first_moment, second_moment, slow_weights"
        )
    );
    let larger = message(saved.restore_optimizer("optimizer", &mut Adam::<f32>::new(), &model(4)));
    assert!(larger.contains("has 63 elements, but the model has 96 parameters"), "{larger}");
    let double = message(saved.restore_optimizer("optimizer", &mut Adam::<f64>::new(), &Gru::<f64>::zeros(2, 3)));
    assert!(double.ends_with("has another precision; expected f64"), "{double}");
    assert!(message(saved.restore_optimizer("model", &mut Adam::<f32>::new(), &trained)).contains("steps is missing"));
    assert!(message(saved.get::<String>("epoch").map(drop)).contains("value `epoch`: "));
    assert!(message(saved.get::<String>("note").map(drop)).ends_with("value `note`: the checkpoint has no such value"));
}

#[test]
#[should_panic(expected = "the checkpoint has a part `model` already")]
fn two_parts_of_one_name_panic() {
    let _ = checkpoint(1).with_tensors("model", &model(1));
}

#[test]
fn a_change_of_any_byte_and_any_truncation_are_refused() {
    let bytes = checkpoint(3).with("history", &[1.0, 2.0]).unwrap().to_bytes().unwrap();
    assert!(Checkpoint::from_bytes(&bytes).is_ok());
    for place in 0..bytes.len() {
        assert!(Checkpoint::from_bytes(&bytes[..place]).is_err(), "{place} bytes");
        for change in [1, 0x20, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            assert!(Checkpoint::from_bytes(&changed).is_err(), "byte {place}");
        }
    }
    let longer = [bytes.as_slice(), b"\0"].concat();
    assert!(Checkpoint::from_bytes(&longer).is_err());
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[test]
fn the_last_checkpoints_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder");
    let checkpoints = Checkpoints::open(&path, 2).unwrap();
    assert!(checkpoints.latest().unwrap().checkpoint.is_none());
    for step in [1, 2, 10] {
        checkpoints.save(&checkpoint(step)).unwrap();
    }
    assert_eq!(names(&path), ["checkpoint-000000000002.safetensors", "checkpoint-000000000010.safetensors"]);
    // A run that has continued from step 2: the old step 10 is no part of it.
    checkpoints.save(&checkpoint(3)).unwrap();
    assert_eq!(names(&path), ["checkpoint-000000000002.safetensors", "checkpoint-000000000003.safetensors"]);
    assert_eq!(checkpoints.latest().unwrap().checkpoint.unwrap().step(), 3);
}

#[test]
fn a_damaged_checkpoint_is_refused_with_a_message_and_the_one_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path(), 3).unwrap();
    let paths: Vec<_> = (1..=3).map(|step| checkpoints.save(&checkpoint(step)).unwrap()).collect();
    let bytes = fs::read(&paths[2]).unwrap();
    fs::write(&paths[2], &bytes[..bytes.len() / 2]).unwrap();
    // The right bytes under the wrong name.
    fs::copy(&paths[0], &paths[1]).unwrap();
    let latest = checkpoints.latest().unwrap();
    assert_eq!(latest.checkpoint.unwrap().step(), 1);
    let refused: Vec<String> = latest.refused.iter().map(ToString::to_string).collect();
    assert!(refused[0].contains("checkpoint-000000000003.safetensors: the checkpoint is damaged: "), "{refused:?}");
    assert!(refused[1].ends_with("the checkpoint is damaged: it is the checkpoint of step 1"), "{refused:?}");
}

#[test]
fn unfinished_files_are_removed_and_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in
        [".longhand-abc.unfinished", "thesis.unfinished", ".x.unfinished", "notes.txt", "checkpoint-x.safetensors"]
    {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    let checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
    checkpoints.save(&checkpoint(1)).unwrap();
    let left = [
        ".x.unfinished",
        "checkpoint-000000000001.safetensors",
        "checkpoint-x.safetensors",
        "notes.txt",
        "thesis.unfinished",
    ];
    assert_eq!(names(folder.path()), left);
}

#[test]
fn one_process_at_a_time_uses_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Checkpoints::open(folder.path(), 1).unwrap();
    assert!(matches!(Checkpoints::open(folder.path(), 1), Err(CheckpointError::InUse { .. })));
    drop(first);
    Checkpoints::open(folder.path(), 1).unwrap();
}

/// The bytes of a checkpoint of format 9.
fn of_newer_format(step: u64) -> Vec<u8> {
    let mut bytes = checkpoint(step).to_bytes().unwrap();
    let text = br#"\"format\":1"#;
    let place = bytes.windows(text.len()).position(|window| window == text).unwrap() + text.len() - 1;
    bytes[place] = b'9';
    bytes
}

#[test]
fn a_newer_format_is_named() {
    assert!(matches!(Checkpoint::from_bytes(&of_newer_format(1)), Err(CheckpointError::TooNew { found: 9, .. })));
}

/// An older version of the program must not remove what a newer one has written.
#[test]
fn checkpoints_of_a_newer_format_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
    checkpoints.save(&checkpoint(1)).unwrap();
    let newer = folder.path().join("checkpoint-000000000010.safetensors");
    fs::write(&newer, of_newer_format(10)).unwrap();
    let latest = checkpoints.latest().unwrap();
    assert_eq!((latest.checkpoint.unwrap().step(), latest.refused.len()), (1, 1));
    checkpoints.save(&checkpoint(2)).unwrap();
    assert_eq!(names(folder.path()), ["checkpoint-000000000002.safetensors", "checkpoint-000000000010.safetensors"]);
    assert_eq!(fs::read(&newer).unwrap(), of_newer_format(10));
}

#[test]
fn the_carry_of_a_model_that_was_built_comes_back() {
    let recurrent = |layer: &str, units: usize| LayerDescription::new(layer).with("units", units);
    let list = LayerDescription::new("Residual").with("inner", recurrent("Gru", 4));
    let both = LayerDescription::new("Bidirectional")
        .with("forward", vec![recurrent("Gru", 2), recurrent("Elman", 2)])
        .with("backward", vec![recurrent("Gru", 2), recurrent("Elman", 2)]);
    let description = ModelDescription::new(3)
        .then(recurrent("Lstm", 4))
        .then(list)
        .then(recurrent("Gru", 3))
        .then(both)
        .then(LayerDescription::new("Tanh"))
        .then(recurrent("Elman", 2));
    let model = Model::<f64>::build(&description, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let mut carry = model.carry(2);
    let mut number = 0.0;
    carry.visit_mut(&longhand::Path::ROOT, &mut |_, _, values| {
        for value in values {
            number += 1.0;
            *value = number;
        }
    });
    let bytes = Checkpoint::new(1).with_tensors("carry", &carry).with_tensors("model", &model).to_bytes().unwrap();
    let read = Checkpoint::from_bytes(&bytes).unwrap();
    let mut copied = model.carry(2);
    read.copy_tensors("carry", &mut copied).unwrap();
    let values = |carry: &Vec<longhand::BoxedCarry<f64>>| {
        let mut all = Vec::new();
        carry.visit(&longhand::Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
        all
    };
    assert_eq!(values(&copied), values(&carry));
    let mut copied = Model::<f64>::build(&description, &mut ChaCha8Rng::seed_from_u64(2)).unwrap();
    read.copy_tensors("model", &mut copied).unwrap();
    assert!(read.copy_tensors("carry", &mut model.carry(3)).is_err());
}

/// Two tensors of one name.
#[derive(Debug, Clone)]
struct Twins([f32; 1], [f32; 1]);

impl Tensors<f32> for Twins {
    fn visit(&self, path: &longhand::Path<'_>, visitor: &mut dyn FnMut(&longhand::Path<'_>, Shape, &[f32])) {
        visitor(&path.field("twin"), Shape::vector(1), &self.0);
        visitor(&path.field("twin"), Shape::vector(1), &self.1);
    }

    fn visit_mut(&mut self, _: &longhand::Path<'_>, _: &mut dyn FnMut(&longhand::Path<'_>, Shape, &mut [f32])) {
        unreachable!("only written")
    }

    fn visit_pair(
        &mut self,
        _: &longhand::Path<'_>,
        _: &Self,
        _: &mut dyn FnMut(&longhand::Path<'_>, &mut [f32], &[f32]),
    ) {
        unreachable!("only written")
    }
}

#[test]
#[should_panic(expected = "two tensors of the part `twins` have the name `twin`; give them different names")]
fn two_tensors_of_one_name_panic() {
    let _ = Checkpoint::new(1).with_tensors("twins", &Twins([1.0], [2.0]));
}

#[test]
fn values_and_parts_may_have_odd_names() {
    let names = ["", "a b", "\0", "\u{1b}[31m", "\"", "__metadata__", "{\"checksum\":\"00000000\"}"];
    let mut saved = Checkpoint::new(0).with("with/slash", &1).unwrap();
    for name in names {
        saved = saved.with_tensors(name, &model(1)).with(name, name).unwrap();
    }
    let read = Checkpoint::from_bytes(&saved.to_bytes().unwrap()).unwrap();
    assert_eq!(read, saved);
    for name in names {
        read.copy_tensors(name, &mut model(1)).unwrap();
        assert_eq!(read.get::<String>(name).unwrap(), name);
    }
    assert_eq!(read.get::<u8>("with/slash").unwrap(), 1);
}

#[test]
fn values_of_too_many_levels_are_not_written() {
    let nested = |levels: usize| (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
    let saved = Checkpoint::new(1).with("value", &nested(120)).unwrap();
    assert_eq!(saved.get::<serde_json::Value>("value").unwrap(), nested(120));
    let error = Checkpoint::new(1).with("value", &nested(121)).unwrap_err().to_string();
    assert_eq!(error, "the checkpoint, value `value`: the value has more than 120 levels");
}

#[test]
fn folders_that_cannot_be_used_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [&file, &file.join("in a file"), Path::new("/dev/null"), Path::new("")] {
        let error = Checkpoints::open(path, 1).unwrap_err();
        assert!(matches!(error, CheckpointError::Write { .. }), "{error}");
    }
    let lock_is_a_folder = folder.path().join("locked");
    fs::create_dir_all(lock_is_a_folder.join(".lock")).unwrap();
    assert!(matches!(Checkpoints::open(&lock_is_a_folder, 1), Err(CheckpointError::Write { .. })));
}

#[test]
fn a_folder_that_is_deleted_meanwhile_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("checkpoints");
    let checkpoints = Checkpoints::open(&path, 1).unwrap();
    checkpoints.save(&checkpoint(1)).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let error = checkpoints.save(&checkpoint(2)).unwrap_err();
    assert!(matches!(error, CheckpointError::Write { .. }), "{error}");
    assert!(matches!(checkpoints.latest(), Err(CheckpointError::Read { .. })));
}

#[test]
fn steps_of_any_size_are_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(folder.path(), 2).unwrap();
    for step in [0, 999_999_999_999, 1_000_000_000_000, u64::MAX] {
        checkpoints.save(&checkpoint(step)).unwrap();
        assert_eq!(checkpoints.latest().unwrap().checkpoint.unwrap().step(), step);
    }
    assert_eq!(
        names(folder.path()),
        ["checkpoint-1000000000000.safetensors", "checkpoint-18446744073709551615.safetensors"]
    );
}

#[test]
fn files_of_other_names_and_folders_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let others = [
        "checkpoint-+00000000003.safetensors",
        "checkpoint-0000000000004.safetensors",
        "checkpoint-18446744073709551616.safetensors",
        "checkpoint-5.safetensors",
        "checkpoint-best.safetensors",
    ];
    for name in others {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    for name in ["checkpoint-000000000006.safetensors", "x.unfinished"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let checkpoints = Checkpoints::open(folder.path(), 1).unwrap();
    assert!(checkpoints.latest().unwrap().refused.is_empty());
    checkpoints.save(&checkpoint(1)).unwrap();
    checkpoints.save(&checkpoint(2)).unwrap();
    let latest = checkpoints.latest().unwrap();
    assert_eq!((latest.checkpoint.unwrap().step(), latest.refused.len()), (2, 0));
    let found = names(folder.path());
    assert_eq!(found.len(), others.len() + 3);
    assert!(others.iter().all(|name| found.iter().any(|found| found == name)), "{found:?}");
}
