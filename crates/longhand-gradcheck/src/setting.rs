//! One situation in which a layer is checked: the layer, its input and carry, and the cotangents of its results.

use crate::case::Case;
use crate::names::Names;
use crate::numbers::{elements, fill, fill_normal, filled, generator};
use longhand::{Features, Layer, ParameterGradients, Pass, Sequences, Tensors};

/// A layer from sequences to sequences. Implemented for every layer with these types.
pub trait SequenceLayer: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + 'static {}
impl<L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + 'static> SequenceLayer for L {}

/// A layer and all values of one check of the layer.
///
/// The loss is `<d_output, output> + <d_carry, carry out>`, a weighted sum of all results. The weights are signed
/// normal numbers, so that no error is multiplied by zero or cancelled by symmetry.
#[derive(Debug, Clone)]
pub struct Setting<L: Layer<f64>> {
    /// The layer.
    pub layer: L,
    /// Its input.
    pub input: L::Input,
    /// The incoming carry.
    pub carry: L::Carry,
    /// The cotangent of the output.
    pub d_output: L::Output,
    /// The cotangent of the outgoing carry.
    pub d_carry: L::Carry,
    /// The seed of a training pass. `None` for an inference pass.
    pub training: Option<u64>,
    /// The shapes and the seed, for messages.
    pub about: String,
}

/// The results of one forward and one backward pass.
#[derive(Debug, Clone)]
pub struct Passes<L: Layer<f64>> {
    /// The output.
    pub output: L::Output,
    /// The outgoing carry.
    pub carry: L::Carry,
    /// The gradients of the parameters.
    pub gradients: L,
    /// The gradient of the input.
    pub d_input: L::Input,
    /// The gradient of the incoming carry.
    pub d_carry: L::Carry,
}

/// Standard deviation of the drawn weights. Smaller weights hide errors of the recurrence.
const WEIGHT: f64 = 0.5;

impl<L: Layer<f64>> Setting<L> {
    /// A setting for any kind of input. Draws the carry and both cotangents from the seed. `batch` is the number of
    /// sequences in the input.
    pub fn new(layer: L, input: L::Input, batch: usize, seed: u64) -> Self {
        let about = format!("batch={batch}, seed={seed:#x}");
        Setting::drawn(layer, input, batch, seed, None, about)
    }

    /// Like [`new`](Self::new), but in training, where a layer may be random (dropout). Every pass draws the same
    /// numbers.
    pub fn training(layer: L, input: L::Input, batch: usize, seed: u64) -> Self {
        let about = format!("training, batch={batch}, seed={seed:#x}");
        Setting::drawn(layer, input, batch, seed, Some(seed), about)
    }

    pub(crate) fn drawn(
        layer: L,
        input: L::Input,
        batch: usize,
        seed: u64,
        training: Option<u64>,
        about: String,
    ) -> Self {
        let (mut carry, mut d_carry) = (layer.carry(batch), layer.carry(batch));
        fill_normal(&mut carry, 1.0, &mut generator(seed, 1));
        fill_normal(&mut d_carry, 1.0, &mut generator(seed, 2));
        let mut setting = Setting { layer, input, carry, d_output: L::Output::default(), d_carry, training, about };
        setting.d_output = setting.forward(&mut L::Cache::default()).0;
        fill_normal(&mut setting.d_output, 1.0, &mut generator(seed, 3));
        setting
    }

    /// This setting in a training pass.
    pub(crate) fn in_training(&self) -> Self {
        Setting { training: Some(15), about: format!("training, {}", self.about), ..self.clone() }
    }

    /// This setting with a carry of zero, as before the first step of a sequence.
    pub(crate) fn with_zero_carry(&self) -> Self {
        let mut zero = self.clone();
        zero.carry.set_zero();
        zero.about = format!("a carry of zero, {}", self.about);
        zero
    }

    /// This setting with `f` applied to every element of the parameters, the input, the carry and the cotangents.
    pub(crate) fn changed(&self, f: &mut dyn FnMut(f64) -> f64) -> Self {
        let mut changed = self.clone();
        fill(&mut changed.layer, f);
        fill(&mut changed.input, f);
        fill(&mut changed.carry, f);
        fill(&mut changed.d_output, f);
        fill(&mut changed.d_carry, f);
        changed
    }

    /// Runs the forward pass. Returns the output and the outgoing carry.
    pub fn forward(&self, cache: &mut L::Cache) -> (L::Output, L::Carry) {
        self.forward_of(&self.layer, cache)
    }

    /// Runs the forward pass of `layer` in place of this setting's layer.
    pub(crate) fn forward_of(&self, layer: &L, cache: &mut L::Cache) -> (L::Output, L::Carry) {
        let mut carry = self.carry.clone();
        let output = with_pass(self.training, |pass| layer.forward(&self.input, &mut carry, cache, pass).clone());
        (output, carry)
    }

    /// Runs a backward pass after a forward pass with this cache. Adds to `gradients`, writes `d_input` and returns the
    /// gradient of the incoming carry.
    pub fn backward(&self, cache: &mut L::Cache, gradients: &mut L, d_input: Option<&mut L::Input>) -> L::Carry {
        let mut d_carry = self.d_carry.clone();
        let gradients = ParameterGradients::Add(gradients);
        self.layer.backward(&self.input, cache, Some(&self.d_output), &mut d_carry, gradients, d_input);
        d_carry
    }

    /// Runs one forward and one backward pass with this cache. The gradient of the input starts as NaN, so a layer that
    /// adds to the gradient in place of writing it is found.
    pub fn passes_with(&self, cache: &mut L::Cache) -> Passes<L> {
        self.after_forward(&self.layer, self.forward(cache), cache)
    }

    /// Runs the backward pass of `layer` after its forward pass with this cache, which returned `(output, carry)`.
    pub(crate) fn after_forward(
        &self,
        layer: &L,
        (output, carry): (L::Output, L::Carry),
        cache: &mut L::Cache,
    ) -> Passes<L> {
        let mut gradients = layer.zeros();
        let mut d_input = filled(&self.input, &mut |_| f64::NAN);
        let mut d_carry = self.d_carry.clone();
        let added = ParameterGradients::Add(&mut gradients);
        layer.backward(&self.input, cache, Some(&self.d_output), &mut d_carry, added, Some(&mut d_input));
        Passes { output, carry, gradients, d_input, d_carry }
    }

    /// Runs one forward and one backward pass with a new cache.
    pub fn passes(&self) -> Passes<L> {
        self.passes_with(&mut L::Cache::default())
    }

    /// Prefix of the layer's tensors in reports: `elman` for `Elman(3 -> 50)`.
    pub(crate) fn prefix(&self) -> String {
        let name = self.layer.name();
        if name.contains(" > ") {
            return "chain".to_owned();
        }
        let word: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word.is_empty() { "layer".to_owned() } else { word.to_lowercase() }
    }

    /// The case, for messages. A chain is also named. Any other layer is named in its tensors' names.
    pub(crate) fn context(&self) -> String {
        let name = self.layer.name();
        if name.contains(" > ") { format!("{name}, {}", self.about) } else { self.about.clone() }
    }
}

impl<L: SequenceLayer> Setting<L> {
    /// A setting drawn from a case: normal parameters with a standard deviation of 0.5 (less in wide layers), a normal
    /// input and a normal carry.
    pub fn of_case(layer: &L, case: &Case) -> Self {
        let mut layer = layer.clone();
        // Weights of 0.5 saturate a wide layer, and saturation hides errors.
        let fan = case.inputs.max(case.hidden) as f64;
        let size = WEIGHT * (8.0 / fan).sqrt().min(1.0);
        fill_normal(&mut layer, size, &mut generator(case.seed, 0));
        Setting::of_case_as_it_is(&layer, case)
    }

    /// Like [`of_case`](Self::of_case), but keeps the parameters of the layer.
    pub fn of_case_as_it_is(layer: &L, case: &Case) -> Self {
        let features = match layer.features() {
            Features::Any => case.inputs,
            Features::Fixed { input, .. } => input,
        };
        let mut input = case.sequences(features);
        fill_normal(&mut input, 1.0, &mut generator(case.seed, 4));
        Setting::drawn(layer.clone(), input, case.batch(), case.seed, None, case.to_string())
    }

    /// This setting with another input, carry and cotangents. `ends` are the incoming carry, the cotangent of the
    /// output and the cotangent of the outgoing carry.
    pub(crate) fn with(&self, input: Sequences<f64>, ends: (L::Carry, Sequences<f64>, L::Carry)) -> Self {
        let (carry, d_output, d_carry) = ends;
        Setting { layer: self.layer.clone(), input, carry, d_output, d_carry, ..self.clone() }
    }
}

impl<L: Layer<f64>> Passes<L> {
    /// All elements of the output, the outgoing carry, and the gradients of the parameters, the input and the carry.
    pub(crate) fn numbers(&self) -> [Vec<f64>; 5] {
        [
            elements(&self.output),
            elements(&self.carry),
            elements(&self.gradients),
            elements(&self.d_input),
            elements(&self.d_carry),
        ]
    }

    /// The same elements with their names, for comparisons.
    pub(crate) fn parts(&self, prefix: &str) -> Vec<(Names, Vec<f64>)> {
        let names = [
            Names::of("output", &self.output),
            Names::of("carry out", &self.carry),
            Names::of(prefix, &self.gradients),
            Names::of("input", &self.d_input),
            Names::of("carry", &self.d_carry),
        ];
        names.into_iter().zip(self.numbers()).collect()
    }
}

/// Calls `f` with an inference pass, or with a training pass that draws from the seed.
pub(crate) fn with_pass<R>(training: Option<u64>, f: impl FnOnce(&mut Pass<'_>) -> R) -> R {
    match training {
        None => f(&mut Pass::Infer),
        Some(seed) => f(&mut Pass::Train(&mut generator(seed, 5))),
    }
}
