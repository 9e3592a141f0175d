//! The seed determines the results; the number of threads does not affect them.

use crate::common::{Options, Results, files};
use serde_json::Value;
use std::fs;

fn options() -> Options {
    Options::small().set("epochs", "2").set("seeds", "2").set("windows", "30,70")
}

/// The contents of all files except the summary, which contains the duration.
fn contents(results: &Results) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = fs::read(results.path().join(&name)).unwrap();
        (name, bytes)
    };
    files(&results.path()).into_iter().filter(|name| name != "summary.json").map(read).collect()
}

/// The summary without the duration and the number of threads.
fn summary(results: &Results) -> Value {
    let mut summary = results.summary();
    summary["seconds"] = Value::Null;
    summary["machine"]["threads"] = Value::Null;
    summary
}

/// The printed lines without those on progress and duration.
fn printed(results: &Results) -> Vec<&str> {
    results.run.stdout.lines().filter(|line| !line.starts_with("Training") && !line.starts_with("Tables,")).collect()
}

#[test]
fn results_depend_on_the_seed_but_not_on_threads_or_time() {
    let one = Results::of(&options().set("threads", "1"));
    for again in [options().set("threads", "2"), options().set("threads", "2"), options().set("threads", "7")] {
        let again = Results::of(&again);
        assert_eq!(printed(&again), printed(&one));
        assert_eq!(summary(&again), summary(&one));
        for (again, one) in contents(&again).iter().zip(&contents(&one)) {
            assert!(again == one, "{} and {} differ", again.0, one.0);
        }
    }
    let other = Results::of(&options().set("seed", "2"));
    assert_eq!(other.summary()["seed"], 2);
    for part in ["part_b", "part_c", "better"] {
        assert_ne!(other.summary()[part], one.summary()[part], "{part}");
    }
}

#[test]
fn seeds_of_the_better_recipe_differ() {
    let seeds = &Results::shared().summary()["better"]["seeds"];
    assert_ne!(seeds[0]["training_loss"], seeds[1]["training_loss"]);
}
