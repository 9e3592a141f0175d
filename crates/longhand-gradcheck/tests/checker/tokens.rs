//! A layer whose input is not `Sequences` but token ids, which have no gradient.

use longhand::nalgebra::{DMatrix, convert, convert_unchecked};
use longhand::{ChangeScalar, Features, Layer, Pass, Path, Scalar, Shape, Tensors};
use longhand_gradcheck::{Checker, Failure, Setting, laws};
use std::any::TypeId;

/// A table with one column per token. The input is token ids, which have no gradient.
#[derive(Clone)]
struct Embedding<T> {
    weight: DMatrix<T>,
    mistake: Mistake,
}
longhand::tensors!(Embedding { weight } keep { mistake });

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    /// A token that occurs twice gets the gradient of its first occurrence only.
    Repeated,
    /// The ids of the first forward pass are stored in the cache and used later.
    StaleIds,
    /// Stored ids are used if their number is the same.
    StaleIdsOfSameLength,
    /// The output at padding is not zero.
    Padding,
    /// The weight is used in `f64`, and half of its gradient is missing.
    InDouble,
    /// In `f32`, the gradient is overwritten, not added to.
    SingleOverwritten,
    /// The parameters are copied into the cache.
    StaleWeight,
}

/// The id of padding. Its output is zero and its column has no gradient.
const PADDING: usize = 0;

/// Token ids: a value without tensors.
#[derive(Clone, Default)]
struct Ids(Vec<usize>);

impl<T: Scalar> Tensors<T> for Ids {
    fn visit(&self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {}
    fn visit_mut(&mut self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {}
    fn visit_pair(&mut self, _: &Path<'_>, _: &Self, _: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {}
}

impl<T: Scalar> ChangeScalar<T> for Ids {
    type Over<U: Scalar> = Ids;

    fn map<U: Scalar>(&self, _: &mut dyn FnMut(T) -> U) -> Ids {
        self.clone()
    }
}

/// One column per id.
#[derive(Clone)]
struct Columns<T: Scalar>(DMatrix<T>);

impl<T: Scalar> Default for Columns<T> {
    fn default() -> Self {
        Columns(DMatrix::zeros(0, 0))
    }
}

impl<T: Scalar> Tensors<T> for Columns<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.0.visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.0.visit_mut(path, visitor);
    }
    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.0.visit_pair(path, &other.0, visitor);
    }
}

impl<T: Scalar> ChangeScalar<T> for Columns<T> {
    type Over<U: Scalar> = Columns<U>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Columns<U> {
        Columns(ChangeScalar::map(&self.0, f))
    }
}

/// The output, and values that some mistakes store.
struct Cache<T: Scalar> {
    output: Columns<T>,
    ids: Option<Ids>,
    weight: Option<DMatrix<T>>,
}

impl<T: Scalar> Default for Cache<T> {
    fn default() -> Self {
        Cache { output: Columns::default(), ids: None, weight: None }
    }
}

impl<T: Scalar> Layer<T> for Embedding<T> {
    type Input = Ids;
    type Output = Columns<T>;
    type Carry = ();
    type Cache = Cache<T>;

    fn name(&self) -> String {
        format!("Embedding({} -> {})", self.weight.ncols(), self.weight.nrows())
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(&self, ids: &Ids, (): &mut (), cache: &'c mut Cache<T>, _: &mut Pass<'_>) -> &'c Columns<T> {
        let longer = cache.ids.as_ref().is_some_and(|stored| stored.0.len() < ids.0.len());
        let other = cache.ids.as_ref().is_some_and(|stored| stored.0.len() != ids.0.len());
        if cache.ids.is_none() || longer || (other && self.mistake == Mistake::StaleIdsOfSameLength) {
            cache.ids = Some(ids.clone());
        }
        let weight = match self.mistake {
            Mistake::StaleWeight => cache.weight.get_or_insert_with(|| self.weight.clone()),
            _ => &self.weight,
        };
        let half: T = convert(0.5);
        cache.output.0 = DMatrix::from_fn(weight.nrows(), ids.0.len(), |i, j| match ids.0[j] {
            PADDING if self.mistake != Mistake::Padding => T::zero(),
            id if self.mistake == Mistake::InDouble => {
                let double: f64 = convert_unchecked(weight[(i, id)]);
                weight[(i, id)] * half + convert::<f64, T>(double) * half
            }
            id => weight[(i, id)],
        });
        &cache.output
    }

    fn output(cache: &Cache<T>) -> &Columns<T> {
        &cache.output
    }

    fn backward(
        &self,
        ids: &Ids,
        cache: &mut Cache<T>,
        d_output: Option<&Columns<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        _: Option<&mut Ids>,
    ) {
        use Mistake as M;
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(cache));
        let d_output = d_output.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        let stale = matches!(self.mistake, M::StaleIds | M::StaleIdsOfSameLength);
        let ids = cache.ids.as_ref().filter(|_| stale).unwrap_or(ids);
        if self.mistake == M::SingleOverwritten && TypeId::of::<T>() == TypeId::of::<f32>() {
            gradients.weight.fill(T::zero());
        }
        for (j, &id) in ids.0.iter().enumerate().take(d_output.0.ncols()) {
            if id == PADDING && self.mistake != M::Padding {
                continue;
            }
            for i in 0..self.weight.nrows() {
                let d = match self.mistake {
                    M::Repeated if ids.0[..j].contains(&id) => T::zero(),
                    M::InDouble => d_output.0[(i, j)] * convert(0.5),
                    _ => d_output.0[(i, j)],
                };
                gradients.weight[(i, id)] += d;
            }
        }
    }
}

fn setting(mistake: Mistake, ids: &[usize], seed: u64) -> Setting<Embedding<f64>> {
    let weight = DMatrix::from_fn(3, 5, |i, j| (1.0 + (5 * i + j) as f64 + seed as f64).sin());
    Setting::new(Embedding { weight, mistake }, Ids(ids.to_vec()), ids.len(), seed)
}

fn check(mistake: Mistake, seed: u64) -> Result<(), Failure> {
    let first = setting(mistake, &[4, PADDING, 4, 2], seed);
    for ids in [&[1, 2, 3, 1, 4, PADDING][..], &[3], &[1, 3, PADDING, 3]] {
        Checker::new().any_layer_with(&first, &setting(mistake, ids, seed))?;
    }
    // The second token is padding, so its cotangent must not change any result.
    let mut other = first.clone();
    other.d_output.0.column_mut(1).fill(f64::NAN);
    laws::same_results(&first, &other)
}

#[test]
fn embeddings_are_accepted_and_wrong_ones_rejected() {
    use Mistake as M;
    let mistakes = [
        (M::Repeated, "weight"),
        (M::StaleIds, "stale"),
        (M::StaleIdsOfSameLength, "stale"),
        (M::Padding, "padding"),
        (M::InDouble, "central difference"),
        (M::SingleOverwritten, "in f32"),
        (M::StaleWeight, "stale"),
    ];
    for seed in 0..20 {
        check(M::None, seed).expect("the embedding is right");
        for (mistake, word) in mistakes {
            let Err(failure) = check(mistake, seed) else { panic!("{mistake:?} is not rejected (seed {seed})") };
            assert!(failure.to_string().contains(word), "{mistake:?}: expected `{word}` in the report, got\n{failure}");
        }
    }
}
