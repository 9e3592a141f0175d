//! An embedding: a table with one column per token. The input is ids, which have no gradient.
//!
//! # Equations
//! ```text
//! y[t] = weight[:, id[t]]        0 where id[t] is the padding id
//! ```
//!
//! An id at an invalid step is not looked at, so it need not be in the table. The padding id is a token that gives zero
//! and learns nothing. (PyTorch's `padding_idx` gives its column of the table, and then no gradient to that column. That
//! is not the derivative of the forward pass, so no such layer can be proven.)
//!
//! # Derivation of the backward pass
//! The output is a copy of a column, so `d_weight[:, id[t]] += d_y[t]`. A token that occurs twice adds twice.

use super::common::{check_backward, real, steps};
use longhand::nalgebra::DMatrix;
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};

/// What is wrong with the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing.
    None,
    /// A token's gradient is that of its last occurrence.
    LastOccurrence,
    /// Invalid steps give a gradient to their tokens.
    InvalidStepsCount,
    /// The padding id gives its column of the table, and the gradient of that column is zero.
    PaddingGivesItsColumn,
    /// The output is scaled by the root of its features, as in transformers, and the gradient is not.
    ScaledForwardOnly,
    /// There is no mask: the ids of invalid steps are tokens, in both passes.
    NoMask,
    /// The output is not written at invalid steps: values of an earlier call are left there.
    PaddingNotWritten,
}

/// Ids of tokens, one per step of each sequence, step by step.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub ids: Vec<usize>,
    pub layout: Layout,
}

longhand::tensors!(Tokens);

#[derive(Debug, Clone)]
pub struct Embedding<T> {
    /// `features x tokens`.
    pub weight: DMatrix<T>,
    pub padding: Option<usize>,
    pub mistake: Mistake,
}

longhand::tensors!(Embedding { weight } keep { padding, mistake });

impl<T: Scalar> Embedding<T> {
    fn scale(&self) -> T {
        match self.mistake {
            Mistake::ScaledForwardOnly => real::<T>(self.weight.nrows() as f64).sqrt(),
            _ => T::one(),
        }
    }

    /// The steps whose ids are read: the valid ones, or all.
    fn read(layout: &Layout, all: bool) -> impl Iterator<Item = (usize, usize)> {
        steps(layout).filter(move |&(t, b)| all || layout.is_valid(t, b))
    }

    #[track_caller]
    fn check(&self, tokens: &Tokens) {
        let (given, expected) = (tokens.ids.len(), tokens.layout.columns());
        assert_eq!(given, expected, "expected one id per step (layer `{}`)", self.name());
    }
}

impl<T: Scalar> Layer<T> for Embedding<T> {
    type Input = Tokens;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("Embedding({} tokens -> {})", self.weight.ncols(), self.weight.nrows())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: 1, output: self.weight.nrows() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        tokens: &Tokens,
        (): &mut (),
        output: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check(tokens);
        output.reshape(self.weight.nrows(), &tokens.layout);
        if self.mistake != Mistake::PaddingNotWritten {
            output.clear_padding();
        }
        for (t, b) in Self::read(&tokens.layout, self.mistake == Mistake::NoMask) {
            output.at_mut(t, b).fill(T::zero());
            let id = tokens.ids[tokens.layout.column(t, b)];
            if Some(id) != self.padding || self.mistake == Mistake::PaddingGivesItsColumn {
                for (y, &weight) in output.at_mut(t, b).iter_mut().zip(&self.weight.column(id)) {
                    *y = weight * self.scale();
                }
            }
        }
        output
    }

    fn output(cache: &Sequences<T>) -> &Sequences<T> {
        cache
    }

    fn backward(
        &self,
        tokens: &Tokens,
        output: &mut Sequences<T>,
        d_output: &Sequences<T>,
        (): &mut (),
        gradients: &mut Self,
        _: Option<&mut Tokens>,
    ) {
        self.check(tokens);
        check_backward(self, (self.weight.nrows(), &tokens.layout), output, d_output, gradients);
        let all = matches!(self.mistake, Mistake::NoMask | Mistake::InvalidStepsCount);
        for (t, b) in Self::read(&tokens.layout, all) {
            let id = tokens.ids[tokens.layout.column(t, b)];
            if Some(id) != self.padding {
                for (d_weight, &d_y) in gradients.weight.column_mut(id).iter_mut().zip(d_output.at(t, b)) {
                    if self.mistake == Mistake::LastOccurrence {
                        *d_weight = d_y;
                    } else {
                        *d_weight += d_y;
                    }
                }
            }
        }
    }
}
