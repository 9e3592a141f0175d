//! Numbers of a training run, by name and epoch or step.

mod table;

pub use table::HistoryError;

use serde::{Deserialize, Serialize};

/// Named series of numbers, for example the training loss and the validation loss of each epoch.
///
/// A series need not have a number at each epoch. Each is in the order of the epochs, whatever the order in which the numbers were
/// recorded.
///
/// ```
/// use longhand_training::History;
/// let mut history = History::new("epoch");
/// for (epoch, loss) in [0.9, 0.4, 0.5].into_iter().enumerate() {
///     history.record(epoch, "training_loss", loss);
/// }
/// history.record(2, "validation_loss", 0.6);
/// assert_eq!(history.last("training_loss"), Some(0.5));
/// assert_eq!(history.lowest("training_loss"), Some((1, 0.4)));
/// assert_eq!(history.to_csv()?, "epoch,training_loss,validation_loss\n0,0.9,\n1,0.4,\n2,0.5,0.6\n");
/// # Ok::<(), longhand_training::HistoryError>(())
/// ```
///
/// # Plots
/// [`values`](Self::values) is what `LossCurve::new` of the crate `longhand-report` accepts, if the series has a number at each epoch:
///
/// ```text
/// LossPanel::new("GRU").curve(LossCurve::new("training", history.values("training_loss").to_vec()))
/// ```
///
/// # Numbers that are not finite
/// JSON has no NaN and no infinity: there such numbers are written as `null`, and read as NaN. CSV files and MessagePack, the format of
/// `longhand-model`'s checkpoints, keep them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    unit: String,
    series: Vec<Series>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredSeries", into = "StoredSeries")]
struct Series {
    name: String,
    /// Ascending.
    steps: Vec<usize>,
    values: Vec<f64>,
}

/// A [`Series`] as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Series")]
struct StoredSeries {
    name: String,
    steps: Vec<usize>,
    /// `None` is written by formats that have no NaN.
    values: Vec<Option<f64>>,
}

impl From<Series> for StoredSeries {
    fn from(Series { name, steps, values }: Series) -> Self {
        StoredSeries { name, steps, values: values.into_iter().map(Some).collect() }
    }
}

impl TryFrom<StoredSeries> for Series {
    type Error = String;

    fn try_from(StoredSeries { name, steps, values }: StoredSeries) -> Result<Self, String> {
        if steps.len() != values.len() || !steps.is_sorted_by(|a, b| a < b) {
            return Err(format!("the series `{name}` must have one number for each of its steps, in ascending order"));
        }
        let values = values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        Ok(Series { name, steps, values })
    }
}

impl History {
    /// An empty history; `unit` names what is counted, such as `epoch` or `step`.
    pub fn new(unit: impl Into<String>) -> Self {
        History { unit: unit.into(), series: Vec::new() }
    }

    /// Records a number of the series `name`. A number that was recorded there for the same epoch or step is replaced.
    pub fn record(&mut self, step: usize, name: &str, value: impl Into<f64>) {
        let value = value.into();
        let series = self.series_mut(name);
        match series.steps.binary_search(&step) {
            Ok(place) => series.values[place] = value,
            Err(place) => {
                series.steps.insert(place, step);
                series.values.insert(place, value);
            }
        }
    }

    /// What is counted: the name of the first column of a table.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The names of the series, in the order of their first number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.series.iter().map(|series| series.name.as_str())
    }

    /// The numbers of a series; empty if there is no such series.
    pub fn values(&self, name: &str) -> &[f64] {
        self.find(name).map_or(&[], |series| &series.values)
    }

    /// The numbers of a series with their epochs or steps: the points of a curve.
    pub fn points(&self, name: &str) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.find(name).into_iter().flat_map(|series| series.steps.iter().copied().zip(series.values.iter().copied()))
    }

    /// The number of a series at an epoch or step.
    pub fn at(&self, name: &str, step: usize) -> Option<f64> {
        let series = self.find(name)?;
        series.steps.binary_search(&step).ok().map(|place| series.values[place])
    }

    /// The last number of a series.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.values(name).last().copied()
    }

    /// The lowest number of a series that is not NaN, and its epoch or step: the first of equal ones.
    pub fn lowest(&self, name: &str) -> Option<(usize, f64)> {
        self.points(name)
            .filter(|(_, value)| !value.is_nan())
            .reduce(|best, next| if next.1 < best.1 { next } else { best })
    }

    /// The highest number of a series that is not NaN, and its epoch or step: the first of equal ones.
    pub fn highest(&self, name: &str) -> Option<(usize, f64)> {
        self.points(name)
            .filter(|(_, value)| !value.is_nan())
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The series of this name, which is added if there is none.
    fn series_mut(&mut self, name: &str) -> &mut Series {
        let place = self.series.iter().position(|series| series.name == name).unwrap_or_else(|| {
            self.series.push(Series { name: name.to_owned(), steps: Vec::new(), values: Vec::new() });
            self.series.len() - 1
        });
        &mut self.series[place]
    }

    fn find(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }
}
