//! The law of memory: nothing is allocated after the first call at a shape.

use super::compare::LawCheck;
use crate::failure::Failure;
use crate::setting::{Setting, with_pass};
use longhand::Layer;

/// After a first forward and backward pass, the same passes with the same cache, gradients and input gradient allocate
/// nothing.
///
/// `allocations` returns how many allocations this thread has made so far. Only a program can count them, with a global
/// allocator of its own, so [`prove`](crate::prove) does not check this law. The page "Prove your layer" has such an
/// allocator.
///
/// Catches buffers that are built anew for each call.
///
/// # Errors
/// If something is allocated.
pub fn allocation<L: Layer<f64>>(setting: &Setting<L>, allocations: &dyn Fn() -> usize) -> Result<(), Failure> {
    let check = LawCheck::new("nothing is allocated after the first call at a shape", setting);
    let Setting { layer, input, d_output, .. } = setting;
    let (mut cache, mut gradients, mut d_input) = (L::Cache::default(), layer.zeros(), input.clone());
    let mut pass = |replacing: bool, with_input: bool| {
        let (mut carry, mut d_carry) = (setting.carry.clone(), setting.d_carry.clone());
        let before = allocations();
        with_pass(setting.training, |pass| {
            layer.forward(input, &mut carry, &mut cache, pass);
        });
        let forward = allocations() - before;
        let asked = with_input.then_some(&mut d_input);
        if replacing {
            layer.backward_replacing(input, &mut cache, d_output, &mut d_carry, &mut gradients, asked);
        } else {
            layer.backward(input, &mut cache, d_output, &mut d_carry, &mut gradients, asked);
        }
        (forward, allocations() - before - forward)
    };
    for (replacing, with_input) in [(false, true), (true, true)] {
        pass(replacing, with_input);
    }
    for (replacing, with_input) in [(false, true), (false, false), (true, true), (true, false)] {
        let (forward, backward) = pass(replacing, with_input);
        let name = if replacing { "backward_replacing" } else { "backward" };
        check.require(forward + backward == 0, || {
            format!("{}: {forward} allocations in a later forward, {backward} in {name}", layer.name())
        })?;
    }
    Ok(())
}
