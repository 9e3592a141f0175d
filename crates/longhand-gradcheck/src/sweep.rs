//! Finds the wrong elements of a tensor, and the pattern of the error.

use crate::adjoint::Comparison;
use crate::failure::{Mismatch, WrongTensor};
use crate::names::TensorName;
use crate::numbers::{generator, normal};
use std::ops::Range;

/// Tensors of at most this many elements are compared element by element. Larger tensors are searched by halving.
const ALL: usize = 256;
/// The most comparisons in the search of a larger tensor.
const HALVES: usize = 600;

/// Finds the wrong elements of a tensor. `compare` compares analytic and exact derivative in one direction of `length`
/// elements.
pub(crate) fn search(
    tensor: &TensorName,
    whole: &Comparison,
    compare: &dyn Fn(&[f64]) -> Comparison,
    length: usize,
) -> WrongTensor {
    let range = tensor.range();
    let along = |range: Range<usize>, value: &mut dyn FnMut() -> f64| {
        let mut u = vec![0.0; length.max(range.end)];
        u[range].fill_with(value);
        compare(&u)
    };
    let (mut elements, mut both) = (Vec::new(), Vec::new());
    let mut complete = true;
    if range.len() <= ALL {
        for index in range.clone() {
            let found = along(index..index + 1, &mut || 1.0);
            both.push((found.analytic, found.exact));
            if !found.accepted {
                elements.push((index, found.analytic, found.exact));
            }
        }
    } else {
        let mut generator = generator(18, 18);
        let mut parts = vec![range.clone()];
        for _ in 0..HALVES {
            let Some(part) = parts.pop() else { break };
            let single = part.len() == 1;
            let found = along(part.clone(), &mut || if single { 1.0 } else { normal(&mut generator) });
            if found.accepted {
                continue;
            }
            if single {
                elements.push((part.start, found.analytic, found.exact));
            } else {
                let middle = part.start + part.len() / 2;
                parts.extend([middle..part.end, part.start..middle]);
            }
        }
        complete = parts.is_empty();
    }
    let hint = pattern(&both, tensor).or_else(|| place(&elements, tensor, complete));
    let mismatch = |(index, analytic, exact)| Mismatch { element: tensor.element(index), analytic, exact };
    WrongTensor {
        tensor: tensor.name.clone(),
        count: range.len(),
        elements: elements.into_iter().map(mismatch).collect(),
        complete,
        hint,
        analytic: whole.analytic,
        exact: whole.exact,
        relative: whole.relative,
    }
}

/// A known pattern of a wrong gradient, if it has one. `both` are pairs of analytic and exact elements.
fn pattern(both: &[(f64, f64)], tensor: &TensorName) -> Option<String> {
    if both.is_empty() {
        return None;
    }
    let size = both.iter().fold(0.0_f64, |size, (_, exact)| size.max(exact.abs()));
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * size;
    if both.iter().any(|(analytic, exact)| exact.is_nan() && !analytic.is_nan()) {
        let cause =
            "the forward pass on dual numbers returns NaN; has a function no derivative there, such as sqrt at 0?";
        return Some(cause.to_owned());
    }
    if both.iter().any(|(analytic, _)| analytic.is_nan()) {
        return Some(
            "the gradient has NaN: backward must write d_input, not add to it, and must not read padding".to_owned(),
        );
    }
    if both.iter().all(|&(analytic, _)| analytic == 0.0) {
        return Some("the analytic gradient is all zero; was it forgotten?".to_owned());
    }
    if size == 0.0 {
        return Some("the exact gradient is zero".to_owned());
    }
    let (over, under) = both.iter().fold((0.0, 0.0), |(over, under), (a, e)| (over + a * e, under + e * e));
    let ratio: f64 = over / under;
    if both.len() > 1 && (ratio - 1.0).abs() > 1e-9 && both.iter().all(|&(a, e)| close(a, ratio * e)) {
        return Some(format!("each element is {ratio:.6} times the exact one"));
    }
    let rows = tensor.rows;
    let transposed = |index: usize| both[index / rows + (index % rows) * rows].1;
    let square = rows == tensor.columns && rows > 1;
    if square && both.iter().enumerate().all(|(index, &(a, _))| close(a, transposed(index))) {
        return Some("the analytic gradient is the transpose of the exact one".to_owned());
    }
    None
}

/// Rows or columns of the wrong elements, if only some rows or only some columns are wrong.
fn place(elements: &[(usize, f64, f64)], tensor: &TensorName, complete: bool) -> Option<String> {
    if elements.is_empty() || !complete {
        return None;
    }
    let span = |of: &dyn Fn(usize) -> usize| {
        let places = elements.iter().map(|&(index, ..)| of(index - tensor.first));
        places.fold((usize::MAX, 0), |(low, high), at| (low.min(at), high.max(at)))
    };
    let (rows, columns) = (span(&|index| index % tensor.rows), span(&|index| index / tensor.rows));
    let partial = |(low, high): (usize, usize), of: usize| of > 1 && high - low + 1 < of;
    let within = |what: &str, (low, high): (usize, usize), of: usize| {
        format!("all wrong elements are in {what} {low} to {high} (the tensor has {what} 0 to {})", of - 1)
    };
    match (partial(rows, tensor.rows), partial(columns, tensor.columns)) {
        (true, false) => Some(within("rows", rows, tensor.rows)),
        (false, true) => Some(within("columns", columns, tensor.columns)),
        _ => None,
    }
}

/// Sorts wrong tensors so that the tensor closest to the mistake comes first.
///
/// The gradient passes through a chain from its last layer to its first. A mistake therefore shows in its own layer and
/// in all layers before it, so the last wrong layer comes first. Within a layer, tensors with a smaller share of wrong
/// elements come first, because they locate the mistake better. At equal shares, a bias comes before the carry, because
/// its gradient is the plain sum of the deltas, and the carry before the weights. The input comes last, because every
/// mistake in a delta reaches it.
pub(crate) fn innermost_first(wrong: &mut [WrongTensor]) {
    let share = |tensor: &WrongTensor| tensor.elements.len() as f64 / tensor.count.max(1) as f64;
    let place = |tensor: &WrongTensor| {
        let in_chain = tensor.tensor.strip_prefix("chain.").and_then(|rest| rest.split('.').next()?.parse().ok());
        in_chain.unwrap_or(0_usize)
    };
    let kind = |tensor: &WrongTensor| match tensor.tensor.as_str() {
        name if name == "input" || name.starts_with("input.") => 3,
        name if name == "carry" || name.starts_with("carry.") => 1,
        name if name.rsplit('.').next().is_some_and(|last| last.starts_with("bias")) => 0,
        _ => 2,
    };
    wrong.sort_by(|a, b| {
        (kind(a) == 3)
            .cmp(&(kind(b) == 3))
            .then(place(b).cmp(&place(a)))
            .then(share(a).total_cmp(&share(b)).then(kind(a).cmp(&kind(b))))
    });
}
