//! One dataset of an HDF5 file, read row by row.

use hdf5_reader::Hdf5File;
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;

use super::chunks::{ChunkLayout, Chunks};
use super::element::Element;
use super::problem::{Problem, problem};

/// The datasets of a file may claim this many times its bytes: deflate packs 1,032 to 1. Datasets that claim more hold
/// little but fill values, or are corrupt. Small files may claim a little more.
const LARGEST_EXPANSION: u64 = 1_100;
const SMALL: u64 = 1 << 26;

/// Rows that are not in chunks are read in blocks of about this many bytes.
const BLOCK: u64 = 1 << 20;

/// How many bytes the datasets of a file may claim. A byte claimed takes at most eight bytes of memory: one-byte samples
/// become 32-bit floats, and each window has a label and a person.
pub(super) struct Budget {
    limit: u64,
    claimed: u64,
}

impl Budget {
    pub(super) fn new(file_bytes: u64) -> Self {
        Self { limit: file_bytes.saturating_mul(LARGEST_EXPANSION).saturating_add(SMALL), claimed: 0 }
    }

    /// Nothing is allocated before the claim is accepted.
    fn claim(&mut self, bytes: u64) -> Result<(), Problem> {
        self.claimed = self.claimed.saturating_add(bytes);
        if self.claimed > self.limit || usize::try_from(self.claimed).is_err() {
            return Err(Problem::TooLarge { bytes: self.claimed, limit: self.limit });
        }
        Ok(())
    }
}

/// A dataset whose element type and size are known to be readable.
pub(super) struct Stored {
    element: Element,
    /// Rows, and then the shape of a row.
    pub(super) shape: Vec<usize>,
    /// Rows that are read at a time.
    rows: usize,
    place: Place,
    /// The element that is read where nothing was written.
    fill: Vec<u8>,
}

enum Place {
    /// In the dataset's header.
    Compact(Vec<u8>),
    /// In one piece from this address on, or nowhere if nothing was ever written.
    Contiguous(Option<u64>),
    Chunked(Chunks),
}

impl Stored {
    /// Opens the dataset `name`, of `rank` dimensions that `meaning` describes. `labels` may be truth values.
    pub(super) fn open(
        file: &Hdf5File,
        name: &str,
        (rank, meaning): (usize, &str),
        labels: bool,
        budget: &mut Budget,
    ) -> Result<Self, Problem> {
        let root = file.root_group().map_err(problem)?;
        let dataset = root.dataset(name).map_err(|e| match problem(e) {
            Problem::Missing if root.group(name).is_ok() => Problem::Contents("is a group, not a dataset".to_owned()),
            other => other,
        })?;
        let element = Element::new(dataset.dtype(), &dataset.raw_datatype().map_err(problem)?)
            .and_then(|element| if element.is_bool() && !labels { Err("truth values".to_owned()) } else { Ok(element) })
            .map_err(|found| Problem::Contents(format!("expected integers or IEEE 754 floats, found {found}")))?;
        let shape = dataset.shape();
        if shape.len() != rank || shape.contains(&0) {
            return Err(Problem::Contents(format!("expected the shape {meaning}, found {shape:?}")));
        }

        let header = file.get_or_parse_header(dataset.address()).map_err(problem)?;
        let (mut layout, mut filters, mut fill) = (None, &[][..], vec![0; element.size]);
        for message in &header.messages {
            match message {
                HdfMessage::DataLayout(message) => layout = Some(&message.layout),
                HdfMessage::FilterPipeline(message) => filters = &message.filters,
                HdfMessage::FillValue(message) => match message.value.as_deref() {
                    Some(value) if value.len() == element.size => fill = value.to_vec(),
                    Some([]) | None => {}
                    Some(value) => {
                        let (found, expected) = (value.len(), element.size);
                        return Err(Problem::Corrupt(format!("a fill value of {found} bytes instead of {expected}")));
                    }
                },
                HdfMessage::ExternalFiles(_) => {
                    let feature = "its values are stored in other files (external storage)";
                    return Err(Problem::Unsupported(feature.to_owned()));
                }
                _ => {}
            }
        }

        let bytes = |shape: &[u64]| shape.iter().fold(element.size as u64, |bytes, &n| bytes.saturating_mul(n));
        let mut rows = BLOCK / bytes(&shape[1..]).max(1);
        let place = match layout.ok_or_else(|| Problem::Corrupt("the dataset has no layout".to_owned()))? {
            DataLayout::Compact { data } => {
                budget.claim(bytes(shape))?;
                Place::Compact(data.clone())
            }
            DataLayout::Contiguous { address, .. } => {
                budget.claim(bytes(shape))?;
                let defined = !Cursor::is_undefined_offset(*address, file.superblock().offset_size);
                Place::Contiguous(defined.then_some(*address))
            }
            DataLayout::Chunked { address, dims, chunk_indexing, .. } => {
                // The size of an element may follow as one more dimension.
                let Some(chunk) = dims.get(..rank).filter(|chunk| !chunk.contains(&0)) else {
                    return Err(Problem::Corrupt(format!("chunks of the shape {dims:?}")));
                };
                let extents: Vec<u64> = chunk.iter().map(|&n| u64::from(n)).collect();
                // A chunk may be larger than the dataset, and is unpacked whole.
                budget.claim(bytes(shape).max(bytes(&extents)))?;
                rows = extents[0];
                let layout = ChunkLayout {
                    header: dataset.address(),
                    index: *address,
                    indexing: chunk_indexing.as_ref(),
                    shape,
                    max_shape: dataset.max_dims(),
                    chunk,
                    element_size: element.size,
                    filters,
                };
                Place::Chunked(Chunks::open(file, &layout).map_err(problem)?)
            }
        };
        let rows = rows.clamp(1, shape[0]) as usize;
        // The budget has counted them.
        let shape = shape.iter().map(|&n| n as usize).collect();
        Ok(Self { element, shape, rows, place, fill })
    }

    /// Calls `read` with each row's number and values.
    pub(super) fn for_each_row(
        &self,
        file: &Hdf5File,
        mut read: impl FnMut(usize, &[f64]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (total, width) = (self.shape[0], self.shape[1..].iter().product::<usize>());
        let row_bytes = width * self.element.size;
        let mut values = Vec::with_capacity(width);
        for first in (0..total).step_by(self.rows) {
            let block = self.read_block(file, first, self.rows.min(total - first), row_bytes)?;
            for (row, bytes) in (first..).zip(block.chunks_exact(row_bytes)) {
                values.clear();
                values.extend(self.element.decode(bytes));
                read(row, &values)?;
            }
        }
        Ok(())
    }

    fn read_block(&self, file: &Hdf5File, first: usize, rows: usize, row_bytes: usize) -> Result<Vec<u8>, Problem> {
        let (start, length) = (first * row_bytes, rows * row_bytes);
        match &self.place {
            Place::Compact(data) => {
                let block = data.get(start..start + length);
                let cut = || Problem::Corrupt(format!("{} bytes in the header are too few", data.len()));
                Ok(block.ok_or_else(cut)?.to_vec())
            }
            Place::Contiguous(Some(address)) => {
                let address = address.saturating_add(start as u64);
                Ok(file.storage().read_range(address, length).map_err(problem)?.to_vec())
            }
            Place::Contiguous(None) => Ok(self.fill.repeat(length / self.element.size)),
            Place::Chunked(chunks) => {
                let mut block = self.fill.repeat(length / self.element.size);
                chunks.read_rows(file, first as u64, &mut block).map_err(problem)?;
                Ok(block)
            }
        }
    }
}
