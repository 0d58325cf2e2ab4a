//! Data sets of several runs: read once, and held no longer than needed.
//!
//! Runs of the same [`Recipe::data_key`] share a set. A set that no run holds is dropped, except the one that was asked for
//! last. So runs one after the other on the same data read it once, and memory holds at most one set more than there are
//! runs. Before another set is read, that one is dropped too.

use crate::recipe::Recipe;
use bitspike_data::{DataConfig, DataError, DataSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What [`Recipe::data_key`] gives.
type Key = (DataConfig, Option<usize>);

/// Data sets at hand, for runs on several threads.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bitspike_train::recipe::Recipe;
/// use bitspike_train::run::shelf::Shelf;
/// let (shelf, recipe) = (Shelf::default(), Recipe::default());
/// let first = shelf.get(&recipe)?; // read
/// let second = shelf.get(&recipe)?; // the same set
/// # drop((first, second));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Shelf {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Arc<DataSet>>,
    sets: Vec<(Key, Weak<DataSet>)>,
}

impl Shelf {
    /// The data of a recipe; others that ask meanwhile wait.
    ///
    /// # Errors
    /// As [`Recipe::load_data`].
    pub fn get(&self, recipe: &Recipe) -> Result<Arc<DataSet>, DataError> {
        // A panic while reading leaves nothing half done here.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = recipe.data_key();
        let held = state.sets.iter().find(|(k, _)| *k == key).and_then(|(_, set)| set.upgrade());
        if let Some(set) = held {
            state.last = Some(set.clone());
            return Ok(set);
        }
        state.last = None;
        state.sets.retain(|(_, set)| set.strong_count() > 0);
        let set = Arc::new(recipe.load_data()?);
        state.sets.push((key, Arc::downgrade(&set)));
        state.last = Some(set.clone());
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(steps: usize) -> Recipe {
        let text = format!(
            "[data]\nset = 'events-demo'\ntrain_limit = 4\ntest_limit = 2\n[network]\nT = {steps}\n[optim]\nlr = 0.0{steps}"
        );
        Recipe::parse(&text, "test").unwrap()
    }

    #[test]
    fn sets_are_shared_and_only_the_last_one_is_kept_for_nobody() {
        let shelf = Shelf::default();
        let one = shelf.get(&recipe(1)).unwrap();
        let again = shelf.get(&Recipe { seed: 9, ..recipe(1) }).unwrap();
        assert!(Arc::ptr_eq(&one, &again));
        let two = shelf.get(&recipe(2)).unwrap();
        assert_eq!((one.steps(), two.steps()), (1, 2));
        // The first is still held, so it is not read again.
        assert!(Arc::ptr_eq(&one, &shelf.get(&recipe(1)).unwrap()));
        let (weak_one, weak_two) = (Arc::downgrade(&one), Arc::downgrade(&two));
        drop((one, again, two));
        assert_eq!((weak_one.strong_count(), weak_two.strong_count()), (1, 0), "the last asked for is kept");
        shelf.get(&recipe(1)).unwrap();
        shelf.get(&recipe(2)).unwrap();
        assert_eq!(weak_one.strong_count(), 0, "another took its place");
        let missing = Recipe::parse("[data]\nset = 'mnist'\npath = 'no/such/folder'", "test").unwrap();
        assert!(shelf.get(&missing).is_err());
    }
}
