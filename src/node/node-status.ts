/** What a running node says of itself. */
import type { Refusal } from '../base/result.ts';
import type { Consensus } from './consensus.ts';
import type { NetworkedCore } from './core.ts';
import { openProposalsOf } from './open-proposals.ts';
import { PROGRAM_VERSION } from './program-version.ts';
import type { ProjectionsStatus } from './projections/node-projections.ts';
import { projectionFacts, projectionHealth } from './projections/projection-health.ts';
import { schemaHealth, schemaReport } from './schema-report.ts';
import { PRUNED_ADVICE } from './pruned-watch.ts';
import type { ComponentHealth, NodeStatus } from './status.ts';

export interface StatusFacts {
  readonly startedAtMs: number;
  readonly commits: number;
  readonly eventsCommitted: number;
  readonly projections: ProjectionsStatus;
  /** It has just joined, and its projections wait. */
  readonly isCatchingUp: boolean;
  readonly gossipSubscribers: number;
  readonly pruningWaitsFor: string | null;
  /** Why the node does not turn to a snapshot by itself, where the blocks that it needs are pruned; null: it does. */
  readonly staysBecause: Refusal | null;
}

export function nodeStatus(core: NetworkedCore, consensus: Consensus, facts: StatusFacts): NodeStatus {
  const engine = consensus.status();
  const { head } = core.ledger.machine;
  const schema = schemaReport(head, head.height);
  return {
    ...engine,
    chainId: core.context.chainId,
    role: core.seat === null ? 'observer' : 'validator',
    peerId: core.identity.peerId,
    index: core.seat?.index ?? null,
    validators: core.context.validators.n,
    version: PROGRAM_VERSION,
    upSeconds: Math.floor((core.nowMs() - facts.startedAtMs) / 1000),
    peers: new Set(core.host.connections().map(({ peerId }) => peerId)).size,
    listenAddrs: core.host.addresses(),
    oldestBlock: core.ledger.log.floor(),
    pruningWaitsFor: facts.pruningWaitsFor,
    commits: facts.commits,
    eventsCommitted: facts.eventsCommitted,
    rssBytes: process.memoryUsage.rss(),
    cpuMs: cpuMs(),
    schema,
    proposals: openProposalsOf(head, core.context.validators, head.timestamp),
    ...projectionFacts(facts.projections),
    components: [...components(core, consensus, engine, facts), schemaHealth(schema, head.height)],
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function components(
  core: NetworkedCore,
  consensus: Consensus,
  engine: ReturnType<Consensus['status']>,
  facts: StatusFacts,
): readonly ComponentHealth[] {
  return [
    { name: 'store', healthy: true, detail: `open, head at height ${engine.height}` },
    consensusHealth(core, consensus, engine),
    networkHealth(core),
    {
      name: 'gossip',
      healthy: facts.gossipSubscribers > 0,
      detail: `${facts.gossipSubscribers} peers follow the ledger's topic`,
    },
    projectionHealth(engine.height, facts.projections, facts.isCatchingUp),
    ...syncHealth(consensus.isPrunedAway(), facts.staysBecause),
  ];
}

function consensusHealth(
  core: NetworkedCore,
  consensus: Consensus,
  engine: ReturnType<Consensus['status']>,
): ComponentHealth {
  const { n, quorum } = core.context.validators;
  const reachable = consensus.connectedValidators() + (core.seat === null ? 0 : 1);
  if (core.seat !== null && engine.silentBecause !== null) {
    return { name: 'consensus', healthy: false, detail: `does not sign: ${engine.silentBecause}` };
  }
  if (core.seat !== null && reachable < quorum) {
    return {
      name: 'consensus',
      healthy: false,
      detail: `reaches ${reachable} of ${n} validators and needs ${quorum} to commit; check the others and the network`,
    };
  }
  return { name: 'consensus', healthy: true, detail: `round ${engine.round}, reaches ${reachable} of ${n} validators` };
}

function networkHealth({ host }: NetworkedCore): ComponentHealth {
  const connections = host.connections().length;
  return connections > 0
    ? { name: 'network', healthy: true, detail: `${connections} connections` }
    : { name: 'network', healthy: false, detail: 'no connection; check "bootstrap" and the firewall' };
}

/** Said only where something is wrong. */
function syncHealth(isPrunedAway: boolean, staysBecause: Refusal | null): readonly ComponentHealth[] {
  if (!isPrunedAway) return [];
  const detail =
    staysBecause === null
      ? 'the blocks that this node needs next are pruned at the validators; it takes a snapshot instead'
      : `${PRUNED_ADVICE} (${staysBecause.code}: ${staysBecause.message})`;
  return [{ name: 'sync', healthy: false, detail: `blocks-pruned: ${detail}` }];
}
