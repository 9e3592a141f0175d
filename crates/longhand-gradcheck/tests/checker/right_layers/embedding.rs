//! An embedding: a table with one column per token. The input is token ids, which have no gradient.
//!
//! # Equations
//! ```text
//! y[t] = weight[:, id[t]]        0 where id[t] is the padding id
//! ```
//!
//! An id at an invalid step is not read, so it need not be in the table. The output for the padding id is zero, and its
//! column has no gradient. (PyTorch's `padding_idx` returns its column of the table, but gives the column no gradient.
//! That is not the derivative of the forward pass, so the checker rejects such a layer.)
//!
//! # Derivation of the backward pass
//! The output is a copy of a column, so `d_weight[:, id[t]] += d_y[t]`. A token that occurs twice contributes twice.

use super::assert_rejected;
use super::common::{check_backward, real, steps};
use longhand::nalgebra::DMatrix;
use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};
use longhand_gradcheck::{Agreement, Case, Checker, Failure, Setting, laws};
use proptest::prelude::*;
use rand::RngExt;

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// A token's gradient is that of its last occurrence.
    LastOccurrence,
    /// Tokens at invalid steps get a gradient.
    InvalidStepsCount,
    /// The output for the padding id is its column of the table, but the gradient of the column is zero.
    PaddingGivesItsColumn,
    /// The output is scaled by the square root of its number of features, as in transformers, but the gradient is not.
    ScaledForwardOnly,
    /// There is no mask. The ids of invalid steps are treated as tokens, in both passes.
    NoMask,
    /// Every sequence reads the ids of the next sequence of the batch, in both passes.
    IdsOfTheNextSequence,
    /// The output is not written at invalid steps, so values of an earlier call remain.
    PaddingNotWritten,
}

/// Token ids, one per step of each sequence, in the order of the layout's columns.
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

    /// The steps whose ids are read: the valid steps, or all steps.
    fn read(layout: &Layout, all: bool) -> impl Iterator<Item = (usize, usize)> {
        steps(layout).filter(move |&(t, b)| all || layout.is_valid(t, b))
    }

    fn id(&self, tokens: &Tokens, t: usize, b: usize) -> usize {
        let b = if self.mistake == Mistake::IdsOfTheNextSequence { (b + 1) % tokens.layout.batch() } else { b };
        tokens.ids[tokens.layout.column(t, b)]
    }

    #[track_caller]
    fn check(&self, tokens: &Tokens) {
        let (given, expected) = (tokens.ids.len(), tokens.layout.columns());
        assert_eq!(given, expected, "the number of ids must be that of the layout's columns (layer `{}`)", self.name());
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
            let id = self.id(tokens, t, b);
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
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        _: Option<&mut Tokens>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(output));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        self.check(tokens);
        check_backward(self, (self.weight.nrows(), &tokens.layout), output, d_output, gradients);
        let all = matches!(self.mistake, Mistake::NoMask | Mistake::InvalidStepsCount);
        for (t, b) in Self::read(&tokens.layout, all) {
            let id = self.id(tokens, t, b);
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

/// A setting for a case. Some tokens are repeated, and some are the padding id. For the correct layer, the ids at
/// invalid steps are not in the table. The weights are drawn here, because [`Setting::new`] does not draw parameters.
fn tokens_of(case: &Case, mistake: Mistake) -> Setting<Embedding<f64>> {
    let mut generator = case.generator();
    let (tokens, layout) = (case.inputs + 1, case.layout.clone());
    let weight = DMatrix::from_fn(case.outputs, tokens, |_, _| generator.random_range(-1.0..1.0));
    let is_valid = |column: usize| layout.is_valid(column / layout.batch(), column % layout.batch());
    let beyond = if mistake == Mistake::None { usize::MAX } else { 1 };
    let id = |column| if is_valid(column) { generator.random_range(0..tokens) } else { beyond };
    let ids = (0..layout.columns()).map(id).collect();
    let layer = Embedding { weight, padding: Some(0), mistake };
    Setting::new(layer, Tokens { ids, layout }, case.batch(), case.seed)
}

proptest! {
    /// `PROPTEST_CASES` sets the number of cases.
    #[test]
    fn embeddings_are_accepted(case in Case::strategy()) {
        Checker::new().any_layer(&tokens_of(&case, Mistake::None))?;
    }
}

#[test]
fn embeddings_are_accepted_in_the_edge_cases() {
    for (edge, case) in Case::edges(1) {
        let setting = tokens_of(&case, Mistake::None);
        Checker::new().any_layer(&setting).unwrap_or_else(|failure| panic!("{edge}: {failure}"));
    }
}

/// Checks the layout of the case, and two sequences of 20 tokens, so that some tokens occur twice.
fn check_embedding(mistake: Mistake, case: &Case) -> Result<Agreement, Failure> {
    let setting = tokens_of(case, mistake);
    let long = Case::new(20, 2, case.inputs, 1, case.outputs, case.seed);
    let agreement = Checker::new().any_layer_with(&setting, &tokens_of(&long, mistake))?;
    let unmarked = case.clone().with_layout(Layout::new(case.steps(), case.batch()));
    // Try several seeds, because a drawn token may be the padding id, whose output is zero.
    for seed in 1..4 {
        laws::cache_after(&setting, &tokens_of(&unmarked.clone().with_seed(case.seed.wrapping_add(seed)), mistake))?;
    }
    let mut other = setting.clone();
    for column in 0..case.layout.columns() {
        let (step, sequence) = (column / case.batch(), column % case.batch());
        if !case.layout.is_valid(step, sequence) {
            other.d_output.at_mut(step, sequence).fill(f64::NAN);
        }
    }
    laws::same_results(&setting, &other)?;
    let alone = |b| {
        let valid: Vec<bool> = (0..case.steps()).map(|step| case.layout.is_valid(step, b)).collect();
        let layout = Layout::new(case.steps(), 1).with_valid(valid).expect("one mark per step");
        let ids = (0..case.steps()).map(|step| setting.input.ids[case.layout.column(step, b)]).collect();
        Tokens { ids, layout }
    };
    laws::batch_of(&setting, &(0..case.batch()).map(alone).collect::<Vec<_>>())?;
    Ok(agreement)
}

#[test]
fn wrong_embeddings_are_rejected() {
    use Mistake as M;
    let mistakes = [M::LastOccurrence, M::InvalidStepsCount, M::PaddingGivesItsColumn, M::ScaledForwardOnly];
    assert_rejected(M::None, &mistakes, check_embedding);
}

/// The output at padding must be zero in every layer, also if the input is not `Sequences`.
#[test]
fn embeddings_without_a_mask_are_rejected() {
    assert_rejected(Mistake::None, &[Mistake::NoMask], check_embedding);
}

/// Found with a cache that was used with other marks.
#[test]
fn embeddings_that_do_not_write_padding_are_rejected() {
    assert_rejected(Mistake::None, &[Mistake::PaddingNotWritten], check_embedding);
}

/// The gradient is right, so only the law of batches finds the mistake.
#[test]
fn embeddings_that_mix_up_sequences_are_rejected() {
    let several = |mistake, case: &Case| {
        let case = Case::new(4, 3, case.inputs, case.hidden, case.outputs, case.seed);
        check_embedding(mistake, &case)
    };
    assert_rejected(Mistake::None, &[Mistake::IdsOfTheNextSequence], several);
}
