//! A right Elman layer with a mistake in its use: for some order of calls, at some sizes, in one scalar type, or at
//! special values. The equations of the layer are right, so only the mistake can be found.

mod corrupt;
mod mistake;

use corrupt::without_resets_at_16;
use longhand::nalgebra::{DMatrix, convert, convert_unchecked};
use longhand::{Elman, Features, Layer, Layout, ParameterGradients, Pass, Path, Scalar, Sequences, Tensors};
pub use mistake::Mistake;
use std::any::TypeId;
use std::cell::RefCell;

/// An Elman layer with a mistake in its use.
#[derive(Debug, Clone)]
pub struct Around<T: Scalar> {
    pub inner: Elman<T>,
    pub mistake: Mistake,
    pub stored: RefCell<Option<(Vec<f64>, Layout)>>,
}

longhand::tensors!(Around { inner } keep { mistake, stored });

impl<T: Scalar> Around<T> {
    pub fn zeros(inputs: usize, units: usize, mistake: Mistake) -> Self {
        Around { inner: Elman::zeros(inputs, units), mistake, stored: RefCell::new(None) }
    }

    fn has(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// Whether the layer has `mistake`, or, in `f32`, `in_single`.
    fn has_either(&self, mistake: Mistake, in_single: Mistake) -> bool {
        self.has(mistake) || (is_single::<T>() && self.has(in_single))
    }
}

fn is_single<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<f32>()
}

fn numbers<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&x| convert_unchecked(x)).collect()
}

type Inner<T> = <Elman<T> as Layer<T>>::Cache;

pub struct Cache<T: Scalar> {
    inner: Inner<T>,
    layer: Option<Elman<T>>,
    d_input: Option<Sequences<T>>,
    marks: Option<Layout>,
    carry: Option<DMatrix<T>>,
    came_in: DMatrix<T>,
}

impl<T: Scalar> Default for Cache<T> {
    fn default() -> Self {
        let came_in = DMatrix::zeros(0, 0);
        Cache { inner: Inner::<T>::default(), layer: None, d_input: None, marks: None, carry: None, came_in }
    }
}

impl<T: Scalar> Layer<T> for Around<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = Cache<T>;

    fn name(&self) -> String {
        format!("Around({} -> {})", self.inner.weight_ih_l0.ncols(), self.inner.weight_ih_l0.nrows())
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        self.inner.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut Cache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        use Mistake as M;
        cache.came_in = carry.clone();
        cache.d_input = None;
        if self.has_either(M::InputInLayer, M::SingleInputInLayer) {
            *self.stored.borrow_mut() = Some((numbers(input.values().as_slice()), input.layout().clone()));
        }
        if self.has(M::TransposeInLayer) && self.stored.borrow().is_none() {
            let transposed = self.inner.weight_ih_l0.transpose();
            *self.stored.borrow_mut() = Some((numbers(transposed.as_slice()), Layout::new(1, 1)));
        }
        if cache.carry.as_ref().is_none_or(|stored| stored.shape() != carry.shape()) {
            cache.carry = Some(carry.clone());
        }
        let layer = cache.layer.get_or_insert_with(|| self.inner.clone());
        let marks = cache.marks.take();
        let same_size = |marks: &Layout| (marks.steps(), marks.batch()) == (input.steps(), input.batch());
        let marks = marks.filter(same_size).unwrap_or_else(|| input.layout().clone());
        cache.marks = Some(marks.clone());
        let remarked;
        let input = if self.has(M::MarksInCache) {
            remarked = input.clone().with_layout(marks).expect("the layouts have the same size");
            &remarked
        } else {
            input
        };
        let layer = if self.has(M::ParametersInCacheForward) { layer } else { &self.inner };
        layer.forward(input, carry, &mut cache.inner, pass)
    }

    fn output(cache: &Cache<T>) -> &Sequences<T> {
        Elman::output(&cache.inner)
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Cache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut DMatrix<T>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        let zeros = Self::output(cache).zeros();
        let d_output = d_output.unwrap_or(&zeros);
        let gradients = match gradients {
            ParameterGradients::Add(gradients) => gradients,
            ParameterGradients::Skip => &mut self.zeros(),
            ParameterGradients::Replace(gradients) => {
                let asked = d_input.is_some();
                let before = gradients.inner.bias_hh_l0.clone();
                gradients.set_zero();
                self.add(input, cache, d_output, d_carry, gradients, d_input);
                let in_single = is_single::<T>() && self.has(M::SingleReplacing);
                if in_single || (self.has(M::ReplacingWithoutInput) && !asked) {
                    gradients.inner.bias_hh_l0 *= convert::<f64, T>(2.0);
                }
                if self.has(M::AddedWithoutInput) && !asked {
                    gradients.inner.bias_hh_l0 += before;
                }
                if self.has(M::ReplacingCarry) && !asked {
                    d_carry.fill(T::zero());
                }
                return;
            }
        };
        self.add(input, cache, d_output, d_carry, gradients, d_input);
    }
}

impl<T: Scalar> Around<T> {
    /// The backward pass for gradients of the parameters that are added to.
    fn add(
        &self,
        input: &Sequences<T>,
        cache: &mut Cache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        if self.has(M::SilentPass) && d_output.values().iter().all(|&d| d == T::zero()) {
            if let Some(d_input) = d_input {
                d_input.reshape(input.features(), input.layout());
                d_input.values_mut().fill(T::zero());
            }
            d_carry.fill(T::zero());
            return;
        }
        let mut own = self.inner.zeros();
        let mut d_x = Sequences::default();
        if self.has(M::SilentStep) {
            self.step_by_step(input, &cache.came_in, d_output, d_carry, &mut own, &mut d_x);
        } else {
            self.whole(input, cache, d_output, d_carry, &mut own, &mut d_x);
        }
        self.corrupt_parameters(input, d_output, &mut own);
        self.corrupt_input(input, cache, &mut d_x);
        self.corrupt_carry(&cache.came_in, d_carry);
        if is_single::<T>() && self.has(M::SingleOverwritten) {
            gradients.inner.bias_hh_l0.fill(T::zero());
        }
        gradients
            .inner
            .visit_pair(&Path::ROOT, &own, &mut |_, sum, own| sum.iter_mut().zip(own).for_each(|(sum, &g)| *sum += g));
        if let Some(d_input) = d_input {
            let layout = input.layout();
            d_input.reshape(input.features(), layout);
            for step in 0..layout.steps() {
                for b in 0..layout.batch() {
                    let skipped = is_single::<T>() && self.has(M::SinglePaddingNotWritten);
                    if layout.is_valid(step, b) || !skipped {
                        d_input.at_mut(step, b).copy_from_slice(d_x.at(step, b));
                    }
                }
            }
        }
    }

    /// The backward pass of the inner layer, with mistakes in its arguments.
    fn whole(
        &self,
        input: &Sequences<T>,
        cache: &mut Cache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        own: &mut Elman<T>,
        d_x: &mut Sequences<T>,
    ) {
        use Mistake as M;
        let stale =
            self.has_either(M::ParametersInCache, M::SingleParametersInCache) || self.has(M::ParametersInCacheForward);
        let copy = cache.layer.clone().filter(|_| stale);
        let layer = copy.as_ref().unwrap_or(&self.inner);
        let mut given = input.clone();
        if self.has_either(M::InputInLayer, M::SingleInputInLayer)
            && let Some((values, layout)) = &*self.stored.borrow()
            && layout == input.layout()
        {
            given.values_mut().iter_mut().zip(values).for_each(|(x, &stored)| *x = convert(stored));
        }
        if self.has(M::CarryInCache) || self.has(M::ResetAtSixteen) {
            // Repeat the forward pass with the wrong carry or the wrong resets.
            let layout = input.layout();
            let mut carry = if self.has(M::CarryInCache) { cache.carry.clone() } else { None };
            let mut carry = carry.take().unwrap_or_else(|| cache.came_in.clone());
            if self.has(M::ResetAtSixteen) {
                given = given.with_layout(without_resets_at_16(layout)).expect("the layouts have the same size");
            }
            let mut other = Inner::<T>::default();
            layer.forward(&given, &mut carry, &mut other, &mut Pass::Infer);
            layer.backward(&given, &mut other, Some(d_output), d_carry, ParameterGradients::Add(own), Some(d_x));
            *d_x = std::mem::take(d_x).with_layout(layout.clone()).expect("the layouts have the same size");
        } else {
            layer.backward(&given, &mut cache.inner, Some(d_output), d_carry, ParameterGradients::Add(own), Some(d_x));
        }
    }

    /// The backward pass one step at a time, which skips steps without a cotangent.
    fn step_by_step(
        &self,
        input: &Sequences<T>,
        carry: &DMatrix<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        own: &mut Elman<T>,
        d_x: &mut Sequences<T>,
    ) {
        d_x.reshape(input.features(), input.layout());
        d_x.values_mut().fill(T::zero());
        let window = |of: &Sequences<T>, step| {
            let mut window = Sequences::default();
            window.copy_steps(of, step, 1);
            window
        };
        let mut carries = vec![carry.clone()];
        for step in 0..input.steps() {
            let mut carry = carries[step].clone();
            self.inner.forward(&window(input, step), &mut carry, &mut Inner::<T>::default(), &mut Pass::Infer);
            carries.push(carry);
        }
        for step in (0..input.steps()).rev() {
            let d_y = window(d_output, step);
            let valid = (0..input.batch()).any(|b| input.layout().is_valid(step, b));
            if valid && d_y.values().iter().all(|&d| d == T::zero()) {
                d_carry.fill(T::zero());
                continue;
            }
            let (x, mut cache, mut d) = (window(input, step), Inner::<T>::default(), Sequences::default());
            self.inner.forward(&x, &mut carries[step].clone(), &mut cache, &mut Pass::Infer);
            let own = ParameterGradients::Add(&mut *own);
            self.inner.backward(&x, &mut cache, Some(&d_y), d_carry, own, Some(&mut d));
            for b in 0..input.batch() {
                d_x.at_mut(step, b).copy_from_slice(d.at(0, b));
            }
        }
    }
}
