/** What a piece of work in the first of four validators does to their commits: one event at a time, before it and during it. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { summarize, type Summary } from '../measure.ts';
import { writeLedgers, type WrittenLog } from './ledgers.ts';
import { LoadGenerator } from './load.ts';
import { ValidatorNetwork } from './network.ts';
import type { Population } from './population.ts';

export interface BesideOptions extends WrittenLog {
  /** On the disk that is to be measured. */
  readonly parent: string;
  /** One at a time: before anything is measured, and before the work. */
  readonly warmUp: number;
  readonly commits: number;
}

export interface BesideResult<T> {
  readonly seconds: number;
  readonly before: Summary;
  readonly during: Summary;
  readonly done: T;
}

const GENESIS_AGE_SECONDS = 3600;
/** Commits between two looks at whether it is done. */
const COMMITS_PER_LOOK = 20;

/** @param records of the genesis, at its time (unix seconds) */
export async function measureBeside<T>(
  options: BesideOptions,
  population: Population,
  records: (timestamp: number) => readonly NodeRecord[],
  work: (network: ValidatorNetwork) => Promise<T>,
): Promise<BesideResult<T>> {
  const directory = await mkdtemp(join(options.parent, 'hlb-'));
  const timestamp = Math.floor(Date.now() / 1000) - GENESIS_AGE_SECONDS;
  const testnet = await ValidatorNetwork.make(directory, records(timestamp), timestamp);
  await writeLedgers(testnet, population, options);
  const network = await ValidatorNetwork.of(directory, testnet);
  try {
    return await measured(network, population, options, work);
  } finally {
    await network.stop();
    await network.remove();
  }
}

async function measured<T>(
  network: ValidatorNetwork,
  population: Population,
  { commits, warmUp }: BesideOptions,
  work: (network: ValidatorNetwork) => Promise<T>,
): Promise<BesideResult<T>> {
  const { chainId } = network.testnet;
  const one = { inFlight: 1, batch: 1 };
  const generator = await LoadGenerator.open(network);
  try {
    await generator.run(population.sign(warmUp, chainId), one);
    const { latenciesMs: before } = await generator.run(population.sign(commits, chainId), one);
    const startedMs = performance.now();
    let seconds: number | null = null;
    const working = work(network).finally(() => {
      seconds = (performance.now() - startedMs) / 1000;
    });
    const during: number[] = [];
    while (seconds === null) {
      const signed = population.sign(COMMITS_PER_LOOK, chainId);
      during.push(...(await generator.run(signed, one)).latenciesMs);
    }
    const done = await working;
    return { seconds, before: summarize(before), during: summarize(during), done };
  } finally {
    await generator.close();
  }
}
