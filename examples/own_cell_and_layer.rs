//! A cell and a layer of one's own, from their equations to a saved model that runs on a stream.
//!
//! The cell is a *leaky* one: each unit has a memory that a gate refreshes, `m[t] = f m[t-1] + (1 - f) g` with `f = sigmoid(z_f)` and
//! `g = tanh(z_g)`. The layer, `Scale`, multiplies each feature by a parameter. Both are proven by the gradient checker first, which
//! also refuses a version of the layer with a mistake; then a model of them is trained, saved, opened again and streamed.
//!
//! ```sh
//! cargo run --example own_cell_and_layer
//! ```
//!
//! It takes a second. Expect at least 30 of 32 sequences to be right at the end. The pages `docs/write-your-own-cell.md` and `docs/write-your-own-layer.md` explain each step.

use longhand::nalgebra::{DMatrix, DVector};
use longhand::prelude::*;
use longhand_gradcheck::Checker;
use longhand_model::{Describe, DescribeCell, LayerDescription, Layers, ModelFile, NotDescribed};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

const UNITS: usize = 16;
const STEPS: usize = 40;
const BATCH: usize = 32;

/// The cell: a gate and a candidate, and one state, the memory.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct LeakyCell;

impl Cell for LeakyCell {
    const NAME: &'static str = "Leaky";
    type PreActivations<V: Copy> = [V; 2];
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 2];
    type Carry<T: Scalar> = DMatrix<T>;

    #[inline(always)]
    fn forward<V: Real>(self, [z_f, z_g]: [V; 2], [previous_m]: [V; 1]) -> ([V; 2], [V; 1]) {
        let (f, g) = (z_f.sigmoid(), z_g.tanh());
        ([f, g], [f * previous_m + (f.number(1.0) - f) * g])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [f, g]: [V; 2], [previous_m]: [V; 1], [d_m]: [V; 1]) -> ([V; 2], [V; 1]) {
        let one = f.number(1.0);
        let d_z_f = d_m * (previous_m - g) * f * (one - f);
        let d_z_g = d_m * (one - f) * (one - g * g);
        ([d_z_f, d_z_g], [(d_m * f).flush_to_zero()])
    }
}

impl DescribeCell for LeakyCell {
    fn describe(&self) -> LayerDescription {
        LayerDescription::new("Leaky")
    }
}

/// The layer: `y = weight * x`, feature by feature. With its mistake, which the checker finds, the gradient of the weight is wrong.
#[derive(Debug, Clone)]
struct Scale<T> {
    weight: DVector<T>,
    has_mistake: bool,
}

longhand::tensors!(Scale { weight } keep { has_mistake });

impl<T: Scalar> Scale<T> {
    fn ones(features: usize) -> Self {
        Scale { weight: DVector::from_element(features, T::one()), has_mistake: false }
    }
}

impl<T: Scalar> Layer<T> for Scale<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output.
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("Scale({})", self.weight.len())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.weight.len(), output: self.weight.len() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        y: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        y.reshape(x.features(), x.layout());
        for (mut y, x) in y.values_mut().column_iter_mut().zip(x.values().column_iter()) {
            y.copy_from(&x.component_mul(&self.weight));
        }
        // The padding of the input may hold anything.
        y.clear_padding();
        y
    }

    fn output(y: &Sequences<T>) -> &Sequences<T> {
        y
    }

    /// `d_weight = d_y * x`, summed over the valid columns; `d_x = weight * d_y`.
    fn backward(
        &self,
        x: &Sequences<T>,
        _: &mut Sequences<T>,
        d_y: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let zero;
        let d_y = if let Some(d_y) = d_y {
            d_y
        } else {
            zero = Sequences::zeros(x.features(), x.layout().clone());
            &zero
        };
        if let Some(gradients) = gradients.to_add_to::<T>() {
            for (step, b) in (0..x.steps()).flat_map(|step| (0..x.batch()).map(move |b| (step, b))) {
                if x.layout().is_valid(step, b) {
                    for (i, (&d_y, &x)) in d_y.at(step, b).iter().zip(x.at(step, b)).enumerate() {
                        gradients.weight[i] += if self.has_mistake { d_y } else { d_y * x };
                    }
                }
            }
        }
        if let Some(d_x) = d_x {
            self.forward(d_y, &mut (), d_x, &mut Pass::Infer);
        }
    }
}

impl<T: Scalar> Streaming<T> for Scale<T> {
    type Step = [T];
    type Prepared = DVector<T>;

    fn can_stream(&self) -> Result<(), CannotStream> {
        Ok(())
    }

    fn prepare(&self, _: usize) -> DVector<T> {
        self.weight.clone()
    }

    fn step(weight: &mut DVector<T>, x: &[T], (): &mut (), y: &mut [T]) {
        for ((y, &x), &weight) in y.iter_mut().zip(x).zip(weight.iter()) {
            *y = weight * x;
        }
    }
}

impl<T: Scalar> Describe<T> for Scale<T> {
    fn describe(&self) -> Result<Vec<LayerDescription>, NotDescribed> {
        Ok(vec![LayerDescription::new("Scale")])
    }
}

#[derive(serde::Deserialize)]
struct Units {
    units: usize,
}

/// The library's layers and these two, under the names in descriptions.
fn layers() -> Layers<f32> {
    Layers::library()
        .with("Leaky", |layer| {
            let Units { units } = layer.settings()?;
            Ok(BoxedLayer::new(Recurrent::<f32, LeakyCell>::new(layer.inputs()?, units, layer.generator())))
        })
        .with("Scale", |layer| Ok(BoxedLayer::new(Scale::ones(layer.inputs()?))))
}

/// A task: which half of the sequence has the larger mean?
fn task(g: &mut ChaCha8Rng) -> (Sequences<f32>, Labels) {
    let x = Sequences::from_fn(1, STEPS, BATCH, |_, _, _| g.random_range(-1.0..1.0));
    let half = |from: usize, b: usize| (from..from + STEPS / 2).map(|step| x.at(step, b)[0]).sum::<f32>();
    let labels: Vec<usize> = (0..BATCH).map(|b| usize::from(half(STEPS / 2, b) > half(0, b))).collect();
    (x, Labels::per_sequence(&labels))
}

fn main() -> Result<(), Box<dyn Error>> {
    // 1. Proof: every gradient against dual numbers, with masks, resets, truncation and streaming.
    Checker::new().flushing().prove(|case| Recurrent::<f64, LeakyCell>::zeros(case.inputs, case.hidden));
    println!("the cell is proven");
    longhand_gradcheck::prove(|case| Scale::<f64>::ones(case.inputs));
    println!("the layer is proven");
    let case = longhand_gradcheck::Case::new(4, 2, 3, 3, 2, 1);
    let wrong = Scale::<f64> { has_mistake: true, ..Scale::ones(case.inputs) };
    let Err(failure) = longhand_gradcheck::check(&wrong, &case) else { return Err("the mistake was not found".into()) };
    println!("the layer with a mistake is refused:\n    {}", failure.to_string().lines().next().unwrap_or_default());

    // 2. Training: a layer like any other.
    let mut g = ChaCha8Rng::seed_from_u64(1);
    let recurrent = Recurrent::<f32, LeakyCell>::new(1, UNITS, &mut g);
    let mut model = recurrent.then(Scale::ones(UNITS))?.then(LastStep)?.then(Linear::new(UNITS, 2, &mut g))?;
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
    let mut optimizer = Adam::new();
    for update in 0..=600 {
        let (inputs, labels) = &task(&mut g);
        let (loss, gradients) = trainer.gradients(&model, Batch { inputs, targets: labels })?;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 0.01);
        if update % 200 == 0 {
            println!("update {update:3}: loss {loss:.3}");
        }
    }

    // 3. A file, opened without the types.
    let path = std::env::temp_dir().join("own_cell_and_layer.safetensors");
    ModelFile::of(&model)?.save(&path)?;
    let opened = ModelFile::open(&path)?.build_with::<f32, Sequences<f32>>(&layers())?;
    std::fs::remove_file(&path)?;
    println!("saved and opened: {}", opened.name());

    // 4. One step at a time.
    let (x, labels) = task(&mut g);
    let right = (0..BATCH).filter(|&b| {
        let (mut stream, mut carry) = (Stream::new(&opened), opened.carry(1));
        let mut second_is_larger = false;
        for step in 0..STEPS {
            let logits = stream.step(x.at(step, b), &mut carry);
            second_is_larger = logits[1] > logits[0];
        }
        labels.class(b) == Some(usize::from(second_is_larger))
    });
    println!("streamed, step by step: {} of {BATCH} sequences are right", right.count());
    Ok(())
}
