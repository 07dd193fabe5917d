/** The snapshots of this node's data directory, as others that join ask for them: each part is read when it is asked for. */
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { decodeSealedHeader } from '../ledger/block.ts';
import { snapshotManifestCodec } from '../ledger/snapshot-manifest.ts';
import {
  isSameSnapshot,
  type OfferedSnapshot,
  type SnapshotName,
  type SnapshotOffer,
} from '../ledger/snapshot-offer.ts';
import { MAX_OFFERED_SNAPSHOTS, type SnapshotSource } from '../net/snapshot-sync.ts';
import type { SnapshotFolder } from './snapshot/snapshot-folder.ts';

export interface ServedSnapshotsOptions {
  readonly chainId: string;
  readonly folder: Pick<SnapshotFolder, 'chunk' | 'heights' | 'manifest'>;
  readonly headHeight: () => number;
  /** The lowest height whose block this node serves. */
  readonly oldestBlock: () => number;
}

export class ServedSnapshots implements SnapshotSource {
  readonly #options: ServedSnapshotsOptions;
  /** Of the whole snapshots on disk, by height; null where a manifest does not decode. */
  readonly #known = new Map<number, OfferedSnapshot | null>();

  constructor(options: ServedSnapshotsOptions) {
    this.#options = options;
  }

  async offer(): Promise<SnapshotOffer> {
    const { headHeight, oldestBlock } = this.#options;
    const heights = await this.#heights();
    const offered = await Promise.all(heights.map((height) => this.#at(height)));
    return {
      headHeight: headHeight(),
      oldestBlock: oldestBlock(),
      snapshots: offered.filter((snapshot) => snapshot !== null),
    };
  }

  async manifest(of: SnapshotName): Promise<Result<Uint8Array>> {
    const manifest = (await this.#has(of)) ? await this.#options.folder.manifest(of.height) : undefined;
    return manifest === undefined ? gone(of) : ok(manifest);
  }

  async chunk(of: SnapshotName, index: number): Promise<Result<Uint8Array>> {
    if (index >= 2 ** of.depth) {
      return refuse('chunk-out-of-range', 'the snapshot has fewer chunks', { index, chunks: 2 ** of.depth });
    }
    const chunk = (await this.#has(of)) ? await this.#options.folder.chunk(of.height, index) : undefined;
    return chunk === undefined ? gone(of) : ok(chunk);
  }

  /** The newest that may be named in one answer. */
  async #heights(): Promise<readonly number[]> {
    const heights = (await this.#options.folder.heights()).slice(0, MAX_OFFERED_SNAPSHOTS);
    for (const height of this.#known.keys()) if (!heights.includes(height)) this.#known.delete(height);
    return heights;
  }

  async #has(of: SnapshotName): Promise<boolean> {
    const known =
      this.#known.get(of.height) ?? ((await this.#heights()).includes(of.height) ? await this.#at(of.height) : null);
    return known !== null && isSameSnapshot(known, of);
  }

  async #at(height: number): Promise<OfferedSnapshot | null> {
    const known = this.#known.get(height);
    if (known !== undefined) return known;
    const manifest = await this.#options.folder.manifest(height);
    // It went between two looks.
    if (manifest === undefined) return null;
    const found = offeredOf(manifest, this.#options.chainId);
    this.#known.set(height, found);
    return found;
  }
}

/** What lies on this disk was checked when it was made or fetched; who takes it checks again. */
function offeredOf(manifestBytes: Uint8Array, chainId: string): OfferedSnapshot | null {
  const manifest = snapshotManifestCodec.decode(manifestBytes);
  if (!manifest.ok) return null;
  const { bytes, depth, height, sealed } = manifest.value;
  const block = decodeSealedHeader(chainId, sealed);
  return block.ok ? { height, stateRoot: block.value.header.stateRoot, depth, bytes } : null;
}

function gone({ height }: SnapshotName): Refused {
  return refuse('snapshot-gone', 'this node has that snapshot no more, or never had it', { height });
}
