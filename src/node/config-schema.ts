/** The settings of a node: their names, limits and defaults. docs/configuration.md lists the same, and a test compares. */
import { multiaddr } from '@multiformats/multiaddr';
import { z } from 'zod';
import { raftConfigSchema } from './raft/raft-config.ts';

const address = z
  .string()
  .max(256)
  .refine(isMultiaddr, { error: 'is not a multiaddr, such as /ip4/127.0.0.1/tcp/4001' });
const addressWithPeer = address.refine((text) => /\/p2p\/[^/]+$/.test(text), {
  error: 'must end in /p2p/<peer id>, so that whoever answers is checked',
});
const positive = z.int().min(1);

const submission = z.strictObject({
  /** Who may submit: anyone with a valid event, the listed peers, or peers whose record is staked. */
  policy: z.enum(['open', 'allow-list', 'staked']).default('open'),
  /** Peer ids for the policy `allow-list`. */
  allow: z.array(z.string().max(64)).max(10_000).default([]),
  /** Events a second of one peer; a relay submits for many nodes. */
  eventsPerSecondPerPeer: positive.default(20_000),
  /** Events a second of all peers together. */
  eventsPerSecond: positive.default(50_000),
  /** Events that wait for a commit; beyond it the answer is `busy`, with the time to wait. */
  waitingEvents: positive.default(16_384),
});

const pacemaker = z.strictObject({
  /** Timer of a round that follows a certificate directly; each silent round after it waits 1.2 times longer. */
  baseTimeoutMs: z.int().min(50).max(60_000).default(1_000),
});

const limits = z.strictObject({
  /** Connections in all. */
  connections: positive.default(512),
  /** Inbound connections a second from one IP address. */
  inboundConnectionsPerSecond: positive.default(100),
  /** Events in the mempool, and those on their way into it. */
  mempoolEvents: positive.default(16_384),
  /** Messages of one validator that wait for the loop. */
  inboxMessages: positive.default(4_096),
  /** Bytes of consensus messages that wait to be sent to one validator; the oldest go first. */
  outboxBytes: positive.default(16 * 1024 * 1024),
  /** Requests for verified reads that one peer may make in a second, each for up to 64 records. */
  readsPerSecondPerPeer: positive.default(500),
});

const snapshots = z.strictObject({
  /** One of each height that this divides; 0: only when somebody asks. Nodes with the same number serve the same ones. */
  everyBlocks: z.int().min(0).default(10_000),
  /** So many of the newest stay in the data directory. */
  keep: z.int().min(1).max(1_000).default(2),
});

const pruning = z.strictObject({
  /** Which blocks stay, of those behind the newest snapshot: all, the newest, or those of late. */
  policy: z.enum(['all', 'keepBlocks', 'keepFor']).default('all'),
  /** For the policy `keepBlocks`. */
  keepBlocks: positive.default(100_000),
  /** For the policy `keepFor`: by the time of the block. */
  keepForSeconds: positive.default(2_592_000),
});

const joining = z.strictObject({
  /** Where a node with an empty data directory begins: at a snapshot of others, where there is one, or at genesis. */
  from: z.enum(['snapshot', 'genesis']).default('snapshot'),
  /** How long it waits for somebody to answer before it begins at genesis; a validator whose key never signed does not. */
  waitSeconds: z.int().min(0).max(3_600).default(10),
});

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Absent: standard output. */
  file: z.string().optional(),
});

/** The whole file; defaults filled in. */
export const configSchema = z
  .strictObject({
    /** The genesis file that all nodes of the network share. */
    genesis: z.string(),
    /** Where the ledger lives. One running node a directory. */
    dataDirectory: z.string(),
    /** Hex of the libp2p private key protobuf, mode 0600. */
    identityKeyFile: z.string().default('masa_oracle_key'),
    /** The same, given in the environment instead of a file. */
    identityKeyHex: z.string().optional(),
    /** Present on a validator only. */
    blsKeyFile: z.string().optional(),
    listen: z.array(address).min(1).max(16).default(['/ip4/0.0.0.0/tcp/4001']),
    /** Addresses told to others instead of those listened on, for a node behind a translator. */
    announce: z.array(address).max(16).default([]),
    /** Peers to start from. */
    bootstrap: z.array(addressWithPeer).max(256).default([]),
    /** Address files of other nodes on this machine (`addresses.json` in their data directories). */
    addressFiles: z.array(z.string()).max(256).default([]),
    submission: submission.prefault({}),
    pacemaker: pacemaker.prefault({}),
    limits: limits.prefault({}),
    snapshots: snapshots.prefault({}),
    pruning: pruning.prefault({}),
    join: joining.prefault({}),
    log: log.prefault({}),
    /** Present on a member of a Raft cluster only. */
    raft: raftConfigSchema.optional(),
  })
  .refine(({ pruning: { policy }, raft }) => raft === undefined || policy === 'all', {
    path: ['pruning', 'policy'],
    error: 'is "all" for a member of a Raft cluster, which keeps every block',
  });

/** The file as it is written. */
export type ConfigFile = z.input<typeof configSchema>;
export type ParsedConfig = z.output<typeof configSchema>;

type Section = 'submission' | 'pacemaker' | 'limits' | 'snapshots' | 'pruning' | 'join' | 'log';
type Some<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** Some of the settings, nested as in the file. */
export type ConfigOverlay = Some<Omit<ConfigFile, Section>> & {
  readonly [K in Section]?: Some<NonNullable<ConfigFile[K]>> | undefined;
};

function isMultiaddr(text: string): boolean {
  try {
    multiaddr(text);
    return true;
  } catch {
    return false;
  }
}
