//! The pages as a book: each page has a place in the summary, and the links between pages lead somewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The pages, without the summary itself.
fn pages() -> BTreeSet<String> {
    let names =
        std::fs::read_dir(docs()).expect("the folder of the pages").map(|entry| entry.expect("a file").file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md") && name != "SUMMARY.md")
        .collect()
}

/// The targets of the links `[text](target)` of a page, outside of code.
fn links(text: &str) -> Vec<String> {
    let outside_of_code = text.split("```").step_by(2);
    let targets = outside_of_code.flat_map(|part| part.split("](").skip(1).filter_map(|rest| rest.split_once(')')));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.split("```").step_by(2).flat_map(str::lines).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let lower = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = lower.chars().filter(|&c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).expect("the summary");
    let listed: BTreeSet<String> = links(&summary).into_iter().collect();
    assert_eq!(listed, pages(), "the summary must list exactly the pages");
}

#[test]
fn links_lead_to_files_and_headings() {
    for page in pages() {
        let text = std::fs::read_to_string(docs().join(&page)).expect("a page");
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if file.is_empty() { docs().join(&page) } else { docs().join(file) };
            assert!(path.exists(), "{page} links to {link}, which does not exist");
            let is_page = Path::new(file).extension().is_none_or(|extension| extension == "md");
            if !anchor.is_empty() && is_page {
                let target = std::fs::read_to_string(&path).expect("a page");
                assert!(anchors(&target).contains(anchor), "{page} links to {link}, but there is no such heading");
            }
        }
    }
}
