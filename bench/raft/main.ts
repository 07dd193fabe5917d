/**
 * hashicorp/raft and our Raft on the same machine: three servers, two cores, the same load. All clusters are up at once
 * and take turns, so that what else the machine does meets all of them.
 */
import { goPeer, goVersion } from '../../test/interop/go-build.ts';
import { DEFAULT_GO_TIMINGS, goLaunch, type PeerOptions } from '../../test/interop/go-launch.ts';
import { percentile, type Summary } from '../measure.ts';
import { PeerCluster, type ClusterUnderTest, type RaftFigures, type RaftLoad } from './cluster.ts';

export interface RaftResult {
  readonly cluster: string;
  readonly runs: readonly RaftFigures[];
  /** From the kill of a leader to the next acknowledged write; null where nothing durable is left to restart from. */
  readonly failover: Summary | null;
}

export interface RaftOptions {
  readonly loads: readonly RaftLoad[];
  /** Of each load; what is reported is the median of them. */
  readonly rounds: number;
  readonly kills: number;
}

interface Contender {
  readonly cluster: ClusterUnderTest;
  readonly isKilled: boolean;
}

const SERVERS = 3;
/** The greatest that the library takes. */
const TUNED_MAX_APPEND = 1024;

export async function measureRaft(parent: string, options: RaftOptions): Promise<readonly RaftResult[]> {
  const contenders = await goContenders();
  try {
    for (const { cluster } of contenders) await cluster.start(parent);
    const runs = await takeTurns(contenders, options);
    const results: RaftResult[] = [];
    for (const [i, { cluster, isKilled }] of contenders.entries()) {
      const failover = isKilled ? await cluster.failover(options.kills) : null;
      results.push({ cluster: cluster.name, runs: runs[i] ?? [], failover });
    }
    return results;
  } finally {
    await Promise.all(contenders.map(({ cluster }) => cluster.stop()));
  }
}

/** @returns one list a contender, of one element a load */
async function takeTurns(
  contenders: readonly Contender[],
  { loads, rounds }: RaftOptions,
): Promise<readonly (readonly RaftFigures[])[]> {
  const medians: RaftFigures[][] = contenders.map(() => []);
  for (const load of loads) {
    const measured: RaftFigures[][] = contenders.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { cluster }] of contenders.entries()) measured[i]?.push(await cluster.run(load));
    }
    for (const [i, figures] of measured.entries()) medians[i]?.push(medianOf(load, figures));
  }
  return medians;
}

function medianOf({ inFlight, commands }: RaftLoad, figures: readonly RaftFigures[]): RaftFigures {
  const median = (of: (figure: RaftFigures) => number): number => percentile(figures.map(of), 0.5);
  return {
    inFlight,
    perSecond: median(({ perSecond }) => perSecond),
    latency: {
      samples: commands * figures.length,
      p50Ms: median(({ latency }) => latency.p50Ms),
      p99Ms: median(({ latency }) => latency.p99Ms),
    },
  };
}

/** None where Go or the library is not here. */
async function goContenders(): Promise<Contender[]> {
  if (goVersion() === undefined) {
    console.error('left out: Go with hashicorp/raft is not here (scripts/install-go-peer.sh)');
    return [];
  }
  const program = await goPeer();
  const base = { machine: 'rec', timings: DEFAULT_GO_TIMINGS, keep: 0, logLevel: 'WARN' } as const;
  const kinds: readonly (readonly [name: string, options: PeerOptions, isKilled: boolean])[] = [
    ['hashicorp/raft on BoltDB', { ...base, store: 'bolt' }, true],
    [
      'hashicorp/raft on BoltDB, 1024 entries a message',
      { ...base, store: 'bolt', maxAppend: TUNED_MAX_APPEND },
      false,
    ],
    ['hashicorp/raft in memory', { ...base, store: 'inmem' }, false],
  ];
  return kinds.map(([name, options, isKilled]) => {
    const launch = goLaunch(program, options);
    return { cluster: new PeerCluster(name, new Array<typeof launch>(SERVERS).fill(launch)), isKilled };
  });
}
