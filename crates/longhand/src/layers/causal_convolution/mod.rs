//! A causal convolution over time, with dilation and stride: each output sees the current input and earlier ones.
//!
//! Sources: Waibel et al., "Phoneme Recognition Using Time-Delay Neural Networks" (1989); for dilation, van den Oord et al., "WaveNet: A
//! Generative Model for Raw Audio" (2016).
//!
//! # Equations
//! With `k` the kernel size, `d` the dilation, and `x~[n]` the `n`-th *valid* input of a sequence since its last reset (from the
//! carry for the inputs before this window, and zero before the first one),
//!
//! ```text
//! y[n] = b + sum over p < k of W_p x~[n - (k - 1 - p) d]
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `y` | `output` | `outputs x (steps / stride, rounded up, * batch)`, zero at invalid steps |
//! | `W_0`, `W_1`, .. | `weight`, the matrices side by side, that of the earliest input first | `outputs x (k * inputs)` |
//! | `b` | `bias` | `outputs` |
//! | `x~[n - (k - 1) d]`, .. `x~[n]`, one below the other | `unfolded` | `k * inputs` per output |
//!
//! These are the values of PyTorch's `nn.Conv1d(inputs, outputs, k, stride, dilation=d)` after `F.pad(x, ((k - 1) * d, 0))`. Files
//! have its `weight` of `outputs x inputs x k`.
//!
//! **Stride.** With stride `s`, only the steps `0`, `s`, `2 s`, .. of the window have an output. Windows of a multiple of `s` steps
//! give what the whole sequence gives.
//!
//! **Carry.** The last `(k - 1) d` valid inputs of each sequence, the latest last. An invalid step leaves it as it is, so the step
//! after a gap sees the inputs before the gap. A reset sets it to zero.
//!
//! # Derivation of the backward pass
//! With `u[n]` the unfolded inputs of an output, `y[n] = b + W u[n]` is a linear layer, so
//!
//! ```text
//! d_W = sum d_y[n] u[n]'          d_b = sum d_y[n]          d_u[n] = W' d_y[n]
//! ```
//!
//! Every part of `u[n]` is a copy: of an input, of a part of the carry, or of nothing (zero). So is every part of the carry that goes
//! out. The gradient of what was copied is the sum of the gradients of its copies. `sources.rs` says what each is a copy of.

mod sources;
mod streaming;

pub use streaming::CausalConvolutionPrepared;

use super::shapes::{check_backward, check_gradients, check_input, check_tensor};
use crate::hyperparameters::at_least_one;
use crate::kernel::{self, Accumulate, Operand, Workspace};
use crate::sequences::without_padding;
use crate::{
    ChangeScalar, Features, HyperparameterError, Layer, Layout, ParameterGradients, Pass, Path, Scalar, Sequences,
    Shape, Tensors, initialise, sizes,
};
use alloc::{format, string::String, vec::Vec};
use nalgebra::{DMatrix, DVector};
use rand::Rng;
use sources::{Source, Sources};

/// A causal convolution over time; see the [module](self) for its equations.
///
/// ```
/// use longhand::{CausalConvolution, Layer, Pass, Sequences};
///
/// // The difference between each input and the one before it.
/// let mut layer = CausalConvolution::<f64>::zeros(1, 1, 2)?;
/// layer.weight.copy_from_slice(&[-1.0, 1.0]);
/// let x = Sequences::from_time_first(&[1.0, 4.0, 9.0], [3, 1, 1])?;
/// let (mut carry, mut cache) = (layer.carry(1), Default::default());
/// let y = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
/// assert_eq!(y.values().as_slice(), [1.0, 3.0, 5.0]);
/// assert_eq!(carry[(0, 0)], 9.0, "what the first step of the next window needs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Conv1d")]
#[derive(Debug, Clone, PartialEq)]
pub struct CausalConvolution<T: Scalar> {
    /// `W_0`, `W_1`, .. side by side, `outputs x (kernel size * inputs)`.
    pub weight: DMatrix<T>,
    /// `b`, `outputs`.
    pub bias: DVector<T>,
    kernel_size: usize,
    dilation: usize,
    stride: usize,
}

/// As [`tensors!`](crate::tensors!) has it, but for the three dimensions of the weight in files.
impl<T: Scalar> Tensors<T> for CausalConvolution<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        let shape = self.weight_shape();
        self.weight.visit(&path.field("weight"), &mut |path, _, values| visitor(path, shape, values));
        self.bias.visit(&path.field("bias"), visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        let shape = self.weight_shape();
        self.weight.visit_mut(&path.field("weight"), &mut |path, _, values| visitor(path, shape, values));
        self.bias.visit_mut(&path.field("bias"), visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.weight.visit_pair(&path.field("weight"), &other.weight, visitor);
        self.bias.visit_pair(&path.field("bias"), &other.bias, visitor);
    }
}

impl<T: Scalar> ChangeScalar<T> for CausalConvolution<T> {
    type Over<U: Scalar> = CausalConvolution<U>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> CausalConvolution<U> {
        let CausalConvolution { kernel_size, dilation, stride, .. } = *self;
        let (weight, bias) = (ChangeScalar::map(&self.weight, f), ChangeScalar::map(&self.bias, f));
        CausalConvolution { weight, bias, kernel_size, dilation, stride }
    }
}

impl<T: Scalar> CausalConvolution<T> {
    /// A layer whose outputs see `kernel_size` inputs, with every parameter uniform in `[-1/sqrt(n), 1/sqrt(n)]` for
    /// `n = kernel_size * inputs`, PyTorch's default. Dilation and stride are 1.
    ///
    /// # Errors
    /// If the kernel size is 0.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(
        inputs: usize,
        outputs: usize,
        kernel_size: usize,
        generator: &mut R,
    ) -> Result<Self, HyperparameterError> {
        let mut layer = CausalConvolution::zeros(inputs, outputs, kernel_size)?;
        let fan = layer.weight.ncols();
        initialise::uniform_fan(&mut layer, fan, generator);
        Ok(layer)
    }

    /// All parameters zero, to be filled. Dilation and stride are 1.
    ///
    /// # Errors
    /// If the kernel size is 0.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, outputs: usize, kernel_size: usize) -> Result<Self, HyperparameterError> {
        at_least_one("kernel size", kernel_size)?;
        let weight = sizes::zero_matrix(outputs, sizes::columns(kernel_size, inputs));
        Ok(CausalConvolution { weight, bias: sizes::zero_vector(outputs), kernel_size, dilation: 1, stride: 1 })
    }

    /// Lets the inputs that an output sees be `dilation` steps apart.
    ///
    /// # Errors
    /// If `dilation` is 0, or the carry would have more inputs than fit in the address space.
    pub fn with_dilation(self, dilation: usize) -> Result<Self, HyperparameterError> {
        at_least_one("dilation", dilation)?;
        let fits = (self.kernel_size - 1).checked_mul(dilation).is_some();
        HyperparameterError::unless(fits, "dilation", dilation as f64, "smaller: the carry does not fit in memory")?;
        Ok(CausalConvolution { dilation, ..self })
    }

    /// Computes the output of every `stride`-th step only.
    ///
    /// # Errors
    /// If `stride` is 0.
    pub fn with_stride(self, stride: usize) -> Result<Self, HyperparameterError> {
        at_least_one("stride", stride)?;
        Ok(CausalConvolution { stride, ..self })
    }

    /// Number of inputs that an output sees.
    pub fn kernel_size(&self) -> usize {
        self.kernel_size
    }

    /// Distance in steps between the inputs that an output sees.
    pub fn dilation(&self) -> usize {
        self.dilation
    }

    /// Distance in steps between two outputs.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.weight.ncols() / self.kernel_size
    }

    /// Number of output features.
    pub fn outputs(&self) -> usize {
        self.weight.nrows()
    }

    /// Number of earlier inputs in the carry.
    pub(crate) fn memory(&self) -> usize {
        (self.kernel_size - 1) * self.dilation
    }

    fn weight_shape(&self) -> Shape {
        Shape::matrix(self.weight.nrows(), self.weight.ncols()).of_kernel(self.kernel_size)
    }

    /// Panics unless the parameters agree with one another and with the settings.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        let weight = (self.bias.nrows(), self.kernel_size * self.inputs());
        check_tensor(|| self.name(), "weight", self.weight.shape(), weight);
    }
}

/// The output of [`CausalConvolution`], the copies of its inputs, and the buffers of both passes.
#[derive(Debug)]
pub struct CausalConvolutionCache<T: Scalar> {
    output: Sequences<T>,
    /// `u`, one column per output; zero where the output is invalid.
    unfolded: DMatrix<T>,
    sources: Sources,
    d_unfolded: DMatrix<T>,
    /// The gradient of the carry that went out, while that of the carry that came in is written.
    d_next: DMatrix<T>,
    cleared_d_output: Sequences<T>,
    workspace: Workspace<T>,
}

impl<T: Scalar> Default for CausalConvolutionCache<T> {
    fn default() -> Self {
        let empty = || DMatrix::from_vec(0, 0, Vec::new());
        CausalConvolutionCache {
            output: Sequences::default(),
            unfolded: empty(),
            sources: Sources::default(),
            d_unfolded: empty(),
            d_next: empty(),
            cleared_d_output: Sequences::default(),
            workspace: Workspace::default(),
        }
    }
}

/// The inputs at one place of the carry of one sequence.
fn place<T: Scalar>(carry: &DMatrix<T>, sequence: usize, place: usize, inputs: usize) -> &[T] {
    &carry.as_slice()[sequence * carry.nrows() + place * inputs..][..inputs]
}

fn place_mut<T: Scalar>(carry: &mut DMatrix<T>, sequence: usize, place: usize, inputs: usize) -> &mut [T] {
    let rows = carry.nrows();
    &mut carry.as_mut_slice()[sequence * rows + place * inputs..][..inputs]
}

fn add<T: Scalar>(sum: &mut [T], term: &[T]) {
    // A few elements: less work than the call of a kernel.
    sum.iter_mut().zip(term).for_each(|(sum, &term)| *sum += term);
}

impl<T: Scalar> Layer<T> for CausalConvolution<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    /// `(kernel size - 1) * dilation * inputs x batch`.
    type Carry = DMatrix<T>;
    type Cache = CausalConvolutionCache<T>;

    fn name(&self) -> String {
        let CausalConvolution { kernel_size, dilation, stride, .. } = self;
        let setting = |name, value| if value == 1 { String::new() } else { format!(", {name} {value}") };
        let (dilation, stride) = (setting("dilation", *dilation), setting("stride", *stride));
        format!("CausalConvolution({} -> {}, kernel {kernel_size}{dilation}{stride})", self.inputs(), self.outputs())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.outputs() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        sizes::zero_matrix(sizes::columns(self.memory(), self.inputs()), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut CausalConvolutionCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (inputs, layout, stride) = (self.inputs(), input.layout(), self.stride);
        let (batch, memory) = (layout.batch(), self.memory());
        self.check_parameters();
        check_input(|| self.name(), inputs, input);
        check_tensor(|| self.name(), "the carry", carry.shape(), (memory * inputs, batch));
        let CausalConvolutionCache { output, unfolded, sources, workspace, .. } = cache;
        sources.find(layout, self.kernel_size, self.dilation, stride);
        output.reshape_marked(
            self.outputs(),
            layout.steps().div_ceil(stride),
            batch,
            |step, sequence| layout.is_valid(step * stride, sequence),
            // Every reset since the output before.
            |step, sequence| {
                let first = if step == 0 { 0 } else { (step - 1) * stride + 1 };
                (first..=step * stride).any(|step| layout.resets(step, sequence))
            },
        );
        sizes::reshape(unfolded, self.kernel_size * inputs, output.layout().columns());
        for (part, &source) in sources.of_unfolded().iter().enumerate() {
            let u = &mut unfolded.as_mut_slice()[part * inputs..][..inputs];
            match source {
                Source::Zero => u.fill(T::zero()),
                Source::Input(column) => u.copy_from_slice(input.column(column)),
                Source::Carry(at) => u.copy_from_slice(place(carry, part / self.kernel_size % batch, at, inputs)),
            }
        }
        let (bias, y) = (Accumulate::Bias(self.bias.as_slice()), output.values_mut().as_mut_slice());
        kernel::product(y, bias, (&self.weight).into(), (&*unfolded).into(), workspace);
        output.clear_padding();
        // A place gets what comes later, which is in the carry at the same or a later place, so nothing is overwritten too early.
        for (part, &source) in sources.of_carry().iter().enumerate() {
            let (sequence, to) = (part / memory, part % memory);
            match source {
                Source::Zero => place_mut(carry, sequence, to, inputs).fill(T::zero()),
                Source::Input(column) => place_mut(carry, sequence, to, inputs).copy_from_slice(input.column(column)),
                Source::Carry(from) => {
                    let first = sequence * memory * inputs;
                    let from = first + from * inputs..first + (from + 1) * inputs;
                    carry.as_mut_slice().copy_within(from, first + to * inputs);
                }
            }
        }
        output
    }

    fn output(cache: &CausalConvolutionCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut CausalConvolutionCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut DMatrix<T>,
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        let (inputs, layout, memory) = (self.inputs(), input.layout(), self.memory());
        self.check_parameters();
        let outputs = Layout::new(layout.steps().div_ceil(self.stride), layout.batch());
        check_backward(|| self.name(), &cache.output, self.outputs(), &outputs, d_output);
        check_input(|| self.name(), inputs, input);
        check_tensor(|| self.name(), "`d_carry`", d_carry.shape(), (memory * inputs, layout.batch()));
        let gradients = gradients.accumulated();
        if let Some((gradients, _)) = &gradients {
            let shapes = |layer: &Self| [layer.weight.shape(), layer.bias.shape()];
            check_gradients(|| self.name(), ["weight", "bias"], shapes(self), shapes(gradients));
        }
        let CausalConvolutionCache { output, unfolded, sources, d_unfolded, d_next, cleared_d_output, workspace } =
            cache;
        let d_y = d_output.map(|d_output| without_padding(d_output, output.layout(), cleared_d_output).values());
        match (gradients, d_y) {
            (Some((gradients, accumulate)), Some(d_y)) => {
                let u = Operand::from(&*unfolded);
                kernel::product(gradients.weight.as_mut_slice(), accumulate, d_y.into(), u.transposed(), workspace);
                let one = [T::one()];
                let ones = Operand::repeated(&one, d_y.ncols());
                kernel::product(gradients.bias.as_mut_slice(), accumulate, d_y.into(), ones, workspace);
            }
            (Some((gradients, Accumulate::Replace)), None) => gradients.set_zero(),
            _ => {}
        }
        if let Some(d_input) = &mut d_input {
            d_input.reshape(inputs, layout);
            kernel::set_zero(d_input.values_mut().as_mut_slice());
        }
        sizes::reshape(d_next, d_carry.nrows(), d_carry.ncols());
        d_next.copy_from(d_carry);
        kernel::set_zero(d_carry.as_mut_slice());
        let mut give = |source, sequence, d: &[T]| match (source, &mut d_input) {
            (Source::Input(column), Some(d_input)) => add(d_input.column_mut(column), d),
            (Source::Carry(at), _) => add(place_mut(d_carry, sequence, at, inputs), d),
            _ => {}
        };
        for (part, &source) in sources.of_carry().iter().enumerate() {
            let (sequence, from) = (part / memory, part % memory);
            give(source, sequence, place(d_next, sequence, from, inputs));
        }
        if let Some(d_y) = d_y {
            sizes::reshape(d_unfolded, unfolded.nrows(), unfolded.ncols());
            let weight = Operand::from(&self.weight).transposed();
            kernel::product(d_unfolded.as_mut_slice(), Accumulate::Replace, weight, d_y.into(), workspace);
            for (part, &source) in sources.of_unfolded().iter().enumerate() {
                let sequence = part / self.kernel_size % layout.batch();
                give(source, sequence, &d_unfolded.as_slice()[part * inputs..][..inputs]);
            }
        }
    }
}
