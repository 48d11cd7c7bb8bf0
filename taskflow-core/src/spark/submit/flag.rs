//! The options of `spark-submit` that set a property.

use serde::{Deserialize, Serialize};

/// An option of `spark-submit` that sets a property.
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

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Not empty.
    Text,
    /// A number with a unit: `512m`.
    Memory,
    /// At least 1.
    Count,
}

impl Flag {
    /// The method of the builder, the property, and the type of its value.
    const fn about(self) -> (&'static str, &'static str, ValueKind) {
        use ValueKind::{Count, Memory, Text};
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

    /// The type of its value.
    pub(super) const fn value_kind(self) -> ValueKind {
        self.about().2
    }
}

impl ValueKind {
    /// The problem with a value, if there is one.
    pub(super) fn mistake(self, value: &str) -> Option<String> {
        let fits = match self {
            ValueKind::Text => !value.trim().is_empty(),
            ValueKind::Memory => is_memory(value),
            ValueKind::Count => value.parse::<u32>().is_ok_and(|count| count > 0),
        };
        let wanted = match self {
            ValueKind::Text => "the value must not be empty",
            ValueKind::Memory => "the value must be a size with a unit, like `512m` or `2g`",
            ValueKind::Count => "the value must be a number, at least 1",
        };
        (!fits).then(|| format!("`{value}` is not valid: {wanted}"))
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
    use super::ValueKind;

    #[test]
    fn memory_requires_a_unit() {
        for value in ["512m", "2g", "1T", "900kb"] {
            assert_eq!(ValueKind::Memory.mistake(value), None);
        }
        for value in ["", "512", "-1g", "0g", "1.5g", "2 g", "m", "2gib"] {
            assert!(ValueKind::Memory.mistake(value).is_some(), "{value}");
        }
    }
}
