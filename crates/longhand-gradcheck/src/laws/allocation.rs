//! The law of memory: only the first call with a shape allocates.

use super::compare::LawCheck;
use crate::failure::Failure;
use crate::setting::{Setting, with_pass};
use longhand::{Layer, ParameterGradients};

/// Checks that after a first forward and backward pass, the same passes with the same cache, gradients and input
/// gradient allocate nothing.
///
/// `allocations` returns the number of allocations of this thread so far. Counting them needs a global allocator, which
/// only a program can set, so [`prove`](crate::prove) does not check this law. The page "Prove your layer" has such an
/// allocator.
///
/// Catches buffers that are allocated in each call.
///
/// # Errors
/// If a later call allocates.
pub fn allocation<L: Layer<f64>>(setting: &Setting<L>, allocations: &dyn Fn() -> usize) -> Result<(), Failure> {
    let check = LawCheck::new("only the first call with a shape may allocate", setting);
    let Setting { layer, input, d_output, .. } = setting;
    let (mut cache, mut gradients, mut d_input) = (L::Cache::default(), layer.zeros(), input.clone());
    let mut pass = |kind: Kind, with_input: bool| {
        let (mut carry, mut d_carry) = (setting.carry.clone(), setting.d_carry.clone());
        let before = allocations();
        with_pass(setting.training, |pass| {
            layer.forward(input, &mut carry, &mut cache, pass);
        });
        let forward = allocations() - before;
        let (gradients, d_output) = match kind {
            Kind::Adding => (ParameterGradients::Add(&mut gradients), Some(d_output)),
            Kind::Replacing => (ParameterGradients::Replace(&mut gradients), Some(d_output)),
            Kind::Skipping => (ParameterGradients::Skip, Some(d_output)),
            Kind::WithoutCotangent => (ParameterGradients::Add(&mut gradients), None),
        };
        let d_input = with_input.then_some(&mut d_input);
        layer.backward(input, &mut cache, d_output, &mut d_carry, gradients, d_input);
        (forward, allocations() - before - forward)
    };
    for kind in Kind::ALL {
        pass(kind, true);
    }
    for kind in Kind::ALL {
        for with_input in [true, false] {
            let (forward, backward) = pass(kind, with_input);
            check.require(forward + backward == 0, || {
                let name = layer.name();
                format!("{name}: {forward} allocations in a later forward pass, {backward} in backward ({kind:?})")
            })?;
        }
    }
    Ok(())
}

/// How a backward pass is called.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Adding,
    Replacing,
    Skipping,
    WithoutCotangent,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Adding, Kind::Replacing, Kind::Skipping, Kind::WithoutCotangent];
}
