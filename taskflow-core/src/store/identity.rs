//! How this process and this build call themselves in a store.

/// This process, `host:pid`. For people: a host may use the same pid again.
pub(crate) fn worker() -> String {
    static HOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let host = HOST.get_or_init(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
        host.as_deref().map(str::trim).filter(|host| !host.is_empty()).unwrap_or("localhost").to_owned()
    });
    format!("{host}:{}", std::process::id())
}

/// The build of this program: changes whenever the executable does.
pub(crate) fn build_id() -> &'static str {
    static BUILD: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    BUILD.get_or_init(|| {
        // Hashing an executable of a hundred megabytes would take longer than most runs. Size and time tell builds apart.
        let known = std::env::current_exe().and_then(|path| {
            let meta = path.metadata()?;
            let written = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(format!("{name}-{:x}-{:x}", meta.len(), written.as_nanos()))
        });
        known.unwrap_or_else(|_| "unknown".to_owned())
    })
}
