/**
 * Where a snapshot lies: in its folder, or in the one file that it was exported to. The file is a line that says what it
 * is, then the manifest, then the chunks in their order, each behind four bytes of its length.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { utf8 } from '../../base/bytes.ts';
import { codedError, unwrap, type CodedError } from '../../base/result.ts';
import { MAX_CHUNK_BYTES } from '../../ledger/snapshot-chunk.ts';
import { MAX_MANIFEST_BYTES, snapshotManifestCodec } from '../../ledger/snapshot-manifest.ts';
import { chunkFile, SnapshotFolder } from './snapshot-folder.ts';

export const FILE_OPENING = utf8('hotledger snapshot 1\n');
export const LENGTH_BYTES = 4;

/** Bytes on the disk. */
export interface Piece {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Nothing of it was checked but that it is there. */
export interface SnapshotSource {
  readonly manifest: Uint8Array;
  /** In the order of their indexes. */
  readonly chunks: readonly Piece[];
}

/** @throws CodedError `snapshot-missing`, `snapshot-incomplete`, refusals of the manifest's codec */
export async function snapshotInFolder(folder: SnapshotFolder, height: number): Promise<SnapshotSource> {
  const manifest = await folder.manifest(height);
  if (manifest === undefined) throw missing(folder.pathOf(height));
  const { depth } = unwrap(snapshotManifestCodec.decode(manifest));
  const chunks: Piece[] = [];
  for (let index = 0; index < 2 ** depth; index++) {
    const path = join(folder.pathOf(height), chunkFile(index));
    const size = await stat(path).then(
      ({ size: bytes }) => bytes,
      () => null,
    );
    if (size === null) throw incomplete(path, 'a chunk is missing');
    if (size > MAX_CHUNK_BYTES) throw incomplete(path, 'a chunk is too large');
    chunks.push({ path, offset: 0, length: size });
  }
  return { manifest, chunks };
}

/** @throws CodedError `snapshot-missing`, `snapshot-incomplete`, refusals of the manifest's codec */
export async function snapshotInFile(path: string): Promise<SnapshotSource> {
  const handle = await open(path).catch((error: unknown) => {
    throw missing(path, error);
  });
  try {
    const opening = await read(handle, path, 0, FILE_OPENING.length);
    if (Buffer.compare(opening, FILE_OPENING) !== 0) throw incomplete(path, 'it is no exported snapshot');
    const first = await pieceAt(handle, path, FILE_OPENING.length, MAX_MANIFEST_BYTES);
    const manifest = await read(handle, path, first.offset, first.length);
    const { depth } = unwrap(snapshotManifestCodec.decode(manifest));
    const chunks: Piece[] = [];
    let end = first.offset + first.length;
    for (let index = 0; index < 2 ** depth; index++) {
      const piece = await pieceAt(handle, path, end, MAX_CHUNK_BYTES);
      chunks.push(piece);
      end = piece.offset + piece.length;
    }
    const { size } = await handle.stat();
    if (size !== end)
      throw incomplete(path, size < end ? 'it ends in a chunk' : 'something stands behind its last chunk');
    return { manifest, chunks };
  } finally {
    await handle.close();
  }
}

/** A folder `<height>` of snapshots, or an exported file. @throws CodedError as the two */
export async function snapshotAt(path: string): Promise<SnapshotSource> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return snapshotInFile(path);
  const height = Number(basename(path));
  if (!Number.isSafeInteger(height)) throw missing(path);
  return snapshotInFolder(new SnapshotFolder(dirname(path)), height);
}

async function pieceAt(handle: FileHandle, path: string, at: number, maxLength: number): Promise<Piece> {
  const head = await read(handle, path, at, LENGTH_BYTES);
  const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
  if (length > maxLength) throw incomplete(path, 'a part is too large');
  return { path, offset: at + LENGTH_BYTES, length };
}

async function read(handle: FileHandle, path: string, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw incomplete(path, 'it ends too early');
    done += bytesRead;
  }
  return bytes;
}

function missing(path: string, cause?: unknown): CodedError {
  return codedError('snapshot-missing', 'there is no snapshot', { path }, { cause });
}

function incomplete(path: string, reason: string): CodedError {
  return codedError('snapshot-incomplete', `the snapshot is not whole: ${reason}`, { path, reason });
}
