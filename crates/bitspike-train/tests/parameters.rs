//! The named parameters of a description.

use bitspike_format::example::{chain, one_row, sample_gate};
use bitspike_format::{Features, GateSpec, LayerSpec, Pool};

#[test]
fn named_parameters_are_those_of_the_description() {
    let spec = chain("5-P-33-P", [2, 8, 8], 3, Features::Flatten, Pool::Current, &sample_gate);
    let file = bitspike_train::deploy::parameters::export(&spec).unwrap();
    assert_eq!(file, bitspike_train::deploy::parameters::export(&spec).unwrap(), "the same bytes");
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let data = tensors.tensor(name).unwrap();
        data.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let (LayerSpec::Block(b), LayerSpec::Head(h)) = (&spec.layers[1], &spec.layers[2]) else { panic!("a chain") };
    assert_eq!((floats("blocks.0.slope"), floats("head.weight")), (b.slope.clone(), h.weights.clone()));
    let GateSpec::Sample { alpha, .. } = &b.gate else { panic!("a gate") };
    assert_eq!(&floats("blocks.0.alpha"), alpha);
    let bitspike_format::WeightSpec::Signs(w) = &b.weights else { panic!("signs") };
    let stored = tensors.tensor("blocks.0.weight").unwrap();
    assert_eq!(stored.shape(), [33, 5, 3, 3]);
    assert!(stored.data().iter().zip(w).all(|(b, w)| *b as i8 == if *w >= 0.0 { 1 } else { -1 }));
    let (_, meta) = safetensors::SafeTensors::read_metadata(&file).unwrap();
    let meta: serde_json::Value =
        serde_json::from_str(&meta.metadata().as_ref().unwrap()[bitspike_train::deploy::parameters::META]).unwrap();
    assert_eq!((&meta["T"], &meta["layers"][1]["neuron"]["decay"]), (&3.into(), &0.5.into()));
}

#[test]
fn named_parameters_of_signals_say_rows_and_columns_of_their_kernels() {
    let spec = one_row(chain("5-P-33-P", [2, 1, 9], 3, Features::Flatten, Pool::Current, &sample_gate));
    let file = bitspike_train::deploy::parameters::export(&spec).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.tensor("blocks.0.weight").unwrap().shape(), [33, 5, 1, 3]);
    let (_, meta) = safetensors::SafeTensors::read_metadata(&file).unwrap();
    let meta: serde_json::Value =
        serde_json::from_str(&meta.metadata().as_ref().unwrap()[bitspike_train::deploy::parameters::META]).unwrap();
    let block = &meta["layers"][1];
    assert_eq!((&block["kernel"], &block["padding"]), (&[1, 3].as_slice().into(), &[0, 1].as_slice().into()));
}
