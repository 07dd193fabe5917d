/**
 * What left a machine, against what its validator may ever say, over all of its lives: one proposal, one vote and one
 * timeout a round, no vote in a round that it gave up, and nothing that its disk could still forget.
 */
import type { Hash } from '../../../src/base/hash.ts';
import type { SafetyRecord } from '../../../src/hotstuff/safety-record.ts';
import type { HotstuffMessage } from '../../../src/hotstuff/messages.ts';
import { latin1 } from '../latin1.ts';
import type { Report } from './violation.ts';

/** A validator's disk as a power cut would leave it. */
export interface DurableView {
  /** Bits flipped on it: what it has lost by that proves nothing, but what is sent must be as safe as ever. */
  readonly isDamaged?: boolean;
  /** Undefined where there is none. */
  safety(): SafetyRecord | undefined;
  holdsBlock(id: Hash): boolean;
  /** Of the last block in its log. */
  committedRound(): number;
}

const NAME = 'ballots';
type BallotKind = 'vote' | 'timeout' | 'proposal';
const KINDS: readonly BallotKind[] = ['vote', 'timeout', 'proposal'];

/** Rounds whose ballots are kept: nobody sends one that is older. */
const KEPT_ROUNDS = 2_000;

export class BallotChecker {
  readonly #report: Report;
  /** By `placeOf`: the one ballot. */
  readonly #ballots = new Map<number, string>();
  /** By validator: the last round that it gave up, and the last block that it had voted for by then. */
  readonly #gaveUp = new Map<number, { readonly round: number; readonly votedFor: Hash | null }>();
  readonly #last = new Map<number, SafetyRecord>();

  constructor(report: Report) {
    this.#report = report;
  }

  sent(by: number, message: HotstuffMessage, disk: DurableView): void {
    switch (message.kind) {
      case 'vote':
        return this.#vote(by, message, disk);
      case 'timeout':
        return this.#timeout(by, message, disk);
      case 'proposal':
        return this.#proposal(by, message, disk);
      default:
        return;
    }
  }

  /** Lock and rounds of what is durable never fall, whatever happens to the process. */
  #durable(by: number, disk: DurableView): SafetyRecord | undefined {
    const record = disk.safety();
    const last = this.#last.get(by);
    if (record === undefined || record === last) return record;
    if (last !== undefined) {
      this.#monotone(by, 'last voted round', last.lastVotedRound, record.lastVotedRound);
      this.#monotone(by, 'lock', last.lockedRound, record.lockedRound);
      this.#monotone(by, 'highest certificate', roundOf(last), roundOf(record));
    }
    this.#last.set(by, record);
    return record;
  }

  #vote(by: number, message: HotstuffMessage & { kind: 'vote' }, disk: DurableView): void {
    const { blockId, parentRound, round } = message.vote;
    const record = this.#durable(by, disk);
    const isLost = record === undefined && disk.isDamaged === true;
    if (!isLost && (record === undefined || record.lastVotedRound < round)) {
      return this.#violated('a vote is durable before it is sent', { by, round });
    }
    if (record !== undefined && record.lockedRound < parentRound && record.lastVote?.round === round) {
      this.#violated('a vote locks what it votes on', { by, round, lock: record.lockedRound });
    }
    if (!this.#once(by, 'vote', round, latin1(message.signature) + blockId)) return;
    // One turn may take many rounds: the batch that wrote the block may have forgotten it again, as it lost by then.
    if (disk.isDamaged !== true && !disk.holdsBlock(blockId) && disk.committedRound() < round)
      this.#violated('a block is durable before its vote is sent', { by, round });
    const gaveUp = this.#gaveUp.get(by);
    // A vote that was on disk when the process ended may leave beside a later timeout.
    if (gaveUp !== undefined && round <= gaveUp.round && gaveUp.votedFor !== blockId) {
      this.#violated('no vote follows a timeout in its round', { by, round, gaveUp: gaveUp.round });
    }
  }

  #timeout(by: number, message: HotstuffMessage & { kind: 'timeout' }, disk: DurableView): void {
    const { highRound, round } = message.timeout;
    const record = this.#durable(by, disk);
    const isLost = record === undefined && disk.isDamaged === true;
    if (!isLost && (record?.lastTimeout?.timeout.round ?? -1) < round) {
      return this.#violated('a timeout is durable before it is sent', { by, round });
    }
    if (round > (this.#gaveUp.get(by)?.round ?? 0)) {
      this.#gaveUp.set(by, { round, votedFor: (record ?? this.#last.get(by))?.lastVote?.blockId ?? null });
    }
    this.#once(by, 'timeout', round, latin1(message.signature) + highRound);
  }

  #proposal(by: number, message: HotstuffMessage & { kind: 'proposal' }, disk: DurableView): void {
    const { id, header } = message.block;
    const record = this.#durable(by, disk);
    const isLost = record === undefined && disk.isDamaged === true;
    if (!isLost && (record === undefined || record.lastVotedRound < header.round)) {
      return this.#violated('a proposal is durable before it is sent', { by, round: header.round });
    }
    this.#once(by, 'proposal', header.round, id);
  }

  /** @returns whether it is the first */
  #once(by: number, kind: BallotKind, round: number, ballot: string): boolean {
    const place = placeOf(by, kind, round);
    const known = this.#ballots.get(place);
    if (known === undefined) {
      this.#ballots.set(place, ballot);
      this.#ballots.delete(placeOf(by, kind, round - KEPT_ROUNDS));
      return true;
    }
    if (known !== ballot) this.#violated(`one ${kind} a validator and round`, { by, round });
    return false;
  }

  #monotone(by: number, what: string, before: number, now: number): void {
    if (now < before) this.#violated(`the ${what} of a validator never falls`, { by, before, now });
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#report({ checker: NAME, message, details });
  }
}

/** Another number for each validator of up to 256, kind and round. */
function placeOf(by: number, kind: BallotKind, round: number): number {
  return (round * 256 + by) * KINDS.length + KINDS.indexOf(kind);
}

function roundOf({ highCertificate }: SafetyRecord): number {
  return highCertificate.vote.round;
}
