/** The command line of a Go server. */
import type { Launch } from './peer.ts';

export interface GoOptions {
  /** `rec`: a hash chain of the commands; `kv`: the JSON commands of the older system. */
  readonly machine: 'rec' | 'kv';
  /** What is in memory is gone with the process. */
  readonly store: 'inmem' | 'bolt';
  readonly timings: GoTimings;
  /** Log entries kept behind a snapshot. */
  readonly trailing?: number;
  readonly snapshotThreshold?: number;
  readonly protocol?: 2 | 3;
  /** Most entries in one AppendEntries. */
  readonly maxAppend?: number;
  /** Commands that the recorder keeps, to be looked at and for snapshots of some size. */
  readonly keep?: number;
  readonly logLevel?: 'ERROR' | 'WARN' | 'INFO' | 'DEBUG';
}

/** Milliseconds; the library takes a lease of at most the heartbeat. */
export interface GoTimings {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly leaseMs: number;
  readonly commitMs: number;
}

/** So that a test does not wait for timeouts, and a stall of a busy machine does not cost an election each time. */
export const FAST_TIMINGS: GoTimings = { heartbeatMs: 300, electionMs: 300, leaseMs: 200, commitMs: 10 };

/** Of hashicorp/raft. */
export const DEFAULT_GO_TIMINGS: GoTimings = { heartbeatMs: 1000, electionMs: 1000, leaseMs: 500, commitMs: 50 };

/** A server that stands for no election within a test, and does what it is told. */
export const PATIENT_TIMINGS: GoTimings = { ...DEFAULT_GO_TIMINGS, heartbeatMs: 600_000, electionMs: 600_000 };

/** @param program what `goPeer` built */
export function goLaunch(program: string, options: GoOptions): Launch {
  const { timings } = options;
  const fixed = {
    fsm: options.machine,
    store: options.store,
    heartbeat: `${timings.heartbeatMs}ms`,
    election: `${timings.electionMs}ms`,
    lease: `${timings.leaseMs}ms`,
    commit: `${timings.commitMs}ms`,
    trailing: options.trailing,
    snapthreshold: options.snapshotThreshold,
    proto: options.protocol,
    maxappend: options.maxAppend,
    keep: options.keep,
    loglevel: options.logLevel,
  };
  const set = Object.entries(fixed).flatMap(([name, value]) => (value === undefined ? [] : [`-${name}=${value}`]));
  return ({ id, address, adminPort, directory }, flags) => [
    program,
    `-id=${id}`,
    `-raft=${address}`,
    `-http=127.0.0.1:${adminPort}`,
    `-dir=${directory}`,
    '-until-input-ends',
    ...set,
    ...flags,
  ];
}

/** The flag of a first start that writes this configuration of voters. */
export function bootstrapFlag(servers: readonly { readonly id: string; readonly address: string }[]): string {
  return `-bootstrap=${servers.map(({ id, address }) => `${id}=${address}`).join(',')}`;
}
