/** The flags of `go-peer` that our server's process takes too, and one more: the operator's list of the cluster. */
import { parseArgs } from 'node:util';
import type { KnownServer } from '../../src/raft/sender.ts';

export interface OurFlags {
  readonly id: string;
  readonly address: string;
  readonly adminPort: number;
  readonly directory: string;
  readonly store: 'inmem' | 'bolt';
  readonly timings: {
    readonly heartbeatMs: number;
    readonly electionMs: number;
    readonly leaseMs: number;
    readonly commitMs: number;
  };
  readonly trailing: number;
  readonly snapshotThreshold: number;
  readonly maxAppend: number;
  readonly keep: number;
  readonly protocol: 2 | 3;
  /** Null: it joins, or goes on. */
  readonly bootstrap: readonly KnownServer[] | null;
  readonly listed: readonly KnownServer[];
}

/** @param argv `-name=value` each, as Go takes them; the last of several counts */
export function parseFlags(argv: readonly string[]): OurFlags {
  const option = (otherwise: string) => ({ type: 'string', default: otherwise }) as const;
  const { values } = parseArgs({
    args: argv.map((flag) => `-${flag}`),
    options: {
      id: option('n1'),
      raft: option('127.0.0.1:7001'),
      http: option('127.0.0.1:8001'),
      dir: option(''),
      fsm: option('rec'),
      store: option('bolt'),
      heartbeat: option('1000ms'),
      election: option('1000ms'),
      lease: option('500ms'),
      commit: option('50ms'),
      trailing: option('10240'),
      snapthreshold: option('8192'),
      maxappend: option('512'),
      keep: option('100000'),
      proto: option('3'),
      loglevel: option('INFO'),
      bootstrap: option(''),
      listed: option(''),
      'until-input-ends': { type: 'boolean', default: false },
    },
  });
  return {
    id: values.id,
    address: values.raft,
    adminPort: Number(values.http.split(':')[1]),
    directory: values.dir,
    store: oneOf(values.store, ['inmem', 'bolt']),
    timings: {
      heartbeatMs: milliseconds(values.heartbeat),
      electionMs: milliseconds(values.election),
      leaseMs: milliseconds(values.lease),
      commitMs: milliseconds(values.commit),
    },
    trailing: Number(values.trailing),
    snapshotThreshold: Number(values.snapthreshold),
    maxAppend: Number(values.maxappend),
    keep: Number(values.keep),
    protocol: values.proto === '2' ? 2 : 3,
    bootstrap: values.bootstrap === '' ? null : servers(values.bootstrap),
    listed: servers(values.listed),
  };
}

function oneOf<const T extends string>(value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw new Error(`${value} is none of ${known.join(', ')}`);
  return found;
}

function milliseconds(duration: string): number {
  const [, count, unit] = /^(\d+)(ms|s)$/.exec(duration) ?? [];
  if (count === undefined) throw new Error(`${duration} is no duration`);
  return Number(count) * (unit === 's' ? 1000 : 1);
}

/** `id=address,id=address`; none of nothing */
function servers(list: string): readonly KnownServer[] {
  if (list === '') return [];
  return list.split(',').map((server) => {
    const [id, address] = server.split('=');
    if (id === undefined || address === undefined) throw new Error(`${server} is not id=address`);
    return { id, address };
  });
}
