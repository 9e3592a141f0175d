//! The name and the shape of a tensor.

use core::fmt;

/// Rows and columns of a tensor, and how files store it; a vector has one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// How files store it.
    pub stored: Stored,
}

/// How files store a tensor: as PyTorch does, with the elements of a row next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// One dimension.
    Vector,
    /// Two dimensions: rows, then columns.
    Matrix,
    /// Two dimensions: columns, then rows. The table of an [`Embedding`](crate::Embedding) has one column per token, and PyTorch's
    /// has one row.
    Transposed,
    /// Three dimensions: rows, then columns by this number, then this number: the weight of a convolution with a kernel of this size.
    /// In memory the matrices of the earliest, the next, .. input stand side by side.
    Kernel(usize),
}

impl Shape {
    /// A vector of `rows` elements.
    pub const fn vector(rows: usize) -> Self {
        Shape { rows, columns: 1, stored: Stored::Vector }
    }

    /// A matrix.
    pub const fn matrix(rows: usize, columns: usize) -> Self {
        Shape { rows, columns, stored: Stored::Matrix }
    }

    /// The same matrix, of which files store the transpose.
    #[must_use]
    pub const fn transposed(self) -> Self {
        Shape { stored: Stored::Transposed, ..self }
    }

    /// The same matrix, as the weight of a convolution with a kernel of this size.
    #[must_use]
    pub const fn of_kernel(self, kernel_size: usize) -> Self {
        Shape { stored: Stored::Kernel(kernel_size), ..self }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.rows, self.columns)
    }
}

/// The name of a tensor inside of a value, from the outermost value inwards; displayed with dots in between: `2.weight`.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    within: Option<&'a Path<'a>>,
    part: Part<'a>,
    /// Here rather than found on the way to the root: optimizers ask for each tensor at each update.
    is_frozen: bool,
}

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Root,
    Field(&'a str),
    Place(usize),
    /// No name of its own.
    Same,
}

impl<'a> Path<'a> {
    /// The outermost value itself.
    pub const ROOT: Path<'static> = Path { within: None, part: Part::Root, is_frozen: false };

    /// A named field of the value at this path.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Path<'a> {
        Path { within: Some(self), part: Part::Field(name), is_frozen: self.is_frozen }
    }

    /// Position `index` of the chain at this path.
    #[must_use]
    pub fn place(&'a self, index: usize) -> Path<'a> {
        Path { within: Some(self), part: Part::Place(index), is_frozen: self.is_frozen }
    }

    /// The same place, whose parameters are frozen: optimizers leave them as they are. The name stays.
    #[must_use]
    pub fn frozen(&'a self) -> Path<'a> {
        Path { within: Some(self), part: Part::Same, is_frozen: true }
    }

    /// Whether a parameter here is frozen.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Whether the name here is empty.
    fn is_root(&self) -> bool {
        match self.part {
            Part::Root => true,
            Part::Same => self.within.is_none_or(Path::is_root),
            _ => false,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Part::Same, Some(within)) = (self.part, self.within) {
            return write!(f, "{within}");
        }
        if let Some(within) = self.within
            && !within.is_root()
        {
            write!(f, "{within}.")?;
        }
        match self.part {
            Part::Root | Part::Same => Ok(()),
            Part::Field(name) => f.write_str(name),
            Part::Place(index) => write!(f, "{index}"),
        }
    }
}
