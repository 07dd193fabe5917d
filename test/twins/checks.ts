/**
 * What must hold at every step of a scenario, looked at from outside: over what the instances send and commit. Twins
 * are held to the promises of whoever follows a chain (one chain for all), and not to those of whoever signs.
 */
import type { Hash } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import type { CommittedBlock } from '../../src/consensus/engine.ts';
import { sameVote } from '../../src/hotstuff/commit-rule.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { decodeCommitProof, verifyCommitProof } from '../../src/ledger/commit-proof.ts';
import type { VoteData } from '../../src/qc/ballot.ts';
import type { QuorumCertificate } from '../../src/qc/certificate.ts';
import type { TimeoutCertificate } from '../../src/qc/timeout-certificate.ts';
import type { TestChain } from '../hotstuff/chain.ts';
import { CertificateChecker } from '../simulator/checkers/certificates.ts';
import type { Report } from '../simulator/checkers/violation.ts';
import { SigningBook } from '../simulator/simulated-keys.ts';
import type { Identity } from './instance.ts';

/** Of what it has signed, and of what its disk would remember. */
export interface Signer extends Identity {
  /** The last voted round of the safety record that is on disk. */
  readonly durableRound: number;
  readonly disk: { readonly uncommitted: ReadonlyMap<Hash, Uint8Array> };
}

/** The ballots of one correct validator. */
class Ballots {
  readonly votes = new Map<number, VoteData>();
  readonly highRounds = new Map<number, number>();
  readonly proposals = new Map<number, Hash>();
  lastTimeout = 0;
}

interface Position {
  readonly id: Hash;
  readonly stateRoot: Hash;
}

export class Checks {
  readonly #chain: TestChain;
  readonly #report: Report;
  readonly #book: SigningBook;
  readonly #certificates: CertificateChecker;
  /** By instance. */
  readonly #ballots = new Map<number, Ballots>();
  /** The one chain, by height. */
  readonly #committed: Position[];
  /** Certificates that were looked at; by identity, as there are few objects and many messages. */
  readonly #seen = new WeakSet<object>();
  readonly #seals = new Set<string>();

  constructor(chain: TestChain, report: Report) {
    this.#chain = chain;
    this.#report = report;
    this.#book = new SigningBook(chain.validators.n);
    const { block } = chain.genesis;
    this.#committed = [{ id: block.id, stateRoot: block.header.stateRoot }];
    this.#certificates = new CertificateChecker({ ...chain, state: chain.genesis }, this.#book, report);
  }

  /** Of the longest committed chain. */
  get height(): number {
    return this.#committed.length - 1;
  }

  /** The key of a validator was used. */
  signed({ index }: Identity, preimage: Uint8Array): void {
    this.#book.add(index, preimage);
  }

  /** A message leaves an instance. */
  sent(by: Signer, message: HotstuffMessage): void {
    switch (message.kind) {
      case 'proposal':
        this.#quorum(by, message.justify);
        if (message.timeoutCertificate !== null) this.#timeouts(by, message.timeoutCertificate);
        return this.#proposal(by, message.block.header.round, message.block.id);
      case 'vote':
        return this.#vote(by, message.vote);
      case 'timeout':
        this.#quorum(by, message.highCertificate);
        if (message.timeoutCertificate !== null) this.#timeouts(by, message.timeoutCertificate);
        return this.#timeout(by, message.timeout.round, message.timeout.highRound);
      case 'certificate':
        return this.#quorum(by, message.certificate);
      case 'timeoutCertificate':
        return this.#timeouts(by, message.certificate);
      default:
        return;
    }
  }

  /** @param stateRoot of its machine, at the last block of the step */
  committed(by: Identity, blocks: readonly CommittedBlock[], stateRoot: Hash): void {
    for (const { block, sealed } of blocks) {
      const { height, stateRoot: root } = block.header;
      const known = this.#committed[height];
      if (known === undefined && height !== this.#committed.length) {
        this.#violated('blocks are committed one height after the other', { by: by.name, height });
      }
      if (known !== undefined && known.id !== block.id) {
        this.#violated('all commit the same block at a height', { by: by.name, height });
      }
      if (known !== undefined && known.stateRoot !== root) {
        this.#violated('all have the same state at a height', { by: by.name, height });
      }
      this.#committed[height] ??= { id: block.id, stateRoot: root };
      this.#seal(by, block, sealed.seal.bytes);
    }
    if (blocks.at(-1)?.block.header.stateRoot !== stateRoot) {
      this.#violated("a machine's state is that of its last committed block", { by: by.name, height: this.height });
    }
  }

  evidence(by: Identity, offender: number, twins: readonly number[]): void {
    if (!twins.includes(offender)) {
      this.#violated('evidence is against the guilty', { by: by.name, offender });
    }
  }

  #seal(by: Identity, block: CommittedBlock['block'], sealBytes: Uint8Array): void {
    const { certificate, ...rest } = unwrap(decodeCommitProof(sealBytes));
    const key = `${block.id} ${certificate.vote.blockId} ${certificate.signers.join()}`;
    if (this.#seals.has(key)) return;
    this.#seals.add(key);
    this.#certificates.checkQuorum(certificate, by.id);
    const { height } = block.header;
    if (!verifyCommitProof({ certificate, ...rest }, block, this.#chain).ok) {
      this.#violated('the seal of a committed block verifies', { by: by.name, height });
    }
  }

  #quorum(by: Identity, certificate: QuorumCertificate): void {
    if (this.#seen.has(certificate)) return;
    this.#seen.add(certificate);
    this.#certificates.checkQuorum(certificate, by.id);
  }

  #timeouts(by: Identity, certificate: TimeoutCertificate): void {
    if (this.#seen.has(certificate)) return;
    this.#seen.add(certificate);
    this.#certificates.checkTimeout(certificate, by.id);
  }

  #vote(by: Signer, vote: VoteData): void {
    if (by.isTwin) return;
    const { round, blockId } = vote;
    const mine = this.#ballotsOf(by);
    const first = mine.votes.get(round);
    if (first !== undefined) {
      if (!sameVote(first, vote)) this.#violated('a correct validator votes once in a round', { by: by.name, round });
      return;
    }
    mine.votes.set(round, vote);
    if (round <= mine.lastTimeout) {
      this.#violated('no vote follows a timeout in its round', { by: by.name, round, gaveUp: mine.lastTimeout });
    }
    if (by.durableRound < round || !by.disk.uncommitted.has(blockId)) {
      this.#violated('a vote and its block are on disk before it is sent', { by: by.name, round });
    }
  }

  #timeout(by: Signer, round: number, highRound: number): void {
    if (by.isTwin) return;
    const mine = this.#ballotsOf(by);
    const first = mine.highRounds.get(round) ?? highRound;
    mine.highRounds.set(round, first);
    mine.lastTimeout = Math.max(mine.lastTimeout, round);
    if (first !== highRound) {
      this.#violated('a correct validator sends one timeout for a round', { by: by.name, round });
    }
    if (by.durableRound < round) {
      this.#violated('a timeout is on disk before it is sent', { by: by.name, round });
    }
  }

  #proposal(by: Signer, round: number, id: Hash): void {
    if (by.isTwin) return;
    const { proposals } = this.#ballotsOf(by);
    const first = proposals.get(round) ?? id;
    proposals.set(round, first);
    if (first !== id) this.#violated('a correct leader proposes once in a round', { by: by.name, round });
    if (by.durableRound < round) {
      this.#violated('a proposal is on disk before it is sent', { by: by.name, round });
    }
  }

  #ballotsOf({ id }: Identity): Ballots {
    const known = this.#ballots.get(id) ?? new Ballots();
    this.#ballots.set(id, known);
    return known;
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#report({ checker: 'twins', message, details });
  }
}
