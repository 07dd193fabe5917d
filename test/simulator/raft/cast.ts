/** Who takes part in a run of a Raft cluster, and under which bounds: a function of the seed, as plain data. */
import { Random } from '../../../src/base/random.ts';
import type { RaftLimits, RaftTimings } from '../../../src/raft/contract.ts';
import { DEFAULT_LIMITS } from '../../../src/raft/contract.ts';
import type { SnapshotPolicy } from '../../../src/node/raft/server-options.ts';
import { seedOf } from '../dice.ts';

/** Bounds that a run may make tight. */
export type TightLimits = Pick<
  RaftLimits,
  | 'maxAppendEntries'
  | 'maxInFlight'
  | 'maxUncommittedEntries'
  | 'maxTrailingToPromote'
  | 'trailingEntries'
  | 'maxCachedBytes'
>;

export interface RaftCast {
  /** Over libp2p the id of a server is its address, and a connection proves it. */
  readonly streams: 'tcp' | 'libp2p';
  readonly protocolVersion: 2 | 3;
  /** Machines with a blank disk that nobody has heard of yet: their places come after those of the servers. */
  readonly spares: number;
  /** Of the servers, the last so many begin as non-voters. */
  readonly nonvoters: number;
  /** Machines that speak as versions before 1.3.7: they name nobody, and close the connection on a pre-vote. */
  readonly old: readonly number[];
  readonly clients: number;
  readonly keys: number;
  readonly timings: RaftTimings;
  readonly limits: TightLimits;
  readonly snapshots: SnapshotPolicy;
  /** Operators who switch off what they removed; else it runs on. */
  readonly retiresRemoved: boolean;
  /** Operators whose list of the cluster still names what they removed. */
  readonly listsRemoved: boolean;
}

export const AMPLE_LIMITS: TightLimits = {
  maxAppendEntries: DEFAULT_LIMITS.maxAppendEntries,
  maxInFlight: DEFAULT_LIMITS.maxInFlight,
  maxUncommittedEntries: DEFAULT_LIMITS.maxUncommittedEntries,
  maxTrailingToPromote: DEFAULT_LIMITS.maxTrailingToPromote,
  trailingEntries: DEFAULT_LIMITS.trailingEntries,
  maxCachedBytes: DEFAULT_LIMITS.maxCachedBytes,
};

export function castOf(seed: number, servers: number): RaftCast {
  const random = new Random(seedOf(seed, 0));
  const streams = random.pick(['tcp', 'tcp', 'libp2p'] as const);
  const spares = random.pick([0, 1, 2, servers]);
  const machines = Array.from({ length: servers + spares }, (_, id) => id);
  const speed = random.pick([0.2, 1]);
  return {
    streams,
    // Up to version 2 the id of a server is its address.
    protocolVersion: streams === 'libp2p' ? random.pick([2, 3] as const) : 3,
    spares,
    nonvoters: servers > 1 && servers !== 3 && random.chance(0.3) ? 1 : 0,
    old: random.chance(0.3) ? random.shuffled(machines).slice(0, 1 + random.below(servers - 1)) : [],
    clients: random.pick([1, 2, 4, 8]),
    keys: random.pick([1, 3]),
    timings: {
      heartbeatMs: 1000 * speed,
      electionMs: 1000 * speed,
      leaseMs: 500 * speed,
      commitMs: 50 * speed,
    },
    limits: {
      maxAppendEntries: random.pick([1, 4, 64]),
      maxInFlight: random.pick([1, 2, 16]),
      maxUncommittedEntries: random.pick([4, 64, 1_000]),
      maxTrailingToPromote: random.pick([2, 250]),
      trailingEntries: random.pick([0, 5, 100]),
      maxCachedBytes: random.pick([0, 1_000, 1_000_000]),
    },
    snapshots: { intervalMs: random.pick([50, 1_000, 20_000]), threshold: random.pick([5, 40, 400]) },
    retiresRemoved: random.chance(0.5),
    listsRemoved: random.chance(0.5),
  };
}
