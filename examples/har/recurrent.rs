//! The choice of the recurrent layer for the better recipe.

use clap::ValueEnum;

/// The recurrent layer of the better recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recurrent {
    /// An Elman RNN of 50 units, the study's cell
    Elman,
    /// An LSTM of 48 units
    Lstm,
    /// A GRU of 48 units
    Gru,
    /// A GRU of 48 units after a convolution over time
    ConvGru,
}

impl Recurrent {
    /// The name in `--model` and in `summary.json`.
    pub fn key(self) -> &'static str {
        match self {
            Recurrent::Elman => "elman",
            Recurrent::Lstm => "lstm",
            Recurrent::Gru => "gru",
            Recurrent::ConvGru => "conv-gru",
        }
    }

    /// The name in titles that compare the layer with the study's models, which are Elman RNNs.
    pub fn compared_with_study(self) -> &'static str {
        match self {
            Recurrent::Elman => "the same cell",
            Recurrent::Lstm => "an LSTM",
            Recurrent::Gru => "a GRU",
            Recurrent::ConvGru => "a conv-GRU",
        }
    }

    /// The name of the recipe with this layer, for rows and titles.
    pub fn recipe(self) -> &'static str {
        match self {
            Recurrent::Elman => "better recipe",
            Recurrent::Lstm => "better recipe with an LSTM",
            Recurrent::Gru => "better recipe with a GRU",
            Recurrent::ConvGru => "better recipe with a conv-GRU",
        }
    }
}
