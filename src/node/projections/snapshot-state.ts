/** The state in a snapshot of the node's own, to execute the log from: as much of it is checked as of a stranger's. */
import { textFromUtf8 } from '../../base/bytes.ts';
import { ok, refuse, unwrap, type Result } from '../../base/result.ts';
import type { BlockLog } from '../../ledger/block-log.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { GenesisState } from '../../ledger/genesis-state.ts';
import { snapshotChunkCodec, verifyChunk } from '../../ledger/snapshot-chunk.ts';
import { verifyManifest } from '../../ledger/snapshot-manifest.ts';
import type { StateChange } from '../../ledger/state.ts';
import { trustGenesis } from '../../ledger/trusted-chain.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import type { SnapshotFolder } from '../snapshot/snapshot-folder.ts';

/** Of the newest snapshot at this height or below that is whole, and whose block is in the log; undefined: there is none. */
export async function nearestSnapshot(
  folder: SnapshotFolder,
  log: BlockLog,
  genesis: Genesis,
  height: number,
): Promise<GenesisState | undefined> {
  for (const candidate of await folder.heights()) {
    if (candidate > height) continue;
    const state = await stateIn(folder, log, genesis, candidate);
    // A damaged one is passed over: an older one, or the beginning of the log, will do.
    if (state.ok) return state.value;
  }
  return undefined;
}

/** The same of the oldest above this height, where the log has no state to begin with at the height itself. */
export async function oldestSnapshotAbove(
  folder: SnapshotFolder,
  log: BlockLog,
  genesis: Genesis,
  height: number,
): Promise<GenesisState | undefined> {
  for (const candidate of (await folder.heights()).toReversed()) {
    if (candidate <= height) continue;
    const state = await stateIn(folder, log, genesis, candidate);
    if (state.ok) return state.value;
  }
  return undefined;
}

async function stateIn(
  folder: SnapshotFolder,
  log: BlockLog,
  genesis: Genesis,
  height: number,
): Promise<Result<GenesisState>> {
  const { scheme } = await loadDefaultScheme();
  const manifestBytes = await folder.manifest(height);
  if (manifestBytes === undefined) return missing(height);
  const verified = verifyManifest(manifestBytes, unwrap(trustGenesis(genesis, scheme)), scheme);
  if (!verified.ok) return verified;
  const { manifest, sealed } = verified.value;
  const { block } = sealed;
  if (log.sealedBlockAt(height)?.block.id !== block.id) return missing(height);
  const { stateRoot } = block.header;
  const { depth } = manifest;
  const changes: StateChange[] = [];
  for (let index = 0; index < 2 ** depth; index++) {
    const bytes = await folder.chunk(height, index);
    if (bytes === undefined) return missing(height);
    const chunk = snapshotChunkCodec.decode(bytes);
    if (!chunk.ok) return chunk;
    const checked = verifyChunk(chunk.value, { stateRoot, depth, index });
    if (!checked.ok) return checked;
    for (const { key, value } of chunk.value.content.entries) changes.push({ key: textFromUtf8(key), value });
  }
  return ok({ chainId: log.chainId, block, sealed, changes });
}

function missing(height: number): Result<never> {
  return refuse('snapshot-missing', 'there is no snapshot of this log', { height });
}
