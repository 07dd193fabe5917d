/** Four real validators: commit latency, throughput, what both cost, memory and verified reads, on one network. */
import { summarize, type Summary } from '../measure.ts';
import { LoadGenerator, type LoadResult } from './load.ts';
import { ValidatorNetwork } from './network.ts';
import { Population } from './population.ts';
import { measureReads, type ReadsResult } from './reads.ts';

export interface ValidatorsOptions {
  /** On the disk that is to be measured. */
  readonly parent: string;
  /** Nodes in the state, four fifths of them with ed25519 keys. */
  readonly nodes: number;
  /** Done before and not measured: a node runs for months, and the compiler takes its first seconds. */
  readonly warmUp: { readonly commits: number; readonly events: number };
  /** One at a time. */
  readonly commits: number;
  readonly loads: readonly LoadOptions[];
  readonly reads: number;
}

export interface LoadOptions {
  readonly keyType: 'ed25519' | 'secp256k1';
  readonly inFlight: number;
  readonly events: number;
}

export interface ValidatorsResult {
  readonly nodes: number;
  readonly commit: { readonly latency: Summary; readonly cpuMs: number };
  readonly loads: readonly (LoadResult & LoadOptions)[];
  readonly reads: ReadsResult;
  /** Resident, of the largest validator, megabytes. */
  readonly memoryMb: { readonly started: number; readonly loaded: number };
}

const BATCHES_IN_FLIGHT = 16;
/** The nodes are older than their first events. */
const GENESIS_AGE_SECONDS = 3600;

export async function measureValidators(options: ValidatorsOptions): Promise<ValidatorsResult> {
  const timestamp = Math.floor(Date.now() / 1000) - GENESIS_AGE_SECONDS;
  const populations = {
    ed25519: new Population(Math.ceil(options.nodes * 0.8), 'ed25519'),
    secp256k1: new Population(Math.floor(options.nodes * 0.2), 'secp256k1'),
  };
  const records = Object.values(populations).flatMap((population) => population.records(timestamp));
  const network = await ValidatorNetwork.start(options.parent, records, timestamp);
  try {
    const started = await memoryMb(network);
    const { commit, loads } = await measureLoads(network, populations, options);
    const loaded = await memoryMb(network);
    const reads = await measureReads(network, populations.ed25519.peerIds, options.reads);
    return { nodes: records.length, commit, loads, reads, memoryMb: { started, loaded } };
  } finally {
    await network.stop();
    await network.remove();
  }
}

async function measureLoads(
  network: ValidatorNetwork,
  populations: Readonly<Record<LoadOptions['keyType'], Population>>,
  { commits, loads, warmUp }: ValidatorsOptions,
): Promise<Pick<ValidatorsResult, 'commit' | 'loads'>> {
  const { chainId } = network.testnet;
  const generator = await LoadGenerator.open(network);
  try {
    const one = { inFlight: 1, batch: 1 };
    await generator.run(populations.ed25519.sign(warmUp.commits, chainId), one);
    const { cpuMs, latenciesMs } = await generator.run(populations.ed25519.sign(commits, chainId), one);
    const commit = { latency: summarize(latenciesMs), cpuMs: cpuMs.validators / commits };
    const results: (LoadResult & LoadOptions)[] = [];
    for (const load of loads) {
      const { events, inFlight, keyType } = load;
      const shape = { inFlight, batch: Math.ceil(inFlight / BATCHES_IN_FLIGHT) };
      await generator.run(populations[keyType].sign(warmUp.events, chainId), shape);
      results.push({ ...(await generator.run(populations[keyType].sign(events, chainId), shape)), ...load });
    }
    return { commit, loads: results };
  } finally {
    await generator.close();
  }
}

async function memoryMb(network: ValidatorNetwork): Promise<number> {
  return Math.max(...(await network.settled()).map(({ rssBytes }) => rssBytes)) / 1e6;
}
