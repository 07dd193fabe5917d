/** A node that joins, as the control endpoint sees it: it tells how far it is, and serves nothing yet. */
import { ZERO_HASH } from '../../base/hash.ts';
import { refuse } from '../../base/result.ts';
import type { JoinStatus } from '../../consensus/join-contract.ts';
import type { NodeConfig } from '../config.ts';
import { PROGRAM_VERSION } from '../program-version.ts';
import type { NodeStatus, RunningNode } from '../status.ts';

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

/** What is told of a join. */
export interface JoinReport extends Omit<JoinStatus, 'phase'> {
  /** As the machine's, and then `restoring`: the chunks are put into the ledger. */
  readonly phase: JoinStatus['phase'] | 'restoring';
}

export function joiningNode(facts: JoiningFacts): RunningNode {
  const { promise } = Promise.withResolvers<never>();
  return {
    listenAddrs: [],
    raft: null,
    failed: promise,
    status: () => joiningStatus(facts),
    read: () => Promise.resolve(refuse('node-joining', 'the node is joining and has no state yet; see its status')),
    onCommit: () => () => undefined,
    stop() {
      facts.stop();
      return Promise.resolve();
    },
  };
}

function joiningStatus({ chainId, config, join, nowMs, peerId, peers, startedAtMs }: JoiningFacts): NodeStatus {
  const joining = join();
  const { system, user } = process.cpuUsage();
  return {
    engine: 'joining',
    epoch: 0,
    round: 0,
    height: 0,
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
    version: PROGRAM_VERSION,
    upSeconds: Math.floor((nowMs() - startedAtMs) / 1000),
    peers: peers(),
    listenAddrs: [],
    commits: 0,
    eventsCommitted: 0,
    rssBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1000,
    projections: [],
    components: [{ name: 'sync', healthy: joining.stuckBecause === null, detail: joinText(joining) }],
    joining,
  };
}

/** One line for people. */
export function joinText(join: JoinReport): string {
  const { bytesPerSecond, chunks, chunksKept, height, servers, stuckBecause } = join;
  const dropped = servers.filter(({ droppedBecause }) => droppedBecause !== null);
  const lies =
    dropped.length === 0 ? '' : `; dropped for what they sent: ${dropped.map(({ server }) => server).join(', ')}`;
  if (stuckBecause !== null) return `joining, stuck: ${stuckBecause}${lies}`;
  switch (join.phase) {
    case 'asking':
      return `joining: asks ${servers.length} servers what they have${lies}`;
    case 'manifest':
      return `joining: asks for the manifest of the snapshot at height ${height ?? 0}${lies}`;
    case 'chunks': {
      const rate = (bytesPerSecond / 1e6).toFixed(1);
      const from = servers.filter((server) => server.chunks > 0).length;
      return `joining: ${chunksKept} of ${chunks} chunks of height ${height ?? 0}, ${rate} MB/s from ${from} servers${lies}`;
    }
    case 'restoring':
      return `joining: puts the snapshot of height ${height ?? 0} into the ledger${lies}`;
    case 'ended':
      return `joining: begins at height ${height ?? 0}${lies}`;
  }
}
