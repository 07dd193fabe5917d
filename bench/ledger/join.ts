/**
 * How long a new node takes from an empty data directory until it follows: real processes, two validators that have the
 * ledger and a snapshot of it, and an observer that has the genesis file. The ledger is made block by block with true
 * signatures and certificates: every node joins, the others of its events change records, then comes the snapshot, then
 * the blocks behind it. It is measured twice, on one ledger: behind the snapshot as many events as a network of that many
 * nodes has in as many blocks, and ten times as many.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
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
import { openLedger, type OpenLedger } from '../../src/node/open-ledger.ts';
import { snapshotOfStopped } from '../../src/node/snapshot/stopped-ledger.ts';
import { makeTestnet, type Testnet, type TestnetNode } from '../../src/node/testnet.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { Population } from '../validators/population.ts';
import { makeBlocks, type ChainEnd, type MadeBlock } from './chain.ts';

export interface JoinOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  readonly nodes: number;
  /** Of all blocks up to the first snapshot. */
  readonly events: number;
  /** Behind the snapshot. */
  readonly blocks: number;
  /** In each of them; one join is measured for each. */
  readonly eventsPerBlock: readonly number[];
}

export interface JoinResult {
  readonly snapshotBytes: number;
  readonly joins: readonly MeasuredJoin[];
}

export interface MeasuredJoin {
  /** Of all blocks. */
  readonly ledgerEvents: number;
  /** Behind the snapshot. */
  readonly blocks: number;
  readonly eventsPerBlock: number;
  /** From the start of its process until it is at the servers' height. */
  readonly seconds: number;
  /** When what happened, by the node's own log, in seconds from the same moment. */
  readonly steps: readonly { readonly what: string; readonly seconds: number }[];
  /** Until the projections are at the head too. */
  readonly projectedSeconds: number;
}

const VALIDATORS = 4;
const SERVERS = 2;
const EVENTS_PER_BLOCK_BEFORE = 1_000;
const GENESIS_AGE_SECONDS = 3600;
const READY_DEADLINE_MS = 300_000;
const LOOK_AGAIN_MS = 50;

/** What the log says at the end of each step. */
const STEPS = [
  ['joins from a snapshot', 'it knows what there is'],
  ['has the snapshot, and puts it into the ledger', 'it has all chunks'],
  ['begins at the height of the snapshot', 'they are a ledger'],
  ['started', 'it runs'],
] as const;

export async function measureJoin(options: JoinOptions): Promise<JoinResult> {
  const directory = await mkdtemp(join(options.parent, 'hlb-'));
  try {
    const network = await JoinNetwork.make(join(directory, 'net'), options.nodes);
    let ledgerEvents = await network.extend(batchSizes(options));
    const joins: MeasuredJoin[] = [];
    let snapshotBytes = 0;
    for (const eventsPerBlock of options.eventsPerBlock) {
      snapshotBytes = await network.snapshot();
      ledgerEvents += await network.extend(Array.from({ length: options.blocks }, () => eventsPerBlock));
      joins.push({ ledgerEvents, blocks: options.blocks, eventsPerBlock, ...(await network.join()) });
    }
    return { snapshotBytes, joins };
  } finally {
    await rm(directory, { recursive: true });
  }
}

function batchSizes({ events }: JoinOptions): readonly number[] {
  return Array.from({ length: Math.ceil(events / EVENTS_PER_BLOCK_BEFORE) }, (_, block) =>
    Math.min(EVENTS_PER_BLOCK_BEFORE, events - block * EVENTS_PER_BLOCK_BEFORE),
  );
}

type Joined = Pick<MeasuredJoin, 'projectedSeconds' | 'seconds' | 'steps'>;

/** Servers with one ledger, which grows while they do not run. */
class JoinNetwork {
  readonly #net: Testnet;
  readonly #genesis: Genesis;
  readonly #population: Population;
  readonly #chain: Generator<MadeBlock, ChainEnd>;
  readonly #validatorKeys: readonly Hash[];
  /** Of the blocks to come: the chain takes them one by one. */
  #sizes: number[] = [];
  #height = 0;

  private constructor(net: Testnet, genesis: Genesis, blsKeys: readonly Uint8Array[], nodes: number) {
    this.#net = net;
    this.#genesis = genesis;
    this.#population = new Population(nodes, 'ed25519');
    this.#validatorKeys = blsKeys.map((key) => sha256Hex(nativeScheme.publicKeyOf(key)));
    this.#chain = makeBlocks(genesis, genesisState(genesis), blsKeys, this.#batches());
  }

  static async make(directory: string, nodes: number): Promise<JoinNetwork> {
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
        timestamp: Math.floor(Date.now() / 1000) - GENESIS_AGE_SECONDS,
        settings: { snapshots: { everyBlocks: 0 } },
      },
      nativeScheme,
    );
    const validators = net.nodes.slice(0, VALIDATORS);
    const blsKeys = await Promise.all(validators.map(async (node) => loadBlsKey(await blsKeyFileOf(node))));
    return new JoinNetwork(net, await readGenesisFile(net.genesisFile), blsKeys, nodes);
  }

  /** @returns how many events that are */
  async extend(sizes: readonly number[]): Promise<number> {
    this.#sizes = [...sizes];
    const ledgers: OpenLedger[] = [];
    for (const [index, { dataDirectory }] of this.#servers.entries()) {
      ledgers.push(await openLedger(dataDirectory, this.#genesis, this.#validatorKeys[index]!));
    }
    let events = 0;
    for (let block = 0; block < sizes.length; block++) {
      const made = this.#chain.next();
      if (made.done === true) throw new Error('the chain ended');
      const { changes, sealed } = made.value;
      for (const { store } of ledgers) await store.batch(committedBlockOps(sealed, changes), { sync: false });
      this.#height = sealed.block.header.height;
      events += sealed.block.events.length;
    }
    for (const { store } of ledgers) await store.close();
    return events;
  }

  /** @returns its bytes */
  async snapshot(): Promise<number> {
    const [first, ...others] = this.#servers.map(({ dataDirectory }) => dataDirectory);
    const { bytes } = await snapshotOfStopped({
      dataDirectory: first!,
      genesis: this.#genesis,
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    for (const other of others) {
      await cp(join(first!, 'snapshots'), join(other, 'snapshots'), { recursive: true });
    }
    return bytes;
  }

  async join(): Promise<Joined> {
    const running = this.#servers.map((node) => new NodeProcess(node));
    try {
      await Promise.all(running.map((node) => this.#idle(node)));
      const observer = this.#net.nodes.at(-1)!;
      await rm(observer.dataDirectory, { recursive: true, force: true });
      const logFile = join(observer.directory, 'node.log');
      await rm(logFile, { force: true });
      const startedMs = performance.now();
      const startedAt = Date.now();
      const joining = new NodeProcess(observer);
      running.push(joining);
      await this.#follows(joining);
      const seconds = (performance.now() - startedMs) / 1000;
      await this.#idle(joining);
      const projectedSeconds = (performance.now() - startedMs) / 1000;
      return { seconds, projectedSeconds, steps: stepsIn(await readFile(logFile, 'utf8'), startedAt) };
    } finally {
      await Promise.all(running.map((node) => node.stop()));
    }
  }

  get #servers(): readonly TestnetNode[] {
    return this.#net.nodes.slice(0, SERVERS);
  }

  /** Without an end. A block is sealed by those after it, so two empty ones more are made, which come first the next time. */
  *#batches(): Generator<readonly Uint8Array[]> {
    for (;;) yield this.#population.sign(this.#sizes.shift() ?? 0, this.#net.chainId);
  }

  /** Its projections are done, as those of a server that ran before are. */
  async #idle(node: NodeProcess): Promise<void> {
    await node.ready(READY_DEADLINE_MS);
    for (let isBehind = true; isBehind; await delay(LOOK_AGAIN_MS)) {
      const status = await node.control.status().catch(() => undefined);
      isBehind =
        status?.projections.some(({ height, state }) => state !== 'following' || height < this.#height) ?? true;
    }
  }

  async #follows(node: NodeProcess): Promise<void> {
    await node.ready(READY_DEADLINE_MS);
    // One that executes many blocks at once may answer later than its status is waited for.
    const heightNow = async (): Promise<number> => (await node.control.status().catch(() => undefined))?.height ?? 0;
    while ((await heightNow()) < this.#height) await delay(LOOK_AGAIN_MS);
  }
}

function stepsIn(log: string, startedAt: number): MeasuredJoin['steps'] {
  const lines = log
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly msg: string; readonly time: string });
  return STEPS.flatMap(([message, what]) => {
    const line = lines.find(({ msg }) => msg === message);
    return line === undefined ? [] : [{ what, seconds: (Date.parse(line.time) - startedAt) / 1000 }];
  });
}

async function blsKeyFileOf({ configFile }: TestnetNode): Promise<string> {
  const { config } = await loadConfig({ file: configFile, environment: {}, flags: {}, directory: process.cwd() });
  return config.blsKeyFile!;
}
