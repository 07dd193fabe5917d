/** A node that joins, as the control endpoint sees it: it tells how far it is, and serves nothing yet. */
import { ZERO_HASH } from '../../base/hash.ts';
import { CodedError, refuse, type Refused } from '../../base/result.ts';
import { NEWEST_EVENT_SCHEMA } from '../../ledger/newest-schema.ts';
import type { NodeConfig } from '../config.ts';
import type { LedgerAccess } from '../ledger-views.ts';
import { PROGRAM_VERSION } from '../program-version.ts';
import type { LedgerOperations } from '../projections/ledger-reads.ts';
import type { NodeStatus, RunningNode } from '../status.ts';
import { joinText, type JoinReport } from './join-report.ts';

export interface JoiningFacts {
  readonly config: Pick<NodeConfig, 'role'>;
  readonly chainId: string;
  readonly peerId: string;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  /** Connected now. */
  readonly peers: () => number;
  readonly join: () => JoinReport;
  readonly stop: () => void;
}

export function joiningNode(facts: JoiningFacts): RunningNode {
  const { promise } = Promise.withResolvers<never>();
  return {
    listenAddrs: [],
    raft: null,
    snapshots: { create: notYetThrown },
    ledger: NO_LEDGER_YET,
    views: NO_VIEWS_YET,
    failed: promise,
    status: () => joiningStatus(facts),
    read: async () => notYet(),
    onCommit: () => () => undefined,
    stop() {
      facts.stop();
      return Promise.resolve();
    },
  };
}

const NO_LEDGER_YET: LedgerOperations = {
  history: async () => notYet(),
  statistics: async () => notYet(),
  at: async () => notYet(),
  export: async () => notYet(),
  rebuild: () => notYet(),
};

const NO_VIEWS_YET: LedgerAccess = {
  facts: notYetThrown,
  blocks: notYetThrown,
  open: notYetThrown,
  rows: notYetThrown,
  close: () => Promise.resolve(),
};

function notYetThrown(): Promise<never> {
  return Promise.reject(new CodedError(notYet().refusal));
}

function notYet(): Refused {
  return refuse('node-joining', 'the node is joining and has no state yet; see its status');
}

function joiningStatus({ chainId, config, join, nowMs, peerId, peers, startedAtMs }: JoiningFacts): NodeStatus {
  const joining = join();
  const { system, user } = process.cpuUsage();
  return {
    engine: 'joining',
    epoch: 0,
    round: 0,
    height: joining.ownHeight ?? 0,
    headId: ZERO_HASH,
    stateRoot: ZERO_HASH,
    highCertificateRound: 0,
    lockedRound: 0,
    lastVotedRound: 0,
    uncommittedBlocks: 0,
    mempoolEvents: 0,
    idle: true,
    leader: null,
    silentBecause: 'a node that joins does not vote',
    chainId,
    role: config.role,
    peerId,
    index: null,
    validators: 0,
    version: PROGRAM_VERSION,
    upSeconds: Math.floor((nowMs() - startedAtMs) / 1000),
    peers: peers(),
    listenAddrs: [],
    commits: 0,
    eventsCommitted: 0,
    rssBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1000,
    schema: { active: 1, known: NEWEST_EVENT_SCHEMA, scheduled: null, replaces: ZERO_HASH },
    proposals: [],
    oldestBlock: 0,
    pruningWaitsFor: null,
    projections: [],
    rebuild: null,
    components: [{ name: 'sync', healthy: joining.stuckBecause === null, detail: joinText(joining) }],
    joining,
  };
}
