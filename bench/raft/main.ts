/**
 * hashicorp/raft and our Raft on the same machine: three servers, two cores, the same load. All clusters are up at once
 * and take turns, so that what else the machine does meets all of them.
 */
import { goPeer, goVersion } from '../../test/interop/go-build.ts';
import { DEFAULT_GO_TIMINGS, goLaunch, type PeerOptions } from '../../test/interop/go-launch.ts';
import { ourLaunch } from '../../test/interop/our-launch.ts';
import type { Launch } from '../../test/interop/peer.ts';
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

/** Whose figures are held against each other. */
export const RAFT_CLUSTERS = {
  goOnDisk: 'hashicorp/raft on BoltDB',
  goTuned: 'hashicorp/raft on BoltDB, 1024 entries a message',
  oursOnDisk: 'ours, on LevelDB',
  oursLeadingGo: 'ours leading hashicorp/raft, in memory',
} as const;

/** The greatest that the library takes. */
const TUNED_MAX_APPEND = 1024;

export async function measureRaft(parent: string, options: RaftOptions): Promise<readonly RaftResult[]> {
  const all = await contenders();
  try {
    for (const { cluster } of all) await cluster.start(parent);
    const runs = await takeTurns(all, options);
    const results: RaftResult[] = [];
    for (const [i, { cluster, isKilled }] of all.entries()) {
      const failover = isKilled ? await cluster.failover(options.kills) : null;
      results.push({ cluster: cluster.name, runs: runs[i] ?? [], failover });
    }
    return results;
  } finally {
    await Promise.all(all.map(({ cluster }) => cluster.stop()));
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

/** As hashicorp/raft is by default. */
const BASE = { machine: 'rec', timings: DEFAULT_GO_TIMINGS, keep: 0, logLevel: 'WARN' } as const;
const DISK: PeerOptions = { ...BASE, store: 'bolt' };
const MEMORY: PeerOptions = { ...BASE, store: 'inmem' };

async function contenders(): Promise<readonly Contender[]> {
  const ours = (options: PeerOptions): Launch => ourLaunch(options, () => []);
  const own: readonly Contender[] = [
    { cluster: three(RAFT_CLUSTERS.oursOnDisk, ours(DISK)), isKilled: true },
    { cluster: three('ours, in memory', ours(MEMORY)), isKilled: false },
  ];
  if (goVersion() === undefined) {
    console.error('left out: Go with hashicorp/raft is not here (scripts/install-go-peer.sh)');
    return own;
  }
  const program = await goPeer();
  const go = (options: PeerOptions): Launch => goLaunch(program, options);
  return [
    { cluster: three(RAFT_CLUSTERS.goOnDisk, go(DISK)), isKilled: true },
    { cluster: three(RAFT_CLUSTERS.goTuned, go({ ...DISK, maxAppend: TUNED_MAX_APPEND })), isKilled: false },
    { cluster: three('hashicorp/raft, in memory', go(MEMORY)), isKilled: false },
    ...own,
    { cluster: three(RAFT_CLUSTERS.oursLeadingGo, ours(MEMORY), go(MEMORY)), isKilled: false },
  ];
}

/** @param follower what the two others are; the same as the leader without it */
function three(name: string, leader: Launch, follower = leader): ClusterUnderTest {
  return new PeerCluster(name, [leader, follower, follower]);
}
