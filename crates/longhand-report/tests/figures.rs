//! Tests that every figure is well-formed SVG that contains its texts, and a PNG of the right size that is not blank.

use std::error::Error;

use longhand_report::figure::{
    Caption, ConfusionPair, Figure, LossAxes, LossCurve, LossPanel, ScoreAxis, ScoreRow, confusion_grid,
    confusion_matrix, confusion_pairs, loss_curves, score_comparison,
};
use longhand_report::{Confusion, ReportError};

type Outcome = Result<(), Box<dyn Error>>;

/// Checks the SVG and the PNG of a figure; returns all its texts, one per line.
fn texts(figure: &Figure) -> Result<String, Box<dyn Error>> {
    let svg = figure.to_svg();
    let document = roxmltree::Document::parse(&svg)?;
    let outside = |node: roxmltree::Node<'_, '_>| {
        let link = |name: &str| name.ends_with("href") || name == "src";
        node.attributes().any(|attribute| link(attribute.name()) && !attribute.value().starts_with('#'))
    };
    assert!(!document.descendants().any(outside), "the SVG must reference no other file");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "all coordinates must be finite");

    let png = figure.to_png()?;
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("the image is too large")?];
    let info = reader.next_frame(&mut pixels)?;
    let (width, height) = figure.size();
    assert_eq!((f64::from(info.width), f64::from(info.height)), ((2.0 * width).ceil(), (2.0 * height).ceil()));
    let dark = pixels.chunks_exact(4).filter(|pixel| pixel[0] < 0x60 && pixel[3] == 0xff).count();
    assert!(dark > 1000, "the PNG must contain text, but has only {dark} dark pixels");

    let elements = document.descendants().filter(|node| node.has_tag_name("text"));
    Ok(elements.filter_map(|node| node.text()).collect::<Vec<_>>().join("\n"))
}

fn caption() -> Caption {
    Caption::new("Losses & \"scores\" <of> a study").subtitle("synthetic data").footnote("N: hidden units")
}

/// Asserts that the texts of a figure contain `expected` and the caption.
fn assert_contains(texts: &str, expected: &[&str]) {
    let missing: Vec<_> = expected.iter().filter(|expected| !texts.contains(**expected)).collect();
    assert!(missing.is_empty(), "the figure must contain {missing:?}, but contains only\n{texts}");
    assert!(texts.contains("Losses & \"scores\" <of> a study") && texts.contains("synthetic data"));
    assert!(texts.contains("N: hidden units"));
}

fn confusion() -> Confusion {
    let classes = ["sitting", "R&D <lab>", "walking"].map(String::from);
    Confusion::from_predictions(&classes, &[0, 0, 1, 2, 2], &[0, 2, 1, 2, 2]).expect("all classes are below 3")
}

fn panel(title: &str, label: &str, values: &[f64]) -> LossPanel {
    LossPanel::new(title).curve(LossCurve::new(label, values.to_vec())).curve(LossCurve::new("other", vec![2.0, 1.0]))
}

#[test]
fn loss_curves_have_axes_titles_and_legends() -> Outcome {
    let axes = LossAxes::new("training loss (nats per sequence)");
    let panels = [panel("LR 0.1", "N 50", &[1.8, 1.0, 0.5]), panel("LR 0.05", "N 50", &[1.7, 1.1, 0.6])];
    let shared = texts(&loss_curves(&caption(), &axes, &panels)?)?;
    assert_contains(&shared, &["training loss (nats per sequence)", "epoch", "LR 0.1", "LR 0.05", "N 50"]);
    assert_eq!(shared.matches("N 50").count(), 1, "equal legends must be drawn once");

    let panels = [panel("LR 0.1", "N 50", &[1.8, 1.0]), panel("LR 0.05", "N 100", &[1.7, 1.1]).best_epoch(1)];
    let own = texts(&loss_curves(&caption(), &axes.columns(1), &panels)?)?;
    assert_contains(&own, &["N 50", "N 100", "best epoch: 1"]);
    assert_eq!(own.matches("other").count(), 2, "different legends must be drawn in each panel");
    Ok(())
}

#[test]
fn the_epoch_axis_starts_at_1() -> Outcome {
    let axes = LossAxes::new("loss (nats)");
    for (epochs, expected) in [(1, ["1", "2"].as_slice()), (3, &["1", "2", "3"]), (50, &["1", "10", "20"])] {
        let texts = texts(&loss_curves(&caption(), &axes, &[panel("model", "training", &vec![1.5; epochs])])?)?;
        let lines: Vec<&str> = texts.lines().collect();
        assert!(expected.iter().all(|epoch| lines.contains(epoch)), "{epochs} epochs: {texts}");
        assert!(!lines.contains(&"0"), "{epochs} epochs: {texts}");
    }
    Ok(())
}

#[test]
fn a_panel_shows_its_note() -> Outcome {
    let panel = panel("model", "training", &[1.8, 1.0]).note("validation is higher because of dropout in training");
    let texts = texts(&loss_curves(&caption(), &LossAxes::new("loss").columns(4), &[panel])?)?;
    assert!(texts.replace('\n', " ").contains("validation is higher because of dropout in training"), "{texts}");
    Ok(())
}

#[test]
fn each_footnote_is_a_paragraph() -> Outcome {
    let caption = caption().footnote("B: truncation window").footnote("Dashed line: best epoch.");
    let figure = confusion_matrix(&caption, &confusion());
    let lines: Vec<String> = texts(&figure)?.lines().map(str::to_owned).collect();
    for footnote in ["N: hidden units", "B: truncation window", "Dashed line: best epoch."] {
        assert!(lines.iter().any(|line| line == footnote), "{footnote}: {lines:?}");
    }
    Ok(())
}

#[test]
fn undrawable_losses_leave_gaps() -> Outcome {
    let axes = LossAxes::new("loss (nats)");
    let odd = [
        vec![f64::NAN, 1.0, f64::INFINITY, 2.0, 0.0, -1.0],
        vec![1.0],
        vec![1.0, 1.0],
        vec![0.0, 0.0],
        vec![1e-300, 1e300],
        vec![],
    ];
    for values in odd {
        for axes in [axes.clone(), axes.clone().logarithmic()] {
            texts(&loss_curves(&caption(), &axes, &[panel("odd", "odd", &values)])?)?;
        }
    }
    let gaps = panel("odd", "odd", &[f64::NAN, 1.0, f64::INFINITY, 0.0]);
    assert_contains(
        &texts(&loss_curves(&caption(), &axes, std::slice::from_ref(&gaps))?)?,
        &["Not drawn: 2 losses that are not finite."],
    );
    let logarithmic = texts(&loss_curves(&caption(), &axes.clone().logarithmic(), &[gaps])?)?;
    assert_contains(&logarithmic, &["Not drawn: 3 losses that are not finite and positive."]);
    let whole = texts(&loss_curves(&caption(), &axes, &[panel("whole", "whole", &[1.0])])?)?;
    assert!(!whole.contains("Not drawn"), "{whole}");
    for panels in [vec![], vec![LossPanel::new("no curves")]] {
        assert!(matches!(loss_curves(&caption(), &axes, &panels), Err(ReportError::EmptyFigure { .. })));
    }
    let only_nan = LossPanel::new("no curves").curve(LossCurve::new("NaN", vec![f64::NAN; 3]));
    let message = loss_curves(&Caption::new("Losses"), &axes, &[only_nan]).unwrap_err().to_string();
    assert_eq!(message, "figure \"Losses\" has nothing to draw: no finite loss, expected at least one");
    Ok(())
}

#[test]
fn confusion_figures_name_the_classes_on_both_axes() -> Outcome {
    let one = confusion();
    let pair = |title| ConfusionPair { title, left: &one, right: &one };
    let figures = [
        confusion_matrix(&caption(), &one),
        confusion_grid(&caption(), 2, &[("model a", &one), ("model b", &one), ("model c", &one)])?,
        confusion_pairs(&caption(), 2, ("part b", "part c"), &[pair("model a"), pair("model b"), pair("model c")])?,
    ];
    for figure in &figures {
        let texts = texts(figure)?;
        assert_contains(
            &texts,
            &["true class", "predicted class", "Top-1 accuracy 0.800", "colour: share of the true class"],
        );
        for class in one.classes() {
            assert!(texts.matches(class.as_str()).count() >= 2, "{class}");
        }
    }
    assert_contains(&texts(&figures[2])?, &["part b", "part c", "model a", "model b", "model c"]);
    assert!(matches!(confusion_grid(&caption(), 2, &[]), Err(ReportError::EmptyFigure { .. })));
    assert!(matches!(confusion_pairs(&caption(), 2, ("", ""), &[]), Err(ReportError::EmptyFigure { .. })));
    Ok(())
}

#[test]
fn score_comparison_shows_mean_and_deviation_with_a_legend() -> Outcome {
    let axis = ScoreAxis::new("top-1 score").reference("chance", 1.0 / 6.0).reference("unknown", f64::NAN);
    let rows = [
        ScoreRow::new("study", vec![0.582]),
        ScoreRow::new("better", vec![0.96, 0.97, 0.98]),
        ScoreRow::new("failed", vec![f64::NAN]),
        ScoreRow::new("one seed failed", vec![0.5, f64::NAN, 0.7]),
        ScoreRow::new("two seeds failed", vec![f64::NAN, 0.25, f64::INFINITY]),
    ];
    let texts = texts(&score_comparison(&caption(), &axis, &rows)?)?;
    assert_contains(&texts, &["top-1 score", "chance 0.167", "study", "0.582", "0.970 ± 0.010 (n = 3)", "no score"]);
    assert_contains(&texts, &["0.600 ± 0.141 (n = 2 of 3)", "0.250 (n = 1 of 3)"]);
    let legend = ["one trained model", "mean of the row", "mean ± sample standard deviation of n models"];
    assert_contains(&texts, &legend);
    let single = self::texts(&score_comparison(&caption(), &axis, &rows[..1])?)?;
    assert!(single.contains(legend[0]) && !single.contains(legend[1]) && !single.contains(legend[2]), "{single}");
    assert!(matches!(score_comparison(&caption(), &axis, &[]), Err(ReportError::EmptyFigure { .. })));
    Ok(())
}
