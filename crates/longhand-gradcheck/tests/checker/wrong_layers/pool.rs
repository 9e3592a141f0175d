//! The maximum over blocks of steps. The layer changes the number of steps, and its maximum may be tied.

use longhand::{Features, Layer, Layout, Pass, Scalar, Sequences};
use std::cmp::Ordering;

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// Every step that attains the maximum gets the gradient.
    TieToAll,
    /// The gradient is divided among the steps that attain the maximum.
    TieDivided,
    /// The maximum includes invalid steps.
    PaddingCounts,
    /// The first step of the block gets the gradient.
    First,
}

/// `y[s] = max of x[t]` over the valid steps `stride s .. stride (s + 1)`. Blocks without a valid step are invalid.
#[derive(Debug, Clone)]
pub struct Pool {
    pub stride: usize,
    pub mistake: Mistake,
}

longhand::tensors!(Pool);

impl Pool {
    fn steps(&self, layout: &Layout, block: usize, b: usize) -> Vec<usize> {
        let end = layout.steps().min((block + 1) * self.stride);
        let all = self.mistake == Mistake::PaddingCounts;
        (block * self.stride..end).filter(|&step| all || layout.is_valid(step, b)).collect()
    }

    fn layout(&self, input: &Layout) -> Layout {
        let (blocks, batch) = (input.steps().div_ceil(self.stride), input.batch());
        let valid = |column: usize| {
            let steps = (0..self.stride).map(|step| (column / batch) * self.stride + step);
            steps.filter(|&step| step < input.steps()).any(|step| input.is_valid(step, column % batch))
        };
        let valid = (0..blocks * batch).map(valid).collect();
        let mut layout = Layout::new(blocks, batch).with_valid(valid).expect("one mark per column");
        // A reset at a step becomes a reset of the next block that starts at this step or later.
        for (step, b) in (0..input.steps()).flat_map(|step| (0..batch).map(move |b| (step, b))) {
            let block = step.div_ceil(self.stride);
            if input.resets(step, b) && block < blocks {
                layout = layout.with_reset(block, b);
            }
        }
        layout
    }
}

fn maximum<T: Scalar>(x: &Sequences<T>, steps: &[usize], b: usize, i: usize) -> T {
    let values = steps.iter().map(|&step| x.at(step, b)[i]);
    values.reduce(|a, x| if x > a { x } else { a }).unwrap_or_else(T::zero)
}

impl<T: Scalar> Layer<T> for Pool {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        "Pool".to_owned()
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        y: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        y.reshape(x.features(), &self.layout(x.layout()));
        y.values_mut().fill(T::zero());
        for block in 0..y.steps() {
            for b in (0..x.batch()).filter(|&b| self.layout(x.layout()).is_valid(block, b)) {
                let steps = self.steps(x.layout(), block, b);
                for i in 0..x.features() {
                    y.at_mut(block, b)[i] = maximum(x, &steps, b, i);
                }
            }
        }
        y
    }

    fn output(y: &Sequences<T>) -> &Sequences<T> {
        y
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        y: &mut Sequences<T>,
        d_y: Option<&Sequences<T>>,
        (): &mut (),
        _: longhand::ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(y));
        let d_y = d_y.unwrap_or(&zeros);
        let Some(d_x) = d_x else { return };
        d_x.reshape(x.features(), x.layout());
        d_x.values_mut().fill(T::zero());
        for block in 0..y.steps() {
            for b in (0..x.batch()).filter(|&b| y.layout().is_valid(block, b)) {
                let steps = self.steps(x.layout(), block, b);
                for i in 0..x.features() {
                    let largest = maximum(x, &steps, b, i);
                    let attain: Vec<usize> = steps
                        .iter()
                        .copied()
                        .filter(|&step| x.at(step, b)[i].partial_cmp(&largest) != Some(Ordering::Less))
                        .collect();
                    let d = d_y.at(block, b)[i];
                    let part = d / longhand::nalgebra::convert::<f64, T>(attain.len() as f64);
                    let (to, d) = match self.mistake {
                        Mistake::TieToAll => (&attain[..], d),
                        Mistake::TieDivided => (&attain[..], part),
                        Mistake::First => (&steps[..1], d),
                        _ => (&attain[..1], d),
                    };
                    for &step in to {
                        d_x.at_mut(step, b)[i] = d;
                    }
                }
            }
        }
    }
}
