/** A data directory with a ledger in it, as an observer keeps one, damaged where a test wants it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unwrap } from '../../src/base/result.ts';
import type { SealedBlock } from '../../src/ledger/block.ts';
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import { decodeSignedEvent, type WrittenEvent } from '../../src/ledger/event.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { verifiedEvent, type VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { loadConfig, type NodeConfig } from '../../src/node/config.ts';
import { identityKeyFromSecret } from '../../src/node/keys.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { signEvent } from '../../src/node/sign-event.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { SealedChain } from '../ledger/chain.ts';
import { joinedFields } from '../ledger/nodes.ts';
import { temporaryDirectory } from './directory.ts';

export const KEYS = [1, 2, 3].map((byte) => identityKeyFromSecret('ed25519', new Uint8Array(32).fill(byte)));

export function signedJoin(chain: SealedChain, node: number): VerifiedEvent {
  const key = KEYS[node] as (typeof KEYS)[number];
  const event = { ...joinedFields(key.peerId, 1), time: chain.now } as unknown as WrittenEvent;
  return verifiedEvent(unwrap(decodeSignedEvent(chain.chainId, signEvent(key, chain.chainId, event).bytes)), 'own-log');
}

export interface Damage {
  /** Changes a block on its way to the disk. */
  readonly block?: (sealed: SealedBlock, chain: SealedChain) => SealedBlock;
  readonly afterwards?: readonly StoreOperation[];
  readonly unsignedJoin?: boolean;
  /** Blocks without events after those with joins. */
  readonly emptyBlocks?: number;
  /** The rows of all projections are there too. */
  readonly projected?: boolean;
}

/** A data directory with three joins, as an observer keeps it. */
export async function ledgerIn(
  damage: Damage = {},
): Promise<{ config: NodeConfig; directory: string; chain: SealedChain }> {
  const directory = await temporaryDirectory();
  const chain = new SealedChain();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(chain.genesis));
  await writeFile(join(directory, 'config.json'), '{"genesis":"genesis.json","dataDirectory":"data"}');
  const { config } = await loadConfig({ file: 'config.json', environment: {}, flags: {}, directory });
  const store = await LevelStore.open(ledgerDirectory(join(directory, 'data')), { create: true });
  await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  const batches = [0, 1, 2].map((node) => [signedJoin(chain, node)]);
  for (const events of [...batches, ...Array.from({ length: damage.emptyBlocks ?? 0 }, () => [])]) {
    const { sealed, changes } = chain.commit(events);
    await store.batch(committedBlockOps(damage.block?.(sealed, chain) ?? sealed, changes), { sync: false });
  }
  if (damage.unsignedJoin) {
    const { sealed, changes } = chain.commit([chain.join(9)]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  if (damage.projected) await project(store, chain.chainId);
  await store.batch(damage.afterwards ?? [], { sync: false });
  await store.close();
  return { config, directory, chain };
}

export async function project(store: LevelStore, chainId: string): Promise<void> {
  const log = await BlockLog.open(store, { chainId, validatorKey: null });
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped: () => undefined });
  await projector.caughtUp();
  await projector.close();
}
