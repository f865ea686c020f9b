//! `lint` as a process: exit codes, formats, bad input.

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const DROP: &str = "SELECT 1;\nALTER TABLE d.t\n    DROP COLUMN a;\n";

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn lint(args: &[&str], stdin: &[u8]) -> Output {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_shardwright"))
        .arg("lint")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tool.stdin.take().unwrap();
    // It may end before it has read everything.
    _ = input.write_all(stdin);
    drop(input);
    tool.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn blockers_end_with_3_and_all_else_with_0() {
    for (sql, expected) in [
        (DROP, 3),
        ("-- shardwright: allow SW027 not read since May\nALTER TABLE t DROP COLUMN a;", 0),
        ("ALTER TABLE t MODIFY COLUMN a UInt64", 0),
        ("ALTER TABLE t ADD COLUMN a UInt8", 0),
        ("FROBNICATE", 0),
        ("", 0),
    ] {
        assert_eq!(code(&lint(&["-"], sql.as_bytes())), expected, "{sql}");
    }
}

#[test]
fn wrong_usage_and_unreadable_files_are_told_apart() {
    assert_eq!(code(&lint(&[], b"")), 64);
    assert_eq!(code(&lint(&["-", "--dialect", "oracle"], b"")), 64);
    assert_eq!(code(&lint(&["-", "--format", "xml"], b"")), 64);
    let missing = lint(&["no-such-file.sql"], b"");
    assert_eq!(code(&missing), 1);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read no-such-file.sql"), "{missing:?}");
    assert_eq!(code(&lint(&["."], b"")), 1, "a directory is no file");
}

#[test]
fn json_has_place_message_and_help_of_each_finding() {
    let (_dir, path) = file("0042.sql", format!("{DROP}ALTER TABLE t SHUFFLE;"));
    let output = lint(&[&path, "--dialect", "clickhouse", "--format", "json"], b"");
    assert_eq!(code(&output), 3);
    let document = document(&output);
    assert_eq!(document["format_version"], 1);
    let finding = &document["findings"][0];
    assert_eq!((finding["code"].as_str(), finding["severity"].as_str()), (Some("SW027"), Some("blocker")));
    assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some(3), Some(5)));
    assert_eq!(finding["file"], path.as_str());
    assert!(finding["message"].as_str().is_some_and(|text| text.contains("d.t loses its column a")), "{finding}");
    assert!(!finding["help"].as_str().unwrap().is_empty());
    assert_eq!(document["unparsed"][0]["line"], 4);
    assert_eq!(document["files"][0]["dialect"], "clickhouse");
}

#[test]
fn sarif_has_what_code_hosts_read() {
    let sql = format!("{DROP}-- shardwright: allow SW030 a copy is kept\nDROP TABLE d.u;\nALTER TABLE t SHUFFLE;");
    let (_dir, path) = file("a b.sql", sql);
    let output = lint(&[&path, "--dialect", "clickhouse", "--format", "sarif"], b"");
    assert_eq!(code(&output), 3);
    let document = document(&output);
    assert_eq!(document["version"], "2.1.0");
    assert!(document["$schema"].as_str().unwrap().contains("sarif-schema-2.1.0"));
    let run = &document["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(run["tool"]["driver"]["name"], "shardwright");
    let results = run["results"].as_array().unwrap();
    let codes: Vec<&str> = results.iter().map(|result| result["ruleId"].as_str().unwrap()).collect();
    assert_eq!(codes, ["SW027", "SW030", "SW025"]);
    for result in results {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[rule]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("a%20b.sql"));
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
    }
    assert_eq!(results[1]["suppressions"][0]["justification"], "a copy is kept");
}

#[test]
fn the_dialect_is_decided_file_by_file_and_said() {
    let (_one, clickhouse) = file("a.sql", "ALTER TABLE t MODIFY TTL d + INTERVAL 1 DAY");
    let (_two, postgres) = file("b.sql", "BEGIN;\nALTER TABLE \"t\" ADD COLUMN \"a\" integer NULL;\nCOMMIT;");
    let output = lint(&[&clickhouse, &postgres], b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("read as clickhouse (") && said.contains("read as postgres ("), "{said}");
    let asked = lint(&[&postgres, "--dialect", "postgres", "--format", "json"], b"");
    assert_eq!(document(&asked)["files"][0]["dialect_reason"], "asked for");
}

#[test]
fn the_marked_place_is_on_the_screen() {
    let output = lint(&["-"], DROP.as_bytes());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("--> <stdin>:3:5\n") && said.contains("  DROP COLUMN a;\n") && said.contains("^^^^^^^^^^^^^\n"),
        "{said}"
    );
}

#[test]
fn invalid_utf8_is_said_and_the_rest_is_linted() {
    let mut bytes = b"SELECT '\xff\xfe';\nDROP TABLE t;\nSELECT \xc3\x28;".to_vec();
    bytes.extend(DROP.as_bytes());
    let (_dir, path) = file("latin.sql", bytes);
    let output = lint(&[&path, "--dialect", "clickhouse", "--format", "json"], b"");
    assert_eq!(code(&output), 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("not UTF-8 from byte 8 on"), "{output:?}");
    let document = document(&output);
    let codes: Vec<&str> =
        document["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["SW030", "SW027"]);
    assert_eq!(document["unparsed"].as_array().unwrap().len(), 1);
}

#[test]
fn ten_megabytes_end_in_good_time() {
    let sql = "ALTER TABLE t DROP COLUMN a;\n".repeat((10 << 20) / 29);
    let output = lint(&["-", "--format", "json"], sql.as_bytes());
    assert_eq!(code(&output), 3);
    let document = document(&output);
    assert_eq!(document["findings"].as_array().unwrap().len(), 1000);
    assert!(document["files"][0]["omitted"].as_u64().unwrap() > 300_000);
}

#[test]
fn the_examples_end_as_they_say() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/migrations");
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let says = text.lines().next().unwrap();
        let expected: i32 = says.rsplit("exit code ").next().unwrap().trim_end_matches('.').parse().unwrap();
        assert_eq!(code(&lint(&[path.to_str().unwrap()], b"")), expected, "{}", path.display());
    }
}
