//! Sequences from and to the three-dimensional arrays of the `ndarray` crate, of any memory order.

use crate::{Scalar, Sequences};
use ndarray::{Array3, ArrayBase, Data, Ix3};

impl<T: Scalar> Sequences<T> {
    /// Sequences from an array with the axes batch, steps, features.
    ///
    /// ```
    /// use longhand::Sequences;
    /// use ndarray::Array3;
    /// let array = Array3::from_shape_fn([2, 3, 1], |(sequence, step, _)| (10 * sequence + step) as f32);
    /// let x = Sequences::from_batch_first_array(&array);
    /// assert_eq!((x.batch(), x.steps(), x.at(2, 1)), (2, 3, [12.0].as_slice()));
    /// assert_eq!(x.to_batch_first_array(), array);
    /// ```
    pub fn from_batch_first_array(array: &ArrayBase<impl Data<Elem = T>, Ix3>) -> Self {
        let (batch, steps, features) = array.dim();
        Sequences::from_fn(features, steps, batch, |feature, step, sequence| array[[sequence, step, feature]])
    }

    /// Sequences from an array with the axes steps, batch, features.
    pub fn from_time_first_array(array: &ArrayBase<impl Data<Elem = T>, Ix3>) -> Self {
        let (steps, batch, features) = array.dim();
        Sequences::from_fn(features, steps, batch, |feature, step, sequence| array[[step, sequence, feature]])
    }

    /// An array with the axes batch, steps, features. It has no marks: padding is not distinguished from other steps.
    pub fn to_batch_first_array(&self) -> Array3<T> {
        let shape = [self.batch(), self.steps(), self.features()];
        Array3::from_shape_fn(shape, |(sequence, step, feature)| self.at(step, sequence)[feature])
    }
}

#[cfg(test)]
mod tests {
    use super::{Array3, Sequences};
    use crate::Layout;

    #[test]
    fn the_axes_may_be_in_any_memory_order() {
        let array = Array3::from_shape_fn([4, 3, 2], |(a, b, c)| (100 * a + 10 * b + c) as f64);
        let x = Sequences::from_batch_first_array(&array);
        assert_eq!((x.features(), x.steps(), x.batch()), (2, 3, 4));
        assert_eq!(x.at(1, 3), [310.0, 311.0]);
        assert_eq!(x.layout(), &Layout::new(3, 4));
        let swapped = array.view().permuted_axes([1, 0, 2]);
        assert_eq!(Sequences::from_time_first_array(&swapped), x);
        assert_eq!(
            Sequences::from_batch_first_array(&array.slice(ndarray::s![..;-1, .., ..])).at(1, 0),
            [310.0, 311.0]
        );
        assert_eq!(x.to_batch_first_array(), array);
    }

    #[test]
    fn empty_arrays_are_empty_sequences() {
        let x = Sequences::<f32>::from_batch_first_array(&Array3::zeros([0, 3, 2]));
        assert_eq!((x.features(), x.steps(), x.batch()), (2, 3, 0));
    }
}
