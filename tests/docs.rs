//! Pages that the code writes are as it writes them.

use std::fs;
use std::path::Path;

/// Set, the page is written anew.
const WRITE: &str = "SHARDWRIGHT_WRITE_DOCS";

#[test]
fn the_page_of_alters_is_as_the_code_writes_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/alters.md");
    let written = shardwright::classify::document();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&page, &written).expect("docs/alters.md can be written");
    }
    let there = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        there == written,
        "docs/alters.md is not what the code says; write it with {WRITE}=1 cargo test --test docs"
    );
}
