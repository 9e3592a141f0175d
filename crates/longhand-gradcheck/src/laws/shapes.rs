//! Laws of shapes: the numbers of features that a layer states, the initial carry, and panics on wrong shapes.

use super::compare::LawCheck;
use crate::case::Case;
use crate::failure::Failure;
use crate::names::Names;
use crate::numbers::elements;
use crate::panics::panics;
use crate::setting::{SequenceLayer, Setting, with_pass};
use longhand::{Features, Sequences, Tensors};

/// Checks that [`longhand::Layer::features`] returns the numbers of features of the actual input and output.
///
/// Catches numbers that are swapped or copied from another layer. [`longhand::Layer::then`] would then join layers that
/// do not fit and reject layers that do.
///
/// # Errors
/// If the numbers differ.
pub fn features<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("features() must return the numbers of features of input and output", setting);
    let (input, output) = (setting.input.features(), setting.forward(&mut L::Cache::default()).0.features());
    let stated = match setting.layer.features() {
        Features::Any => (input, input),
        Features::Fixed { input, output } => (input, output),
    };
    check.require(stated == (input, output), || {
        let name = setting.layer.name();
        format!(
            "output: features() of {name} returns {} inputs and {} outputs, but the output for {input} inputs has \
             {output} features",
            stated.0, stated.1
        )
    })
}

/// Checks that the initial carry is zero, as [`longhand::Layer::carry`] documents.
///
/// # Errors
/// If the carry is not zero.
pub fn first_carry<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("the initial carry must be zero", setting);
    let carry = setting.layer.carry(setting.input.batch());
    let values = elements(&carry);
    check.same(&Names::of("carry", &carry), ["from carry(batch)", "expected"], &values, &vec![0.0; values.len()])
}

/// Checks that the layer panics on wrong shapes, as [`longhand::Layer::forward`] and [`longhand::Layer::backward`]
/// document: on an input with one feature more or less, a carry for another number of sequences, a backward pass
/// without a forward pass, and a cotangent of another shape.
///
/// A layer without these panics is still right for correct shapes, so [`prove`](crate::prove) does not check this law.
/// See [`Checker::wrong_shapes`](crate::Checker::wrong_shapes).
///
/// # Errors
/// If the layer accepts a wrong shape.
pub fn wrong_shapes<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("the layer must panic on wrong shapes", setting);
    let require_panic = |panicked: bool, what: &str| {
        check.require(panicked, || format!("{what}: accepted by {}, expected a panic", setting.layer.name()))
    };
    let forward = |input: &Sequences<f64>, mut carry: L::Carry| {
        panics(|| {
            with_pass(None, |pass| {
                setting.layer.forward(input, &mut carry, &mut L::Cache::default(), pass);
            });
        })
    };
    let layout = setting.input.layout();
    if let Features::Fixed { input, .. } = setting.layer.features() {
        for wrong in [input + 1, input.saturating_sub(1)].into_iter().filter(|&wrong| wrong > 0) {
            let other = Sequences::zeros(wrong, layout.clone());
            require_panic(forward(&other, setting.carry.clone()), &format!("an input of {wrong} features"))?;
        }
    }
    if setting.carry.count() > 0 {
        let batch = layout.batch() + 1;
        require_panic(forward(&setting.input, setting.layer.carry(batch)), &format!("a carry of {batch} sequences"))?;
    }
    let backward = |setting: &Setting<L>, cache: &mut L::Cache| {
        panics(|| {
            setting.backward(cache, &mut setting.layer.zeros(), None);
        })
    };
    if layout.columns() > 0 {
        require_panic(backward(setting, &mut L::Cache::default()), "a backward pass without a forward pass")?;
    }
    let Case { layout: longer, .. } = Case::new(setting.d_output.steps() + 1, setting.d_output.batch(), 1, 1, 1, 0);
    let features = setting.d_output.features();
    for (d_output, what) in [
        (Sequences::zeros(features, longer), "a d_output with one step too many"),
        (Sequences::zeros(features + 1, setting.d_output.layout().clone()), "a d_output with one feature too many"),
    ] {
        let wrong = Setting { d_output, ..setting.clone() };
        let mut cache = L::Cache::default();
        setting.forward(&mut cache);
        require_panic(backward(&wrong, &mut cache), what)?;
    }
    Ok(())
}
