//! A dataset of an HDF5 file, read row by row.

use hdf5_reader::Hdf5File;
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;

use super::chunks::{ChunkLayout, Chunks};
use super::element::Element;
use super::problem::{Problem, classify};

/// Limit of the bytes that a file's datasets may claim, as a multiple of the file's size: deflate compresses by at most
/// 1,032 to 1. Datasets that claim more are corrupt or consist mostly of fill values.
const LARGEST_EXPANSION: u64 = 1_100;
/// Bytes that the datasets of every file may claim in addition, for small files: the chunks of a dataset that can grow
/// may be larger than its values.
const ALLOWANCE: u64 = 1 << 22;

/// Datasets without chunks are read in blocks of about this many bytes.
const BLOCK: u64 = 1 << 20;

/// The bytes that the datasets of a file may claim. Each claimed byte takes at most eight bytes in the result: one-byte
/// samples become 32-bit floats, and each window has a label and a person. While the values are read, blocks of them
/// exist as well: [`read`](crate::read) documents at most 16 bytes of memory.
pub(super) struct Budget {
    limit: u64,
    claimed: u64,
}

impl Budget {
    pub(super) fn new(file_bytes: u64) -> Self {
        Self { limit: file_bytes.saturating_mul(LARGEST_EXPANSION).saturating_add(ALLOWANCE), claimed: 0 }
    }

    /// Claims `bytes`. Must be called before memory for them is allocated.
    fn claim(&mut self, bytes: u64) -> Result<(), Problem> {
        self.claimed = self.claimed.saturating_add(bytes);
        if self.claimed > self.limit || usize::try_from(self.claimed).is_err() {
            return Err(Problem::TooLarge { bytes: self.claimed, limit: self.limit });
        }
        Ok(())
    }
}

/// An open dataset with a supported element type and an accepted size.
pub(super) struct StoredDataset {
    element: Element,
    /// Number of rows, followed by the shape of a row.
    pub(super) shape: Vec<usize>,
    /// Number of rows read at a time.
    rows_per_block: usize,
    storage: Storage,
    /// Fill value: the element for values that were never written.
    fill: Vec<u8>,
}

/// Where the values are stored.
enum Storage {
    /// In the dataset's object header.
    Compact(Vec<u8>),
    /// Contiguously from this address; `None` if nothing was ever written.
    Contiguous(Option<u64>),
    Chunked(Chunks),
}

impl StoredDataset {
    /// Opens the dataset `name`, which must have `rank` dimensions; `meaning` describes them in the error message.
    /// Booleans are accepted only if `labels` is set.
    pub(super) fn open(
        file: &Hdf5File,
        name: &str,
        (rank, meaning): (usize, &str),
        labels: bool,
        budget: &mut Budget,
    ) -> Result<Self, Problem> {
        let root = file.root_group().map_err(classify)?;
        let dataset = root.dataset(name).map_err(|e| match classify(e) {
            Problem::Missing if root.group(name).is_ok() => {
                Problem::Contents("is a group: expected a dataset".to_owned())
            }
            other => other,
        })?;
        let element = Element::new(dataset.dtype(), &dataset.raw_datatype().map_err(classify)?)
            .and_then(|element| if element.is_bool() && !labels { Err("booleans".to_owned()) } else { Ok(element) })
            .map_err(|found| Problem::Contents(format!("expected integers or IEEE 754 floats, found {found}")))?;
        let shape = dataset.shape();
        if shape.len() != rank || shape.contains(&0) {
            return Err(Problem::Contents(format!(
                "expected the shape {meaning} without an axis of length 0, found {shape:?}"
            )));
        }

        let header = file.get_or_parse_header(dataset.address()).map_err(classify)?;
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
                        return Err(Problem::Corrupt(format!("the fill value has {found} bytes: expected {expected}")));
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
        let mut rows_per_block = BLOCK / bytes(&shape[1..]).max(1);
        let storage = match layout.ok_or_else(|| Problem::Corrupt("the dataset has no layout".to_owned()))? {
            DataLayout::Compact { data } => {
                if (data.len() as u64) < bytes(shape) {
                    let (found, expected) = (data.len(), bytes(shape));
                    let problem = format!("its header has {found} bytes of values: expected at least {expected}");
                    return Err(Problem::Corrupt(problem));
                }
                budget.claim(bytes(shape))?;
                Storage::Compact(data.clone())
            }
            DataLayout::Contiguous { address, .. } => {
                let address = Some(*address)
                    .filter(|&address| !Cursor::is_undefined_offset(address, file.superblock().offset_size));
                // Checked here, before memory for the values is allocated.
                if let Some(start) = address {
                    let (end, length) = (start.saturating_add(bytes(shape)), file.storage().len());
                    if end > length {
                        let problem = format!("its values end at byte {end}, but the file ends at byte {length}");
                        return Err(Problem::Corrupt(problem));
                    }
                }
                budget.claim(bytes(shape))?;
                Storage::Contiguous(address)
            }
            DataLayout::Chunked { address, dims, chunk_indexing, .. } => {
                // Some versions append the size of an element as one more dimension.
                let Some(chunk) = dims.get(..rank).filter(|chunk| !chunk.contains(&0)) else {
                    return Err(Problem::Corrupt(format!(
                        "the chunks have the shape {dims:?}: expected {rank} extents, none of them 0"
                    )));
                };
                let extents: Vec<u64> = chunk.iter().map(|&n| u64::from(n)).collect();
                // A chunk may be larger than the dataset, and is decompressed as a whole.
                budget.claim(bytes(shape).max(bytes(&extents)))?;
                rows_per_block = extents[0];
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
                Storage::Chunked(Chunks::open(file, &layout).map_err(classify)?)
            }
        };
        let rows_per_block = rows_per_block.clamp(1, shape[0]) as usize;
        // Fits into `usize`: the budget has accepted the number of bytes.
        let shape = shape.iter().map(|&n| n as usize).collect();
        Ok(Self { element, shape, rows_per_block, storage, fill })
    }

    /// Calls `read` with the values of each run along the last axis, and with the index of the run: with the shape
    /// `windows x steps x channels`, the run of window `w` and step `t` has the index `w * steps + t`.
    pub(super) fn for_each_run(
        &self,
        file: &Hdf5File,
        mut read: impl FnMut(usize, &[f64]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (total, runs_per_row) = (self.shape[0], self.shape[1..self.shape.len() - 1].iter().product::<usize>());
        let width = self.shape[self.shape.len() - 1];
        let run_bytes = width * self.element.size;
        let mut values = Vec::with_capacity(width);
        for first in (0..total).step_by(self.rows_per_block) {
            let rows = self.rows_per_block.min(total - first);
            let block = self.read_block(file, first, rows, runs_per_row * run_bytes)?;
            for (run, bytes) in (first * runs_per_row..).zip(block.chunks_exact(run_bytes)) {
                values.clear();
                values.extend(self.element.decode(bytes));
                read(run, &values)?;
            }
        }
        Ok(())
    }

    fn read_block(&self, file: &Hdf5File, first: usize, rows: usize, row_bytes: usize) -> Result<Vec<u8>, Problem> {
        let (start, length) = (first * row_bytes, rows * row_bytes);
        match &self.storage {
            Storage::Compact(data) => {
                let block =
                    data.get(start..start + length).ok_or(Problem::Corrupt("its values are truncated".to_owned()));
                Ok(block?.to_vec())
            }
            Storage::Contiguous(Some(address)) => {
                let address = address.saturating_add(start as u64);
                Ok(file.storage().read_range(address, length).map_err(classify)?.to_vec())
            }
            Storage::Contiguous(None) => Ok(self.fill.repeat(length / self.element.size)),
            Storage::Chunked(chunks) => {
                let mut block = self.fill.repeat(length / self.element.size);
                chunks.read_rows(file, first as u64, &mut block).map_err(classify)?;
                Ok(block)
            }
        }
    }
}
