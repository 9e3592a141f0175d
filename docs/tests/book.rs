//! The pages as a book: each page has a place in the summary, its programs are compiled, and its links lead somewhere.
//!
//! `.ci/book` builds the book itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The pages by their paths in `docs`, without the summary itself.
fn pages() -> BTreeSet<String> {
    let mut pages = BTreeSet::new();
    add_pages(&docs(), "", &mut pages);
    pages.remove("SUMMARY.md");
    pages
}

fn add_pages(folder: &Path, prefix: &str, pages: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of pages") {
        let entry = entry.expect("a file");
        let name = format!("{prefix}{}", entry.file_name().to_str().expect("a name in UTF-8"));
        if entry.file_type().expect("a type").is_dir() {
            add_pages(&entry.path(), &format!("{name}/"), pages);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.insert(name);
        }
    }
}

fn text_of(page: &str) -> String {
    std::fs::read_to_string(docs().join(page)).expect("a page")
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
    let summary = text_of("SUMMARY.md");
    let listed: BTreeSet<String> = links(&summary).into_iter().collect();
    assert_eq!(listed, pages(), "the summary must list exactly the pages");
}

#[test]
fn every_page_with_a_program_is_compiled() {
    let compiled = std::fs::read_to_string(docs().join("pages.rs")).expect("the list of pages");
    for page in pages() {
        let has_program = text_of(&page).lines().any(|line| line == "```rust");
        assert!(
            !has_program || compiled.contains(&format!("include_str!(\"{page}\")")),
            "{page} has a program, so `pages.rs` must include the page"
        );
    }
}

#[test]
fn links_lead_to_files_and_headings() {
    for page in pages() {
        let text = text_of(&page);
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = docs().join(&page);
            let path = if file.is_empty() { path } else { path.with_file_name(file) };
            assert!(path.exists(), "{page} links to {link}, which does not exist");
            let is_page = Path::new(file).extension().is_none_or(|extension| extension == "md");
            if !anchor.is_empty() && is_page {
                let target = std::fs::read_to_string(&path).expect("a page");
                assert!(anchors(&target).contains(anchor), "{page} links to {link}, but there is no such heading");
            }
        }
    }
}
