//! Draws every kind of figure from synthetic numbers, for visual inspection: `cargo run --example gallery -- FOLDER`.

use longhand_report::figure::{
    Caption, ConfusionPair, Figure, LossAxes, LossCurve, LossPanel, ScoreAxis, ScoreRow, confusion_grid,
    confusion_matrix, confusion_pairs, loss_curves, score_comparison,
};
use longhand_report::{Cell, Confusion, OutputFolder, ReportError, Table};

const CLASSES: [&str; 6] = ["downstairs", "jogging", "sitting", "standing", "upstairs", "walking"];
const MODELS: [(f64, usize, usize); 8] = [
    (0.1, 50, 10),
    (0.1, 50, 30),
    (0.1, 100, 10),
    (0.1, 100, 30),
    (0.05, 50, 10),
    (0.05, 50, 30),
    (0.05, 100, 10),
    (0.05, 100, 30),
];

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), ReportError> {
    let folder = OutputFolder::create(std::env::args().nth(1).unwrap_or_else(|| "gallery".to_owned()))?;
    let save = |stem: &str, figure: &Figure| folder.write_figure(stem, figure);
    let caption = |title: &str| {
        Caption::new(title)
            .subtitle("synthetic numbers, not results of training")
            .footnote("LR: learning rate; N: hidden units; B: length of the truncation window, in steps.")
            .footnote("Each model was trained on one sequence at a time.")
    };
    let names: Vec<String> = MODELS.iter().map(|(lr, n, b)| format!("LR {lr}, N {n}, B {b}")).collect();

    let panel = |first: usize| {
        let panel = LossPanel::new(format!("learning rate {}", MODELS[first].0));
        MODELS.iter().enumerate().skip(first).take(4).fold(panel, |panel, (index, (_, n, b))| {
            panel.curve(LossCurve::new(format!("N {n}, B {b}"), losses(index, 0.0)))
        })
    };
    let axes = LossAxes::new("training loss (nats per sequence)");
    save(
        "loss-by-learning-rate",
        &loss_curves(&caption("Training loss by learning rate"), &axes, &[panel(0), panel(4)])?,
    )?;

    let panel = |window: usize| {
        MODELS
            .iter()
            .enumerate()
            .filter(|(_, model)| model.2 == window)
            .fold(LossPanel::new(format!("window of {window} steps")), |panel, (index, _)| {
                panel.curve(LossCurve::new(names[index].clone(), losses(index, 0.0)))
            })
    };
    save(
        "loss-own-legends-log",
        &loss_curves(&caption("Training loss by window"), &axes.logarithmic(), &[panel(10), panel(30)])?,
    )?;

    let panels: Vec<LossPanel> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let panel = LossPanel::new(name)
                .curve(LossCurve::new("training", losses(index, 0.0)))
                .curve(LossCurve::new("validation", losses(index, 0.3)))
                .best_epoch([38, 50, 12, 35, 50, 50, 46, 1][index]);
            if index == 2 {
                panel.note("validation loss is higher because dropout is used in training only")
            } else {
                panel
            }
        })
        .collect();
    let axes = LossAxes::new("loss (nats per sequence)").columns(4);
    save("training-and-validation", &loss_curves(&caption("Training and validation loss"), &axes, &panels)?)?;

    let first: Vec<Confusion> = (0..8).map(|model| confusion(model, 0.45)).collect();
    let second: Vec<Confusion> = (0..8).map(|model| confusion(model, 0.7)).collect();
    let panels: Vec<(&str, &Confusion)> = names.iter().map(String::as_str).zip(&first).collect();
    save("confusion-grid", &confusion_grid(&caption("Confusion matrices, part b"), 4, &panels)?)?;
    let pairs: Vec<ConfusionPair<'_>> = names
        .iter()
        .zip(first.iter().zip(&second))
        .map(|(title, (left, right))| ConfusionPair { title, left, right })
        .collect();
    let title = caption("Confusion matrices without and with a validation set");
    save("confusion-pairs", &confusion_pairs(&title, 2, ("part b, last epoch", "part c, best epoch"), &pairs)?)?;
    save("confusion-matrix", &confusion_matrix(&caption("Better recipe, seed 1"), &second[0]))?;

    let axis = ScoreAxis::new("top-1 score (fraction of test sequences)")
        .reference("chance", 1.0 / 6.0)
        .reference("published (the study's own recordings)", 0.582)
        .reference("a linear model", 0.31);
    let rows = [
        ScoreRow::new("study's recipe, part b: best of 8", vec![0.571]),
        ScoreRow::new("study's recipe, part c: best of 8", vec![0.555]),
        ScoreRow::new("better recipe, random windows", vec![0.961, 0.968, 0.972, 0.975, 0.979]),
        ScoreRow::new("better recipe, people excluded from training", vec![0.85, 0.871, 0.88, 0.9, 0.89]),
    ];
    save("confusion-two-classes", &two_classes()?)?;
    save("score-comparison", &score_comparison(&caption("The study's best and the better recipe"), &axis, &rows)?)?;

    let mut table = Table::new("Table 2. Top-k scores. Synthetic numbers.")
        .columns(["LR", "N", "B"])
        .group("last epoch", ["Top-1", "Top-2"])
        .group("early stopping", ["Top-1", "Top-2"])
        .columns(["best epoch"])
        .bold_means("early stopping better than last epoch")
        .italic_means("early stopping worse than last epoch");
    for (index, (lr, n, b)) in MODELS.into_iter().enumerate() {
        let score = |k: f64| Cell::number(0.3 + 0.05 * index as f64 + k, 3);
        let early = if index % 3 == 0 { score(-0.02).italic() } else { score(0.1).bold() };
        let lr = Cell::number(lr, 2);
        table.push(vec![lr, n.into(), b.into(), score(0.0), score(0.2), early, score(0.3), Cell::integer(38)])?;
    }
    print!("{}\n{}\n{}", table.to_text(), table.to_markdown(), table.to_csv());
    Ok(())
}

/// A grid with one small matrix, whose text is wider than the matrix.
fn two_classes() -> Result<Figure, ReportError> {
    let classes = ["at rest", "in motion"].map(String::from);
    let confusion = Confusion::from_predictions(&classes, &[0, 0, 1, 1], &[0, 1, 1, 1])?;
    confusion_grid(&Caption::new("Two classes").subtitle("synthetic numbers"), 2, &[("LR 0.1, N 50", &confusion)])
}

/// A noisy exponential decay that depends on the model; `lift` makes it rise towards the end.
fn losses(model: usize, lift: f64) -> Vec<f64> {
    let speed = 0.03 + 0.012 * model as f64;
    (0..50)
        .map(|epoch| {
            let noise = 0.08 * (f64::from(epoch) * (1.7 + model as f64) + lift * 9.0).sin();
            0.45 + 1.4 * (-speed * f64::from(epoch)).exp() + noise + lift * f64::from(epoch) / 50.0
        })
        .collect()
}

/// A confusion matrix of 100 samples per class: about the fraction `accuracy` is predicted correctly, the others as
/// nearby classes.
fn confusion(model: usize, accuracy: f64) -> Confusion {
    let classes = CLASSES.map(String::from);
    let (mut labels, mut predictions) = (Vec::new(), Vec::new());
    for label in 0..6 {
        for sample in 0..100 {
            let is_correct =
                ((sample * 37 + label * 11 + model * 13) % 100) as f64 / 100.0 < accuracy + 0.1 * (label as f64 - 2.0);
            labels.push(label);
            predictions.push(if is_correct { label } else { (label + 1 + (sample * sample + model) % 4) % 6 });
        }
    }
    Confusion::from_predictions(&classes, &labels, &predictions).expect("all classes are below 6")
}
