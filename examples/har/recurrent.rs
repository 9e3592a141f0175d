//! Which recurrent layer the better recipe trains.

use clap::ValueEnum;

/// The recurrent layer of the better recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recurrent {
    /// The study's 50-unit Elman RNN
    Elman,
    /// An LSTM of 48 units
    Lstm,
    /// A GRU of 48 units
    Gru,
}

impl Recurrent {
    /// Name in `--model` and in the summary.
    pub fn key(self) -> &'static str {
        match self {
            Recurrent::Elman => "elman",
            Recurrent::Lstm => "lstm",
            Recurrent::Gru => "gru",
        }
    }

    /// Name in titles that compare it with the study's models, which are Elman RNNs.
    pub fn beside_the_study(self) -> &'static str {
        match self {
            Recurrent::Elman => "the same cell",
            Recurrent::Lstm => "an LSTM",
            Recurrent::Gru => "a GRU",
        }
    }

    /// Name of the recipe, for rows and titles.
    pub fn recipe(self) -> &'static str {
        match self {
            Recurrent::Elman => "better recipe",
            Recurrent::Lstm => "better recipe with an LSTM",
            Recurrent::Gru => "better recipe with a GRU",
        }
    }
}
