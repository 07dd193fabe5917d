/**
 * What only a quorum may do, by a count of its own: stake, worker timeouts, removals and parameters change in a block
 * in which different validators' approvals of a proposal to do so reach a quorum, and then they do change. A node that
 * is removed leaves a tombstone that keeps its last number.
 */
import type { Block } from '../../../src/ledger/block.ts';
import type { QuorumAction } from '../../../src/ledger/event-schema.ts';
import { nodeEntryCodec, type NodeEntry } from '../../../src/ledger/record.ts';
import { NODE_KEY_PREFIX, nodeKey, PARAMETERS_KEY, SCHEMA_KEY, type StateChange } from '../../../src/ledger/state.ts';

interface Open {
  readonly action: QuorumAction;
  readonly approvedBy: Set<string>;
}

export interface Decision {
  readonly action: QuorumAction;
  readonly proposal: string;
}

export class ActionChecker {
  readonly #members: ReadonlySet<string>;
  readonly #quorum: number;
  /** By event id; those that became void as well. */
  readonly #proposals = new Map<string, Open>();
  readonly #entries = new Map<string, NodeEntry>();
  readonly decided: Decision[] = [];

  constructor(members: readonly string[]) {
    this.#members = new Set(members);
    this.#quorum = members.length - Math.floor((members.length - 1) / 3);
  }

  /** The next block, and what it changed. @returns what should hold and does not */
  check({ events }: Pick<Block, 'events'>, changes: readonly StateChange[]): string[] {
    const decisions = events.flatMap(({ event, id }) => {
      if (event.type === 'proposed') this.#proposals.set(id, { action: event.action, approvedBy: new Set() });
      if (event.type !== 'proposed' && event.type !== 'approved') return [];
      const proposal = event.type === 'proposed' ? id : event.proposal;
      return this.#approve(proposal, event.peerId);
    });
    this.decided.push(...decisions);
    const broken = changes.flatMap(({ key, value }) => {
      if (key === PARAMETERS_KEY) {
        return decisions.some(({ action }) => action.kind === 'parametersChanged') ? [] : [UNDECIDED.parameters];
      }
      if (key === SCHEMA_KEY) {
        return decisions.some(({ action }) => action.kind === 'schemaActivated') ? [] : [UNDECIDED.schema];
      }
      if (!key.startsWith(NODE_KEY_PREFIX) || value === undefined) return [];
      const of = decisions.filter(({ action }) => 'peerId' in action && nodeKey(action.peerId) === key);
      return this.#checkEntry(nodeEntryCodec.decodeOwn(value), of);
    });
    const isDone = ({ action }: Decision) => changes.some(({ key }) => key === keyOf(action));
    return decisions.every(isDone) ? broken : [...broken, 'what a quorum decided is done in that block'];
  }

  #approve(id: string, peerId: string): Decision[] {
    const proposal = this.#proposals.get(id);
    if (proposal === undefined || !this.#members.has(peerId) || proposal.approvedBy.has(peerId)) return [];
    proposal.approvedBy.add(peerId);
    if (proposal.approvedBy.size !== this.#quorum) return [];
    return [{ action: proposal.action, proposal: id }];
  }

  #checkEntry(entry: NodeEntry, decisions: readonly Decision[]): string[] {
    const { peerId } = entry;
    const before = this.#entries.get(peerId);
    this.#entries.set(peerId, entry);
    const last = decisions.findLast(({ action }) => action.kind !== 'workerTimeoutSet');
    const isRemoved = decisions.some(({ action }) => action.kind === 'nodeRemoved');
    if (entry.kind === 'absent') {
      if (before?.kind === 'record' && !isRemoved) return [UNDECIDED.removal];
      return before !== undefined && entry.lastSeq < before.lastSeq ? ['a tombstone keeps the last number'] : [];
    }
    const broken: string[] = [];
    const known = before?.kind === 'record' && !isRemoved ? before : null;
    const timeouts = decisions.some(({ action }) => action.kind === 'workerTimeoutSet');
    if (entry.workerTimeoutNs !== (known?.workerTimeoutNs ?? null) && !timeouts) broken.push(UNDECIDED.timeout);
    if (last?.action.kind === 'stakeStatusChanged') {
      const { action, proposal } = last;
      if (entry.stake?.proposal !== proposal || entry.stake.isStaked !== action.isStaked) broken.push(UNDECIDED.stake);
    } else if (entry.stake?.proposal !== known?.stake?.proposal) broken.push(UNDECIDED.stake);
    return broken;
  }
}

function keyOf(action: QuorumAction): string {
  if ('peerId' in action) return nodeKey(action.peerId);
  return action.kind === 'schemaActivated' ? SCHEMA_KEY : PARAMETERS_KEY;
}

const UNDECIDED = {
  schema: 'the event schema changes by decision of a quorum',
  parameters: 'parameters change by decision of a quorum',
  removal: 'a node is removed by decision of a quorum',
  timeout: 'a worker timeout changes by decision of a quorum',
  stake: 'a stake is what a quorum decided last',
} as const;
