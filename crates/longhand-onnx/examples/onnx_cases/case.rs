//! A case: a model file, and a JSON file with inputs and the library's outputs.

use longhand::prelude::*;
use longhand_model::Describe;
use longhand_onnx::OnnxExport;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::PathBuf;

/// The options of an export.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) lengths: bool,
    pub(crate) states: bool,
}

impl Options {
    pub(crate) const ALL: [Options; 4] = [
        Options { lengths: false, states: false },
        Options { lengths: true, states: false },
        Options { lengths: false, states: true },
        Options { lengths: true, states: true },
    ];
}

/// Writes cases to a folder.
pub(crate) struct Writer {
    folder: PathBuf,
    count: usize,
}

impl Writer {
    /// Creates the folder, and removes the cases that it has.
    pub(crate) fn new(folder: String) -> Result<Self, Box<dyn Error>> {
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "onnx" || extension == "json") {
                fs::remove_file(path)?;
            }
        }
        Ok(Writer { folder, count: 0 })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Writes a case of a model on features.
    pub(crate) fn features<M>(
        &mut self,
        model: &M,
        features: usize,
        options: Options,
        generator: &mut ChaCha8Rng,
    ) -> Result<(), Box<dyn Error>>
    where
        M: Describe<f32> + Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
    {
        let layout = layout(options, generator);
        let whole =
            Sequences::from_fn(features, layout.steps(), layout.batch(), |_, _, _| generator.random_range(-1.0..1.0));
        let whole = whole.with_layout(layout)?;
        let mut steps = vec![Sequences::default(); whole.steps()];
        for (step, part) in steps.iter_mut().enumerate() {
            part.copy_steps(&whole, step, 1);
        }
        let input = batch_first(&whole);
        self.write(model, &whole, &steps, whole.layout(), &input, options, generator)
    }

    /// Writes a case of a model on token ids.
    pub(crate) fn tokens<M>(
        &mut self,
        model: &M,
        tokens: usize,
        options: Options,
        generator: &mut ChaCha8Rng,
    ) -> Result<(), Box<dyn Error>>
    where
        M: Describe<f32> + Layer<f32, Input = Tokens, Output = Sequences<f32>>,
    {
        let layout = layout(options, generator);
        let ids = (0..layout.columns()).map(|_| generator.random_range(0..tokens)).collect();
        let whole = Tokens::new(ids, layout.clone())?;
        let mut steps = Vec::new();
        for step in 0..layout.steps() {
            let part = (0..layout.batch()).map(|sequence| whole.at(step, sequence)).collect();
            steps.push(Tokens::new(part, step_layout(&layout, step)?)?);
        }
        let (batch, time) = (layout.batch(), layout.steps());
        let ids = (0..batch * time).map(|index| whole.at(index % time, index / time));
        let input = json!({ "shape": [batch, time], "values": ids.collect::<Vec<_>>() });
        self.write(model, &whole, &steps, &layout, &input, options, generator)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one case")]
    fn write<M>(
        &mut self,
        model: &M,
        whole: &M::Input,
        steps: &[M::Input],
        layout: &Layout,
        input: &Value,
        options: Options,
        generator: &mut ChaCha8Rng,
    ) -> Result<(), Box<dyn Error>>
    where
        M: Describe<f32> + Layer<f32, Output = Sequences<f32>>,
    {
        let batch = layout.batch();
        let mut initial = model.carry(batch);
        if options.states {
            initial.visit_mut(&Path::ROOT, &mut |_, _, values| {
                values.fill_with(|| generator.random_range(-1.0..1.0));
            });
        }
        let (mut carry, mut cache) = (initial.clone(), M::Cache::default());
        let output = batch_first(model.forward(whole, &mut carry, &mut cache, &mut Pass::Infer));

        let mut one_by_one = Value::Null;
        if options.states {
            let mut carry = initial.clone();
            let step = |step: &M::Input| batch_first(model.forward(step, &mut carry, &mut cache, &mut Pass::Infer));
            let outputs: Vec<Value> = steps.iter().map(step).collect();
            one_by_one = json!({ "outputs": outputs, "final_states": states(&carry) });
        }
        let lengths = options.lengths.then(|| {
            let length = |sequence| layout.last_valid_step(sequence).map_or(0, |last| last + 1);
            (0..batch).map(length).collect::<Vec<_>>()
        });
        let case = json!({
            "model": model.name(),
            "input": input,
            "lengths": lengths,
            "initial_states": if options.states { states(&initial) } else { Vec::new() },
            "output": output,
            "final_states": if options.states { states(&carry) } else { Vec::new() },
            "one_by_one": one_by_one,
        });

        let mut export = OnnxExport::new();
        if options.lengths {
            export = export.with_lengths();
        }
        if options.states {
            export = export.with_states();
        }
        let path = self.folder.join(format!("{:03}", self.count));
        export.save(model, path.with_extension("onnx"))?;
        fs::write(path.with_extension("json"), serde_json::to_string(&case)?)?;
        self.count += 1;
        Ok(())
    }
}

/// A random number of steps and sequences, with lengths from zero on if the export has them.
fn layout(options: Options, generator: &mut ChaCha8Rng) -> Layout {
    let (steps, batch) = (generator.random_range(1..=12), generator.random_range(1..=4));
    let layout = Layout::new(steps, batch);
    if !options.lengths {
        return layout;
    }
    let lengths: Vec<usize> = (0..batch).map(|_| generator.random_range(0..=steps)).collect();
    layout.with_lengths(&lengths).expect("one length per sequence, up to `steps`")
}

/// The marks of one step.
fn step_layout(layout: &Layout, step: usize) -> Result<Layout, ShapeError> {
    let valid = (0..layout.batch()).map(|sequence| layout.is_valid(step, sequence)).collect();
    Layout::new(1, layout.batch()).with_valid(valid)
}

/// Sequences as `batch x steps x features`.
fn batch_first(sequences: &Sequences<f32>) -> Value {
    let (batch, steps) = (sequences.batch(), sequences.steps());
    let values: Vec<f32> =
        (0..batch * steps).flat_map(|index| sequences.at(index % steps, index / steps)).copied().collect();
    json!({ "shape": [batch, steps, sequences.features()], "values": values })
}

/// The states as `batch x units`, which is how a matrix `units x batch` lies in memory.
fn states(carry: &impl Tensors<f32>) -> Vec<Value> {
    let mut states = Vec::new();
    carry.visit(&Path::ROOT, &mut |_, shape, values| {
        // A convolution with a kernel of one input has no earlier inputs, and the exported model has no such state.
        if shape.rows > 0 {
            states.push(json!({ "shape": [shape.columns, shape.rows], "values": values }));
        }
    });
    states
}
