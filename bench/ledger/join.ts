/**
 * How long a new node takes from an empty data directory until it follows: real processes, two validators that have the
 * ledger and a snapshot of it, and an observer that has the genesis file. Before the snapshot every node joins, and no more
 * than that is made, as whoever takes a snapshot never asks for what was before it. The blocks behind it change records.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sha256Hex, type Hash } from '../../src/base/hash.ts';
import { NodeProcess } from '../../src/cli/devnet/node-process.ts';
import { committedBlockOps } from '../../src/ledger/block-log.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { loadBlsKey } from '../../src/node/bls-key.ts';
import { loadConfig } from '../../src/node/config.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { openLedger } from '../../src/node/open-ledger.ts';
import { snapshotOfStopped } from '../../src/node/snapshot/stopped-ledger.ts';
import { makeTestnet, type Testnet, type TestnetNode } from '../../src/node/testnet.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { Population } from '../validators/population.ts';
import { makeChain, type MadeBlock } from './chain.ts';

export interface JoinOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  readonly nodes: number;
  /** Behind the snapshot. */
  readonly blocks: number;
  readonly eventsPerBlock: number;
}

export interface JoinResult {
  readonly seconds: number;
  readonly snapshotBytes: number;
  readonly blocks: number;
  readonly events: number;
}

const VALIDATORS = 4;
const SERVERS = 2;
const JOINS_PER_BLOCK = 1_000;
const GENESIS_AGE_SECONDS = 3600;
const READY_DEADLINE_MS = 300_000;
const LOOK_AGAIN_MS = 50;

export async function measureJoin(options: JoinOptions): Promise<JoinResult> {
  const directory = await mkdtemp(join(options.parent, 'hlb-'));
  const running: NodeProcess[] = [];
  try {
    const { height, net, snapshotBytes } = await writeNetwork(join(directory, 'net'), options);
    const [observer, ...servers] = [net.nodes.at(-1)!, ...net.nodes.slice(0, SERVERS)];
    for (const node of servers) running.push(new NodeProcess(node));
    await Promise.all(running.map((node) => idle(node, height)));
    const startedMs = performance.now();
    const joining = new NodeProcess(observer);
    running.push(joining);
    await follows(joining, height);
    const seconds = (performance.now() - startedMs) / 1000;
    const { blocks, eventsPerBlock } = options;
    return { seconds, snapshotBytes, blocks, events: blocks * eventsPerBlock };
  } finally {
    await Promise.all(running.map((node) => node.stop()));
    await rm(directory, { recursive: true });
  }
}

/** Its projections are done, as those of a server that ran before are. */
async function idle(node: NodeProcess, height: number): Promise<void> {
  await node.ready(READY_DEADLINE_MS);
  for (let behind = true; behind; await delay(LOOK_AGAIN_MS)) {
    const status = await node.control.status().catch(() => undefined);
    behind = status?.projections.some((projection) => projection.height < height) ?? true;
  }
}

async function follows(node: NodeProcess, height: number): Promise<void> {
  await node.ready(READY_DEADLINE_MS);
  // One that executes many blocks at once may answer later than its status is waited for.
  const heightNow = async (): Promise<number> => (await node.control.status().catch(() => undefined))?.height ?? 0;
  while ((await heightNow()) < height) await delay(LOOK_AGAIN_MS);
}

/** The joins, the snapshot behind them, then the blocks behind that; the same in the directories of all servers. */
async function writeNetwork(
  directory: string,
  { blocks, eventsPerBlock, nodes }: JoinOptions,
): Promise<{ readonly net: Testnet; readonly height: number; readonly snapshotBytes: number }> {
  const timestamp = Math.floor(Date.now() / 1000) - GENESIS_AGE_SECONDS;
  const population = new Population(nodes, 'ed25519');
  const net = await makeTestnet(
    {
      directory,
      name: 'join',
      validators: VALIDATORS,
      observers: 1,
      hosts: undefined,
      port: 0,
      commitDepth: 2,
      parameters: DEFAULT_PARAMETERS,
      records: [],
      timestamp,
      settings: {},
    },
    nativeScheme,
  );
  const genesis = await readGenesisFile(net.genesisFile);
  const validators = net.nodes.slice(0, VALIDATORS);
  const blsKeys = await Promise.all(validators.map(async (node) => loadBlsKey(await blsKeyFileOf(node))));
  const joins = Array.from({ length: Math.ceil(nodes / JOINS_PER_BLOCK) }, (_, block) =>
    Math.min(JOINS_PER_BLOCK, nodes - block * JOINS_PER_BLOCK),
  );
  const counts = [...joins, ...Array.from({ length: blocks }, () => eventsPerBlock)];
  const batches = counts.map((count) => population.sign(count, net.chainId));
  const chain = makeChain(genesis, genesisState(genesis), blsKeys, batches);
  let snapshotBytes = 0;
  for (const [index, { dataDirectory }] of validators.slice(0, SERVERS).entries()) {
    const validatorKey = sha256Hex(nativeScheme.publicKeyOf(blsKeys[index]!));
    await write(dataDirectory, genesis, validatorKey, chain.slice(0, joins.length));
    if (index === 0) snapshotBytes = await snapshotIn(dataDirectory, genesis);
    else
      await cp(join(validators[0]!.dataDirectory, 'snapshots'), join(dataDirectory, 'snapshots'), { recursive: true });
    await write(dataDirectory, genesis, validatorKey, chain.slice(joins.length));
  }
  return { net, height: chain.length, snapshotBytes };
}

async function write(
  dataDirectory: string,
  genesis: Genesis,
  validatorKey: Hash,
  chain: readonly MadeBlock[],
): Promise<void> {
  const ledger = await openLedger(dataDirectory, genesis, validatorKey);
  for (const { changes, sealed } of chain) {
    await ledger.store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  await ledger.store.close();
}

async function snapshotIn(dataDirectory: string, genesis: Genesis): Promise<number> {
  const signal = new AbortController().signal;
  const { bytes } = await snapshotOfStopped({ dataDirectory, genesis, signal, onProgress: () => undefined });
  return bytes;
}

async function blsKeyFileOf({ configFile }: TestnetNode): Promise<string> {
  const { config } = await loadConfig({ file: configFile, environment: {}, flags: {}, directory: process.cwd() });
  return config.blsKeyFile!;
}
