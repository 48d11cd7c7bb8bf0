//! Where a job runs: the master and the deploy mode.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SparkError;

/// Which machine runs the driver, the main program of the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployMode {
    /// This machine: the driver is a child of this process and dies with it.
    #[default]
    Client,
    /// A machine of the cluster: the driver outlives this process and is found again.
    Cluster,
}

impl DeployMode {
    /// `client` or `cluster`.
    pub fn name(self) -> &'static str {
        match self {
            DeployMode::Client => "client",
            DeployMode::Cluster => "cluster",
        }
    }
}

/// The master of a job, written as for `spark-submit --master`.
///
/// ```
/// use taskflow::spark::Master;
///
/// let master: Master = "spark://one:7077,two:7077".parse()?;
/// assert_eq!(master.to_string(), "spark://one:7077,two:7077");
/// assert!("one:7077".parse::<Master>().is_err());
/// # Ok::<(), taskflow::spark::SparkError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Master {
    /// `local`, `local[4]`, `local[*]`, `local[4,2]`: threads of the driver.
    Local(String),
    /// `spark://host:port`: a standalone cluster, with the `host:port` of each of its masters.
    Standalone(Vec<String>),
    /// `yarn`: the cluster that `HADOOP_CONF_DIR` describes.
    Yarn,
    /// `k8s://https://host:port`: Kubernetes, with the URL of its API server.
    Kubernetes(String),
}

impl std::str::FromStr for Master {
    type Err = SparkError;

    fn from_str(text: &str) -> Result<Self, SparkError> {
        let wrong = |why: &str| SparkError::InvalidMaster { master: text.to_owned(), why: why.to_owned() };
        if text == "yarn" {
            return Ok(Master::Yarn);
        }
        if text == "local" || text.strip_prefix("local[").and_then(|rest| rest.strip_suffix(']')).is_some_and(threads) {
            return Ok(Master::Local(text.to_owned()));
        }
        if let Some(hosts) = text.strip_prefix("spark://") {
            let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
            return match hosts.iter().find(|host| !has_port(host)) {
                None => Ok(Master::Standalone(hosts)),
                Some(_) => {
                    Err(wrong("each master of a standalone cluster is `host:port`, by default with the port 7077"))
                }
            };
        }
        if let Some(api) = text.strip_prefix("k8s://") {
            // `spark-submit` has the same default.
            let api = if api.contains("://") { api.to_owned() } else { format!("https://{api}") };
            let host = api.split_once("://").map_or("", |(_, host)| host);
            let known = api.starts_with("https://") || api.starts_with("http://");
            return if known && !host.is_empty() {
                Ok(Master::Kubernetes(api))
            } else {
                Err(wrong("`k8s://` must be followed by the URL of an API server"))
            };
        }
        if text.starts_with("sc://") {
            return Err(wrong("a Spark Connect server accepts only queries, not applications"));
        }
        Err(wrong("it is not in a known format"))
    }
}

/// `4`, `*`, or the same with a number of failures: `4,2`.
fn threads(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|number| number > 0);
    let (threads, failures) =
        text.split_once(',').map_or((text, None), |(threads, failures)| (threads, Some(failures)));
    (threads == "*" || number(threads)) && failures.is_none_or(number)
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Master::Local(text) => f.write_str(text),
            Master::Standalone(hosts) => write!(f, "spark://{}", hosts.join(",")),
            Master::Yarn => f.write_str("yarn"),
            Master::Kubernetes(api) => write!(f, "k8s://{api}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Master;

    #[test]
    fn a_master_is_displayed_as_it_was_parsed() {
        for text in [
            "local",
            "local[4]",
            "local[*]",
            "local[*,3]",
            "yarn",
            "spark://a:7077",
            "spark://a:1,b:2",
            "k8s://https://a:6443",
        ] {
            assert_eq!(text.parse::<Master>().map(|master| master.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("k8s://a".parse(), Ok(Master::Kubernetes("https://a".to_owned())));
    }

    #[test]
    fn an_invalid_master_is_rejected() {
        for text in [
            "",
            "Yarn",
            "yarn-client",
            "local[]",
            "local[0]",
            "local[x]",
            "spark://",
            "spark://a",
            "spark://a:0",
            "spark://a:1,",
            "k8s://",
            "a:7077",
            "sc://a:15002",
            "mesos://a:5050",
        ] {
            assert!(text.parse::<Master>().is_err(), "{text}");
        }
    }
}
