//! Chunked datasets: finds, decodes and places the chunks.
//!
//! The HDF5 crate reads the chunk indexes and decodes the filters. The chunks are placed here, because the crate
//! numbers the chunks of a fixed array or an implicit index over the current shape, but the format numbers them over
//! the maximum shape.

use hdf5_reader::btree_v1::{BTreeV1Key, collect_btree_v1_leaves_storage};
use hdf5_reader::chunk_index::{
    ChunkEntry, collect_implicit_chunk_entries, collect_v2_chunk_entries_storage, single_chunk_entry,
};
use hdf5_reader::error::{Error, Result};
use hdf5_reader::extensible_array::collect_extensible_array_chunk_entries_storage;
use hdf5_reader::fixed_array::collect_fixed_array_chunk_entries_storage;
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::filter_pipeline::FilterDescription;
use hdf5_reader::messages::layout::ChunkIndexing;
use hdf5_reader::{FilterRegistry, Hdf5File};

use super::{edge_chunks, lzf};

/// The chunks of a dataset.
pub(super) struct Chunks {
    /// Sorted by offsets, the first row first.
    entries: Vec<ChunkEntry>,
    shape: Vec<u64>,
    /// Shape of a chunk.
    chunk: Vec<u64>,
    element_size: usize,
    filters: Vec<FilterDescription>,
    registry: FilterRegistry,
    /// Whether chunks that extend beyond the shape are stored without filters.
    unfiltered_edges: bool,
}

/// Storage of a chunked dataset, according to its header.
pub(super) struct ChunkLayout<'a> {
    /// Address of the object header.
    pub(super) header: u64,
    /// Address of the chunk index.
    pub(super) index: u64,
    /// Kind of the chunk index; `None` for a version 1 B-tree.
    pub(super) indexing: Option<&'a ChunkIndexing>,
    pub(super) shape: &'a [u64],
    pub(super) max_shape: Option<&'a [u64]>,
    pub(super) chunk: &'a [u32],
    pub(super) element_size: usize,
    pub(super) filters: &'a [FilterDescription],
}

impl Chunks {
    /// Reads the chunk index. The caller must have checked the chunk's shape: it has the dataset's rank, no extent is
    /// 0, and the number of its bytes fits into `usize`.
    pub(super) fn open(file: &Hdf5File, layout: &ChunkLayout) -> Result<Self> {
        let mut entries = entries(file, layout)?;
        for entry in &entries {
            let on_grid = entry.offsets.iter().zip(layout.chunk).all(|(offset, &n)| offset % u64::from(n) == 0);
            if entry.offsets.len() != layout.shape.len() || !on_grid {
                return Err(Error::InvalidData(format!(
                    "the chunk at {:?} is not aligned to the chunk grid",
                    entry.offsets
                )));
            }
        }
        // A dataset that was shrunk may keep chunks outside its shape.
        entries.retain(|entry| entry.offsets.iter().zip(layout.shape).all(|(offset, n)| offset < n));
        entries.sort_by(|a, b| a.offsets.cmp(&b.offsets));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].offsets == pair[1].offsets) {
            return Err(Error::InvalidData(format!("there are two chunks at {:?}", pair[0].offsets)));
        }
        let chunk: Vec<u64> = layout.chunk.iter().map(|&n| u64::from(n)).collect();
        let has_edges = layout.shape.iter().zip(&chunk).any(|(n, chunk)| n % chunk != 0);
        let may_be_unfiltered = has_edges && !layout.filters.is_empty() && layout.indexing.is_some();
        Ok(Self {
            entries,
            shape: layout.shape.to_vec(),
            chunk,
            element_size: layout.element_size,
            filters: layout.filters.to_vec(),
            registry: FilterRegistry::new(),
            unfiltered_edges: may_be_unfiltered && edge_chunks::are_unfiltered(file, layout.header)?,
        })
    }

    /// Copies the chunks whose first row is `first` into `rows`, which are the dataset's rows from `first` on.
    pub(super) fn read_rows(&self, file: &Hdf5File, first: u64, rows: &mut [u8]) -> Result<()> {
        let start = self.entries.partition_point(|entry| entry.offsets[0] < first);
        for entry in self.entries[start..].iter().take_while(|entry| entry.offsets[0] == first) {
            let values = self.read_chunk(file, entry)?;
            self.place(&entry.offsets, &values, rows);
        }
        Ok(())
    }

    /// Reads a chunk and decodes its filters.
    fn read_chunk(&self, file: &Hdf5File, entry: &ChunkEntry) -> Result<Vec<u8>> {
        let expected = self.element_size * self.chunk.iter().product::<u64>() as usize;
        let stored = match usize::try_from(entry.size).unwrap_or(usize::MAX) {
            0 => expected,
            stored => stored,
        };
        let bytes = file.storage().read_range(entry.address, stored)?;
        let on_edge =
            entry.offsets.iter().zip(&self.chunk).zip(&self.shape).any(|((offset, chunk), n)| offset + chunk > *n);
        let values = if self.filters.is_empty() || self.unfiltered_edges && on_edge {
            bytes.to_vec()
        } else {
            self.decode(&bytes, entry.filter_mask, expected)?
        };
        if values.len() != expected {
            let message = format!("the chunk at {:?} has {} bytes: expected {expected}", entry.offsets, values.len());
            return Err(Error::InvalidData(message));
        }
        Ok(values)
    }

    /// Decodes the filters, the last one first. Filters whose bit in `mask` is 1 were not applied to the chunk.
    ///
    /// The size of each filter's output is limited: several filters would otherwise multiply their compression ratios,
    /// so that a small chunk exhausts the memory.
    fn decode(&self, bytes: &[u8], mask: u32, expected: usize) -> Result<Vec<u8>> {
        // No supported filter makes its input longer than this.
        let limit = expected.saturating_add(expected / 8).saturating_add(4_096);
        let mut values = None;
        for (i, filter) in self.filters.iter().enumerate().rev() {
            // The mask has a bit for each of the 32 filters that a dataset may have.
            if mask.checked_shr(i as u32).unwrap_or(0) & 1 == 1 {
                continue;
            }
            let input = values.as_deref().unwrap_or(bytes);
            let output = if filter.id == lzf::FILTER {
                lzf::decompress(input, limit)
                    .ok_or_else(|| Error::DecompressionError("the LZF data are truncated or corrupt".to_owned()))?
            } else {
                self.registry.apply_with_limit(filter, input, self.element_size, Some(limit))?
            };
            values = Some(output);
        }
        Ok(values.unwrap_or_else(|| bytes.to_vec()))
    }

    /// Copies the part of a chunk that is inside the shape, one contiguous run along the last dimension at a time.
    fn place(&self, offsets: &[u64], values: &[u8], rows: &mut [u8]) {
        let last = self.shape.len() - 1;
        let run = self.chunk[last].min(self.shape[last] - offsets[last]) as usize * self.element_size;
        let stride = self.chunk[last] as usize * self.element_size;
        let mut index = vec![0_u64; last];
        for source in values.chunks_exact(stride) {
            let inside = index.iter().zip(offsets).zip(&self.shape).all(|((i, offset), n)| offset + i < *n);
            if inside {
                // Along axis 0, `rows` starts at the chunk's first row. `index` lacks the last axis, whose run starts
                // at the chunk's offset.
                let coordinate = |axis: usize| {
                    let inner = index.get(axis).copied().unwrap_or(0);
                    if axis == 0 { inner } else { offsets[axis] + inner }
                };
                let target =
                    (1..=last).fold(coordinate(0), |target, axis| target * self.shape[axis] + coordinate(axis));
                let target = target as usize * self.element_size;
                rows[target..target + run].copy_from_slice(&source[..run]);
            }
            for axis in (0..last).rev() {
                index[axis] += 1;
                if index[axis] < self.chunk[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

/// Lists the allocated chunks.
fn entries(file: &Hdf5File, layout: &ChunkLayout) -> Result<Vec<ChunkEntry>> {
    let (storage, index, chunk) = (file.storage(), layout.index, layout.chunk);
    let (offset_size, length_size) = (file.superblock().offset_size, file.superblock().length_size);
    if Cursor::is_undefined_offset(index, offset_size) {
        return Ok(Vec::new());
    }
    let rank = layout.shape.len();
    // The format numbers the chunks of a fixed array and of an implicit index over the maximum shape.
    let grid = layout.max_shape.unwrap_or(layout.shape);
    match layout.indexing {
        None => {
            let leaves = collect_btree_v1_leaves_storage(
                storage,
                index,
                offset_size,
                length_size,
                Some(rank as u32),
                chunk,
                None,
            )?;
            leaves.into_iter().map(|(key, address)| entry_of(key, address, rank)).collect()
        }
        Some(ChunkIndexing::SingleChunk { filtered_size, filters }) => {
            Ok(vec![single_chunk_entry(index, *filtered_size, *filters, rank)])
        }
        Some(ChunkIndexing::Implicit) => {
            collect_implicit_chunk_entries(index, grid, chunk, layout.element_size, None, storage.len())
        }
        Some(ChunkIndexing::FixedArray { .. }) => {
            collect_fixed_array_chunk_entries_storage(storage, index, offset_size, length_size, grid, chunk, None)
        }
        Some(ChunkIndexing::ExtensibleArray { .. }) => collect_extensible_array_chunk_entries_storage(
            storage,
            index,
            offset_size,
            length_size,
            layout.shape,
            layout.max_shape,
            chunk,
            None,
        ),
        Some(ChunkIndexing::BTreeV2) => {
            collect_v2_chunk_entries_storage(storage, index, offset_size, length_size, rank as u32, chunk, None)
        }
    }
}

fn entry_of(key: BTreeV1Key, address: u64, rank: usize) -> Result<ChunkEntry> {
    match key {
        BTreeV1Key::RawData { chunk_size, filter_mask, mut offsets } => {
            // The B-tree stores one more offset, for the bytes within an element.
            offsets.truncate(rank);
            Ok(ChunkEntry { address, size: u64::from(chunk_size), filter_mask, offsets })
        }
        BTreeV1Key::Group { .. } => Err(Error::InvalidData("the chunk index is the index of a group".to_owned())),
    }
}
