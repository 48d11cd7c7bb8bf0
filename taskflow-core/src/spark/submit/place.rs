//! Where a job runs: from the options of the job, or from a connection.

use std::path::{Path, PathBuf};

use super::super::connection::{master_of, properties_of};
use super::super::on_path::on_path;
use super::super::{DeployMode, Master};
use super::SparkError;
use super::check::check_place;
use super::spec::Spec;
use crate::config::{ConfigError, Connection, Secret};

/// The default connection; Airflow's name.
const DEFAULT: &str = "spark_default";

/// Where a job runs, and how to access it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) master: Master,
    pub(super) mode: DeployMode,
    /// Where Spark is installed, if the job or the connection sets it.
    pub(super) home: Option<PathBuf>,
    /// Properties of the connection.
    pub(super) conf: Vec<(String, String)>,
    pub(super) token: Option<Secret>,
    pub(super) rest_scheme: String,
    pub(super) rest_port: u16,
    pub(super) ui_port: u16,
    /// The addresses of YARN's resource managers.
    pub(super) managers: Vec<String>,
    /// The user name for YARN's simple authentication.
    pub(super) login: Option<String>,
    pub(super) namespace: Option<String>,
    /// The address of the history server.
    pub(super) history: Option<String>,
    /// The certificate authority of the API server of Kubernetes, as PEM.
    pub(super) authority: Option<Vec<u8>>,
}

impl Place {
    /// Combines the options of the job and its connection, which `connections` looks up by name.
    ///
    /// # Errors
    ///
    /// If no master is set, or the place is incompatible with the job.
    pub(super) fn of(
        spec: &Spec,
        connections: impl Fn(&str) -> Result<Connection, ConfigError>,
    ) -> Result<Place, SparkError> {
        let connection = match (&spec.connection, &spec.master) {
            (None, Some(_)) => None,
            (named, master) => match connections(named.as_deref().unwrap_or(DEFAULT)) {
                Ok(connection) => Some(connection),
                Err(error) if master.is_some() => return Err(config(spec, &error)),
                Err(error) => return Err(no_master(spec, named.as_deref().unwrap_or(DEFAULT), error.to_string())),
            },
        };
        let place = Place::from(spec, connection.as_ref())?;
        check_place(spec, &place.master, place.mode)?;
        Ok(place)
    }

    fn from(spec: &Spec, connection: Option<&Connection>) -> Result<Place, SparkError> {
        let master = match (&spec.master, connection) {
            (Some(master), _) => master.parse()?,
            (None, Some(connection)) => master_of(connection)
                .ok_or_else(|| no_master(spec, connection.name(), "the connection has no host".to_owned()))?
                .parse()?,
            (None, None) => return Err(no_master(spec, DEFAULT, "no master is set".to_owned())),
        };
        let text = |key: &str| -> Result<Option<String>, SparkError> {
            let Some(connection) = connection.filter(|connection| connection.extra_keys().any(|known| known == key))
            else {
                return Ok(None);
            };
            connection.extra::<String>(key).map(Some).map_err(|error| config(spec, &error))
        };
        let port = |key: &str, default: u16| match connection {
            Some(connection) => connection.extra_or(key, default).map_err(|error| config(spec, &error)),
            None => Ok(default),
        };
        let mode = match (spec.mode, text("deploy-mode")?.as_deref()) {
            (Some(mode), _) => mode,
            (None, None | Some("client")) => DeployMode::Client,
            (None, Some("cluster")) => DeployMode::Cluster,
            (None, Some(other)) => {
                return Err(config(
                    spec,
                    &format!("the extra `deploy-mode` is `{other}`; it must be `client` or `cluster`"),
                ));
            }
        };
        let rest_scheme = text("rest-scheme")?.unwrap_or_else(|| "http".to_owned());
        if !matches!(rest_scheme.as_str(), "http" | "https") {
            return Err(config(
                spec,
                &format!("the extra `rest-scheme` is `{rest_scheme}`; it must be `http` or `https`"),
            ));
        }
        let managers = spec
            .managers
            .clone()
            .map_or_else(|| text("yarn_resourcemanager_webapp_address"), |addresses| Ok(Some(addresses)))?;
        let managers = managers.into_iter().flat_map(|managers| managers.split(',').map(manager).collect::<Vec<_>>());
        let authority = text("ca-file")?.map(|path| {
            std::fs::read(&path)
                .map_err(|error| config(spec, &format!("the certificate {path} cannot be read: {error}")))
        });
        let mut conf = connection.map_or(Ok(Vec::new()), properties_of).map_err(|error| config(spec, &error))?;
        conf.extend(text("queue")?.map(|queue| ("spark.yarn.queue".to_owned(), queue)));
        Ok(Place {
            master,
            mode,
            home: spec.home.clone().or(text("spark-home")?.map(PathBuf::from)),
            conf,
            history: spec.history.clone().map_or_else(|| text("history-server"), |address| Ok(Some(address)))?,
            managers: managers.collect(),
            login: connection.and_then(Connection::login).map(str::to_owned),
            namespace: text("namespace")?,
            authority: authority.transpose()?,
            token: connection.and_then(Connection::password).cloned(),
            rest_scheme,
            rest_port: spec.rest_port.map_or_else(|| port("rest-port", 6066), Ok)?,
            ui_port: spec.ui_port.map_or_else(|| port("ui-port", 8080), Ok)?,
        })
    }

    /// Finds a program of Spark.
    ///
    /// # Errors
    ///
    /// If it is not found; the error lists the searched places.
    pub(super) fn program(&self, name: &str) -> Result<Program, SparkError> {
        let mut searched = Vec::new();
        let configured = self.home.clone().map(|home| ("the configured Spark home", home));
        let homes = match configured {
            Some(configured) => vec![configured],
            None => {
                std::env::var_os("SPARK_HOME").map(|home| ("SPARK_HOME", PathBuf::from(home))).into_iter().collect()
            }
        };
        for (what, home) in homes {
            let path = home.join("bin").join(name);
            if path.is_file() {
                return Ok(Program { path, home: Some(home) });
            }
            searched.push(format!("{what}, {}", path.display()));
        }
        if self.home.is_none() {
            if let Some(path) = on_path(Path::new(name)) {
                return Ok(Program { path, home: None });
            }
            searched.push("PATH".to_owned());
        }
        Err(SparkError::BinaryNotFound { program: name.to_owned(), searched })
    }
}

/// A program of Spark.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// The installation that it belongs to, unless it was found in `PATH`.
    pub(super) home: Option<PathBuf>,
}

impl Program {
    /// The file with the default properties of the installation, if it exists.
    pub(super) fn defaults(&self) -> Option<PathBuf> {
        let folder = std::env::var_os("SPARK_CONF_DIR").map(PathBuf::from);
        let bin = self.path.parent().and_then(Path::parent);
        let folder = folder.or_else(|| self.home.as_deref().or(bin).map(|home| home.join("conf")));
        folder.map(|folder| folder.join("spark-defaults.conf")).filter(|path| path.is_file())
    }
}

/// The address of a resource manager; `http` is the default scheme.
fn manager(address: &str) -> String {
    let address = address.trim().trim_end_matches('/');
    if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
}

fn no_master(spec: &Spec, connection: &str, why: String) -> SparkError {
    SparkError::NoMaster { app: spec.app.clone(), connection: connection.to_owned(), why }
}

pub(super) fn config(spec: &Spec, error: &impl ToString) -> SparkError {
    SparkError::Config { app: spec.app.clone(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn place(uri: &str) -> Result<Place, SparkError> {
        let config =
            Config::from_toml(&format!("[connections]\nspark_default = \"{uri}\"")).expect("a valid connection");
        Place::of(&Spec { app: "a.py".to_owned(), ..Spec::default() }, |name| config.connection(name))
    }

    #[test]
    fn a_connection_determines_the_place() {
        let master = |uri| place(uri).map(|place| place.master.to_string());
        assert_eq!(master("spark://host:7078").as_deref(), Ok("spark://host:7078"));
        assert_eq!(master("spark://host").as_deref(), Ok("spark://host:7077"));
        assert_eq!(master("spark://yarn").as_deref(), Ok("yarn"));
        assert_eq!(master("k8s://api:6443").as_deref(), Ok("k8s://https://api:6443"));
        let extras = "rest-port=1&ui-port=2&spark-home=/opt/spark&spark.executor.memory=1g&history-server=http://h";
        let place = place(&format!("spark://:token@host:7077?{extras}")).unwrap();
        assert_eq!(place.conf, [("spark.executor.memory".to_owned(), "1g".to_owned())]);
        assert_eq!(place.history.as_deref(), Some("http://h"));
        assert_eq!((place.rest_port, place.ui_port, place.home), (1, 2, Some(PathBuf::from("/opt/spark"))));
        assert_eq!(place.token.unwrap().expose(), "token");
    }

    #[test]
    fn a_missing_master_or_connection_is_an_error() {
        let empty = Config::from_toml("").unwrap();
        let known = |name: &str| empty.connection(name);
        let spec = Spec { app: "a.py".to_owned(), ..Spec::default() };
        let error = Place::of(&spec, known).unwrap_err();
        assert!(error.to_string().contains("TASKFLOW_CONN_SPARK_DEFAULT=spark://host:7077"), "{error}");
        let spec = Spec { connection: Some("other".to_owned()), ..spec };
        assert!(
            matches!(Place::of(&spec, known), Err(SparkError::NoMaster { connection, .. }) if connection == "other")
        );
        assert!(place("spark://host:7077?deploy-mode=both").unwrap_err().to_string().contains("`client` or `cluster`"));
    }
}
