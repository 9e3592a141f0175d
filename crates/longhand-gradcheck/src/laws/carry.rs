//! Laws of the carry: at zero, and used again.

use super::compare::LawCheck;
use crate::adjoint::{self, Agreement};
use crate::failure::{Failure, GradientFailure};
use crate::law::Law;
use crate::oracle::Oracle;
use crate::setting::Setting;
use longhand::{Layer, Tensors};

/// Gradients are right where the carry that comes in is zero, as it is before the first step of a sequence.
///
/// Catches a gradient of the carry that is left out because the carry is zero.
///
/// # Errors
/// If one of them is wrong.
pub fn zero_carry<L: Layer<f64>>(setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
    let zero = setting.with_zero_carry();
    adjoint::check_together(&zero, &zero.passes(), oracle).map_err(|failure| match failure {
        Failure::Gradient(failure) => {
            Failure::Gradient(GradientFailure { advice: Some(Law::ZeroCarry.advice()), ..failure })
        }
        other => other,
    })
}

/// A carry that was used and then set to zero, or overwritten, gives what a new one gives, bit for bit. The same holds for
/// the gradient of a carry.
///
/// Catches state in the fields of a carry that are not tensors (`keep`): a counter of steps, for example. A reset, a new
/// sequence and truncation set the tensors of a carry, and nothing else.
///
/// # Errors
/// If it does not.
pub fn carry_again<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let law = "a carry that was used and set to zero is like a new one";
    let mut new = setting.clone();
    new.carry.set_zero();
    new.d_carry.set_zero();
    let check = LawCheck::new(law, &new);
    let passes = new.passes();
    let mut used = new.clone();
    // Twice, so that a state that is set at the first step only is seen too.
    for _ in 0..2 {
        let Setting { carry, d_carry, .. } = &mut used;
        (*carry, *d_carry) = (passes.carry.clone(), passes.d_carry.clone());
        carry.set_zero();
        d_carry.set_zero();
        let again = used.passes();
        let what = ["with a new carry", "with a carry used before and set to zero"];
        check.same_passes(setting, what, &passes, &again)?;
        used.carry = again.carry;
    }

    let check = LawCheck::new("a carry that was used and overwritten is like the one it was overwritten with", setting);
    let plain = setting.passes();
    let (mut carry, mut d_carry) = (plain.carry.clone(), plain.d_carry.clone());
    Tensors::<f64>::copy_from(&mut carry, &setting.carry);
    Tensors::<f64>::copy_from(&mut d_carry, &setting.d_carry);
    let overwritten = Setting { carry, d_carry, ..setting.clone() };
    let what = ["with a new carry", "with a carry used before and overwritten"];
    check.same_passes(setting, what, &plain, &overwritten.passes())
}
