/** A node that only answers its control socket. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { refuse } from '../../src/base/result.ts';
import { startControl } from '../../src/node/control.ts';
import type { CommitNotice, NodeStatus, RunningNode } from '../../src/node/status.ts';
import type { LedgerOperations } from '../../src/node/projections/ledger-reads.ts';
import { NO_VIEWS } from '../node/no-views.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { NO_LEDGER } from './no-ledger.ts';

export const STATUS: NodeStatus = {
  engine: 'hotstuff',
  epoch: 0,
  round: 12,
  height: 7,
  headId: ZERO_HASH,
  stateRoot: ZERO_HASH,
  highCertificateRound: 11,
  lockedRound: 10,
  lastVotedRound: 11,
  uncommittedBlocks: 1,
  mempoolEvents: 2,
  idle: false,
  leader: 3,
  silentBecause: null,
  chainId: 'test-00',
  role: 'validator',
  peerId: '12D3KooWRgM45AGb4oFi8xiCM1xKEi1V7dyEwNes4yd8oRBe4h8L',
  index: 2,
  validators: 4,
  version: '0.1.0',
  upSeconds: 3,
  peers: 4,
  listenAddrs: ['/ip4/127.0.0.1/tcp/4001'],
  oldestBlock: 0,
  pruningWaitsFor: null,
  commits: 7,
  eventsCommitted: 9,
  rssBytes: 140_000_000,
  cpuMs: 61_000,
  schema: { active: 1, known: 2, scheduled: null, replaces: ZERO_HASH },
  proposals: [],
  projections: [{ name: 'node-data', height: 7, state: 'following' }],
  rebuild: null,
  components: [{ name: 'store', healthy: true, detail: 'open' }],
};

export interface FakeNode {
  /** Its data directory. */
  readonly directory: string;
  /** How many follow its commits. */
  watchers(): number;
  commit(notice: CommitNotice): void;
  /** As when its process ends. */
  readonly end: () => Promise<void>;
}

export async function startFakeNode(
  status: Partial<NodeStatus> = {},
  ledger: Partial<LedgerOperations> = {},
): Promise<FakeNode> {
  const directory = await temporaryDirectory();
  const listeners = new Set<(notice: CommitNotice) => void>();
  const node: RunningNode = {
    ledger: { ...NO_LEDGER, ...ledger },
    raft: null,
    snapshots: null,
    views: NO_VIEWS,
    listenAddrs: [],
    status: () => ({ ...STATUS, ...status }),
    read: () => Promise.resolve(refuse('busy', 'later')),
    onCommit: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => Promise.resolve(),
    failed: new Promise<never>(() => undefined),
  };
  const end = await startControl({ socket: join(directory, 'control.sock'), node, stop: () => undefined });
  onTestFinished(end);
  return {
    directory,
    watchers: () => listeners.size,
    commit: (notice) => {
      for (const listener of listeners) listener(notice);
    },
    end,
  };
}
