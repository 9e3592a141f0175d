//! Builds the pages of `docs/` as a book, in `target/book`, and checks that each link of the built pages leads somewhere.
//!
//! `cargo run --locked --manifest-path .ci/book/Cargo.toml --target-dir target/book-builder`

use mdbook_driver::MDBook;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Component, Path, PathBuf};

/// The attributes of an HTML page that contain a link, up to the quotation mark.
const ATTRIBUTES: [&str; 2] = [" href=\"", " src=\""];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let built = root.join("target/book");
    let book = MDBook::load(root.join("docs"))?;
    if built.exists() {
        std::fs::remove_dir_all(&built)?;
    }
    book.build()?;

    let mut pages = Vec::new();
    html_files(&built, &mut pages)?;
    let mut broken = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(page)?;
        let linked = with_links(&text, |link| {
            let link = leaving_the_book(link, page, &root);
            if !leads_somewhere(&link, page) {
                broken.push(format!("{}: {link}", page.strip_prefix(&built).unwrap_or(page).display()));
            }
            link
        });
        std::fs::write(page, linked)?;
    }
    if !broken.is_empty() {
        return Err(format!("links that lead nowhere:\n{}", broken.join("\n")).into());
    }
    println!("{} pages in {}", pages.len(), built.display());
    Ok(())
}

fn html_files(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            html_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            found.push(path);
        }
    }
    Ok(())
}

/// The page with each of its links replaced.
fn with_links(text: &str, mut replace: impl FnMut(&str) -> String) -> String {
    let (mut linked, mut rest) = (String::with_capacity(text.len()), text);
    loop {
        let next = ATTRIBUTES.iter().filter_map(|attribute| Some(rest.find(attribute)? + attribute.len())).min();
        let Some(start) = next else { break };
        linked.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find('"').unwrap_or(rest.len());
        linked.push_str(&replace(&rest[..end]));
        rest = &rest[end..];
    }
    linked + rest
}

/// The link of a built page to a file outside of the book. The book is one folder deeper in the repository than the pages are, and
/// mdBook turns each `.md` into `.html`, also where no such page is built.
fn leaving_the_book(link: &str, page: &Path, root: &Path) -> String {
    if is_external(link) || !link.starts_with("../") {
        return link.to_owned();
    }
    let (file, anchor) = link.find('#').map_or((link, ""), |at| link.split_at(at));
    let deeper = format!("../{file}");
    let target = normal(&page.with_file_name("").join(&deeper));
    if !target.starts_with(root) || target.starts_with(root.join("target")) {
        return link.to_owned();
    }
    let is_markdown = !target.exists() && target.with_extension("md").exists();
    let deeper = if is_markdown { deeper.replace(".html", ".md") } else { deeper };
    deeper + anchor
}

fn is_external(link: &str) -> bool {
    link.contains("://") || link.starts_with("data:") || link.starts_with("mailto:")
}

fn leads_somewhere(link: &str, page: &Path) -> bool {
    if is_external(link) {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { normal(&page.with_file_name("").join(file)) };
    if !target.exists() {
        return false;
    }
    let is_page = target.extension().is_some_and(|extension| extension == "html");
    anchor.is_empty() || !is_page || anchors(&target).contains(anchor)
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    text.split(" id=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

/// The path without `..`, which need not exist.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
