//! A minimal GRU as a cell, with a switch for every mistake:
//!
//! ```text
//! z = sigmoid(a_z)      c = a_c      h' = (1 - z) h + z c
//! ```

use longhand::nalgebra::DMatrix;
use longhand::{Cell, Connections, Real, Scalar};

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// `z` for `z (1 - z)`.
    SigmoidSlope,
    /// `c` for `c - h` in the gate's delta.
    StateMissingInGate,
    /// `c - h'` for `c - h` in the gate's delta.
    StateAfterTheStep,
    /// `z` for `1 - z` on the path to the state before.
    KeepAndUpdateSwapped,
    /// The path to the state before is missing: each step has the gradient of its own output only.
    DroppedBetweenSteps,
    /// The candidate's delta lacks the gate.
    CandidateNotGated,
    /// The candidate's delta has the slope of a `tanh`, which the candidate of a minimal gated unit has.
    SlopeOfTanh,
    /// The deltas of gate and candidate are swapped.
    RowsSwapped,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinGruCell {
    pub mistake: Mistake,
}

impl Cell for MinGruCell {
    const NAME: &'static str = "MinGru";
    const CONNECTIONS: Connections = Connections::None;
    type PreActivations<V: Copy> = [V; 2];
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 2];
    type Carry<T: Scalar> = DMatrix<T>;

    #[inline(always)]
    fn forward<V: Real>(self, [a_z, c]: [V; 2], [h]: [V; 1]) -> ([V; 2], [V; 1]) {
        let z = a_z.sigmoid();
        ([z, c], [h + z * (c - h)])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [z, c]: [V; 2], [h]: [V; 1], [d_h]: [V; 1]) -> ([V; 2], [V; 1]) {
        use Mistake as M;
        let (zero, one) = (d_h.number(0.0), d_h.number(1.0));
        let state = match self.mistake {
            M::StateMissingInGate => zero,
            M::StateAfterTheStep => h + z * (c - h),
            _ => h,
        };
        let slope = if self.mistake == M::SigmoidSlope { z } else { z * (one - z) };
        let d_z = d_h * (c - state) * slope;
        let d_c = match self.mistake {
            M::CandidateNotGated => d_h,
            M::SlopeOfTanh => d_h * z * (one - c * c),
            _ => d_h * z,
        };
        let d_before = match self.mistake {
            M::KeepAndUpdateSwapped => d_h * z,
            M::DroppedBetweenSteps => zero,
            _ => d_h * (one - z),
        };
        (if self.mistake == M::RowsSwapped { [d_c, d_z] } else { [d_z, d_c] }, [d_before])
    }
}
