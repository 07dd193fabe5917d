/** The section `raft` of the configuration: a node that has it is a member of a Raft cluster. */
import { z } from 'zod';
import { hostPortOf } from '../../base/host-port.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMINGS } from '../../raft/contract.ts';
import { DEFAULT_SNAPSHOT_POLICY } from './server-options.ts';

const hostPort = z
  .string()
  .max(512)
  .refine((text) => hostPortOf(text) !== undefined, { error: 'is not of the form host:port' });
const name = z.string().min(1).max(512);
const servers = z.array(z.strictObject({ id: name, address: name })).max(64);
const milliseconds = (least: number) => z.int().min(least).max(600_000);
const positive = z.int().min(1);

export const raftConfigSchema = z
  .strictObject({
    /** `libp2p`: over streams of the node's own host, where a server's id and address are its peer id. */
    transport: z.enum(['tcp', 'libp2p']).default('tcp'),
    /** Where other servers reach this one over TCP. */
    listen: hostPort.default('0.0.0.0:4101'),
    /** The address that the cluster knows this server by; absent: `listen`. */
    advertise: hostPort.optional(),
    /** The id that the cluster knows this server by; absent: the peer id. With protocol version 2 the address. */
    id: name.optional(),
    /** The first voters of a new cluster, the same on each of them; looked at while the log is empty. */
    bootstrap: servers.default([]),
    /** Who belongs to the cluster, for a server that its log does not tell, or no longer. */
    cluster: servers.default([]),
    /** Peer ids of the keys that may sign the list of the cluster (`hotledger raft list`). */
    operators: z.array(z.string().max(64)).max(16).default([]),
    /** The history that this server is of (`hotledger raft status`): it starts on no other, and joins no other. */
    history: z
      .string()
      .regex(/^[0-9a-f]{64}$/, { error: 'is not 64 hex digits' })
      .optional(),
    /** `at-once`: a leader begins the ledger as soon as it leads. `by-command`: when told to; before, Go servers may vote. */
    base: z.enum(['by-command', 'at-once']).default('by-command'),
    protocolVersion: z.union([z.literal(2), z.literal(3)]).default(3),
    /** A follower that hears nothing for this long, up to twice as long, stands for election. */
    heartbeatMs: milliseconds(50).default(DEFAULT_TIMINGS.heartbeatMs),
    /** A candidate tries again after this long, up to twice as long. */
    electionMs: milliseconds(50).default(DEFAULT_TIMINGS.electionMs),
    /** A leader that hears no quorum for this long leads no longer. */
    leaseMs: milliseconds(20).default(DEFAULT_TIMINGS.leaseMs),
    /** How long a commit index may wait for entries to ride with. */
    commitMs: milliseconds(1).default(DEFAULT_TIMINGS.commitMs),
    /** Entries applied since the last snapshot that make the next one due. */
    snapshotThreshold: positive.default(DEFAULT_SNAPSHOT_POLICY.threshold),
    /** How often that is looked at, up to twice as long. */
    snapshotIntervalMs: z.int().min(100).default(DEFAULT_SNAPSHOT_POLICY.intervalMs),
    /** Entries kept behind a snapshot, for followers that are a little behind. */
    trailingEntries: z.int().min(0).default(DEFAULT_LIMITS.trailingEntries),
    /** Of a snapshot that another server sends. */
    maxSnapshotBytes: positive.default(16 * 1024 ** 3),
    /** Of the disk, that no snapshot of another server may take. */
    reserveBytes: z
      .int()
      .min(0)
      .default(256 * 1024 ** 2),
    /** In one request. */
    maxAppendEntries: z.int().min(1).max(8192).default(DEFAULT_LIMITS.maxAppendEntries),
    /** Requests to one follower that are not answered. */
    maxInFlight: z.int().min(1).max(128).default(DEFAULT_LIMITS.maxInFlight),
    /** Proposals that are not committed; beyond it the answer is `busy`. */
    maxUncommittedEntries: positive.default(DEFAULT_LIMITS.maxUncommittedEntries),
    maxUncommittedBytes: positive.default(DEFAULT_LIMITS.maxUncommittedBytes),
  })
  .refine(({ heartbeatMs, leaseMs }) => leaseMs <= heartbeatMs, {
    path: ['leaseMs'],
    error: 'is longer than heartbeatMs: a leader gives up before its followers elect another',
  })
  .refine(({ advertise, listen, transport }) => transport === 'libp2p' || !isEverywhere(advertise ?? listen), {
    path: ['advertise'],
    error: 'is needed where "listen" is on all networks, and is one address: the others dial it',
  });

/** `0.0.0.0`, `[::]` and their kind: to listen on, while nobody is reached there. */
function isEverywhere(address: string): boolean {
  return /^[0.:]+$/.test(hostPortOf(address)?.host ?? '');
}

export type RaftConfig = z.output<typeof raftConfigSchema>;
