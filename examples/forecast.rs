//! Forecasts of a chaotic series many steps ahead, with the uncertainty of each.
//!
//! The Mackey-Glass series (Mackey and Glass, 1977) solves `dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x`. It is nearly
//! periodic, but chaotic, so errors grow with the horizon. The network reads 100 values, which have some noise, and gives a mean and a
//! variance for each of the next 80. It is trained with the Gaussian negative log-likelihood, so it states a larger variance where it
//! cannot know better.
//!
//! ```sh
//! cargo run --example forecast -- --out forecast.svg
//! ```
//!
//! It takes some seconds and prints, for some horizons, the error of the forecast beside that of repeating the last value, and
//! how many of the true values lie in the 90 % band: it should be about 90 %. Expect a fifth of the error of the last value. The picture shows a forecast with its band.

use clap::Parser;
use longhand::prelude::*;
use longhand::schedule;
use plotters::prelude::*;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, Normal};
use std::error::Error;
use std::path::PathBuf;

/// Values that the network reads, and values that it forecasts.
const CONTEXT: usize = 100;
const HORIZON: usize = 80;
const UNITS: usize = 48;
const BATCH: usize = 64;
const UPDATES: usize = 1_500;
/// Standard deviation of the noise.
const NOISE: f64 = 0.02;
/// Half the width of the 90 % band, in standard deviations.
const BAND: f32 = 1.645;

#[derive(Parser)]
#[command(about = "Forecasts the Mackey-Glass series with uncertainty bands")]
struct Arguments {
    /// The picture to write.
    #[arg(long, default_value = "forecast.svg")]
    out: PathBuf,
}

/// `length` values of the series, one per unit of time, by the method of Runge and Kutta with steps of 0.1. The delayed value is taken
/// as constant during a step.
fn mackey_glass(length: usize) -> Vec<f64> {
    const PER_UNIT: usize = 10;
    let (delay, skipped) = (17 * PER_UNIT, 500 * PER_UNIT);
    let mut x = vec![1.2_f64; delay + 1];
    for now in delay..delay + skipped + length * PER_UNIT {
        let delayed = x[now - delay];
        let gain = 0.2 * delayed / (1.0 + delayed.powi(10));
        let (slope, step) = (|x: f64| gain - 0.1 * x, 0.1);
        let k1 = slope(x[now]);
        let k2 = slope(x[now] + 0.5 * step * k1);
        let k3 = slope(x[now] + 0.5 * step * k2);
        let k4 = slope(x[now] + step * k3);
        x.push(x[now] + step / 6.0 * (k1 + 2.0 * (k2 + k3) + k4));
    }
    x[delay + skipped..].iter().step_by(PER_UNIT).take(length).map(|x| x - 0.9).collect()
}

/// The values before each of `starts`, with noise, and those from there on.
fn pieces(series: &[f64], starts: &[usize], g: &mut ChaCha8Rng) -> (Sequences<f32>, Sequences<f32>) {
    let noise = Normal::new(0.0, NOISE).expect("a standard deviation is positive");
    let inputs = Sequences::from_fn(1, CONTEXT, starts.len(), |_, step, b| {
        (series[starts[b] - CONTEXT + step] + noise.sample(g)) as f32
    });
    (inputs, Sequences::from_fn(HORIZON, 1, starts.len(), |ahead, _, b| series[starts[b] + ahead] as f32))
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { out } = Arguments::parse();
    let mut g = ChaCha8Rng::seed_from_u64(1);
    // The last quarter is for the test.
    let series = mackey_glass(8_000);
    let (trained, tested) = series.split_at(6_000);

    let mut model = Gru::<f32>::new(1, UNITS, &mut g).then(LastStep)?.then(Linear::new(UNITS, 2 * HORIZON, &mut g))?;
    let loss = GaussianNegativeLogLikelihood::new(Reduction::MeanOverElements).with_smallest_variance(1e-5)?;
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
    let mut optimizer = Adam::new();
    for update in 0..UPDATES {
        let starts: Vec<usize> = (0..BATCH).map(|_| g.random_range(CONTEXT..trained.len() - HORIZON)).collect();
        let (inputs, targets) = &pieces(trained, &starts, &mut g);
        let (_, gradients) = trainer.gradients(&model, Batch { inputs, targets })?;
        gradients.clip_by_global_norm(1.0);
        optimizer.step(&mut model, gradients, 0.005 * schedule::cosine(update, UPDATES, 0.02) as f32);
    }

    let starts: Vec<usize> = (CONTEXT..tested.len() - HORIZON).step_by(4).collect();
    let (inputs, targets) = pieces(tested, &starts, &mut g);
    let output = outputs(&model, &inputs);
    let deviation = |ahead: usize, b: usize| loss.variance(output.at(0, b)[HORIZON + ahead]).sqrt();

    println!("| steps ahead | error of the forecast | error of the last value | stated deviation | in the 90 % band |");
    println!("|---:|---:|---:|---:|---:|");
    let everything: Vec<usize> = (0..HORIZON).collect();
    for aheads in [&[0][..], &[9], &[19], &[39], &[59], &[79], &everything] {
        let pairs = || aheads.iter().flat_map(|&ahead| (0..starts.len()).map(move |b| (ahead, b)));
        let count = pairs().count() as f32;
        let error = |ahead: usize, b: usize| output.at(0, b)[ahead] - targets.at(0, b)[ahead];
        let of_last = |ahead: usize, b: usize| inputs.at(CONTEXT - 1, b)[0] - targets.at(0, b)[ahead];
        let root_mean = |square: &dyn Fn(usize, usize) -> f32| {
            (pairs().map(|(a, b)| square(a, b).powi(2)).sum::<f32>() / count).sqrt()
        };
        let inside = pairs().filter(|&(a, b)| error(a, b).abs() <= BAND * deviation(a, b)).count() as f32 / count;
        let ahead = if let [one] = aheads { (one + 1).to_string() } else { "all".to_owned() };
        println!(
            "| {ahead} | {:.3} | {:.3} | {:.3} | {:.1} % |",
            root_mean(&error),
            root_mean(&of_last),
            root_mean(&deviation),
            100.0 * inside
        );
    }

    let shown = starts.len() / 2;
    let mean: Vec<f32> = output.at(0, shown)[..HORIZON].to_vec();
    let band: Vec<f32> = (0..HORIZON).map(|ahead| BAND * deviation(ahead, shown)).collect();
    let before: Vec<f32> = (0..CONTEXT).map(|step| inputs.at(step, shown)[0]).collect();
    draw(&out, &before, targets.at(0, shown), &mean, &band)?;
    println!("\nwrote {}", out.display());
    Ok(())
}

/// Draws what the network has read, its forecast with the band, and the values that came.
fn draw(out: &PathBuf, before: &[f32], truth: &[f32], mean: &[f32], band: &[f32]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(out, (900, 420)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Mackey-Glass series: a forecast of 80 steps with its 90 % band", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(-(before.len() as f32)..mean.len() as f32, -0.7_f32..0.7)?;
    chart
        .configure_mesh()
        .x_desc("steps from the last value that was read")
        .y_desc("value")
        .x_label_formatter(&|steps| format!("{steps:.0}"))
        // Without a sign in front of zero.
        .y_label_formatter(&|value| format!("{:.1}", (10.0 * value).round() / 10.0 + 0.0))
        .light_line_style(WHITE)
        .draw()?;
    let ahead = |values: Vec<f32>| (1..).map(|step| step as f32).zip(values);
    let upper = ahead(mean.iter().zip(band).map(|(mean, band)| mean + band).collect());
    let lower: Vec<(f32, f32)> = ahead(mean.iter().zip(band).map(|(mean, band)| mean - band).collect()).collect();
    let (blue, orange) = (RGBColor(31, 119, 180), RGBColor(214, 90, 20));
    let outline: Vec<(f32, f32)> = upper.chain(lower.into_iter().rev()).collect();
    chart
        .draw_series(std::iter::once(Polygon::new(outline, blue.mix(0.25))))?
        .label("90 % band")
        .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 20, y + 5)], blue.mix(0.25).filled()));
    let read = (0..before.len()).map(|step| step as f32 + 1.0 - before.len() as f32).zip(before.iter().copied());
    for (name, colour, points) in [
        ("read, with noise", BLACK, read.collect::<Vec<_>>()),
        ("forecast", blue, ahead(mean.to_vec()).collect()),
        ("what came", orange, ahead(truth.to_vec()).collect()),
    ] {
        let line = LineSeries::new(points, colour.stroke_width(2));
        chart
            .draw_series(line)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    let labels = &mut chart.configure_series_labels();
    labels
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The outputs of a model, from a carry of zero.
fn outputs<M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>>(
    model: &M,
    x: &Sequences<f32>,
) -> Sequences<f32> {
    let mut cache = M::Cache::default();
    model.forward(x, &mut model.carry(x.batch()), &mut cache, &mut Pass::Infer).clone()
}
