//! Parquet: <https://parquet.apache.org/docs/file-format/>, with pages compressed by Snappy.

use crate::TableKind;
use crate::column::{Cell, Kind, Row};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;

/// How many rows are kept until they are written as a row group: some ten megabytes.
const GROUP: usize = 16_384;

/// Writes a table, a row group at a time.
pub(crate) struct Parquet<W: Write + Send> {
    table: TableKind,
    to: SerializedFileWriter<W>,
    held: Vec<Values>,
    rows: usize,
}

/// The values of a column, those that are there, and for each row whether there is one.
struct Values {
    there: Vec<i16>,
    of: OfKind,
}

enum OfKind {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    Real(Vec<f64>),
    Single(Vec<f32>),
}

impl<W: Write + Send> Parquet<W> {
    pub(crate) fn begin(table: TableKind, to: W) -> Result<Self, ParquetError> {
        let program = concat!("mlvi-export ", env!("CARGO_PKG_VERSION"));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(program.into())
            .build();
        let to = SerializedFileWriter::new(to, schema(table)?, Arc::new(properties))?;
        Ok(Self { table, to, held: held(table), rows: 0 })
    }

    pub(crate) fn row(&mut self, row: Row<'_>) -> Result<(), ParquetError> {
        for (column, values) in self.table.columns().zip(&mut self.held) {
            values.push((column.read)(row));
        }
        self.rows += 1;
        if self.rows == GROUP { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.to.next_row_group()?;
        for values in std::mem::replace(&mut self.held, held(self.table)) {
            let column = group.next_column()?;
            values.write(column.ok_or_else(|| ParquetError::General("a column more".into()))?)?;
        }
        self.rows = 0;
        group.close().map(drop)
    }

    /// Gives back what it has written to.
    pub(crate) fn end(mut self) -> Result<W, ParquetError> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.to.into_inner()
    }
}

fn held(table: TableKind) -> Vec<Values> {
    table.columns().map(|column| Values::of(column.kind)).collect()
}

impl Values {
    const fn of(kind: Kind) -> Self {
        let of = match kind {
            Kind::Text => OfKind::Text(Vec::new()),
            Kind::Time | Kind::Integer => OfKind::Whole(Vec::new()),
            Kind::Real => OfKind::Real(Vec::new()),
            Kind::Single => OfKind::Single(Vec::new()),
        };
        Self { there: Vec::new(), of }
    }

    /// A cell of another kind than the column's counts as none: the columns' own test finds it.
    fn push(&mut self, cell: Cell) {
        let is_there = match (&mut self.of, cell) {
            (OfKind::Text(held), Cell::Text(text)) => {
                held.push(text.into_bytes().into());
                true
            }
            (OfKind::Whole(held), Cell::Time(number) | Cell::Integer(number)) => {
                held.push(number);
                true
            }
            (OfKind::Real(held), Cell::Real(number)) => {
                held.push(number);
                true
            }
            (OfKind::Single(held), Cell::Single(number)) => {
                held.push(number);
                true
            }
            _ => false,
        };
        self.there.push(is_there.into());
    }

    fn write(self, mut column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let there = Some(&*self.there);
        match &self.of {
            OfKind::Text(held) => {
                column.typed::<ByteArrayType>().write_batch(held, there, None)?;
            }
            OfKind::Whole(held) => {
                column.typed::<Int64Type>().write_batch(held, there, None)?;
            }
            OfKind::Real(held) => {
                column.typed::<DoubleType>().write_batch(held, there, None)?;
            }
            OfKind::Single(held) => {
                column.typed::<FloatType>().write_batch(held, there, None)?;
            }
        }
        column.close()
    }
}

fn schema(table: TableKind) -> Result<Arc<Type>, ParquetError> {
    let mut fields = Vec::new();
    for column in table.columns() {
        let (physical, logical) = match column.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Time => {
                let of = LogicalType::timestamp(true, TimeUnit::MICROS);
                (Physical::INT64, Some(of))
            }
            Kind::Integer => (Physical::INT64, None),
            Kind::Real => (Physical::DOUBLE, None),
            Kind::Single => (Physical::FLOAT, None),
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        fields.push(Arc::new(field.build()?));
    }
    let name = match table {
        TableKind::Detections => "detections",
        TableKind::Frames => "frames",
    };
    Type::group_type_builder(name).with_fields(fields).build().map(Arc::new)
}
