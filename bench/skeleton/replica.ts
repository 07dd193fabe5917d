/**
 * The bare protocol: two-chain HotStuff where nobody fails. No timeouts, no fetching, no execution, no mempool.
 *
 * round r     leader: fdatasync, proposal -> all       all: ed25519, certificate, fdatasync, BLS vote -> leader r + 1
 * round r + 1 leader: aggregate, verify, fdatasync, empty proposal -> all     all: the same, vote -> leader r + 2
 * round r + 2 leader: aggregate, verify, certificate -> all                   all: verify, commit, fdatasync
 */
import { sign, verify, type KeyObject } from 'node:crypto';
import { assert } from '../../src/base/assert.ts';
import { sha256Hex, ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { votePreimage, type VoteData } from '../../src/qc/ballot.ts';
import {
  isSameCertificate,
  verifyCertificate,
  type EpochContext,
  type QuorumCertificate,
} from '../../src/qc/certificate.ts';
import { runCollectJob } from '../../src/qc/collect.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import { blockCodec, blockId, messageCodec, type Block, type Message } from './messages.ts';

export interface Surroundings {
  readonly index: number;
  readonly context: EpochContext;
  readonly scheme: SignatureScheme;
  readonly blsKey: Uint8Array;
  readonly identityKey: KeyObject;
  /** Of every leader, by index. */
  readonly identityKeys: readonly KeyObject[];
  send(to: number, frame: Uint8Array): void;
  broadcast(frame: Uint8Array): void;
  /** Appends and waits for fdatasync. */
  persist(bytes: Uint8Array): void;
  committed(id: Hash, events: readonly Uint8Array[]): void;
}

interface Voted {
  readonly vote: VoteData;
  readonly block: Block;
}

export class Replica {
  readonly #around: Surroundings;
  readonly #waiting = new Map<Hash, Uint8Array>();
  /** Events of blocks voted for. */
  readonly #proposed = new Set<Hash>();
  /** Ids of blocks voted for, and of genesis. */
  readonly #held = new Set<Hash>();
  readonly #early = new Map<Hash, (() => void)[]>();
  /** Not committed yet, by id. */
  readonly #voted = new Map<Hash, Voted>();
  readonly #signatures = new Map<number, { signer: number; signature: Uint8Array }[]>();
  #high: QuorumCertificate;
  #lastVoted: Voted | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#high = around.context.genesis;
    this.#held.add(this.#high.vote.blockId);
  }

  submit(event: Uint8Array): void {
    this.#around.broadcast(messageCodec.encode({ kind: 'event', event }));
    this.#receive(this.#around.index, { kind: 'event', event });
  }

  frame(from: number, bytes: Uint8Array): void {
    this.#receive(from, unwrap(messageCodec.decode(bytes)));
  }

  #receive(from: number, message: Message): void {
    switch (message.kind) {
      case 'event':
        return this.#event(sha256Hex(message.event), message.event);
      case 'proposal':
        return this.#proposal(from, message.block, message.signature);
      case 'vote':
        return this.#vote(from, message.round, message.signature);
      case 'certificate':
        return this.#whenHeld(message.certificate.vote.blockId, () => {
          this.#certificate(message.certificate);
        });
    }
  }

  #event(id: Hash, event: Uint8Array): void {
    // A proposal can overtake its event, as they come from different processes.
    if (this.#proposed.has(id)) return;
    this.#waiting.set(id, event);
    this.#proposeIfDue();
  }

  #leaderOf(round: number): number {
    return round % this.#around.context.validators.n;
  }

  /** Whether events wait for a block, or a block of a later round than this has some that are not committed. */
  #busyBeyond(round: number): boolean {
    return (
      this.#waiting.size > 0 ||
      [...this.#voted.values()].some(({ block }) => block.round > round && block.events.length > 0)
    );
  }

  #proposeIfDue(): void {
    const round = this.#high.vote.round + 1;
    const voted = this.#lastVoted?.vote.round ?? 0;
    if (this.#leaderOf(round) !== this.#around.index || voted >= round || !this.#busyBeyond(0)) return;
    const block = blockCodec.encode({ round, justify: this.#high, events: [...this.#waiting.values()] });
    const signature = sign(null, block, this.#around.identityKey);
    this.#around.persist(block);
    this.#around.broadcast(messageCodec.encode({ kind: 'proposal', block, signature }));
    this.#castVote(block);
  }

  #proposal(from: number, encoded: Uint8Array, signature: Uint8Array): void {
    const { round, justify } = unwrap(blockCodec.decode(encoded));
    assert(from === this.#leaderOf(round), 'the leader proposes', { from, round });
    assert(verify(null, encoded, this.#around.identityKeys[from]!, signature), 'the leader signed', { from, round });
    this.#whenHeld(justify.vote.blockId, () => {
      this.#certificate(justify);
      this.#around.persist(encoded);
      this.#castVote(encoded);
    });
  }

  /** A block can overtake its parent, and a certificate its block, as they come from different processes. */
  #whenHeld(id: Hash, proceed: () => void): void {
    if (this.#held.has(id)) proceed();
    else this.#early.set(id, [...(this.#early.get(id) ?? []), proceed]);
  }

  /** The block is on disk, which is also the record of having voted for it. */
  #castVote(encoded: Uint8Array): void {
    const block = unwrap(blockCodec.decode(encoded));
    const { index, context, blsKey, scheme } = this.#around;
    const parent = block.justify.vote;
    const consecutive = parent.round > 0 && parent.round + 1 === block.round;
    const vote: VoteData = {
      round: block.round,
      blockId: blockId(encoded),
      parentRound: parent.round,
      parentId: parent.blockId,
      commit: consecutive
        ? { height: 0, round: parent.round, blockId: parent.blockId, stateRoot: ZERO_HASH, nextValidatorSet: null }
        : null,
    };
    this.#lastVoted = { vote, block };
    this.#voted.set(vote.blockId, this.#lastVoted);
    for (const id of block.events.map(sha256Hex)) {
      this.#waiting.delete(id);
      this.#proposed.add(id);
    }
    const signature = scheme.sign(blsKey, votePreimage({ chainId: context.chainId, epoch: 0 }, vote));
    const next = this.#leaderOf(block.round + 1);
    if (next === index) this.#vote(index, block.round, signature);
    else this.#around.send(next, messageCodec.encode({ kind: 'vote', round: block.round, signature }));
    this.#held.add(vote.blockId);
    const early = this.#early.get(vote.blockId) ?? [];
    this.#early.delete(vote.blockId);
    for (const proceed of early) proceed();
  }

  #vote(signer: number, round: number, signature: Uint8Array): void {
    if (round <= this.#high.vote.round) return;
    this.#signatures.set(round, [...(this.#signatures.get(round) ?? []), { signer, signature }]);
    this.#collect(round);
  }

  #collect(round: number): void {
    const { context, scheme } = this.#around;
    const ballots = this.#signatures.get(round) ?? [];
    if (this.#lastVoted?.vote.round !== round || ballots.length < context.validators.quorum) return;
    this.#signatures.delete(round);
    const { vote } = this.#lastVoted;
    const job = { kind: 'votes', chainId: context.chainId, epoch: 0, vote, ballots } as const;
    const outcome = runCollectJob(job, context.validators, scheme);
    assert(outcome.kind === 'votes' && outcome.certificate !== null, 'honest votes make a certificate', { round });
    this.#high = outcome.certificate;
    if (!this.#busyBeyond(vote.commit?.round ?? 0)) {
      this.#around.broadcast(messageCodec.encode({ kind: 'certificate', certificate: outcome.certificate }));
    }
    this.#commit(outcome.certificate);
    this.#proposeIfDue();
  }

  #certificate(certificate: QuorumCertificate): void {
    if (certificate.vote.round <= this.#high.vote.round) {
      return assert(
        certificate.vote.round < this.#high.vote.round || isSameCertificate(certificate, this.#high),
        'a known certificate is the known one',
      );
    }
    this.#high = unwrap(verifyCertificate(certificate, this.#around.context, this.#around.scheme));
    this.#commit(certificate);
    this.#proposeIfDue();
  }

  #commit({ vote }: QuorumCertificate): void {
    if (vote.commit === null) return;
    const { round, blockId: id } = vote.commit;
    const committed = this.#voted.get(id);
    for (const [other, { vote: old }] of this.#voted) if (old.round <= round) this.#voted.delete(other);
    if (committed === undefined || committed.block.events.length === 0) return;
    this.#around.persist(new TextEncoder().encode(id));
    this.#around.committed(id, committed.block.events);
  }
}
