//! Users' cells of kinds that no cell of the library has: several gates with one recurrent weight per gate and unit, and parts that
//! are apart although nothing connects the units.

#![allow(clippy::default_trait_access, reason = "the types of caches would distract")]

use crate::common::{check_gradients, generator, ragged_layout, random_sequences};
use longhand::nalgebra::DMatrix;
use longhand::{Apart, Cell, Connections, Layer, Layout, Pass, Real, Recurrent, Scalar, Stream, Tensors};

/// `f = sigmoid(z_f)`, `g = tanh(z_g)`, `h[t] = f * h[t-1] + (1 - f) * g`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct LeakyCell;

impl Cell for LeakyCell {
    const NAME: &'static str = "Leaky";
    const CONNECTIONS: Connections = Connections::Diagonal;
    type PreActivations<V: Copy> = [V; 2];
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 2];
    type Carry<T: Scalar> = DMatrix<T>;

    #[inline(always)]
    fn forward<V: Real>(self, [z_f, z_g]: [V; 2], [before]: [V; 1]) -> ([V; 2], [V; 1]) {
        let (f, g) = (z_f.sigmoid(), z_g.flush_to_zero().tanh());
        ([f, g], [g + f * (before - g)])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [f, g]: [V; 2], [before]: [V; 1], [d_h]: [V; 1]) -> ([V; 2], [V; 1]) {
        let one = d_h.number(1.0);
        let d_h = d_h.flush_to_zero();
        let (d_f, d_g) = (d_h * (before - g), d_h * (one - f));
        ([d_f * f * (one - f), d_g * (one - g * g)], [d_h * f])
    }
}

#[test]
fn a_diagonal_cell_of_two_gates_has_its_sizes_and_gradients() {
    let g = &mut generator(21);
    let layer = Recurrent::<f64, LeakyCell>::new(3, 5, g);
    assert_eq!((layer.inputs(), layer.units()), (3, 5));
    assert_eq!((layer.weight_ih_l0.shape(), layer.weight_hh_l0.shape()), ((10, 3), (10, 1)));
    for layout in [ragged_layout(), Layout::new(4, 3).with_reset(2, 1)] {
        check_gradients(&layer, &random_sequences(3, &layout, g), 22);
    }
    let x = random_sequences(3, &Layout::new(6, 1), g);
    let (mut carry, mut cache) = (layer.carry(1), Default::default());
    let whole = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
    let (mut stream, mut carry) = (Stream::new(&layer), layer.carry(1));
    let mut h = [0.0; 5];
    for step in 0..6 {
        // The equations, with the gates of unit `i` in the rows `i` and `5 + i`.
        let z = |row: usize, h: f64| {
            let input: f64 = (0..3).map(|i| layer.weight_ih_l0[(row, i)] * x.at(step, 0)[i]).sum();
            input + layer.bias_ih_l0[row] + layer.weight_hh_l0[(row, 0)] * h + layer.bias_hh_l0[row]
        };
        for (i, h) in h.iter_mut().enumerate() {
            let (f, candidate) = (1.0 / (1.0 + (-z(i, *h)).exp()), z(5 + i, *h).tanh());
            *h = f * *h + (1.0 - f) * candidate;
        }
        for output in [whole.at(step, 0), stream.step(x.at(step, 0), &mut carry)] {
            assert!(output.iter().zip(&h).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-14);
        }
    }
}

/// `h[t] = tanh(a) + u`, where `u` is zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct UnconnectedCell;

impl Cell for UnconnectedCell {
    const NAME: &'static str = "Unconnected";
    const CONNECTIONS: Connections = Connections::None;
    type PreActivations<V: Copy> = Apart<[V; 1]>;
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 1];
    type Carry<T: Scalar> = DMatrix<T>;

    #[inline(always)]
    fn forward<V: Real>(self, z: Apart<[V; 1]>, _: [V; 1]) -> ([V; 1], [V; 1]) {
        let a = z.input[0].flush_to_zero().tanh();
        ([a], [a + z.state[0]])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [a]: [V; 1], _: [V; 1], [d_h]: [V; 1]) -> (Apart<[V; 1]>, [V; 1]) {
        (Apart { input: [d_h * (d_h.number(1.0) - a * a)], state: [d_h] }, [d_h.number(0.0)])
    }
}

#[test]
fn a_cell_without_connections_has_no_state_part() {
    let g = &mut generator(23);
    let layer = Recurrent::<f64, UnconnectedCell>::new(3, 5, g);
    assert_eq!((layer.inputs(), layer.units()), (3, 5));
    assert_eq!(layer.names(), ["weight_ih_l0", "bias_ih_l0"]);
    for layout in [ragged_layout(), Layout::new(4, 3).with_reset(2, 1)] {
        check_gradients(&layer, &random_sequences(3, &layout, g), 24);
    }
    let x = random_sequences(3, &Layout::new(6, 1), g);
    let (mut carry, mut cache) = (layer.carry(1), Default::default());
    let whole = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
    let (mut stream, mut carry) = (Stream::new(&layer), layer.carry(1));
    for step in 0..6 {
        let z = &layer.weight_ih_l0 * DMatrix::from_column_slice(3, 1, x.at(step, 0)) + &layer.bias_ih_l0;
        for output in [whole.at(step, 0), stream.step(x.at(step, 0), &mut carry)] {
            assert!(output.iter().zip(&z).map(|(a, z)| (a - z.tanh()).abs()).fold(0.0, f64::max) < 1e-14);
        }
    }
}
