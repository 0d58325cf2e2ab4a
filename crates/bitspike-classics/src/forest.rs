//! A random forest (Breiman 2001) by the library smartcore.
//!
//! Each tree is grown to its end on a sample with replacement of each class; a split looks at √d features drawn for it; Gini impurity.
//! Scores are shares of votes. One call of the library grows one tree with a seed of its own, so that trees can grow in parallel and
//! their votes can be counted. Its trees tell their nodes only as text, from which they are counted.
//!
//! A node whose draws are all constant becomes a leaf in the library, so features that are constant in the whole training part are left
//! out. Growing looks at all windows in every node, so that time goes with the square of their number.

use crate::ClassicError;
use bitspike_random::Random;
use ndarray::Array2;
use rayon::prelude::*;
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

/// Trees of a forest.
pub(crate) const TREES: usize = 100;

/// Bytes of a node: feature or class, threshold, two children, 4 each.
pub(crate) const NODE_BYTES: usize = 16;

type Tree = RandomForestClassifier<f32, u32, DenseMatrix<f32>, Vec<u32>>;

/// A fitted forest.
pub(crate) struct Forest {
    trees: Vec<Tree>,
    /// Features that vary.
    columns: Vec<usize>,
    classes: usize,
    /// Nodes of all trees.
    pub(crate) nodes: usize,
    /// Comparisons of a window, mean over the training windows.
    pub(crate) comparisons: f64,
}

/// What is counted of a tree as the library writes it.
#[derive(serde::Deserialize)]
struct Written {
    trees: Vec<WrittenTree>,
}

#[derive(serde::Deserialize)]
struct WrittenTree {
    nodes: Vec<Node>,
}

#[derive(serde::Deserialize)]
struct Node {
    n_node_samples: usize,
    true_child: Option<usize>,
}

fn refused(reason: impl ToString) -> ClassicError {
    ClassicError::Forest { reason: reason.to_string() }
}

fn dense(x: &Array2<f32>, columns: &[usize]) -> Result<DenseMatrix<f32>, ClassicError> {
    // Column after column: a split runs through one.
    let values = columns.iter().flat_map(|c| x.column(*c)).copied().collect();
    DenseMatrix::new(x.nrows(), columns.len(), values, true).map_err(refused)
}

impl Forest {
    /// Grows trees on features `[n, d]` with a class each, of at least two.
    pub(crate) fn fit(x: &Array2<f32>, labels: &[u32], classes: usize, seed: u64) -> Result<Self, ClassicError> {
        let varies = |c: &usize| x.column(*c).iter().any(|v| *v != x[[0, *c]]);
        let mut columns: Vec<usize> = (0..x.ncols()).filter(varies).collect();
        if columns.is_empty() {
            columns.push(0); // The library takes no matrix without a column.
        }
        let (x, y) = (dense(x, &columns)?, labels.to_vec());
        let grow = |i: usize| -> Result<(Tree, usize, f64), ClassicError> {
            let seed = Random::keyed([seed, i as u64]).next_u64();
            let settings = RandomForestClassifierParameters::default().with_n_trees(1).with_seed(seed);
            let tree = Tree::fit(&x, &y, settings).map_err(refused)?;
            let text = serde_json::to_string(&tree).map_err(refused)?;
            let written: Written = serde_json::from_str(&text).map_err(refused)?;
            let nodes: Vec<&Node> = written.trees.iter().flat_map(|t| &t.nodes).collect();
            // A window is compared once in every node it comes through that has children.
            let inner = nodes.iter().filter(|n| n.true_child.is_some());
            let comparisons = inner.map(|n| n.n_node_samples).sum::<usize>() as f64 / labels.len() as f64;
            Ok((tree, nodes.len(), comparisons))
        };
        let grown: Vec<_> = (0..TREES).into_par_iter().map(grow).collect::<Result<_, _>>()?;
        let nodes = grown.iter().map(|(_, nodes, _)| nodes).sum();
        let comparisons = grown.iter().map(|(.., c)| c).sum();
        Ok(Self { trees: grown.into_iter().map(|(tree, ..)| tree).collect(), columns, classes, nodes, comparisons })
    }

    /// Shares of votes `[n, k]`.
    pub(crate) fn scores(&self, x: &Array2<f32>) -> Result<Array2<f32>, ClassicError> {
        let x = dense(x, &self.columns)?;
        let votes: Vec<Vec<u32>> =
            self.trees.par_iter().map(|t| t.predict(&x).map_err(refused)).collect::<Result<_, _>>()?;
        let mut counts = Array2::<u32>::zeros((votes.first().map_or(0, Vec::len), self.classes));
        votes.iter().flat_map(|v| v.iter().enumerate()).for_each(|(i, class)| counts[[i, *class as usize]] += 1);
        Ok(counts.mapv(|c| c as f32 / TREES as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_can_be_counted_by_hand() {
        // One feature that tells both classes apart among constant ones: three nodes and one comparison in each tree, whatever is drawn.
        let x = Array2::from_shape_fn((20, 9), |(i, j)| if j == 4 { (i / 10) as f32 } else { 7.0 });
        let labels: Vec<u32> = (0..20).map(|i| 3 * (i / 10)).collect();
        let forest = Forest::fit(&x, &labels, 4, 1).unwrap();
        assert_eq!((forest.nodes, forest.comparisons), (3 * TREES, TREES as f64));
        let scores = forest.scores(&x).unwrap();
        assert_eq!((scores.row(0).to_vec(), scores.row(19).to_vec()), (vec![1., 0., 0., 0.], vec![0., 0., 0., 1.]));
    }
}
