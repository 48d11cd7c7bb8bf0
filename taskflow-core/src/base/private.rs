//! Files and directories that only their owner can read, whatever the umask: runs hold values and
//! logs. No symbolic link is followed where a file is opened for writing, or on the way to it below
//! a directory of the home. Such a directory itself may be a link: `logs` may be on another disk.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// Creates a directory and its missing parents, for the owner only.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Creates a directory, whose parent must exist, for the owner only. It may exist already.
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used by the store in files only"))]
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Options for a file that is created for the owner only. Opening a symbolic link fails.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        options.mode(0o600).custom_flags(flags);
    }
    options
}

/// Opens a file with [`options`], and explains what a link in its place means.
pub(crate) fn open(options: &OpenOptions, path: &Path) -> io::Result<std::fs::File> {
    options.open(path).map_err(|error| if is_link(path) { link_error(path) } else { error })
}

/// Whether there is a symbolic link.
pub(crate) fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

/// Checks that none of the last `own` directories of a path is a symbolic link.
///
/// # Errors
///
/// With the directory that is one.
pub(crate) fn refuse_links(directory: &Path, own: usize) -> io::Result<()> {
    match directory.ancestors().take(own).find(|directory| is_link(directory)) {
        Some(link) => Err(link_error(link)),
        None => Ok(()),
    }
}

fn link_error(path: &Path) -> io::Error {
    io::Error::other(format!("{} is a symbolic link, which is not followed: remove it", path.display()))
}

/// Takes away the permissions of others on a file or directory. Returns the previous ones if there
/// were any, and `None` if there is no such file.
///
/// # Errors
///
/// The error of the operating system, for example if the file belongs to somebody else.
#[cfg(unix)]
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "used for homes only"))]
pub(crate) fn tighten(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = match std::fs::symlink_metadata(path) {
        // The target of a link has its own owner and purpose.
        Ok(found) if !found.is_symlink() => found,
        _ => return Ok(None),
    };
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(None);
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700))?;
    Ok(Some(mode))
}

/// On other systems permissions are not changed.
#[cfg(not(unix))]
pub(crate) fn tighten(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}
