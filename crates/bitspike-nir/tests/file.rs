//! Files: what is written is read; what is damaged is refused.

mod common;

use bitspike_format::{Model, Neuron, Reset, write};
use bitspike_nir::{
    Array, CubaLif, Graph, Interpreter, Layout, Lif, NirError, Node, Op, Options, ReadOptions, Value, export, start,
};
use common::{KINDS, network, with_neurons};
use proptest::prelude::*;

fn graph(kind: &str, weights: Layout, decay: f32) -> Graph {
    let spec = with_neurons(network(kind, 1), Neuron { decay, threshold: 1.0, reset: Reset::Soft });
    let bytes = write(&spec).unwrap();
    export(&Model::parse(&bytes).unwrap(), &Options { weights, soft_reset: true }).unwrap()
}

/// Nodes, edges by name, facts.
type Parts = (Vec<Node>, Vec<(String, String)>, Vec<(String, Value)>);

/// The same graph with nodes, facts and edges in one order, whatever the file's.
fn sorted(graph: &Graph) -> Parts {
    let name = |i: usize| graph.nodes[i].name.clone();
    let mut edges: Vec<_> = graph.edges.iter().map(|&(a, b)| (name(a), name(b))).collect();
    let (mut nodes, mut facts) = (graph.nodes.clone(), graph.metadata.clone());
    nodes.iter_mut().for_each(|n| n.metadata.sort_by(|a, b| a.0.cmp(&b.0)));
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    facts.sort_by(|a, b| a.0.cmp(&b.0));
    edges.sort();
    (nodes, edges, facts)
}

#[test]
fn every_graph_is_read_as_it_was_written() {
    let home = tempfile::tempdir().unwrap();
    for kind in KINDS {
        for (weights, decay) in [(Layout::Scaled, 0.5), (Layout::Signs, 1.0)] {
            let graph = graph(kind, weights, decay);
            let path = home.path().join("net.nir");
            graph.write(&path).unwrap();
            let read = Graph::read(&path).unwrap();
            assert_eq!(sorted(&read), sorted(&graph), "{kind}");
            // Same bits, whoever writes.
            assert_eq!(graph.to_bytes().unwrap(), graph.to_bytes().unwrap());
        }
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn all_types_and_facts_go_through_a_file() {
    let node =
        |name: &str, op| Node { name: name.into(), op, metadata: vec![("about".into(), Value::Text("ä".into()))] };
    let lif = Lif {
        tau: Array::full([3], 2e-4),
        r: Array::full([3], 1.0),
        v_leak: Array::full([3], 0.0),
        v_reset: Array::full([3], 0.0),
        v_threshold: Array::full([3], 1.0),
    };
    let cuba = CubaLif { lif, tau_syn: Array::full([3], 1e-4), w_in: Array::full([3], 1.0) };
    let graph = Graph {
        nodes: vec![
            node("a", Op::Input(vec![2])),
            node("b", Op::Linear(Array::new([3, 2], (0..6u8).map(f32::from).collect()))),
            node("c", Op::CubaLif(cuba)),
            node("d", Op::Output(vec![3])),
        ],
        edges: vec![(0, 1), (1, 2), (2, 3)],
        metadata: vec![("dt".into(), Value::Number(0.5)), ("list".into(), Value::Numbers(vec![1.0, 2.0]))],
    };
    assert_eq!(sorted(&Graph::from_bytes(graph.to_bytes().unwrap()).unwrap()), sorted(&graph));
}

/// Everything that can be done with a file; whatever the bytes, it ends without a panic.
fn use_it(bytes: Vec<u8>) -> Result<(), NirError> {
    let graph = Graph::from_bytes(bytes)?;
    let _ = start(&graph, &ReadOptions::default());
    graph.shapes()?;
    let mut network = Interpreter::new(&graph)?;
    let _ = network.run(&[0.5; 32], 1);
    Ok(())
}

#[test]
fn every_cut_is_refused() {
    let whole = graph("one-step", Layout::Scaled, 0.5).to_bytes().unwrap();
    use_it(whole.clone()).unwrap();
    for length in (0..whole.len()).step_by(7).chain(whole.len() - 64..whole.len()) {
        assert!(use_it(whole[..length].to_vec()).is_err(), "cut to {length} of {}", whole.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_it_panic(
        kind in prop::sample::select(vec!["one-step", "residual"]),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = damaged(kind);
        for (place, value) in places {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        let _ = use_it(bytes);
    }

    #[test]
    fn bytes_of_anything_are_no_graph(mut bytes in prop::collection::vec(any::<u8>(), 0..300), signed: bool) {
        if signed {
            bytes.splice(0..bytes.len().min(8), *b"\x89HDF\r\n\x1a\n");
        }
        prop_assert!(use_it(bytes).is_err());
    }
}

/// A file that is written once.
fn damaged(kind: &str) -> Vec<u8> {
    use std::sync::OnceLock;
    static FILES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let of = |kind| graph(kind, Layout::Scaled, 0.5).to_bytes().unwrap();
    let [one, residual] = FILES.get_or_init(|| [of("one-step"), of("residual")]);
    if kind == "residual" { residual.clone() } else { one.clone() }
}

#[test]
fn a_file_that_is_none_says_so() {
    let error = use_it(b"hello".to_vec()).unwrap_err();
    assert_eq!(error.to_string(), "file: not an HDF5 file, which every NIR file is");
    let error = Graph::read(std::path::Path::new("/no/such/file.nir")).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/file.nir: "), "{error}");
}
