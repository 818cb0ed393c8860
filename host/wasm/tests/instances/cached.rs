//! Compiled code is kept between starts, and never trusted blindly.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wasmill_wasm::{Engine, LoadError, Release, Settings};

use crate::guests::wasm;

fn engine(directory: &Path) -> Result<Engine, LoadError> {
    Engine::new(Settings { cache: Some(directory.to_owned()) })
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_second_start_takes_the_code_that_the_first_one_kept() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("compiled");
    let file = wasm("aggregator");
    let first = Release::compile(&engine(&directory).unwrap(), &file).unwrap();
    let kept = files(&directory);
    assert_eq!(kept.len(), 1, "no unfinished file stays behind");
    assert!(kept[0].file_name().unwrap().to_str().unwrap().starts_with(first.sha256()));
    let written = fs::metadata(&kept[0]).unwrap().modified().unwrap();
    let second = Release::compile(&engine(&directory).unwrap(), &file).unwrap();
    assert_eq!(second.sha256(), first.sha256());
    assert_eq!(fs::metadata(&kept[0]).unwrap().modified().unwrap(), written, "it was read, not written again");
}

#[test]
fn damaged_code_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let file = wasm("aggregator");
    let engine = engine(&home.path().join("compiled")).unwrap();
    Release::compile(&engine, &file).unwrap();
    let path = files(&home.path().join("compiled")).remove(0);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [flipped, whole[..100].to_vec(), Vec::new()] {
        fs::write(&path, &damaged).unwrap();
        Release::compile(&engine, &file).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "it is mended");
    }
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("compiled");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    let error = engine(&directory).unwrap_err();
    assert!(matches!(error, LoadError::Cache(_)) && error.to_string().contains("chmod go-w"), "{error}");
}
