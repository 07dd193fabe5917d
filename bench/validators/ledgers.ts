/** Ledgers that validators have before they are started: made by one process as fast as it can. */
import { constants, copyFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../../src/base/hash.ts';
import { encodeSafetyRecord, firstSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { encodeStoredBlock } from '../../src/hotstuff/stored-block.ts';
import { committedBlockOps, identityOps, safetyRecordOps, uncommittedBlockOps } from '../../src/ledger/block-log.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import { loadBlsKey } from '../../src/node/bls-key.ts';
import { loadConfig } from '../../src/node/config.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { ledgerDirectory, openLedger } from '../../src/node/open-ledger.ts';
import type { Testnet } from '../../src/node/testnet.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { certificateVerifiedBefore } from '../../src/qc/certificate.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { makeBlocks, type ChainEnd } from '../ledger/chain.ts';
import type { Population } from './population.ts';

export interface WrittenLog {
  /** In the log. */
  readonly events: number;
  readonly eventsPerBlock: number;
}

const BLOCKS_PER_PROJECTED = 16;

/** The same ledger for each validator, with projections that have grown with it. */
export async function writeLedgers(
  testnet: Testnet,
  population: Population,
  { events, eventsPerBlock }: WrittenLog,
): Promise<void> {
  const configs = await Promise.all(testnet.nodes.map(({ configFile }) => configOf(configFile)));
  const blsKeys = await Promise.all(configs.map(({ blsKeyFile }) => loadBlsKey(blsKeyFile!)));
  const owners = blsKeys.map((key) => sha256Hex(nativeScheme.publicKeyOf(key)));
  const genesis = await readGenesisFile(testnet.genesisFile);
  const [first, ...others] = configs;
  await mkdir(first!.dataDirectory, { recursive: true });
  const { log, store } = await openLedger(first!.dataDirectory, genesis, owners[0]!);
  const onStopped = (name: string, error: unknown): never => {
    throw new Error(`the projection ${name} stopped`, { cause: error });
  };
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped });
  function* batches(): Generator<readonly Uint8Array[], void> {
    for (let signed = 0; signed < events; signed += eventsPerBlock) {
      yield population.sign(Math.min(eventsPerBlock, events - signed), testnet.chainId);
    }
  }
  const blocks = makeBlocks(genesis, genesisState(genesis), blsKeys, batches());
  let made = blocks.next();
  for (; made.done !== true; made = blocks.next()) {
    const { changes, sealed } = made.value;
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    projector.offer([{ header: sealed.block.header, events: sealed.block.events, changes }]);
    if (sealed.block.header.height % BLOCKS_PER_PROJECTED === 0) await projector.caughtUp();
  }
  await store.batch(voted(made.value), { sync: true });
  await projector.caughtUp();
  await projector.close();
  await store.close();
  for (const [place, { dataDirectory }] of others.entries()) {
    await copyLedger(ledgerDirectory(first!.dataDirectory), ledgerDirectory(dataDirectory));
    const copy = await LevelStore.open(ledgerDirectory(dataDirectory));
    const identity = { chainId: testnet.chainId, validatorKey: owners[place + 1]! };
    await copy.batch(identityOps(identity), { sync: true });
    await copy.close();
  }
}

/** As every validator stands that has voted for the end of the chain and knows its certificate. */
function voted({ block, certificate, justify }: ChainEnd): StoreOperation[] {
  const record = {
    ...firstSafetyRecord(certificateVerifiedBefore(certificate)),
    lastVotedRound: block.header.round,
    lockedRound: justify.vote.round,
  };
  const stored = { id: block.id, bytes: encodeStoredBlock({ block, justify }) };
  return [...uncommittedBlockOps([stored]), ...safetyRecordOps(encodeSafetyRecord(record))];
}

/** Where the file system can, the copies share their blocks. */
async function copyLedger(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const file of await readdir(from)) {
    if (file === 'LOCK') continue;
    await copyFile(join(from, file), join(to, file), constants.COPYFILE_FICLONE);
  }
  await rm(join(to, 'LOG.old'), { force: true });
}

async function configOf(file: string) {
  const { config } = await loadConfig({ file, environment: {}, flags: {}, directory: process.cwd() });
  return config;
}
