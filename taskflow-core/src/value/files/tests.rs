use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::remove::entries;
use super::{FileRef, ValueFileError, ValueFiles, unfinished};

const RUN: &str = "manual__2026-01-31T06:00:00Z_1";

fn files(sync: bool) -> (tempfile::TempDir, ValueFiles) {
    let directory = tempfile::tempdir().unwrap();
    let files = ValueFiles::new(directory.path().join("values"), sync);
    (directory, files)
}

fn all_files(directory: &Path) -> Vec<PathBuf> {
    let within = |path: PathBuf| if path.is_dir() { all_files(&path) } else { vec![path] };
    entries(directory).unwrap().into_iter().flat_map(within).collect()
}

#[test]
fn a_stored_value_is_read_back() {
    for sync in [false, true] {
        let (_directory, files) = files(sync);
        for bytes in [Vec::new(), vec![1, 2, 3], vec![7; 1_000_000]] {
            let file = files.put(RUN, &bytes).unwrap();
            assert_eq!(file.len, bytes.len() as u64);
            assert_eq!(files.get(RUN, &file).unwrap(), bytes);
            assert_eq!(files.range(RUN, &file, 0..2).unwrap(), bytes[..bytes.len().min(2)]);
        }
    }
}

#[test]
fn a_file_is_named_by_its_content_below_its_run() {
    let (directory, files) = files(true);
    files.put(RUN, b"abc").unwrap();
    let path = "values/manual__2026-01-31T06%3A00%3A00Z_1/ba/\
                ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(all_files(directory.path()), [directory.path().join(path)]);
}

#[test]
fn putting_a_value_twice_writes_it_once() {
    let (_directory, files) = files(true);
    let file = files.put(RUN, b"abc").unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    File::options().write(true).open(files.path(RUN, &file)).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(files.put(RUN, b"abc").unwrap(), file);
    assert_eq!(fs::metadata(files.path(RUN, &file)).unwrap().modified().unwrap(), long_ago);
    assert_eq!(all_files(&files.root).len(), 1);
}

#[test]
fn a_shared_value_is_removed_when_nobody_has_put_it_lately() {
    let (_directory, files) = files(true);
    let file = files.put_shared(RUN, b"abc").unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let age = || File::options().write(true).open(files.path(RUN, &file)).unwrap().set_modified(long_ago).unwrap();
    assert!(!files.remove_unused(RUN, &file, hour_ago).unwrap());
    age();
    files.put_shared(RUN, b"abc").unwrap();
    assert!(!files.remove_unused(RUN, &file, hour_ago).unwrap(), "it was put again");
    assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
    age();
    assert!(files.remove_unused(RUN, &file, hour_ago).unwrap());
    assert!(files.remove_unused(RUN, &file, hour_ago).unwrap(), "it was gone before");
    assert_eq!(all_files(&files.root).len(), 0);
}

#[test]
fn putting_a_value_again_repairs_its_file() {
    let (_directory, files) = files(false);
    let file = files.put(RUN, b"abc").unwrap();
    for damaged in ["", "ab", "abd", "abcd"] {
        fs::write(files.path(RUN, &file), damaged).unwrap();
        files.put(RUN, b"abc").unwrap();
        assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
    }
}

#[test]
fn missing_truncated_and_corrupt_files_are_distinguished() {
    let (_directory, files) = files(false);
    let file = files.put(RUN, b"abc").unwrap();
    let path = files.path(RUN, &file);
    let message = || files.get(RUN, &file).unwrap_err().to_string();

    fs::write(&path, "ab").unwrap();
    assert_eq!(
        message(),
        format!(
            "the value is truncated: {} has 2 bytes and should have 3; run the task that produced it again",
            path.display()
        )
    );
    assert_eq!(files.range(RUN, &file, 0..1).unwrap_err().to_string(), message());
    fs::write(&path, "abd").unwrap();
    assert_eq!(
        message(),
        format!(
            "the value is corrupt: {} is not what was written; run the task that produced it again, and check the disk",
            path.display()
        )
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(
        message(),
        format!("the value is missing: there is no file {}; run the task that produced it again", path.display())
    );
    fs::create_dir(&path).unwrap();
    assert!(files.get(RUN, &file).is_err());
}

#[test]
fn removing_a_run_keeps_the_others() {
    let (_directory, files) = files(false);
    let file = files.put(RUN, b"abc").unwrap();
    files.put("other", b"abc").unwrap();
    files.remove_run(RUN).unwrap();
    files.remove_run(RUN).unwrap();
    files.remove_run("..").unwrap();
    assert!(matches!(files.get(RUN, &file), Err(ValueFileError::Missing { .. })));
    assert_eq!(files.get("other", &file).unwrap(), b"abc");
}

#[test]
fn sweeping_removes_old_unfinished_files_only() {
    let (_directory, files) = files(false);
    assert_eq!(files.sweep(SystemTime::now()).unwrap(), 0);
    let file = files.put(RUN, b"abc").unwrap();
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    for written in [10, 20] {
        let path = unfinished(&files.path(RUN, &file));
        File::create_new(&path).unwrap().set_modified(at(written)).unwrap();
    }
    assert_eq!(files.sweep(at(20)).unwrap(), 1);
    assert_eq!(files.sweep(at(20)).unwrap(), 0);
    assert_eq!(all_files(&files.root).len(), 2);
    assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
}

/// C5: links in the place of a value, and of the directories of a run and of the first digits.
#[test]
#[cfg(unix)]
fn no_link_below_the_values_is_followed() {
    use std::os::unix::fs::symlink;

    use crate::base::private;

    let (directory, files) = files(true);
    let (victim, elsewhere) = (directory.path().join("victim"), directory.path().join("elsewhere"));
    fs::create_dir_all(elsewhere.join("ba")).unwrap();
    let theirs = elsewhere.join("ba/precious.tmp");
    File::create_new(&theirs).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();

    // The link is replaced, whatever it leads to.
    let file = files.put(RUN, b"abc").unwrap();
    let path = files.path(RUN, &file);
    for content in ["precious", "abc"] {
        fs::write(&victim, content).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        files.put_shared(RUN, b"abc").unwrap();
        assert!(!private::is_link(&path));
        assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
        assert_eq!(fs::read_to_string(&victim).unwrap(), content);
    }

    let (run, shard) = (files.run_directory(RUN), path.parent().unwrap());
    for (link, to) in [(shard, elsewhere.join("ba")), (&run, elsewhere.clone())] {
        fs::remove_dir_all(link).unwrap();
        symlink(to, link).unwrap();
        let refused = files.put(RUN, b"abc").unwrap_err().to_string();
        let expected = format!("{} is a symbolic link, which is not followed: remove it", link.display());
        assert_eq!(refused, expected);
        assert_eq!(files.sweep(SystemTime::now()).unwrap(), 0);
        files.remove_run(RUN).unwrap();
        assert!(!run.exists());
        fs::create_dir_all(shard).unwrap();
        assert_eq!(all_files(&elsewhere), [theirs.as_path()], "it is as it was");
    }
}

/// The other side of it: all values may be on another disk.
#[test]
#[cfg(unix)]
fn the_directory_of_all_values_may_be_a_link() {
    let (directory, files) = files(true);
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    std::os::unix::fs::symlink(&disk, &files.root).unwrap();
    let file = files.put(RUN, b"abc").unwrap();
    assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
    assert_eq!(all_files(&disk).len(), 1);
    File::create_new(unfinished(&files.path(RUN, &file))).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(files.sweep(SystemTime::now()).unwrap(), 1);
    files.remove_run(RUN).unwrap();
    assert!(all_files(&disk).is_empty() && disk.exists());
}

#[test]
fn a_write_that_fails_leaves_no_unfinished_file() {
    let (_directory, files) = files(false);
    let file = FileRef::of(b"abc");
    // A nonempty directory cannot be replaced by a rename.
    fs::create_dir_all(files.path(RUN, &file).join("in the way")).unwrap();
    files.put(RUN, b"abc").unwrap_err();
    assert!(all_files(&files.root).is_empty());
}

#[test]
fn threads_can_put_the_same_value_concurrently() {
    let (_directory, files) = files(false);
    let bytes = vec![3; 100_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(files.put(RUN, &bytes).unwrap(), FileRef::of(&bytes)));
        }
    });
    assert_eq!(files.get(RUN, &FileRef::of(&bytes)).unwrap(), bytes);
    assert_eq!(all_files(&files.root).len(), 1);
}

#[test]
fn a_reference_is_compact() {
    let file = FileRef::of(b"abc");
    let bytes = postcard::to_stdvec(&file).unwrap();
    assert_eq!(bytes.len(), 33);
    assert_eq!(postcard::from_bytes::<FileRef>(&bytes).unwrap(), file);
}
