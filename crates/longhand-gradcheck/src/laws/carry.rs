//! Laws of the carry: a carry of zero, and a reused carry.

use super::compare::LawCheck;
use crate::adjoint::{self, Agreement};
use crate::failure::{Failure, GradientFailure};
use crate::law::Law;
use crate::oracle::Oracle;
use crate::setting::Setting;
use longhand::{Layer, Tensors};

/// Checks the gradients with an incoming carry of zero, as before the first step of a sequence.
///
/// Catches a gradient of the carry that is omitted because the carry is zero.
///
/// # Errors
/// If a gradient is wrong.
pub fn zero_carry<L: Layer<f64>>(setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
    let zero = setting.with_zero_carry();
    adjoint::check_together(&zero, &zero.passes(), oracle).map_err(|failure| match failure {
        Failure::Gradient(failure) => {
            Failure::Gradient(GradientFailure { advice: Some(Law::ZeroCarry.advice()), ..failure })
        }
        other => other,
    })
}

/// Checks that a carry that was used, and then set to zero or overwritten, gives the same results as a new carry, bit
/// for bit. Checks the same for the gradient of a carry.
///
/// Catches state in fields of a carry that are not tensors (`keep`), such as a step counter. A reset, a new sequence
/// and truncation set the tensors of a carry only.
///
/// # Errors
/// If a result differs.
pub fn carry_again<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let law = "a carry that was used and set to zero must act like a new carry";
    let mut new = setting.clone();
    new.carry.set_zero();
    new.d_carry.set_zero();
    let check = LawCheck::new(law, &new);
    let passes = new.passes();
    let mut used = new.clone();
    // Repeat, so that state that is set in the first pass only is found too.
    for _ in 0..2 {
        let Setting { carry, d_carry, .. } = &mut used;
        (*carry, *d_carry) = (passes.carry.clone(), passes.d_carry.clone());
        carry.set_zero();
        d_carry.set_zero();
        let again = used.passes();
        let what = ["with a new carry", "with a reused carry set to zero"];
        check.same_passes(setting, what, &passes, &again)?;
        used.carry = again.carry;
    }

    let law = "a carry that was used and overwritten must act like the carry that overwrote it";
    let check = LawCheck::new(law, setting);
    let plain = setting.passes();
    let (mut carry, mut d_carry) = (plain.carry.clone(), plain.d_carry.clone());
    Tensors::<f64>::copy_from(&mut carry, &setting.carry);
    Tensors::<f64>::copy_from(&mut d_carry, &setting.d_carry);
    let overwritten = Setting { carry, d_carry, ..setting.clone() };
    let what = ["with a new carry", "with a reused carry that was overwritten"];
    check.same_passes(setting, what, &plain, &overwritten.passes())
}
