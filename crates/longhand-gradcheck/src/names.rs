//! Names and shapes of a value's tensors, for reports.

use longhand::{Path, Tensors};

/// The tensors of a value by name and shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<TensorName>);

/// One tensor: its name with the prefix, the index of its first element among all elements, and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorName {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl TensorName {
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.rows * self.columns
    }

    /// The name of an element: `weight_hh_l0[2,1]`, or `bias_hh_l0[2]` in a vector.
    pub(crate) fn element(&self, index: usize) -> String {
        let (row, column) = ((index - self.first) % self.rows, (index - self.first) / self.rows);
        if self.columns == 1 { format!("{}[{row}]", self.name) } else { format!("{}[{row},{column}]", self.name) }
    }
}

impl Names {
    pub(crate) fn of<P: Tensors<f64>>(prefix: &str, value: &P) -> Names {
        let (mut names, mut first) = (Vec::new(), 0);
        value.visit(&Path::ROOT, &mut |path, shape, values| {
            let path = path.to_string();
            let name = if path.is_empty() { prefix.to_owned() } else { format!("{prefix}.{path}") };
            names.push(TensorName { name, first, rows: shape.rows, columns: shape.columns });
            first += values.len();
        });
        Names(names)
    }

    pub(crate) fn element(&self, index: usize) -> String {
        let tensor = self.0.iter().find(|tensor| tensor.range().contains(&index));
        tensor.map_or_else(|| format!("element {index}"), |tensor| tensor.element(index))
    }
}
