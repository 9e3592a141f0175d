//! Model files: what is saved is loaded, and what does not fit is an error that says so.

mod damaged_and_foreign;
mod metadata_and_paths;
mod models;
mod own_layer;
mod tensors;

use longhand::prelude::*;
use longhand_model::{Describe, ModelFile};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn bits<P: Tensors<f32>>(value: &P) -> Vec<u32> {
    let mut bits = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| bits.extend(values.iter().map(|x| x.to_bits())));
    bits
}

type Relu = Chain<Chain<Elman<f32>, LastStep>, Linear<f32>>;

fn elman(nonlinearity: Nonlinearity, seed: u64) -> Relu {
    let mut generator = generator(seed);
    let recurrent = Elman::new(3, 4, &mut generator).with_nonlinearity(nonlinearity);
    recurrent.then(LastStep).unwrap().then(Linear::new(4, 2, &mut generator)).unwrap()
}

fn bytes<M: Describe<f32> + Layer<f32>>(model: &M) -> Vec<u8> {
    ModelFile::of(model).unwrap().to_bytes().unwrap()
}
