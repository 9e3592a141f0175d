//! Which tensor of a file is which tensor of a model.

/// Which tensor of a file is which tensor of a model, where their names differ.
///
/// Without rules, the names are equal, with two exceptions. The directions of a `Bidirectional` recurrent layer and the layers of a
/// `Stack` of recurrent layers have PyTorch's names:
///
/// | model | file |
/// |---|---|
/// | `0.forward.weight_ih_l0`, `0.backward.weight_ih_l0` | `0.weight_ih_l0`, `0.weight_ih_l0_reverse` |
/// | `0.layers.0.weight_ih_l0`, `0.layers.1.weight_ih_l0` | `0.weight_ih_l0`, `0.weight_ih_l1` |
/// | `0.layers.1.backward.weight_ih_l0` | `0.weight_ih_l1_reverse` |
///
/// So the state dict of an `nn.LSTM(num_layers=2, bidirectional=True)`, the field `rnn` of a module, is loaded into a `Stack` at place
/// 0 with `with_module("rnn", "0")`.
///
/// The layers of a model are named by their places. So a PyTorch module with the fields `rnn`, an `nn.LSTM` of two layers, and
/// `head`, an `nn.Linear`, is loaded into the chain `Lstm` (place 0), `Dropout` (1), `Lstm` (2), `LastStep` (3), `Linear` (4) with
///
/// ```
/// use longhand_model::TensorNames;
/// let names = TensorNames::new().with_stack("rnn", ["0", "2"]).with_module("head", "4");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TensorNames {
    rules: Vec<Rule>,
    /// Modules of the file that are not loaded.
    ignored: Vec<String>,
    /// Modules of the file without biases.
    without_biases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Tensor { file: String, model: String },
    Module { file: String, model: String },
    Stack { file: String, model: Vec<String> },
}

impl TensorNames {
    /// The names are equal.
    pub fn new() -> Self {
        TensorNames::default()
    }

    /// The PyTorch module `module` is the layer at `place` of the model: `with_module("head", "4")`. An empty `place` is the whole
    /// model, and an empty `module` the whole file.
    ///
    /// The first rule that fits a tensor counts.
    #[must_use]
    pub fn with_module(mut self, module: impl Into<String>, place: impl Into<String>) -> Self {
        self.rules.push(Rule::Module { file: module.into(), model: place.into() });
        self
    }

    /// The PyTorch module `module`, an `nn.RNN`, `nn.LSTM` or `nn.GRU`, is the recurrent layers at these places, one per layer of
    /// the module: its `weight_ih_l1` is the `weight_ih_l0` of the second place.
    #[must_use]
    pub fn with_stack<P: Into<String>>(
        mut self,
        module: impl Into<String>,
        places: impl IntoIterator<Item = P>,
    ) -> Self {
        self.rules.push(Rule::Stack { file: module.into(), model: places.into_iter().map(Into::into).collect() });
        self
    }

    /// The tensor `file` of the file is the tensor `model` of the model.
    #[must_use]
    pub fn with_tensor(mut self, file: impl Into<String>, model: impl Into<String>) -> Self {
        self.rules.push(Rule::Tensor { file: file.into(), model: model.into() });
        self
    }

    /// Skips the tensors of the PyTorch module `module`, which have no place in the model.
    #[must_use]
    pub fn ignoring(mut self, module: impl Into<String>) -> Self {
        self.ignored.push(module.into());
        self
    }

    /// The PyTorch module `module` was made with `bias=False`: biases that the file does not have are set to zero. They are left out
    /// of a file that is written, and must be zero there.
    #[must_use]
    pub fn without_biases(mut self, module: impl Into<String>) -> Self {
        self.without_biases.push(module.into());
        self
    }

    /// The name in the file of a tensor of the model.
    pub(crate) fn in_file(&self, name: &str) -> String {
        let name = as_in_pytorch(name);
        let renamed = self.rules.iter().find_map(|rule| match rule {
            Rule::Tensor { file, model } => (as_in_pytorch(model) == name).then(|| file.clone()),
            Rule::Module { file, model } => inside(&name, model).map(|rest| join(file, rest)),
            Rule::Stack { file, model } => model.iter().enumerate().find_map(|(layer, place)| {
                let (kind, direction) = inside(&name, place)?.split_once("_l0")?;
                let is_recurrent = !kind.contains('.') && matches!(direction, "" | "_reverse");
                is_recurrent.then(|| join(file, &format!("{kind}_l{layer}{direction}")))
            }),
        });
        renamed.unwrap_or(name)
    }

    /// Whether a tensor of the file is skipped.
    pub(crate) fn is_ignored(&self, name: &str) -> bool {
        self.ignored.iter().any(|module| name == module || inside(name, module).is_some())
    }

    /// Whether the tensor of this name may be missing in the file.
    pub(crate) fn may_be_missing(&self, name: &str) -> bool {
        let is_in = |module: &String| {
            inside(name, module)
                .is_some_and(|rest| rest.rsplit('.').next().is_some_and(|last| last.starts_with("bias")))
        };
        self.without_biases.iter().any(is_in)
    }
}

/// PyTorch's names of the two directions of a recurrent layer, and of the layers of a stack.
fn as_in_pytorch(name: &str) -> String {
    let renamed = || {
        let (mut within, tensor) = name.rsplit_once('.')?;
        let kind = tensor.strip_suffix("_l0")?;
        if !["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"].contains(&kind) {
            return None;
        }
        let (around, direction) = last_part(within);
        let end = match direction {
            "forward" => Some(""),
            "backward" => Some("_reverse"),
            _ => None,
        };
        if end.is_some() {
            within = around;
        }
        let (around, index) = last_part(within);
        let (stack, layers) = last_part(around);
        match index.parse::<usize>() {
            Ok(index) if layers == "layers" => {
                Some(join(stack, &format!("{kind}_l{index}{}", end.unwrap_or_default())))
            }
            _ => end.map(|end| join(within, &format!("{tensor}{end}"))),
        }
    };
    renamed().unwrap_or_else(|| name.to_owned())
}

/// What is before the last part of a name, and the last part.
fn last_part(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// What is left of a name inside of a module.
fn inside<'n>(name: &'n str, module: &str) -> Option<&'n str> {
    if module.is_empty() { Some(name) } else { name.strip_prefix(module)?.strip_prefix('.') }
}

fn join(module: &str, name: &str) -> String {
    match (module.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => module.to_owned(),
        _ => format!("{module}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_the_names_of_pytorch() {
        let names = TensorNames::new();
        assert_eq!(names.in_file("0.forward.weight_ih_l0"), "0.weight_ih_l0");
        assert_eq!(names.in_file("0.backward.bias_hh_l0"), "0.bias_hh_l0_reverse");
        assert_eq!(names.in_file("backward.bias_hh_l0"), "bias_hh_l0_reverse");
        // No recurrent layer, or a chain of layers: PyTorch has no such module.
        assert_eq!(names.in_file("0.backward.weight"), "0.backward.weight");
        assert_eq!(names.in_file("0.backward.1.weight_ih_l0"), "0.backward.1.weight_ih_l0");
    }

    #[test]
    fn layers_of_a_stack_have_the_names_of_pytorch() {
        let names = TensorNames::new();
        assert_eq!(names.in_file("0.layers.1.weight_ih_l0"), "0.weight_ih_l1");
        assert_eq!(names.in_file("layers.0.bias_hh_l0"), "bias_hh_l0");
        assert_eq!(names.in_file("2.layers.1.backward.weight_hh_l0"), "2.weight_hh_l1_reverse");
        assert_eq!(names.in_file("2.layers.1.forward.weight_hh_l0"), "2.weight_hh_l1");
        assert_eq!(names.in_file("layers.1.backward.weight_hr_l0"), "weight_hr_l1_reverse");
        // A chain in a stack, a stack of other layers, or a field of another name.
        assert_eq!(names.in_file("0.layers.1.0.weight_ih_l0"), "0.layers.1.0.weight_ih_l0");
        assert_eq!(names.in_file("0.layers.1.weight"), "0.layers.1.weight");
        assert_eq!(names.in_file("0.inner.1.weight_ih_l0"), "0.inner.1.weight_ih_l0");
        let names = TensorNames::new().with_module("rnn", "0");
        assert_eq!(names.in_file("0.layers.1.backward.weight_ih_l0"), "rnn.weight_ih_l1_reverse");
        let names = TensorNames::new().with_tensor("odd", "0.layers.1.weight_ih_l0");
        assert_eq!(names.in_file("0.layers.1.weight_ih_l0"), "odd");
    }

    #[test]
    fn the_layers_of_a_stack_are_numbered() {
        let names = TensorNames::new().with_stack("encoder.rnn", ["0", "2"]).with_module("head", "4");
        assert_eq!(names.in_file("0.weight_hh_l0"), "encoder.rnn.weight_hh_l0");
        assert_eq!(names.in_file("2.backward.weight_hh_l0"), "encoder.rnn.weight_hh_l1_reverse");
        assert_eq!(names.in_file("4.bias"), "head.bias");
        assert_eq!(names.in_file("20.weight_hh_l0"), "20.weight_hh_l0");
    }

    #[test]
    fn an_empty_place_is_the_whole_model() {
        let names = TensorNames::new().with_tensor("odd.name", "1.bias").with_module("part", "");
        assert_eq!(names.in_file("1.bias"), "odd.name");
        assert_eq!(names.in_file("1.weight"), "part.1.weight");
        assert_eq!(TensorNames::new().with_stack("", [""]).in_file("bias_ih_l0"), "bias_ih_l0");
        assert_eq!(TensorNames::new().with_module("", "3").in_file("3.weight"), "weight");
    }

    #[test]
    fn only_the_biases_of_a_module_without_biases_may_be_missing() {
        let names = TensorNames::new().without_biases("rnn");
        assert!(names.may_be_missing("rnn.bias_ih_l0"));
        assert!(!names.may_be_missing("rnn.weight_ih_l0"));
        assert!(!names.may_be_missing("head.bias"));
        assert!(TensorNames::new().without_biases("").may_be_missing("bias"));
    }

    #[test]
    fn modules_are_ignored_by_whole_names() {
        let names = TensorNames::new().ignoring("decoder");
        assert!(names.is_ignored("decoder.weight"));
        assert!(!names.is_ignored("decoder2.weight"));
    }
}
