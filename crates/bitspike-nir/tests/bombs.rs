//! Files that claim to be huge: memory stays within the bound, whatever a number says.
//!
//! One test, because the allocator counts for the whole process.

use bitspike_files::{FLOOR, Peak};
use bitspike_nir::{Array, Graph, NirError, Node, Op};
use hdf5_pure::FileBuilder;

#[global_allocator]
static PEAK: Peak = Peak::new();

/// A graph whose weights are `count` zeros, packed.
fn packed(count: usize) -> Vec<u8> {
    let mut file = FileBuilder::new();
    let mut graph = file.create_group("node");
    graph.create_dataset("type").with_vlen_strings(&["NIRGraph"]).with_shape(&[]);
    let mut nodes = graph.create_group("nodes");
    let mut node = nodes.create_group("w");
    node.create_dataset("type").with_vlen_strings(&["Linear"]).with_shape(&[]);
    let shape = [count as u64 / 1000, 1000];
    node.create_dataset("weight")
        .with_f32_data(&vec![0.0; count])
        .with_shape(&shape)
        .with_chunks(&shape)
        .with_deflate(9);
    nodes.add_group(node.finish());
    graph.add_group(nodes.finish());
    graph.create_dataset("edges").with_i64_data(&[]).with_shape(&[0]);
    file.add_group(graph.finish());
    file.finish().unwrap()
}

#[test]
fn memory_is_bounded_by_the_size_of_the_file() {
    // What packs a thousand times is refused above 64 MiB, before it is unpacked.
    let small = packed(1_000_000);
    assert!(small.len() < 40_000, "{}", small.len());
    assert!(Graph::from_bytes(small).is_ok());
    let bomb = packed(40_000_000);
    let (result, peak) = PEAK.during(|| Graph::from_bytes(bomb.clone()));
    assert!(matches!(result, Err(NirError::Beyond { .. })), "{result:?}");
    assert!(peak < 32 << 20, "{peak} bytes");

    // Small files in which every number is made large, one after the other: an array as it is, and one in a packed chunk.
    let node = |name: &str, op| Node { name: name.into(), op, metadata: vec![] };
    let graph = Graph {
        nodes: vec![
            node("a", Op::Input(vec![8])),
            node("b", Op::Linear(Array::full([40, 8], 0.5))),
            node("c", Op::Output(vec![40])),
        ],
        edges: vec![(0, 1), (1, 2)],
        metadata: vec![],
    };
    for whole in [graph.to_bytes().unwrap(), packed(1000)] {
        for at in 0..whole.len() - 4 {
            for value in [u32::MAX, 1 << 28] {
                let mut bytes = whole.clone();
                bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
                let (result, peak) = PEAK.during(|| Graph::from_bytes(bytes).map(|_| ()));
                assert!(peak < 2 * FLOOR as usize, "{value:#x} at byte {at}: {peak} bytes, {result:?}");
            }
        }
    }
}
