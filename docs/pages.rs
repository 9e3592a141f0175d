//! The pages whose Rust code `cargo test --doc -p longhand-docs` compiles and runs.

#[doc = include_str!("../README.md")]
pub mod readme {}

#[doc = include_str!("bptt.md")]
pub mod bptt {}

#[doc = include_str!("the-study-rebuilt.md")]
pub mod the_study_rebuilt {}

#[doc = include_str!("write-your-own-layer.md")]
pub mod write_your_own_layer {}

#[doc = include_str!("write-your-own-cell.md")]
pub mod write_your_own_cell {}

/// The layers, one module per family.
pub mod layers {
    #[doc = include_str!("layers/recurrent.md")]
    pub mod recurrent {}

    #[doc = include_str!("layers/over-time.md")]
    pub mod over_time {}

    #[doc = include_str!("layers/pointwise.md")]
    pub mod pointwise {}

    #[doc = include_str!("layers/wrappers.md")]
    pub mod wrappers {}
}

/// The cookbook, one module per task.
pub mod cookbook {
    #[doc = include_str!("cookbook/classify.md")]
    pub mod classify {}

    #[doc = include_str!("cookbook/label.md")]
    pub mod label {}

    #[doc = include_str!("cookbook/forecast.md")]
    pub mod forecast {}

    #[doc = include_str!("cookbook/generate.md")]
    pub mod generate {}

    #[doc = include_str!("cookbook/stream.md")]
    pub mod stream {}

    #[doc = include_str!("cookbook/align.md")]
    pub mod align {}

    #[doc = include_str!("cookbook/training.md")]
    pub mod training {}

    #[doc = include_str!("cookbook/models-and-data.md")]
    pub mod models_and_data {}
}

#[doc = include_str!("prove-your-layer.md")]
pub mod prove_your_layer {}

#[doc = include_str!("model-files-and-checkpoints.md")]
pub mod model_files_and_checkpoints {}

#[doc = include_str!("coming-from-pytorch.md")]
pub mod coming_from_pytorch {}
