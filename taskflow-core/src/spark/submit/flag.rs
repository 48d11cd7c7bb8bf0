//! The options of `spark-submit` that are properties under another name.

use serde::{Deserialize, Serialize};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Flag {
    Name,
    Jars,
    Packages,
    ExcludePackages,
    Repositories,
    PyFiles,
    Files,
    Archives,
    DriverMemory,
    DriverCores,
    DriverJavaOptions,
    DriverLibraryPath,
    DriverClassPath,
    ExecutorMemory,
    ExecutorCores,
    TotalExecutorCores,
    NumExecutors,
    Queue,
    Principal,
    Keytab,
    Supervise,
}

/// What its value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Text,
    /// A number and a unit: `512m`.
    Memory,
    /// At least 1.
    Count,
}

impl Flag {
    /// The method of the builder, the property, and what its value is.
    const fn about(self) -> (&'static str, &'static str, Sort) {
        use Sort::{Count, Memory, Text};
        match self {
            Flag::Name => ("name", "spark.app.name", Text),
            Flag::Jars => ("jars", "spark.jars", Text),
            Flag::Packages => ("packages", "spark.jars.packages", Text),
            Flag::ExcludePackages => ("exclude_packages", "spark.jars.excludes", Text),
            Flag::Repositories => ("repositories", "spark.jars.repositories", Text),
            Flag::PyFiles => ("py_files", "spark.submit.pyFiles", Text),
            Flag::Files => ("files", "spark.files", Text),
            Flag::Archives => ("archives", "spark.archives", Text),
            Flag::DriverMemory => ("driver_memory", "spark.driver.memory", Memory),
            Flag::DriverCores => ("driver_cores", "spark.driver.cores", Count),
            Flag::DriverJavaOptions => ("driver_java_options", "spark.driver.extraJavaOptions", Text),
            Flag::DriverLibraryPath => ("driver_library_path", "spark.driver.extraLibraryPath", Text),
            Flag::DriverClassPath => ("driver_class_path", "spark.driver.extraClassPath", Text),
            Flag::ExecutorMemory => ("executor_memory", "spark.executor.memory", Memory),
            Flag::ExecutorCores => ("executor_cores", "spark.executor.cores", Count),
            Flag::TotalExecutorCores => ("total_executor_cores", "spark.cores.max", Count),
            Flag::NumExecutors => ("num_executors", "spark.executor.instances", Count),
            Flag::Queue => ("queue", "spark.yarn.queue", Text),
            Flag::Principal => ("principal", "spark.kerberos.principal", Text),
            Flag::Keytab => ("keytab", "spark.kerberos.keytab", Text),
            Flag::Supervise => ("supervise", "spark.driver.supervise", Text),
        }
    }

    /// The method of the builder.
    pub(super) const fn method(self) -> &'static str {
        self.about().0
    }

    /// The property.
    pub(super) const fn property(self) -> &'static str {
        self.about().1
    }

    /// What its value is.
    pub(super) const fn sort(self) -> Sort {
        self.about().2
    }
}

impl Sort {
    /// What is wrong with a value.
    pub(super) fn mistake(self, value: &str) -> Option<String> {
        let fits = match self {
            Sort::Text => !value.trim().is_empty(),
            Sort::Memory => is_memory(value),
            Sort::Count => value.parse::<u32>().is_ok_and(|count| count > 0),
        };
        let wanted = match self {
            Sort::Text => "a string that is not empty",
            Sort::Memory => "a size with a unit, such as `512m` or `2g`",
            Sort::Count => "a number of at least 1",
        };
        (!fits).then(|| format!("`{value}` is not {wanted}"))
    }
}

fn is_memory(value: &str) -> bool {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let unit = value[digits..].to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    matches!(unit, "k" | "m" | "g" | "t") && value[..digits].parse::<u64>().is_ok_and(|size| size > 0)
}

#[cfg(test)]
mod tests {
    use super::Sort;

    #[test]
    fn memory_has_a_unit() {
        for value in ["512m", "2g", "1T", "900kb"] {
            assert_eq!(Sort::Memory.mistake(value), None);
        }
        for value in ["", "512", "-1g", "0g", "1.5g", "2 g", "m", "2gib"] {
            assert!(Sort::Memory.mistake(value).is_some(), "{value}");
        }
    }
}
