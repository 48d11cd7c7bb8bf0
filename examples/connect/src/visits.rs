//! Derives the visits of each day from a log, on a cluster. `examples/recommend/visits.rs` does the
//! same on one machine.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spark_connect::prelude::*;
use spark_connect::{DataFrame, Expression, LiteralExpression};
use taskflow::prelude::*;

use super::connect::{self, QueryError, Session};
use super::model::Visit;

/// Matches a line of Apache's combined format: address, time, request, status, user agent. The
/// quantifier `++` is possessive, because Java would otherwise recurse for every character of a
/// long agent.
const LINE: &str = concat!(
    r#"^([^ ]*) [^ ]* .*? \[([^\]]*)\] "((?:[^"\\]++|\\.)*+)" (\d+) (?:-|\d+) "#,
    r#""(?:[^"\\]++|\\.)*+" "((?:[^"\\]++|\\.)*+)"\s*$"#
);

/// The number of pages read on a day, and the visits of that day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    pub date: String,
    pub pages_read: usize,
    pub visits: Vec<Visit>,
}

/// Returns the days by date, with the visits of each day by address, user agent and time.
#[task(retries = 2, timeout = "1h", retry_on = connect::is_transient)]
pub async fn prepare(ctx: &TaskContext, log: &str, idle_min: u32) -> Result<Vec<Day>> {
    let spark = connect::session(ctx, "spark_connect").await?;
    // Days begin at midnight UTC.
    spark.conf().set_async("spark.sql.session.timeZone", "UTC").await.map_err(QueryError)?;

    // Keeps requests of the same second in the order of their lines.
    let place = "struct(_metadata.file_block_start, monotonically_increasing_id()) AS place";
    let lines = spark.read().text(log).select_expr(vec!["value", place]);
    lines.create_or_replace_temp_view_async("lines").await.map_err(QueryError)?;
    let pages_read = query(&spark, include_str!("pages_read.sql"), [("line", LINE.to_literal())])?;
    pages_read.create_or_replace_temp_view_async("pages_read").await.map_err(QueryError)?;

    let counted = query(&spark, "SELECT date, count(*) AS pages_read FROM pages_read GROUP BY date ORDER BY date", [])?;
    let mut days: Vec<Day> = rows::<Counted>(&spark, &counted).await?.into_iter().map(Day::from).collect();
    let idle_min = i32::try_from(idle_min)?;
    let visits = query(&spark, include_str!("visits.sql"), [("idle_min", idle_min.to_literal())])?;
    for Read { date, pages } in rows(&spark, &visits).await? {
        let day = days.binary_search_by(|day| day.date.cmp(&date));
        days[day.map_err(|_| format!("there are visits on {date}, but no pages read"))?].visits.push(pages);
    }
    spark.stop().await.map_err(QueryError)?;
    Ok(days)
}

#[derive(Deserialize)]
struct Counted {
    date: String,
    pages_read: usize,
}

impl From<Counted> for Day {
    fn from(Counted { date, pages_read }: Counted) -> Day {
        Day { date, pages_read, visits: Vec::new() }
    }
}

#[derive(Deserialize)]
struct Read {
    date: String,
    pages: Visit,
}

/// A query with parameters. These are passed as values, not inserted into the text.
fn query<const N: usize>(spark: &Session, sql: &str, values: [(&str, LiteralExpression); N]) -> Result<DataFrame> {
    let values = values.map(|(name, value)| (name.to_owned(), Expression::Literal(value)));
    Ok(spark.sql_with_args(sql, Vec::new(), HashMap::from(values)).map_err(QueryError)?)
}

/// Runs a query and returns its rows as values of `T`.
async fn rows<T: DeserializeOwned>(spark: &Session, query: &DataFrame) -> Result<Vec<T>> {
    let rows = query.to_json_async().await.map_err(QueryError)?;
    spark.check_complete()?;
    Ok(rows.iter().map(|row| serde_json::from_str(row)).collect::<Result<_, _>>()?)
}
