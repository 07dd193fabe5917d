/** What there is to tell the ledger: by nodes of themselves, and by operators of validators of what they decide together. */
import { ZERO_HASH } from '../../src/base/hash.ts';
import type { Random } from '../../src/base/random.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import type { QuorumAction } from '../../src/ledger/event-schema.ts';
import { openProposals, readProposal } from '../../src/ledger/quorum-actions.ts';
import type { StateReader } from '../../src/ledger/state.ts';
import type { EventBody } from '../../src/node/sign-event.ts';
import type { ValidatorSet } from '../../src/qc/validator-set.ts';
import { NO_CAPABILITIES, peerOf } from '../ledger/nodes.ts';

export interface Author {
  readonly peerId: string;
  /** Pauses between two events, beside those of a node. */
  readonly slowness: number;
  /** @returns the next event; null when there is none now */
  next(nowSeconds: number): EventBody | null;
  /** An event came to its end. @param refusal null: it was acknowledged */
  settled(event: EventBody, refusal: string | null): void;
}

export function nodeNumber(place: number): string {
  return peerOf(1000 + place);
}

export class NodeAuthor implements Author {
  readonly peerId: string;
  readonly slowness = 1;
  readonly #random: Random;
  #joined = false;

  constructor(place: number, random: Random) {
    this.peerId = nodeNumber(place);
    this.#random = random;
  }

  next(): EventBody {
    const version = `v0.${this.#random.below(9)}.${this.#random.below(99)}`;
    const multiaddrs = [`/ip4/203.0.113.${1 + this.#random.below(250)}/udp/4001/quic-v1`];
    if (!this.#joined) return { type: 'joined', multiaddrs, version, ...NO_CAPABILITIES };
    const die = this.#random.below(20);
    if (die === 0) return { type: 'left' };
    if (die === 1) return { type: 'heartbeat' };
    if (die < 5) return { type: 'addressesChanged', multiaddrs };
    if (die < 8) return { type: 'capabilitiesDeclared', ...NO_CAPABILITIES, isWebScraper: this.#random.chance(0.5) };
    return { type: 'versionChanged', version };
  }

  settled(event: EventBody, refusal: string | null): void {
    if (refusal === 'not-joined' || refusal === 'already-joined') this.#joined = refusal === 'already-joined';
    if (refusal !== null) return;
    if (event.type === 'joined') this.#joined = true;
    if (event.type === 'left') this.#joined = false;
  }
}

export interface OperatorOptions {
  readonly index: number;
  readonly validators: ValidatorSet;
  /** Nodes that there may be something to decide about. */
  readonly nodes: number;
  /** What its validator has committed; undefined while it is down. */
  readonly state: () => StateReader | undefined;
}

/** Proposes what comes to its mind, and approves most of what it finds proposed. */
export class OperatorAuthor implements Author {
  readonly peerId: string;
  readonly slowness = 20;
  readonly #options: OperatorOptions;
  readonly #random: Random;

  constructor(options: OperatorOptions, random: Random) {
    this.peerId = options.validators.member(options.index).peerId;
    this.#options = options;
    this.#random = random;
  }

  next(nowSeconds: number): EventBody | null {
    const state = this.#options.state();
    if (state === undefined) return null;
    const { index, validators } = this.#options;
    const open = validators.members.flatMap(({ peerId }) => openProposals(state, peerId));
    const strange = open.filter((id) => readProposal(state, id)?.approvals.includes(index) === false);
    if (strange.length > 0 && this.#random.chance(0.8)) {
      return { type: 'approved', proposal: this.#random.pick(strange) };
    }
    const action = this.#action();
    const replaces = replacedDigest(state, action);
    // Of a node that is not there, it is proposed all the same, now and then.
    if (!replaces.ok && this.#random.chance(0.9)) return null;
    const expires = nowSeconds + this.#random.pick([1, 60, 3_600]);
    const { epoch } = validators;
    return { type: 'proposed', action, epoch, replaces: replaces.ok ? replaces.value : ZERO_HASH, expires };
  }

  settled(): void {
    // What there is to do next, it sees in the state.
  }

  #action(): QuorumAction {
    const peerId = nodeNumber(this.#random.below(this.#options.nodes));
    switch (this.#random.below(5)) {
      case 0:
        return { kind: 'nodeRemoved', peerId, reason: 'so that it may join again' };
      case 1:
        return { kind: 'workerTimeoutSet', peerId, workerTimeout: this.#random.below(3) * 1_000 };
      case 2: {
        const livenessWindowSeconds = this.#random.pick([60, 3_600, 7_200]);
        return { kind: 'parametersChanged', parameters: { livenessWindowSeconds } };
      }
      default:
        return { kind: 'stakeStatusChanged', peerId, isStaked: this.#random.chance(0.5), reference: 'chain 1' };
    }
  }
}
