//! A right Elman layer with a mistake around it: in the order of calls, at some sizes, in one scalar type, at special
//! values. What the layer computes is right, so only the mistake can be found.

use longhand::nalgebra::{DMatrix, convert, convert_unchecked};
use longhand::{Elman, Features, Layer, Layout, Pass, Scalar, Sequences, Tensors};
use std::any::TypeId;
use std::cell::RefCell;

/// What is wrong around the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing.
    None,
    /// The parameters are copied into the cache once; backward uses the copy.
    ParametersInCache,
    /// The forward pass uses the copy too.
    ParametersInCacheForward,
    /// A transposed weight is stored in the layer once.
    TransposeInLayer,
    /// The input of the last forward pass is stored in the layer, and backward uses it.
    InputInLayer,
    /// The input's gradient is stored in the cache at the first backward pass after a forward pass.
    DeltaInCache,
    /// The marks of the first batch of a shape are used for the others.
    MarksInCache,
    /// The carry of the first batch of a shape is used by the backward pass of the others.
    CarryInCache,
    /// The gradient of the carry is left out if the carry that came in was zero.
    ZeroCarry,
    /// The same if the carry of one sequence was zero.
    ZeroCarryOfOneSequence,
    /// A step with a cotangent of zero is skipped, and the gradient of the carry with it.
    SilentStep,
    /// Backward returns at once if the whole cotangent of the output is zero.
    SilentPass,
    /// `backward_replacing` doubles a bias if nobody asks for the input's gradient.
    ReplacingWithoutInput,
    /// `backward_replacing` does not replace one tensor if nobody asks for the input's gradient.
    AddedWithoutInput,
    /// `backward_replacing` writes another gradient of the carry.
    ReplacingCarry,
    /// In `f32`: `backward_replacing` doubles a bias.
    SingleReplacing,
    /// In `f32`: gradients are overwritten, not added to.
    SingleOverwritten,
    /// In `f32`: the parameters in the cache are stale.
    SingleParametersInCache,
    /// In `f32`: the gradient of the input is left as it was at invalid steps.
    SinglePaddingNotWritten,
    /// In `f32`: what is in the padding of the cotangent reaches a bias, times zero.
    SinglePaddingTimesZero,
    /// In `f32`: the gradient of the carry is left out if the carry was zero.
    SingleZeroCarry,
    /// In `f32`: the delta of the first backward pass is stored.
    SingleDeltaInCache,
    /// In `f32`: the input of the last forward pass is stored in the layer.
    SingleInputInLayer,
    /// In `f64` only: a thousandth of a bias.
    DoubleOnly,
    /// The input's gradient is zero beyond 64 steps.
    Beyond64Steps,
    /// The input's gradient is zero beyond 128 steps.
    Beyond128Steps,
    /// A reset at a multiple of 16 steps is forgotten by backward.
    ResetAtSixteen,
    /// A gap at step 32 is not masked in the input's gradient.
    GapAt32,
    /// A bias is doubled if the units are a multiple of 4, and at least 16.
    UnitsInFours,
    /// The bias of the units beyond 33 has no gradient.
    Beyond33Units,
    /// The input's gradient takes the weight for its transpose where the shapes allow it.
    Square,
    /// The mask of every fourth sequence is not applied to the input's gradient.
    MaskOfFourth,
    /// The sequences beyond 32 have no gradient of the carry.
    Beyond32Sequences,
    /// The input's gradient of the features beyond 32 is zero.
    Beyond32Inputs,
    /// A bias is doubled if there are 16 sequences.
    SixteenSequences,
    /// A bias is doubled if all of inputs, units and sequences are 4.
    Fours,
    /// A bias is doubled in a batch of one sequence.
    OneSequence,
}

/// The layer.
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

    /// Either of two mistakes, the second of which is made in `f32` only.
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
            remarked = input.clone().with_layout(marks).expect("the same size");
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
        self.spoil_parameters(input, d_output, &mut own);
        self.spoil_input(input, cache, &mut d_x);
        self.spoil_carry(&cache.came_in, d_carry);
        if is_single::<T>() && self.has(M::SingleOverwritten) {
            gradients.inner.bias_hh_l0.fill(T::zero());
        }
        gradients.inner.visit_pair(&own, &mut |sum, own| sum.iter_mut().zip(own).for_each(|(sum, &g)| *sum += g));
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

    fn backward_replacing(
        &self,
        input: &Sequences<T>,
        cache: &mut Cache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        use Mistake as M;
        let asked = d_input.is_some();
        let before = gradients.inner.bias_hh_l0.clone();
        gradients.set_zero();
        self.backward(input, cache, d_output, d_carry, gradients, d_input);
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
    }
}

impl<T: Scalar> Around<T> {
    /// The backward pass of the layer, with the mistakes in what it is given.
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
            // The same forward pass with the wrong carry or the wrong resets.
            let layout = input.layout();
            let mut carry = if self.has(M::CarryInCache) { cache.carry.clone() } else { None };
            let mut carry = carry.take().unwrap_or_else(|| cache.came_in.clone());
            if self.has(M::ResetAtSixteen) {
                given = given.with_layout(without_sixteens(layout)).expect("the same size");
            }
            let mut other = Inner::<T>::default();
            layer.forward(&given, &mut carry, &mut other, &mut Pass::Infer);
            layer.backward(&given, &mut other, d_output, d_carry, own, Some(d_x));
            *d_x = std::mem::take(d_x).with_layout(layout.clone()).expect("the same size");
        } else {
            layer.backward(&given, &mut cache.inner, d_output, d_carry, own, Some(d_x));
        }
    }

    /// One step at a time, without the steps that have no cotangent.
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
            self.inner.backward(&x, &mut cache, &d_y, d_carry, own, Some(&mut d));
            for b in 0..input.batch() {
                d_x.at_mut(step, b).copy_from_slice(d.at(0, b));
            }
        }
    }

    fn spoil_parameters(&self, input: &Sequences<T>, d_output: &Sequences<T>, own: &mut Elman<T>) {
        use Mistake as M;
        let (inputs, units, batch) = (input.features(), own.bias_hh_l0.len(), input.batch());
        let double = match self.mistake {
            M::UnitsInFours => units >= 16 && units.is_multiple_of(4),
            M::SixteenSequences => batch == 16,
            M::Fours => (inputs, units, batch) == (4, 4, 4),
            M::OneSequence => batch == 1,
            _ => false,
        };
        if double {
            own.bias_hh_l0 *= convert::<f64, T>(2.0);
        }
        if self.has(M::DoubleOnly) && TypeId::of::<T>() == TypeId::of::<f64>() {
            own.bias_hh_l0 *= convert::<f64, T>(1.001);
        }
        if self.has(M::Beyond33Units) && units > 33 {
            own.bias_hh_l0.rows_mut(33, units - 33).fill(T::zero());
        }
        if is_single::<T>() && self.has(M::SinglePaddingTimesZero) {
            let padding = d_output.values().iter().fold(T::zero(), |sum, &d| sum + T::zero() * d);
            own.bias_hh_l0.iter_mut().for_each(|g| *g += padding);
        }
    }

    fn spoil_input(&self, input: &Sequences<T>, cache: &mut Cache<T>, d_x: &mut Sequences<T>) {
        use Mistake as M;
        let layout = input.layout();
        if self.has_either(M::DeltaInCache, M::SingleDeltaInCache) {
            *d_x = cache.d_input.get_or_insert_with(|| d_x.clone()).clone();
        }
        if self.has(M::TransposeInLayer)
            && let Some((stored, _)) = &*self.stored.borrow()
        {
            // Right as long as the stored weight is.
            for (now, &then) in self.inner.weight_ih_l0.transpose().iter().zip(stored) {
                if convert_unchecked::<T, f64>(*now).to_bits() != then.to_bits() {
                    *d_x.values_mut() *= convert::<f64, T>(0.9);
                    break;
                }
            }
        }
        let square = self.inner.weight_ih_l0.is_square() && input.features() > 1;
        for step in 0..layout.steps() {
            for b in 0..layout.batch() {
                let valid = layout.is_valid(step, b);
                let wrong = match self.mistake {
                    M::Beyond64Steps => step > 64,
                    M::Beyond128Steps => step > 128,
                    M::GapAt32 => step == 32 && !valid,
                    M::MaskOfFourth => b % 4 == 3 && !valid,
                    M::Square => square && valid,
                    _ => false,
                };
                if wrong {
                    let value = if valid { T::zero() } else { convert::<f64, T>(0.5) };
                    d_x.at_mut(step, b).iter_mut().for_each(|d| *d = *d * convert::<f64, T>(0.5) + value);
                }
                if self.has(M::Beyond32Inputs) {
                    d_x.at_mut(step, b).iter_mut().skip(32).for_each(|d| *d = T::zero());
                }
            }
        }
    }

    fn spoil_carry(&self, came_in: &DMatrix<T>, d_carry: &mut DMatrix<T>) {
        use Mistake as M;
        let zero = |column: usize| came_in.column(column).iter().all(|&h| h == T::zero());
        if self.has_either(M::ZeroCarry, M::SingleZeroCarry) && (0..came_in.ncols()).all(zero) {
            d_carry.fill(T::zero());
        }
        if self.has(M::ZeroCarryOfOneSequence) && came_in.ncols() > 0 && zero(0) {
            d_carry.column_mut(0).fill(T::zero());
        }
        if self.has(M::Beyond32Sequences) && d_carry.ncols() > 32 {
            let count = d_carry.ncols() - 32;
            d_carry.columns_mut(32, count).fill(T::zero());
        }
    }
}

/// The layout without its resets at multiples of 16.
fn without_sixteens(layout: &Layout) -> Layout {
    let (steps, batch) = (layout.steps(), layout.batch());
    let valid = (0..steps * batch).map(|column| layout.is_valid(column / batch, column % batch)).collect();
    let mut other = Layout::new(steps, batch).with_valid(valid).expect("one mark for each column");
    for step in (0..steps).filter(|&step| step == 0 || !step.is_multiple_of(16)) {
        for b in layout.resets_at(step) {
            other = other.with_reset(step, b);
        }
    }
    other
}
