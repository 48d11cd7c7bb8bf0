//! Reads the cells of tables, independently of the engines that write them.

use std::fs::{self, File};
use std::path::Path;

use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A table: its columns with their types, and its sorted rows. Different numbers have different
/// texts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Cells {
    /// Reads all Parquet files of a directory.
    pub(crate) fn of(dir: &Path) -> Self {
        let (mut columns, mut rows) = (None, Vec::new());
        let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        let files = entries.map(|entry| entry.expect("the directory can be read").path());
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "parquet")) {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file).expect("the file can be opened"));
            let reader = reader.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let fields = reader.schema().fields().clone();
            let found: Vec<String> =
                fields.iter().map(|field| format!("{}: {}", field.name(), plain(field.data_type()))).collect();
            assert_eq!(columns.get_or_insert_with(|| found.clone()), &found, "all files have the same columns");
            for batch in reader.build().expect("the file can be read") {
                let batch = batch.expect("the file can be read");
                let options = FormatOptions::default().with_null("null");
                let formatters: Vec<_> = batch
                    .columns()
                    .iter()
                    .map(|column| ArrayFormatter::try_new(column, &options).expect("every type can be formatted"))
                    .collect();
                let row = |row| formatters.iter().map(|column| column.value(row).to_string()).collect();
                rows.extend((0..batch.num_rows()).map(row));
            }
        }
        rows.sort();
        Cells { columns: columns.expect("there are Parquet files"), rows }
    }

    /// The cells of a column.
    #[track_caller]
    pub(crate) fn column(&self, name: &str) -> impl Iterator<Item = &str> {
        let index = self.columns.iter().position(|column| column.split(':').next() == Some(name));
        let index = index.unwrap_or_else(|| panic!("no column {name} among {:?}", self.columns));
        self.rows.iter().map(move |row| &*row[index])
    }
}

/// The logical type: variants that differ only in memory layout become one.
fn plain(of: &DataType) -> &DataType {
    match of {
        DataType::Utf8View | DataType::LargeUtf8 => &DataType::Utf8,
        other => other,
    }
}
