/** A node that is in this process: it has its store open, answers its control socket, and commits when it is told to. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ok } from '../../src/base/result.ts';
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import type { NodeConfig } from '../../src/node/config.ts';
import { startControl } from '../../src/node/control.ts';
import { ControlClient } from '../../src/node/control-client.ts';
import { LedgerViews } from '../../src/node/ledger-views.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import type { RunningNode } from '../../src/node/status.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { NO_LEDGER } from '../cli/no-ledger.ts';
import type { SealedChain } from '../ledger/chain.ts';

export interface RunningLedger {
  readonly chain: SealedChain;
  readonly config: NodeConfig;
  readonly directory: string;
}

/** @param maxIdleMs of a view that nobody asks of */
export async function runningNode({ chain, config, directory }: RunningLedger, maxIdleMs?: number) {
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  const log = await BlockLog.open(store, { chainId: chain.chainId, validatorKey: null });
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped: () => undefined });
  const views = new LedgerViews(store, maxIdleMs);
  const socket = join(config.dataDirectory, 'control.sock');
  await mkdir(config.dataDirectory, { recursive: true });
  const rebuilt: string[] = [];
  const rebuild = (names: readonly string[]) => ok({ projections: [...names], told: rebuilt.push(...names) });
  const ledger = { ...NO_LEDGER, rebuild };
  const node = { raft: null, ledger, views, status: () => ({ components: [] }) } as unknown as RunningNode;
  const close = await startControl({ socket, node, stop: () => undefined });
  onTestFinished(async () => {
    await close();
    await projector.close();
    await views.closeAll();
    await store.close();
  });
  const commit = async (nodes: readonly number[]): Promise<void> => {
    const { changes, sealed } = chain.commit(nodes.map((each) => chain.join(each)));
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    projector.offer([{ header: sealed.block.header, events: sealed.block.events, changes }]);
    await projector.caughtUp();
  };
  return { chain, client: new ControlClient(socket), commit, config, directory, rebuilt, store };
}
