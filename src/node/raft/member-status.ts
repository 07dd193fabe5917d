/** What a running member of a Raft cluster says of itself, in the words of every node. */
import type { Hash } from '../../base/hash.ts';
import { ZERO_HASH } from '../../base/hash.ts';
import type { EngineStatus } from '../../consensus/engine.ts';
import { NEWEST_EVENT_SCHEMA } from '../../ledger/newest-schema.ts';
import type { Host } from '../../net/host.ts';
import type { ValidatorSet } from '../../qc/validator-set.ts';
import { openProposalsOf } from '../open-proposals.ts';
import { PROGRAM_VERSION } from '../program-version.ts';
import type { ProjectionsStatus } from '../projections/node-projections.ts';
import { projectionFacts, projectionHealth } from '../projections/projection-health.ts';
import { schemaHealth, schemaReport } from '../schema-report.ts';
import type { ComponentHealth, NodeStatus } from '../status.ts';
import type { RaftLedger } from './ledger-machine.ts';
import type { RaftServerStatus } from './raft-server.ts';

export interface MemberFacts {
  readonly chainId: string;
  /** That the chain begins with. */
  readonly genesisSchema: number;
  readonly peerId: string;
  readonly validators: ValidatorSet;
  readonly host: Host;
  readonly ledger: RaftLedger;
  readonly raft: RaftServerStatus;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly commits: number;
  readonly eventsCommitted: number;
  readonly projections: ProjectionsStatus;
}

export function memberStatus(facts: MemberFacts): NodeStatus {
  const { chainId, commits, eventsCommitted, host, nowMs, peerId, projections, startedAtMs, validators } = facts;
  const { system, user } = process.cpuUsage();
  const engine = engineStatus(facts);
  const head = facts.ledger.ledger?.machine.head;
  const schema =
    head === undefined
      ? { active: facts.genesisSchema, known: NEWEST_EVENT_SCHEMA, scheduled: null, replaces: ZERO_HASH }
      : schemaReport(head, head.height);
  return {
    ...engine,
    chainId,
    role: 'validator',
    peerId,
    index: validators.indexOf(peerId) ?? null,
    validators: validators.n,
    version: PROGRAM_VERSION,
    upSeconds: Math.floor((nowMs - startedAtMs) / 1000),
    peers: new Set(host.connections().map((connection) => connection.peerId)).size,
    listenAddrs: host.addresses(),
    oldestBlock: facts.ledger.ledger?.log.floor() ?? 0,
    pruningWaitsFor: null,
    commits,
    eventsCommitted,
    rssBytes: process.memoryUsage.rss(),
    cpuMs: (user + system) / 1000,
    schema,
    proposals: head === undefined ? [] : openProposalsOf(head, validators, head.timestamp),
    ...projectionFacts(projections),
    components: [
      { name: 'store', healthy: true, detail: `open, head at height ${engine.height}` },
      consensusHealth(facts.raft),
      projectionHealth(engine.height, projections),
      schemaHealth(schema, engine.height),
    ],
  };
}

/** Before BASE there is no block, and the height is 0. */
function engineStatus({ ledger, raft, validators }: MemberFacts): EngineStatus {
  const head = ledger.ledger?.log.head();
  // Of the block that is named: in memory the state may be a batch ahead.
  const stateRoot: Hash = head?.stateRoot ?? ledger.stateRoot ?? ZERO_HASH;
  return {
    engine: 'raft',
    epoch: 0,
    round: raft.term,
    height: head?.height ?? 0,
    headId: head?.blockId ?? ZERO_HASH,
    stateRoot,
    highCertificateRound: 0,
    lockedRound: 0,
    lastVotedRound: 0,
    uncommittedBlocks: raft.lastIndex - raft.commitIndex,
    mempoolEvents: raft.proposalsWaiting,
    idle: raft.lastIndex === raft.commitIndex && raft.proposalsWaiting === 0,
    leader: raft.leader === null ? null : (validators.indexOf(raft.leader.id) ?? null),
    silentBecause: raft.foreign?.message ?? null,
  };
}

function consensusHealth({ configuration, foreign, leader, role, self, term }: RaftServerStatus): ComponentHealth {
  const name = 'consensus';
  if (foreign !== null) return { name, healthy: false, detail: foreign.message };
  const own = configuration.configuration.servers.find(({ id }) => id === self);
  if (own === undefined) {
    return { name, healthy: false, detail: 'is in no cluster yet; "hotledger raft join" tells what to do' };
  }
  if (leader === null) {
    return { name, healthy: false, detail: `term ${term}, no leader; a majority of the voters must be up` };
  }
  return { name, healthy: true, detail: `term ${term}, ${own.suffrage}, ${role}, led by ${leader.id}` };
}
