//! The errors of the exponential, `exp(x) - 1`, softplus and the normal distribution, against values of 20 digits.

#![allow(
    clippy::approx_constant,
    clippy::excessive_precision,
    clippy::unreadable_literal,
    reason = "the digits are those that were computed"
)]

use crate::Scalar;
use crate::kernel::Real;
use crate::kernel::equations::{Equations, bands_mut, compiled_here, each_column};
use crate::kernel::instruction_set::InstructionSet;
use crate::kernel::real::Single;
use crate::scalar::{as_f64, real};

macro_rules! functions {
    ($($name:ident $function:ident)*) => {
        $(
            #[derive(Clone, Copy)]
            struct $name;

            compiled_here!($name, 0, 1);

            impl<T: Scalar> Equations<T, 0, 1> for $name {
                fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [x]: [V; 1]) -> [V; 1] {
                    [x.$function()]
                }
            }
        )*
    };
}
functions!(Exp exp ExpM1 exp_m1 Softplus softplus NormalDistribution normal_distribution);

/// Arguments and values, computed with 50 digits.
type Table = &'static [(f64, f64)];

const EXP: Table = &[
    (-353.5, 2.9984764842258507841e-154),
    (-300.5, 3.1225412772322848381e-131),
    (-37.25, 6.6455441729150705396e-17),
    (-9.7, 0.000061283495053222139058),
    (-2.5, 0.08208499862389879517),
    (-0.7, 0.49658530379140953676),
    (-0.001, 0.99900049983337499165),
    (1e-09, 1.0000000010000000005),
    (0.3, 1.349858807576003089),
    (1.0, 2.7182818284590452354),
    (5.5, 244.69193226422038792),
    (88.0, 1.6516362549940018555e38),
    (700.25, 1.3022997366991783935e304),
];

const EXP_M1: Table = &[
    (-60.0, -1.0),
    (-36.0, -0.99999999999999976805),
    (-5.5, -0.99591322856153593301),
    (-1.2, -0.69880578808779788998),
    (-0.4, -0.32967995396436071414),
    (-0.01, -0.0099501662508319466322),
    (-1e-05, -9.999950000166667068e-6),
    (-1e-12, -9.9999999999949997989e-13),
    (1e-08, 1.0000000050000000376e-8),
    (0.2, 0.22140275816016984748),
    (0.35, 0.41906754859325721676),
    (3.3, 26.112638920657882611),
    (60.0, 1.1420073898156842837e26),
];

const SOFTPLUS: Table = &[
    (-300.0, 5.1482002224120137812e-131),
    (-40.0, 4.2483542552915889863e-18),
    (-12.5, 3.7266462281239903127e-6),
    (-3.0, 0.048587351573742058759),
    (-1.0, 0.31326168751822283405),
    (-0.2, 0.59813886938159183469),
    (0.0, 0.69314718055994530942),
    (0.1, 0.74439666007357089774),
    (0.9, 1.241153874732087839),
    (2.5, 2.5788897342925496233),
    (7.0, 7.0009114664537742447),
    (25.0, 25.000000000013887944),
    (400.0, 400.0),
];

const NORMAL_DISTRIBUTION: Table = &[
    (-26.0, 2.4760633155033892858e-149),
    (-20.0, 2.7536241186062336951e-89),
    (-12.5, 3.7325642988777133772e-36),
    (-9.0, 1.1285884059538406477e-19),
    (-5.0, 2.8665157187919391167e-7),
    (-3.3, 0.0004834241423837775071),
    (-2.0, 0.0227501319481792072),
    (-1.0, 0.15865525393145705141),
    (-0.5, 0.30853753872598689636),
    (-0.01, 0.49601064368536839622),
    (0.0, 0.5),
    (0.02, 0.50797831371690198119),
    (0.7, 0.75803634777692697138),
    (1.5, 0.933192798731141934),
    (2.7, 0.99653302619695933336),
    (4.0, 0.99996832875816688008),
    (6.0, 0.99999999901341235496),
    (9.0, 0.99999999999999999989),
];

fn apply<T: Scalar>(set: InstructionSet, function: impl Equations<T, 0, 1>, x: f64) -> f64 {
    let mut value = [real::<T>(x)];
    each_column(set, &[], function, [], bands_mut(&mut value, 1, 1));
    as_f64(value[0])
}

/// Compares with a table on each instruction set, and on a scalar of any type. `bound(x)` is the largest relative error in double
/// precision, in units of its machine epsilon. Arguments that single precision rounds are left out there.
fn check<F>(function: F, table: Table, largest: f64, bound: impl Fn(f64) -> f64)
where
    F: Equations<f32, 0, 1> + Equations<f64, 0, 1>,
{
    for &(x, expected) in table {
        let [Single(any)] = Equations::<f64, 0, 1>::apply(function, [], [Single(x)]);
        let allowed = bound(x) * expected.abs() * f64::EPSILON;
        assert!((any - expected).abs() <= allowed, "{any:e} at {x}, expected {expected:e}");
        for set in InstructionSet::available() {
            let given = apply::<f64>(set, function, x);
            assert!((given - expected).abs() <= allowed, "{set:?}: {given:e} at {x}, expected {expected:e}");
            if (f64::from(x as f32) - x).abs() <= 0.0 && x.abs() <= largest {
                let given = apply::<f32>(set, function, x);
                let allowed = bound(x) * expected.abs() * f64::from(f32::EPSILON);
                assert!((given - expected).abs() <= allowed, "{set:?}: {given:e} in f32 at {x}, expected {expected:e}");
            }
        }
    }
}

#[test]
fn exponentials_are_right() {
    check(Exp, EXP, 88.0, |_| 2.0);
    check(ExpM1, EXP_M1, 60.0, |_| 2.0);
}

#[test]
fn softplus_is_right() {
    check(Softplus, SOFTPLUS, 40.0, |_| 3.0);
}

/// The relative error grows with `x^2 / 2` below zero, because the square is rounded before the exponential.
#[test]
fn the_normal_distribution_is_right() {
    check(NormalDistribution, NORMAL_DISTRIBUTION, 9.0, |x| 5.0 + if x < 0.0 { x * x / 2.0 } else { 0.0 });
}

/// On a dense sample, in single precision against double precision, as absolute errors.
#[test]
fn the_normal_distribution_in_single_precision_is_within_2e_7() {
    for i in -12_000..12_000 {
        let x = f64::from(i as f32 / 1000.0);
        for set in InstructionSet::available() {
            let (single, double) = (apply::<f32>(set, NormalDistribution, x), apply::<f64>(set, NormalDistribution, x));
            assert!((single - double).abs() <= 2e-7 && (0.0..=1.0).contains(&single), "{set:?}: {single} at {x}");
        }
    }
}

#[test]
fn special_values_have_limits() {
    fn check<T: Scalar>(largest: f64) {
        for set in InstructionSet::available() {
            let exp = |x| apply::<T>(set, Exp, x);
            assert_eq!((exp(f64::NEG_INFINITY), exp(-1e4), exp(0.0)), (0.0, 0.0, 1.0), "{set:?}");
            assert_eq!((exp(f64::INFINITY), exp(largest + 1.0)), (f64::INFINITY, f64::INFINITY), "{set:?}");
            assert!(exp(largest - 0.1).is_finite(), "{set:?}");
            let exp_m1 = |x| apply::<T>(set, ExpM1, x);
            assert_eq!((exp_m1(f64::NEG_INFINITY), exp_m1(0.0), exp_m1(largest + 1.0)), (-1.0, 0.0, f64::INFINITY));
            assert!(exp_m1(largest - 0.1).is_finite(), "{set:?}");
            let softplus = |x| apply::<T>(set, Softplus, x);
            assert_eq!((softplus(f64::NEG_INFINITY), softplus(f64::INFINITY)), (0.0, f64::INFINITY), "{set:?}");
            let normal = |x| apply::<T>(set, NormalDistribution, x);
            assert_eq!((normal(f64::NEG_INFINITY), normal(f64::INFINITY)), (0.0, 1.0), "{set:?}");
            assert_eq!((normal(-1e30), normal(1e30)), (0.0, 1.0), "{set:?}");
            for nan in [exp(f64::NAN), exp_m1(f64::NAN), softplus(f64::NAN), normal(f64::NAN)] {
                assert!(nan.is_nan(), "{set:?}");
            }
        }
    }
    check::<f32>(88.7);
    check::<f64>(709.7);
}
