/** The command line of a server, and what it is told: Go's, and what ours takes as well. */
import type { Launch, PeerPlace } from './peer.ts';

export interface PeerOptions {
  /** `rec`: a hash chain of the commands; `kv`: the JSON commands of the older system. */
  readonly machine: 'rec' | 'kv';
  /** What is in memory is gone with the process. */
  readonly store: 'inmem' | 'bolt';
  readonly timings: PeerTimings;
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
export interface PeerTimings {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly leaseMs: number;
  readonly commitMs: number;
}

/**
 * So that a test waits for timeouts as little as may be, while a server that starts beside it on two cores, and takes a
 * second of them, does not cost the leader its lease.
 */
export const FAST_TIMINGS: PeerTimings = { heartbeatMs: 500, electionMs: 500, leaseMs: 450, commitMs: 10 };

/** Of hashicorp/raft. */
export const DEFAULT_GO_TIMINGS: PeerTimings = { heartbeatMs: 1000, electionMs: 1000, leaseMs: 500, commitMs: 50 };

/** A server that stands for no election within a test, and does what it is told. */
export const PATIENT_TIMINGS: PeerTimings = { ...DEFAULT_GO_TIMINGS, heartbeatMs: 600_000, electionMs: 600_000 };

/** @param program what `goPeer` built */
export function goLaunch(program: string, options: PeerOptions): Launch {
  return (place, flags) => [program, ...flagsOf(place, options), ...flags];
}

/** Of Go's program and of ours. */
export function flagsOf({ id, address, adminPort, directory }: PeerPlace, options: PeerOptions): readonly string[] {
  const { timings } = options;
  const fixed = {
    id,
    raft: address,
    http: `127.0.0.1:${adminPort}`,
    dir: directory,
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
  return ['-until-input-ends', ...set];
}

/** The flag of a first start that writes this configuration of voters. */
export function bootstrapFlag(servers: readonly { readonly id: string; readonly address: string }[]): string {
  return `-bootstrap=${servers.map(({ id, address }) => `${id}=${address}`).join(',')}`;
}
