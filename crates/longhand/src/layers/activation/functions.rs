//! The functions and their derivatives, written once for the vectors of all instruction sets.

use super::Activation;
use crate::Scalar;
use crate::kernel::{CompiledHere, Equations, Real, compiled_here, each};

/// A nonlinearity and its derivative.
trait Function: Copy {
    /// `y` from `x`.
    fn value<V: Real>(self, x: V) -> V;
    /// `d_x` from `x`, `y` and `d_y`.
    fn gradient<V: Real>(self, x: V, y: V, d_y: V) -> V;
}

/// `max(x, 0)`, whose derivative at 0 is 0 for a dual number too.
#[inline(always)]
fn positive_part<V: Real>(x: V) -> V {
    x.where_positive(x)
}

/// `min(x, 0)`; NaN stays NaN.
#[inline(always)]
fn negative_part<V: Real>(x: V) -> V {
    x.number(0.0).min(x)
}

/// `x` within 1000 of zero, for a product with a function that is zero or one beyond: infinity times zero is NaN.
#[inline(always)]
fn bounded<V: Real>(x: V) -> V {
    x.number(-1000.0).max(x.number(1000.0).min(x))
}

/// `min(max(x + 3, 0), 6)`.
#[inline(always)]
fn ramp<V: Real>(x: V) -> V {
    x.number(6.0).min(x.number(0.0).max(x + x.number(3.0)))
}

/// `value` where `-limit < x < limit`, and zero elsewhere.
#[inline(always)]
fn where_within<V: Real>(limit: f64, x: V, value: V) -> V {
    let limit = x.number(limit);
    (x + limit).where_positive((limit - x).where_positive(value))
}

#[derive(Clone, Copy)]
struct Tanh;

impl Function for Tanh {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.flush_to_zero().tanh()
    }
    #[inline(always)]
    fn gradient<V: Real>(self, _: V, y: V, d_y: V) -> V {
        d_y * (y.number(1.0) - y * y)
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.sigmoid()
    }
    #[inline(always)]
    fn gradient<V: Real>(self, _: V, y: V, d_y: V) -> V {
        d_y * y * (y.number(1.0) - y)
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.number(0.0).max(x)
    }
    #[inline(always)]
    fn gradient<V: Real>(self, _: V, y: V, d_y: V) -> V {
        y.where_positive(d_y)
    }
}

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f64,
}

impl Function for LeakyRelu {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        positive_part(x) + x.number(self.slope) * negative_part(x)
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        x.choose(d_y, x.number(self.slope) * d_y)
    }
}

#[derive(Clone, Copy)]
struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.number(-1000.0).max(x) * x.normal_distribution()
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        let x = bounded(x);
        let (distribution, exponential) = x.normal_distribution_and_exponential();
        // 1 / sqrt(2 pi)
        d_y * (distribution + x * exponential * x.number(0.398_942_280_401_432_7))
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.number(-1000.0).max(x) * x.sigmoid()
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        let (x, zero, one) = (bounded(x), x.number(0.0), x.number(1.0));
        let m = x.min(zero - x).sigmoid();
        d_y * (x.choose(one - m, m) + x * m * (one - m))
    }
}

#[derive(Clone, Copy)]
struct Softplus;

impl Function for Softplus {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.softplus()
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        d_y * x.sigmoid()
    }
}

#[derive(Clone, Copy)]
struct Elu {
    alpha: f64,
}

impl Function for Elu {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        positive_part(x) + x.number(self.alpha) * negative_part(x).exp_m1()
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        x.choose(d_y, d_y * x.number(self.alpha) * negative_part(x).exp())
    }
}

#[derive(Clone, Copy)]
struct HardSigmoid;

impl Function for HardSigmoid {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        ramp(x) / x.number(6.0)
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        where_within(3.0, x, d_y / x.number(6.0))
    }
}

#[derive(Clone, Copy)]
struct HardTanh;

impl Function for HardTanh {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        x.number(1.0).min(x.number(-1.0).max(x))
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        where_within(1.0, x, d_y)
    }
}

#[derive(Clone, Copy)]
struct HardSwish;

impl Function for HardSwish {
    #[inline(always)]
    fn value<V: Real>(self, x: V) -> V {
        // The ramp is zero below -3. It is divided first, so that the product does not overflow.
        x.number(-3.0).max(x) * (ramp(x) / x.number(6.0))
    }
    #[inline(always)]
    fn gradient<V: Real>(self, x: V, _: V, d_y: V) -> V {
        let within = where_within(3.0, x, d_y * (x / x.number(3.0) + x.number(0.5)));
        (x.number(3.0) - x).choose(within, d_y)
    }
}

/// `y` from `x`.
#[derive(Clone, Copy)]
struct Forward<F>(F);

impl<T: Scalar, F: Function> Equations<T, 1, 1> for Forward<F>
where
    Self: CompiledHere<T, 1, 1>,
{
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [x]: [V; 1], _: [V; 1]) -> [V; 1] {
        [self.0.value(x).flush_to_zero()]
    }
}

/// `d_x` from `x`, `y` and `d_y`.
#[derive(Clone, Copy)]
struct Backward<F>(F);

impl<T: Scalar, F: Function> Equations<T, 3, 1> for Backward<F>
where
    Self: CompiledHere<T, 3, 1>,
{
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [x, y, d_y]: [V; 3], _: [V; 1]) -> [V; 1] {
        [self.0.gradient(x, y, d_y).flush_to_zero()]
    }
}

/// Compiles the passes of each function. One function a pass, rather than a `match` for each vector: the loops stay small.
macro_rules! compile {
    ($($name:ident)*) => {
        $(
            compiled_here!(Forward<$name>, Forward<$name>, Forward<$name>, Forward<$name>, Forward, 1, 1);
            compiled_here!(Backward<$name>, Backward<$name>, Backward<$name>, Backward<$name>, Backward, 3, 1);
        )*
    };
}
compile!(Tanh Sigmoid Relu LeakyRelu Gelu Silu Softplus Elu HardSigmoid HardTanh HardSwish);

/// Runs code with the function of an activation.
macro_rules! with_function {
    ($activation:expr, $function:ident => $work:expr) => {
        with_function!(@ $activation, $function, $work, Tanh Sigmoid Relu Gelu Silu Softplus HardSigmoid HardTanh HardSwish)
    };
    (@ $activation:expr, $function:ident, $work:expr, $($name:ident)*) => {
        match $activation {
            $(Activation::$name => {
                let $function = $name;
                $work
            })*
            Activation::LeakyRelu { slope } => {
                let $function = LeakyRelu { slope };
                $work
            }
            Activation::Elu { alpha } => {
                let $function = Elu { alpha };
                $work
            }
        }
    };
}

/// `y` from `x`.
pub(crate) fn forward<T: Scalar>(activation: Activation, x: &[T], y: &mut [T]) {
    with_function!(activation, function => each(Forward(function), [x], [y]));
}

/// `d_x` from `x`, `y` and `d_y`.
pub(super) fn backward<T: Scalar>(activation: Activation, x: &[T], y: &[T], d_y: &[T], d_x: &mut [T]) {
    with_function!(activation, function => each(Backward(function), [x, y, d_y], [d_x]));
}
