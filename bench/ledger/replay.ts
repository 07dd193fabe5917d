/** How fast a ledger is checked and executed again from its log, by the function that `hotledger replay` calls. */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '../../src/base/hash.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { committedBlockOps } from '../../src/ledger/block-log.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import { loadBlsKey } from '../../src/node/bls-key.ts';
import { loadConfig, type NodeConfig } from '../../src/node/config.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { openLedger } from '../../src/node/open-ledger.ts';
import { replayLedger, type LedgerReplayReport } from '../../src/node/replay.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import { makeTestnet } from '../../src/node/testnet.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Population } from '../validators/population.ts';
import { makeBlocks } from './chain.ts';

export interface ReplayRate {
  readonly events: number;
  readonly perSecond: number;
  readonly cpuUsPerEvent: number;
}

export interface ReplayResult {
  readonly executed: ReplayRate;
  /** With every seal and every signature checked. */
  readonly checked: ReplayRate;
  /** State and projections, key by key, against what is kept: what `--compare` does besides. */
  readonly compareSeconds: number;
}

const VALIDATORS = 4;
const GENESIS_AGE_SECONDS = 3600;

export interface ReplayOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  readonly nodes: number;
  readonly events: number;
  readonly eventsPerBlock: number;
}

/** The nodes sign in turn; where they are fewer than the events of a block, each signs several of them. */
export async function measureReplay(options: ReplayOptions): Promise<ReplayResult> {
  const directory = await mkdtemp(join(options.parent, 'hlb-'));
  try {
    const config = await writeLedger(join(directory, 'net'), options);
    const executed = await rateOf(() => replay(config, { verify: false, compare: false }));
    const startedMs = performance.now();
    // What was rebuilt is taken up where it stands, at the head: all that is left to do is to compare.
    const { compared } = await replay(config, { verify: false, compare: true });
    const compareSeconds = (performance.now() - startedMs) / 1000;
    if (compared?.state.equal !== true) throw new Error('the replayed state is not the one on disk');
    await rm(placeOf(config), { recursive: true });
    return { executed, checked: await rateOf(() => replay(config, { verify: true, compare: false })), compareSeconds };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function rateOf(run: () => Promise<LedgerReplayReport>): Promise<ReplayRate> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const { eventsOfThisRun: events } = await run();
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { events, perSecond: events / seconds, cpuUsPerEvent: (user + system) / events };
}

async function replay(
  config: NodeConfig,
  { compare, verify }: { readonly compare: boolean; readonly verify: boolean },
): Promise<LedgerReplayReport> {
  const source = await openSource(config.dataDirectory);
  const report = await replayLedger({
    source,
    genesis: await readGenesisFile(config.genesis),
    dataDirectory: config.dataDirectory,
    into: placeOf(config),
    to: null,
    verifySignatures: verify,
    verifySeals: verify,
    threads: cpus().length,
    projections: CATALOG,
    compare,
    swap: false,
    olderRows: 'keep',
    onProgress: () => undefined,
    onNote: () => undefined,
  });
  await source.close();
  return report;
}

function placeOf({ dataDirectory }: NodeConfig): string {
  return join(dataDirectory, 'replay');
}

/** The data directory of a validator that has committed all of it. */
export async function writeLedger(directory: string, options: Omit<ReplayOptions, 'parent'>): Promise<NodeConfig> {
  const { events, eventsPerBlock, nodes } = options;
  const timestamp = Math.floor(Date.now() / 1000) - GENESIS_AGE_SECONDS;
  const population = new Population(nodes, 'ed25519');
  const testnet = await makeTestnet(
    {
      directory,
      name: 'replay',
      validators: VALIDATORS,
      observers: 0,
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
  const configs = await Promise.all(testnet.nodes.map(async ({ configFile }) => configOf(configFile)));
  const blsKeys = await Promise.all(configs.map(({ blsKeyFile }) => loadBlsKey(blsKeyFile!)));
  const genesis = await readGenesisFile(testnet.genesisFile);
  const validatorKey = sha256Hex(nativeScheme.publicKeyOf(blsKeys[0]!));
  const ledger = await openLedger(configs[0]!.dataDirectory, genesis, validatorKey);
  const batches = function* () {
    for (let left = events; left > 0; left -= eventsPerBlock) {
      yield population.sign(Math.min(left, eventsPerBlock), testnet.chainId);
    }
  };
  for (const { changes, sealed } of makeBlocks(genesis, genesisState(genesis), blsKeys, batches())) {
    await ledger.store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  await ledger.store.close();
  return configs[0]!;
}

async function configOf(file: string): Promise<NodeConfig> {
  const { config } = await loadConfig({ file, environment: {}, flags: {}, directory: process.cwd() });
  return config;
}
