//! Edge cases: the smallest shapes, and shapes at which a fast kernel changes its code path.
//!
//! Kernels work in blocks of 4, 8, 16 or 32 elements. A mistake may show only in a full block, only in the remainder,
//! or only in one sequence of every four. Sizes such as 4, 16, 33 and 64 units, 70 and 130 steps, and 35 sequences have
//! full blocks and remainders.

use crate::case::{Case, with_valid};
use longhand::Layout;

impl Case {
    /// The edge cases with their names: one step, one unit, one of everything, full blocks of 4, 8 and 16, as many
    /// inputs as units, more units than a vector register holds, many steps, many sequences, and all of
    /// [`edge_layouts`](Self::edge_layouts).
    pub fn edges(seed: u64) -> Vec<(&'static str, Case)> {
        let plain = |steps, batch, inputs, hidden, outputs| Case::new(steps, batch, inputs, hidden, outputs, seed);
        let with = |sizes: [usize; 3], layout| plain(1, 1, sizes[0], sizes[1], sizes[2]).with_layout(layout);
        let mut edges = vec![
            ("one unit", plain(4, 2, 3, 1, 1)),
            ("one input", plain(4, 2, 1, 3, 5)),
            ("one of everything", plain(1, 1, 1, 1, 1)),
            ("two features", plain(3, 2, 2, 2, 2)),
            ("as many inputs as units", plain(5, 2, 7, 7, 3)),
            ("as many outputs as units", plain(5, 2, 3, 6, 6)),
            ("all sizes 4", plain(4, 4, 4, 4, 4)),
            ("all sizes 8", plain(8, 8, 8, 8, 8)),
            ("all sizes 16", plain(16, 16, 16, 16, 16)),
            ("units a multiple of 4", plain(3, 2, 5, 20, 12)),
            ("wider than a register", plain(3, 2, 18, 33, 19)),
            ("more inputs than units", plain(3, 2, 36, 5, 34)),
            ("64 units", plain(3, 2, 24, 64, 40)),
            ("50 units and 7 sequences: remainders of rows and columns", plain(3, 7, 50, 50, 7)),
            ("13 units and inputs, 6 sequences", plain(4, 6, 13, 13, 12)),
            ("32 units and inputs", plain(3, 2, 32, 32, 5)),
            ("32 steps", plain(32, 1, 3, 4, 5)),
            ("32 sequences", plain(2, 32, 3, 4, 5)),
            ("17 sequences", plain(3, 17, 4, 5, 6)),
            ("35 sequences", with([3, 4, 5], many_sequences(7))),
            ("70 steps", with([3, 4, 5], many_steps(70))),
            ("130 steps", with([2, 3, 4], Layout::new(130, 1))),
        ];
        let of = |(name, layout)| (name, with([3, 5, 6], layout));
        edges.extend(Case::edge_layouts().into_iter().map(of));
        edges
    }

    /// Edge cases of steps, padding and resets, with their names: one step, one sequence, everything masked, one
    /// sequence masked, gaps, resets at the first step, at every step and at an invalid step, many sequences and many
    /// steps.
    pub fn edge_layouts() -> Vec<(&'static str, Layout)> {
        let every_step = (0..4).fold(Layout::new(4, 2), |layout, step| layout.with_reset(step, 1));
        let gaps = with_valid(Layout::new(4, 2), vec![false, true, true, false, false, false, true, true]);
        vec![
            ("one step", Layout::new(1, 2)),
            ("one sequence", Layout::new(5, 1)),
            ("everything masked", with_lengths(4, &[0, 0])),
            ("one sequence masked", with_lengths(4, &[3, 0, 4])),
            ("gaps", gaps.clone()),
            ("a reset at the first step", with_lengths(4, &[4, 2]).with_reset(0, 0)),
            ("a reset at every step", every_step),
            ("a reset at an invalid step", gaps.with_reset(1, 1).with_reset(2, 0)),
            ("35 sequences", many_sequences(4)),
            ("70 steps", many_steps(70)),
        ]
    }
}

/// A layout in which each sequence is valid for its first `lengths[b]` steps.
fn with_lengths(steps: usize, lengths: &[usize]) -> Layout {
    let batch = lengths.len();
    let valid = (0..steps * batch).map(|column| column / batch < lengths[column % batch]).collect();
    with_valid(Layout::new(steps, batch), valid)
}

/// 35 sequences of mixed lengths, with resets in some of them.
fn many_sequences(steps: usize) -> Layout {
    let lengths: Vec<usize> = (0..35).map(|b| 1 + (5 * b + b / 4) % steps).collect();
    (0..35).step_by(3).fold(with_lengths(steps, &lengths), |layout, b| layout.with_reset(b % steps, b))
}

/// A layout of two sequences. The first is reset at every multiple of 8. The second has gaps around 16, 32 and 64, and
/// one reset.
fn many_steps(steps: usize) -> Layout {
    let layout = (8..steps).step_by(8).fold(Layout::new(steps, 2), |layout, step| layout.with_reset(step, 0));
    let gap = |step: usize| [15, 16, 32, 63, 64, 65].contains(&step);
    let valid = (0..2 * steps).map(|column| column % 2 == 0 || !gap(column / 2)).collect();
    with_valid(layout.with_reset(40, 1), valid)
}
