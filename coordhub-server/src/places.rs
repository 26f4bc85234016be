//! How far each follower has come, so that a monitor can tell how far behind the slowest is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use coordhub_core::ids::Seq;
use parking_lot::Mutex;

/// Marks a cell that nobody has.
const FREE: u64 = u64::MAX;
/// More followers than this are served, and not watched.
const CELLS_MAX: usize = 65_536;

/// A cell for each follower. They are written by the follower alone, and read by whoever watches.
#[derive(Debug)]
pub struct Places {
    cells: Box<[AtomicU64]>,
    free: Mutex<Vec<usize>>,
}

/// One follower's cell, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    index: Option<usize>,
}

impl Places {
    /// Cells for so many followers.
    pub fn new(followers: usize) -> Arc<Self> {
        let count = followers.min(CELLS_MAX);
        let cells = (0..count).map(|_| AtomicU64::new(FREE)).collect();
        // The first to come gets the first cell.
        Arc::new(Self { cells, free: Mutex::new((0..count).rev().collect()) })
    }

    /// A cell for a follower that stands at `position`.
    pub fn take(self: &Arc<Self>, position: Seq) -> Place {
        let index = self.free.lock().pop();
        let place = Place { places: self.clone(), index };
        place.move_to(position);
        place
    }

    /// Where the slowest follower stands. `None` where there is none.
    pub fn slowest(&self) -> Option<Seq> {
        self.cells.iter().map(|cell| cell.load(Relaxed)).filter(|seq| *seq != FREE).min()
    }
}

impl Place {
    /// Everything up to `position` was handed on.
    pub fn move_to(&self, position: Seq) {
        if let Some(index) = self.index {
            self.places.cells[index].store(position, Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.move_to(FREE);
        self.places.free.lock().extend(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_is_found() {
        let places = Places::new(2);
        assert_eq!(places.slowest(), None);
        let (first, second, untold) = (places.take(5), places.take(9), places.take(1));
        assert_eq!(places.slowest(), Some(5));
        first.move_to(12);
        assert_eq!(places.slowest(), Some(9));
        drop((second, untold));
        assert_eq!(places.slowest(), Some(12));
        let third = places.take(3);
        assert_eq!(places.slowest(), Some(3));
        drop((first, third));
        assert_eq!(places.slowest(), None);
    }
}
