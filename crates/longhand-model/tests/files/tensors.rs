//! The tensors of a file: names, order, shapes, precisions.

use crate::{bits, bytes, elman, generator};
use half::f16;
use longhand::{nalgebra, prelude::*};
use longhand_model::{FileError, ModelFile, Precision, TensorNames};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::HashMap;

#[test]
fn a_file_has_the_names_and_the_order_of_pytorch() {
    let mut layer = Linear::<f32>::zeros(3, 2);
    layer.weight = nalgebra::DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let bytes = bytes(&layer);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = file.tensor("weight").unwrap();
    assert_eq!((weight.shape(), weight.dtype()), ([2, 3].as_slice(), Dtype::F32));
    let rows: Vec<f32> = weight.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(rows, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(file.tensor("bias").unwrap().shape(), [2]);
    // A matrix of one column stays a matrix.
    let file = ModelFile::of(&Linear::<f32>::zeros(1, 2)).unwrap();
    assert!(file.tensors().any(|tensor| tensor == ("weight", &[2, 1])));
}

#[test]
fn all_tensors_that_do_not_fit_are_listed_at_once() {
    let mut other = Lstm::<f32>::zeros(3, 4);
    other.weight_hh_l0[(1, 2)] = f32::NAN;
    other.weight_hh_l0[(0, 2)] = f32::INFINITY;
    let other = ModelFile::of_tensors(&other, &TensorNames::new().with_tensor("surplus", "bias_hh_l0")).unwrap();
    let mut model = Lstm::<f32>::zeros(2, 4);
    let FileError::Tensors { problems, .. } = other.load_tensors(&mut model, &TensorNames::new()).unwrap_err() else {
        panic!("the tensors do not fit")
    };
    assert_eq!(problems.missing, [("bias_hh_l0".to_owned(), vec![16])]);
    assert_eq!(problems.unexpected, [("surplus".to_owned(), vec![16])]);
    assert_eq!(problems.misshapen, [("weight_ih_l0".to_owned(), vec![16, 2], vec![16, 3])]);
    assert_eq!(problems.not_finite, [("weight_hh_l0".to_owned(), 2)]);
    let text = problems.to_string();
    assert!(
        text.contains(
            "missing tensors (for a module with `bias=False`, use `TensorNames::without_biases`): `bias_hh_l0` [16]"
        ),
        "{text}"
    );
    assert!(text.contains("`weight_ih_l0` (expected [16, 2], got [16, 3])"), "{text}");
}

#[test]
fn weights_that_are_not_finite_are_loaded_on_request() {
    let mut layer = Linear::<f32>::zeros(1, 1);
    layer.weight[(0, 0)] = f32::NAN;
    let file = ModelFile::from_bytes(&bytes(&layer)).unwrap();
    let mut loaded = Linear::<f32>::zeros(1, 1);
    assert!(file.load(&mut loaded).is_err());
    file.allowing_not_finite().load(&mut loaded).unwrap();
    assert!(loaded.weight[(0, 0)].is_nan());
}

#[test]
fn precisions_are_converted_on_request() {
    let model = elman(Nonlinearity::Tanh, 1);
    for (precision, size) in [(Precision::Half, 2), (Precision::BFloat16, 2), (Precision::Double, 8)] {
        let file = ModelFile::of(&model).unwrap().with_precision(precision);
        let file = ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
        let mut loaded = elman(Nonlinearity::Tanh, 2);
        let error = file.load(&mut loaded).unwrap_err().to_string();
        assert!(error.contains(&format!("(expected f32, got {precision})")), "{error}");
        file.converting().load(&mut loaded).unwrap();
        let is_exact = bits(&loaded) == bits(&model);
        assert_eq!(is_exact, size == 8, "{precision}");
        let half = |x: f32| if precision == Precision::Half { f16::from_f32(x).to_f32() } else { x };
        if precision != Precision::BFloat16 {
            assert_eq!(loaded.second().weight, model.second().weight.map(half));
        }
    }
}

#[test]
fn doubles_beyond_single_precision_are_reported() {
    let mut layer = Linear::<f64>::zeros(1, 1);
    layer.weight[(0, 0)] = 1e300;
    let file = ModelFile::of_tensors(&layer, &TensorNames::new()).unwrap().converting();
    let error = file.load(&mut Linear::<f32>::zeros(1, 1)).unwrap_err().to_string();
    assert!(error.contains("NaN or infinite: `weight` (1 elements)"), "{error}");
}

/// PyTorch's `Conv1d` stores `outputs x inputs x kernel size`.
#[test]
fn the_weight_of_a_convolution_has_three_dimensions() {
    let (outputs, inputs, kernel_size) = (2, 3, 4);
    let values: Vec<u8> = (0..24).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let weight = TensorView::new(Dtype::F32, vec![outputs, inputs, kernel_size], &values).unwrap();
    let bias = TensorView::new(Dtype::F32, vec![outputs], &values[..8]).unwrap();
    let bytes = safetensors::serialize([("weight", weight), ("bias", bias)], None).unwrap();
    let file = ModelFile::from_bytes(&bytes).unwrap();
    let mut layer = CausalConvolution::<f32>::zeros(inputs, outputs, kernel_size).unwrap();
    file.load_tensors(&mut layer, &TensorNames::new()).unwrap();
    for o in 0..outputs {
        for i in 0..inputs {
            for p in 0..kernel_size {
                let expected = ((o * inputs + i) * kernel_size + p) as f32;
                assert_eq!(layer.weight[(o, p * inputs + i)].to_bits(), expected.to_bits());
            }
        }
    }
    let written = ModelFile::of_tensors(&layer, &TensorNames::new()).unwrap();
    let dimensions: Vec<_> = written.tensors().collect();
    assert_eq!(dimensions, [("bias", [2].as_slice()), ("weight", [2, 3, 4].as_slice())]);
    let mut again = CausalConvolution::zeros(inputs, outputs, kernel_size).unwrap();
    ModelFile::from_bytes(&written.to_bytes().unwrap()).unwrap().load_tensors(&mut again, &TensorNames::new()).unwrap();
    assert_eq!(again, layer);
    let mut other = CausalConvolution::<f32>::zeros(inputs, outputs, 3).unwrap();
    let error = file.load_tensors(&mut other, &TensorNames::new()).unwrap_err().to_string();
    assert!(error.contains("`weight` (expected [2, 3, 3], got [2, 3, 4])"), "{error}");
}

#[test]
fn integers_are_kept_but_not_loaded() {
    let data = [0_u8; 16];
    let tensors = HashMap::from([
        ("weight".to_owned(), TensorView::new(Dtype::I64, vec![1, 1], &data[..8]).unwrap()),
        ("bias".to_owned(), TensorView::new(Dtype::F32, vec![1], &data[..4]).unwrap()),
    ]);
    let file = ModelFile::from_bytes(&safetensors::serialize(tensors, None).unwrap()).unwrap();
    let error = file.converting().load(&mut Linear::<f32>::zeros(1, 1)).unwrap_err().to_string();
    assert!(error.contains("`weight` (expected f32, got I64)"), "{error}");
}

#[test]
fn a_projection_is_refused_by_name_where_an_lstm_is_expected() {
    let projection = Linear::<f32>::zeros(4, 2);
    let names = TensorNames::new().with_tensor("rnn.weight_hr_l0", "weight").with_tensor("rnn.bias_ih_l0", "bias");
    let file = ModelFile::of_tensors(&projection, &names).unwrap();
    let error =
        file.load_tensors(&mut Lstm::<f32>::zeros(3, 4), &TensorNames::new().with_stack("rnn", [""])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("LSTM with projection (`proj_size`), which is a `ProjectedLstm` in longhand: `rnn.weight_hr_l0`")
    );
}

#[test]
fn biases_that_a_module_does_not_have_are_zero() {
    let names = TensorNames::new().with_stack("rnn", [""]).without_biases("rnn");
    let mut without = Gru::<f32>::new(2, 3, &mut generator(1));
    let error = ModelFile::of_tensors(&without, &names).unwrap_err().to_string();
    assert!(error.contains("`rnn.bias_hh_l0` is not zero"), "{error}");
    without.bias_ih_l0.fill(0.0);
    without.bias_hh_l0.fill(0.0);
    let file = ModelFile::of_tensors(&without, &names).unwrap();
    assert_eq!(file.tensors().count(), 2);
    let mut loaded = Gru::<f32>::new(2, 3, &mut generator(2));
    file.load_tensors(&mut loaded, &names).unwrap();
    assert_eq!(loaded, without);
}

#[test]
fn tensors_may_have_any_name_but_that_of_the_metadata() {
    let model = Linear::<f32>::new(2, 1, &mut generator(1));
    for name in ["", "/", "a/b", "\0", "\n", "\u{1b}[31m", "\"", "{\"checksum\":\"00000000\"}", "longhand", "\u{1f600}"]
    {
        let names = TensorNames::new().with_tensor(name, "weight");
        let file = ModelFile::of_tensors(&model, &names).unwrap();
        let file = ModelFile::from_bytes(&file.to_bytes().unwrap()).unwrap();
        let mut loaded = Linear::<f32>::zeros(2, 1);
        file.load_tensors(&mut loaded, &names).unwrap();
        assert_eq!(loaded, model, "{name:?}");
    }
    let names = TensorNames::new().with_tensor("__metadata__", "weight");
    let error = ModelFile::of_tensors(&model, &names).unwrap().to_bytes().unwrap_err();
    assert!(matches!(error, FileError::NotReadable { .. }), "{error}");
    assert!(error.to_string().contains("duplicate field `__metadata__`"), "{error}");
}
