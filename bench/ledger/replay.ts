/**
 * How fast a ledger is checked and executed again from its log, by the function that `hotledger replay` calls, in processes
 * that are started as the command is.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sha256Hex } from '../../src/base/hash.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { committedBlockOps } from '../../src/ledger/block-log.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import { loadBlsKey } from '../../src/node/bls-key.ts';
import { loadConfig, type NodeConfig } from '../../src/node/config.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { NODE_ENVIRONMENT, NODE_FLAGS } from '../../src/node/node-flags.ts';
import { openLedger } from '../../src/node/open-ledger.ts';
import { makeTestnet } from '../../src/node/testnet.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { Population } from '../validators/population.ts';
import { makeBlocks } from './chain.ts';
import type { ReplayedInProcess } from './replay-process.ts';

export interface ReplayResult {
  /** Each of the same log. */
  readonly executed: readonly ReplayedInProcess[];
  /** With every seal and every signature checked, by turns with those without. */
  readonly checked: readonly ReplayedInProcess[];
}

const VALIDATORS = 4;
const GENESIS_AGE_SECONDS = 3600;

export interface LedgerOptions {
  readonly nodes: number;
  readonly events: number;
  readonly eventsPerBlock: number;
}

export interface ReplayOptions extends LedgerOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  readonly trials: number;
}

/** The nodes sign in turn; where they are fewer than the events of a block, each signs several of them. */
export async function measureReplay(options: ReplayOptions): Promise<ReplayResult> {
  const { events, eventsPerBlock, parent, trials } = options;
  const directory = await mkdtemp(join(parent, 'hlb-'));
  try {
    const config = await writeLedger(join(directory, 'net'), options);
    const executed: ReplayedInProcess[] = [];
    const checked: ReplayedInProcess[] = [];
    const height = Math.ceil(events / eventsPerBlock);
    for (let trial = 0; trial < trials; trial++) {
      executed.push(await replayInProcess(config, height, 'none'));
      checked.push(await replayInProcess(config, height, 'all'));
    }
    return { executed, checked };
  } finally {
    await rm(directory, { recursive: true });
  }
}

const PROCESS = fileURLToPath(new URL('./replay-process.ts', import.meta.url));

/** @param verify as the command has it */
export async function replayInProcess(
  { dataDirectory, genesis }: NodeConfig,
  to: number,
  verify: 'none' | 'seals' | 'all',
): Promise<ReplayedInProcess> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...NODE_FLAGS, PROCESS, dataDirectory, genesis, String(to), verify],
    { env: { ...process.env, ...NODE_ENVIRONMENT } },
  );
  return JSON.parse(stdout) as ReplayedInProcess;
}

/** The data directory of a validator that has committed all of it. */
export async function writeLedger(directory: string, options: LedgerOptions): Promise<NodeConfig> {
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
