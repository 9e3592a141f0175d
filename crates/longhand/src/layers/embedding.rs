//! An embedding: a table with one column of features per token id.
//!
//! # Equations
//! ```text
//! y[t] = weight[:, id[t]]
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `id` | `input`, [`Tokens`] | one id per step of each sequence, counted from 0 |
//! | `y` | `output` | `features x (steps * batch)`, zero at invalid steps |
//! | `weight` | `weight` | `features x tokens` (PyTorch's table has one row per token; in memory the two are the same) |
//!
//! # Derivation of the backward pass
//! The output is a copy of a column, so the gradient of a step goes to the column of its token. A token that occurs twice adds
//! twice:
//!
//! ```text
//! d_weight[:, id[t]] += d_y[t]
//! ```
//!
//! Only the columns of tokens that occur get a gradient. The input, which is not a number, has none.
//!
//! A *padding token* ([`Embedding::with_padding`]) marks steps without a word in data that cannot mark them as invalid. Its column is
//! zero at first and is a constant: `d_weight` is zero there, so training leaves it as it is.

use super::shapes::{check_backward, check_gradients};
use crate::{
    ChangeScalar, Features, HyperparameterError, Layer, ParameterGradients, Pass, Path, Scalar, Sequences, Shape,
    Tensors, Tokens, initialise, kernel, sizes,
};
use alloc::{format, string::String};
use nalgebra::DMatrix;
use rand::Rng;

/// An embedding; see the [module](self) for its equations.
///
/// ```
/// use longhand::{Embedding, Layer, Pass, Tokens};
/// let mut table = Embedding::<f64>::zeros(10, 2);
/// table.weight[(1, 7)] = 3.0;
/// let mut cache = Default::default();
/// let y = table.forward(&Tokens::single(vec![0, 7]), &mut (), &mut cache, &mut Pass::Infer);
/// assert_eq!((y.at(0, 0), y.at(1, 0)), ([0.0, 0.0].as_slice(), [0.0, 3.0].as_slice()));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding<T: Scalar> {
    /// The table, `features x tokens`.
    pub weight: DMatrix<T>,
    /// The id whose column is a constant.
    padding: Option<usize>,
}

/// As [`tensors!`](crate::tensors!) has it, but for the transpose.
impl<T: Scalar> Tensors<T> for Embedding<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.weight.visit(&path.field("weight"), &mut |path, shape, values| visitor(path, shape.transposed(), values));
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.weight
            .visit_mut(&path.field("weight"), &mut |path, shape, values| visitor(path, shape.transposed(), values));
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.weight.visit_pair(&path.field("weight"), &other.weight, visitor);
    }
}

impl<T: Scalar> ChangeScalar<T> for Embedding<T> {
    type Over<U: Scalar> = Embedding<U>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Embedding<U> {
        Embedding { weight: ChangeScalar::map(&self.weight, f), padding: self.padding }
    }
}

impl<T: Scalar> Embedding<T> {
    /// A table for `tokens` ids with every element drawn from the normal distribution of deviation 1, PyTorch's default.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(tokens: usize, features: usize, generator: &mut R) -> Self {
        let mut layer = Embedding::zeros(tokens, features);
        initialise::normal(&mut layer, 1.0, generator).expect("1 is a deviation");
        layer
    }

    /// All parameters zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(tokens: usize, features: usize) -> Self {
        Embedding { weight: sizes::zero_matrix(features, tokens), padding: None }
    }

    /// Makes `id` the padding token, PyTorch's `padding_idx`: sets its column to zero, and gives it no gradient.
    ///
    /// ```
    /// use longhand::{Embedding, HyperparameterError};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let table = Embedding::<f32>::new(10, 4, &mut ChaCha8Rng::seed_from_u64(1)).with_padding(0)?;
    /// assert!(table.weight.column(0).iter().all(|&x| x == 0.0));
    /// # Ok::<(), HyperparameterError>(())
    /// ```
    ///
    /// # Errors
    /// If `id` is not in the table.
    pub fn with_padding(mut self, id: usize) -> Result<Self, HyperparameterError> {
        let expected = format!("below {}, the number of token ids", self.tokens());
        HyperparameterError::unless(id < self.tokens(), "padding", id as f64, &expected)?;
        self.weight.column_mut(id).fill(T::zero());
        self.padding = Some(id);
        Ok(self)
    }

    /// The padding token.
    pub fn padding(&self) -> Option<usize> {
        self.padding
    }

    /// Number of token ids.
    pub fn tokens(&self) -> usize {
        self.weight.ncols()
    }

    /// The features of a token.
    #[track_caller]
    pub(crate) fn column(&self, id: usize) -> &[T] {
        let (rows, tokens) = self.weight.shape();
        assert!(
            id < tokens,
            "token id {id} is not in the table of {tokens} ids, counted from 0 (layer `{}`)",
            self.name()
        );
        &self.weight.as_slice()[id * rows..(id + 1) * rows]
    }
}

impl<T: Scalar> Layer<T> for Embedding<T> {
    type Input = Tokens;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output.
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("Embedding({} -> {})", self.tokens(), self.weight.nrows())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.tokens(), output: self.weight.nrows() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Tokens,
        (): &mut (),
        output: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        output.reshape(self.weight.nrows(), input.layout());
        for (column, &id) in input.ids().iter().enumerate() {
            if input.layout().is_valid_column(column) {
                output.column_mut(column).copy_from_slice(self.column(id));
            }
        }
        output.clear_padding();
        output
    }

    fn output(cache: &Sequences<T>) -> &Sequences<T> {
        cache
    }

    fn backward(
        &self,
        input: &Tokens,
        output: &mut Sequences<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        _: Option<&mut Tokens>,
    ) {
        let rows = self.weight.nrows();
        check_backward(|| self.name(), output, rows, input.layout(), d_output);
        let Some(gradients) = gradients.to_add_to::<T>() else { return };
        check_gradients(|| self.name(), ["weight"], [self.weight.shape()], [gradients.weight.shape()]);
        let Some(d_output) = d_output else { return };
        for (column, &id) in input.ids().iter().enumerate() {
            if input.layout().is_valid_column(column) && self.padding != Some(id) {
                let d_weight = &mut gradients.weight.as_mut_slice()[id * rows..(id + 1) * rows];
                kernel::add(d_weight, d_output.column(column));
            }
        }
    }
}
