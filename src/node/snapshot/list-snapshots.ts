/** The snapshots of a data directory, as their manifests name them: nothing of them is verified here. */
import { decodeSealedHeader } from '../../ledger/block.ts';
import { snapshotManifestCodec } from '../../ledger/snapshot-manifest.ts';
import type { SnapshotFacts } from './open-snapshot.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';

export type ListedSnapshot =
  | ({ readonly kind: 'snapshot' } & SnapshotFacts)
  /** @param because why the manifest cannot be read */
  | { readonly kind: 'unreadable'; readonly height: number; readonly because: string };

/** The newest first. */
export async function listSnapshots(folder: SnapshotFolder): Promise<readonly ListedSnapshot[]> {
  const listed: ListedSnapshot[] = [];
  for (const height of await folder.heights()) {
    const manifest = await folder.manifest(height);
    // It was removed a moment ago.
    if (manifest !== undefined) listed.push(listedOf(height, manifest));
  }
  return listed;
}

function listedOf(height: number, manifestBytes: Uint8Array): ListedSnapshot {
  const decoded = snapshotManifestCodec.decode(manifestBytes);
  if (!decoded.ok) return { kind: 'unreadable', height, because: decoded.refusal.code };
  const { bytes, chainId, depth, entries, sealed } = decoded.value;
  const header = decodeSealedHeader(chainId, sealed);
  if (!header.ok) return { kind: 'unreadable', height, because: header.refusal.code };
  const { stateRoot, timestamp } = header.value.header;
  const blockId = header.value.id;
  return { kind: 'snapshot', height, stateRoot, blockId, timestamp, chunks: 2 ** depth, entries, bytes };
}
