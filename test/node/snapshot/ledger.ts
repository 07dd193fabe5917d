/** A data directory with a ledger of a few hundred nodes, as an observer keeps it. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockLog, committedBlockOps } from '../../../src/ledger/block-log.ts';
import { formatGenesis } from '../../../src/ledger/genesis.ts';
import { loadConfig, type NodeConfig } from '../../../src/node/config.ts';
import { ledgerDirectory } from '../../../src/node/open-ledger.ts';
import { snapshotOfStopped } from '../../../src/node/snapshot/stopped-ledger.ts';
import type { WrittenSnapshot } from '../../../src/node/snapshot/snapshot-writer.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { temporaryDirectory } from '../directory.ts';

/** A directory for all tests of a file, which removes it. */
export const sharedDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'hotledger-'));

export interface TestLedger {
  readonly chain: SealedChain;
  /** Of genesis, configuration and data. */
  readonly directory: string;
  readonly config: NodeConfig;
}

/**
 * @param blocks of one join each
 * @param within a directory that outlives the test, for a ledger that several tests share
 */
export async function testLedger(blocks = 12, within?: string): Promise<TestLedger> {
  const chain = new SealedChain();
  const place = await emptyPlace(chain, within);
  const store = await LevelStore.open(ledgerDirectory(place.config.dataDirectory), { create: true });
  await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  for (let node = 1; node <= blocks; node++) {
    const { changes, sealed } = chain.commit([chain.join(node)]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  await store.close();
  return { chain, ...place };
}

/** The same network, without a ledger. */
export async function emptyPlace(
  chain: SealedChain,
  within?: string,
): Promise<Pick<TestLedger, 'config' | 'directory'>> {
  const directory = within ?? (await temporaryDirectory());
  await writeFile(join(directory, 'genesis.json'), formatGenesis(chain.genesis));
  await writeFile(join(directory, 'config.json'), '{"genesis":"genesis.json","dataDirectory":"data"}');
  const { config } = await loadConfig({ file: 'config.json', environment: {}, flags: {}, directory });
  return { directory, config };
}

/** At its head. */
export function snapshotIn({ chain, config }: TestLedger): Promise<WrittenSnapshot> {
  return snapshotOfStopped({
    dataDirectory: config.dataDirectory,
    genesis: chain.genesis,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
}
