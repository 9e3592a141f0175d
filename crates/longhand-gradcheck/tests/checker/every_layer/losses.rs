//! Proves the losses with weights, of real targets, and of label sequences, under each reduction.

use super::REDUCTIONS;
use longhand::{
    ConnectionistTemporalClassification, FocalLoss, GaussianNegativeLogLikelihood, HuberLoss, HyperparameterError,
    MeanAbsoluteError, QuantileLoss, SigmoidCrossEntropy, SoftmaxCrossEntropy,
};
use longhand_gradcheck::{Case, Checker, prove_loss};

/// One positive weight per class, and a weight of zero.
fn weights(case: &Case) -> Vec<f64> {
    (0..case.outputs).map(|class| if class == 3 { 0.0 } else { 0.25 + 0.5 * class as f64 }).collect()
}

#[test]
fn weighted_cross_entropies_are_right() {
    for reduction in REDUCTIONS {
        for smoothing in [0.0, 0.2] {
            Checker::new().prove_loss_with(|case| {
                let loss = SoftmaxCrossEntropy::new(reduction).with_label_smoothing(smoothing);
                loss.and_then(|loss| loss.with_class_weights(&weights(case))).expect("accepted hyperparameters")
            });
        }
        Checker::new().prove_loss_with(|case| {
            let loss = SigmoidCrossEntropy::new(reduction).with_positive_weights(&weights(case));
            loss.expect("accepted weights")
        });
    }
}

#[test]
fn focal_losses_are_right() -> Result<(), HyperparameterError> {
    for reduction in REDUCTIONS {
        for gamma in [0.0, 0.5, 1.0, 2.0, 5.0] {
            prove_loss(&FocalLoss::new(reduction, gamma)?);
        }
        Checker::new().prove_loss_with(|case| {
            let loss = FocalLoss::new(reduction, 1.5).and_then(|loss| loss.with_alpha(&weights(case)));
            loss.expect("accepted factors")
        });
    }
    Ok(())
}

#[test]
fn losses_of_real_targets_are_right() -> Result<(), HyperparameterError> {
    for reduction in REDUCTIONS {
        prove_loss(&MeanAbsoluteError::new(reduction));
        for delta in [0.1, 1.0, 3.0] {
            prove_loss(&HuberLoss::new(reduction, delta)?);
        }
        prove_loss(&QuantileLoss::new(reduction, &[0.3])?);
        Checker::new().outputs_per_target(3).prove_loss(&QuantileLoss::new(reduction, &[0.1, 0.5, 0.95])?);
        let gaussian = GaussianNegativeLogLikelihood::new(reduction);
        for loss in [gaussian, gaussian.with_constant(), gaussian.with_smallest_variance(0.3)?] {
            Checker::new().outputs_per_target(2).prove_loss(&loss);
        }
        Checker::new().outputs_per_target(2).prove_loss(&gaussian.with_smallest_variance(0.0)?);
    }
    Ok(())
}

#[test]
fn connectionist_temporal_classification_is_right() {
    for reduction in REDUCTIONS {
        prove_loss(&ConnectionistTemporalClassification::new(reduction));
        prove_loss(&ConnectionistTemporalClassification::new(reduction).ignoring_impossible());
    }
}
